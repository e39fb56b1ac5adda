from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from highdicom import Volume
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless

from dicom_io.results import (
    FilmContext,
    ResultInvalid,
    VolumeContext,
    encode_finding_image,
    encode_overview,
    encode_structured_report,
    encode_volume_finding_image,
    encode_volume_overview,
    encoded_bytes,
)
from dicom_io.results.pictures.film_pictures import render_key_image
from dicom_io.results.pictures.volume_pictures import shown_slices
from models.results import ImageFailure
from tests.dicom_io.results.factory import MANY, ONE, context, film, header
from tests.dicom_io.results.volume_factory import volume_context


def read(encoded: Dataset) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(encoded)))


def image_of(made: FilmContext, number: int = 1) -> Dataset:
    return read(encode_overview(made, [film(source) for source in made.headers], number))


def volume_image(made: VolumeContext) -> Volume:
    """Return a grey ramp on the grid of the reading."""
    ramp = np.indices(made.reading.labels.spatial_shape).sum(axis=0).astype(np.int16)
    return made.reading.labels.with_array(ramp)


def test_a_film_that_was_not_read_gets_no_key_image() -> None:
    made, other = context(boxes=ONE), header(7)
    with pytest.raises(ResultInvalid, match="an image that was not read"):
        encode_overview(made, [film(made.headers[0]), film(other)])
    with pytest.raises(ResultInvalid, match="an image that was not read"):
        encode_finding_image(made, film(other), made.findings[0], 2)


def test_a_film_that_failed_gets_no_key_image() -> None:
    one, two = header(), header(2)
    failed = (ImageFailure(str(two.SOPInstanceUID), "it is constant"),)
    read_alone = context(one, boxes=ONE).readings
    made = context(one, two, boxes=ONE, readings=read_alone, failures=failed, partial=True)
    with pytest.raises(ResultInvalid, match="an image that was not read"):
        encode_overview(made, [film(one), film(two)])
    assert len(read(encode_overview(made, [film(one)])).SourceImageSequence) == 1


def test_an_overview_without_a_film_that_has_findings_is_refused() -> None:
    made = context(header(), header(2), boxes=ONE)
    with pytest.raises(ResultInvalid, match="every film with findings"):
        encode_overview(made, [film(made.headers[1])])
    with pytest.raises(ResultInvalid, match="every film with findings"):
        encode_overview(made, [])


def test_a_finding_of_another_film_or_reading_is_refused() -> None:
    made = context(header(), header(2), boxes=ONE)
    with pytest.raises(ResultInvalid, match="none of this film"):
        encode_finding_image(made, film(made.headers[1]), made.findings[0], 2)
    other = context(boxes=MANY).findings[3]
    with pytest.raises(ResultInvalid, match="none of this film"):
        encode_finding_image(made, film(made.headers[0]), other, 2)


def test_a_finding_has_a_picture_of_its_own() -> None:
    made = context(boxes=MANY[:2])
    overview = image_of(made)
    one, two = (
        read(encode_finding_image(made, film(made.headers[0]), finding, number))
        for number, finding in enumerate(made.findings, start=2)
    )
    assert len({overview.SOPInstanceUID, one.SOPInstanceUID, two.SOPInstanceUID}) == 3
    assert overview.SeriesInstanceUID == one.SeriesInstanceUID == two.SeriesInstanceUID
    assert (one.InstanceNumber, two.InstanceNumber) == (2, 3)
    assert not np.array_equal(one.pixel_array, two.pixel_array)
    assert max(one.Rows, one.Columns) <= 2048 + 200


def test_all_films_stand_side_by_side_in_the_overview() -> None:
    image = image_of(context(header(), header(2), boxes=ONE))
    assert [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence] == ["2.25.3331", "2.25.3332"]
    assert image.Columns > image.Rows
    assert "PatientOrientation" not in image or not image.PatientOrientation


@pytest.mark.parametrize("kwargs", [{"findings": 2}, {"empty": True}, {"findings": 1, "enhanced": True}])
def test_a_volume_has_an_overview(kwargs: dict[str, Any]) -> None:
    made = volume_context(**kwargs)
    image = read(encode_volume_overview(made, volume_image(made)))
    referenced = {str(item.ReferencedSOPInstanceUID) for item in image.SourceImageSequence}
    shown = shown_slices(made.reading)
    assert referenced == {made.reading.slices[index].sop_instance_uid for index in shown}
    assert image.Modality == "OT"
    drawn = "findings outlined" if made.has_findings else "no findings"
    assert drawn in image.DerivationDescription
    assert image.pixel_array.shape == (image.Rows, image.Columns, 3)


def test_a_finding_of_a_volume_has_a_picture_of_its_own() -> None:
    made = volume_context(findings=2)
    finding = made.reading.findings[1]
    image = read(encode_volume_finding_image(made, volume_image(made), finding, 3))
    (source,) = image.SourceImageSequence
    assert source.ReferencedSOPInstanceUID == made.reading.slices[finding.key_slice].sop_instance_uid
    with pytest.raises(ResultInvalid, match="none of this reading"):
        other = volume_context(findings=3)
        encode_volume_finding_image(made, volume_image(made), other.reading.findings[2], 3)


def test_a_volume_on_another_grid_is_refused() -> None:
    made, other = volume_context(findings=1), volume_context(findings=1, origin=(0, 0, 0))
    with pytest.raises(ValueError, match="another grid"):
        encode_volume_overview(made, volume_image(other))


@pytest.mark.parametrize("boxes", [(), ONE, MANY])
def test_the_pixels_are_the_rendered_ones(boxes: Any) -> None:
    made = context(boxes=boxes)
    source = made.headers[0]
    image = image_of(made)
    expected = render_key_image(film(source), made.findings, title="Chest nodule detector 0.1.0")
    assert np.array_equal(image.pixel_array, expected)
    assert (image.PhotometricInterpretation, image.BitsStored, image.PlanarConfiguration) == ("RGB", 8, 0)


def test_it_says_what_it_is_and_where_it_comes_from() -> None:
    image = image_of(context(boxes=ONE))
    assert list(image.ImageType) == ["DERIVED", "SECONDARY"]
    assert image.ConversionType == "WSD"
    assert image.DerivationDescription.startswith("AI result, research use")
    assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == "2.25.3331"
    assert (image.Modality, image.SeriesNumber, image.InstanceNumber) == ("OT", 9302, 1)
    assert list(image.PatientOrientation) == ["L", "F"]
    assert image.BodyPartExamined == "CHEST"
    assert "PixelSpacing" not in image


@pytest.mark.parametrize(("stated", "expected"), [("YES", "YES"), ("NO", "NO"), (..., None), ("?", None)])
def test_whether_the_film_shows_a_name_is_what_the_film_says(stated: Any, expected: str | None) -> None:
    image = image_of(context(header(BurnedInAnnotation=stated, RecognizableVisualFeatures=stated)))
    assert image.get("BurnedInAnnotation") == expected
    assert image.get("RecognizableVisualFeatures") == expected


def test_a_lossy_film_gives_a_lossy_picture() -> None:
    stated = header(
        LossyImageCompression="01",
        LossyImageCompressionRatio="12.5",
        LossyImageCompressionMethod="ISO_10918_1",
    )
    image = image_of(context(stated))
    assert image.LossyImageCompression == "01"
    assert image.LossyImageCompressionRatio == 12.5
    assert image.LossyImageCompressionMethod == "ISO_10918_1"


@pytest.mark.parametrize(("syntax", "expected"), [(JPEGBaseline8Bit, "01"), (JPEGLSLossless, "00")])
def test_a_lossy_syntax_counts_where_nothing_is_stated(syntax: str, expected: str) -> None:
    source = header()
    source.file_meta.TransferSyntaxUID = syntax
    assert image_of(context(source)).LossyImageCompression == expected


def test_key_images_share_a_series_and_differ_from_the_report() -> None:
    made = context(boxes=ONE)
    one, two, report = image_of(made, 1), image_of(made, 2), encode_structured_report(made)
    assert one.SeriesInstanceUID == two.SeriesInstanceUID != report.SeriesInstanceUID
    assert len({str(d.SOPInstanceUID) for d in (one, two, report)}) == 3
    assert one.StudyInstanceUID == two.StudyInstanceUID == report.StudyInstanceUID


def test_pixels_that_are_not_square_are_shown_in_true_proportions() -> None:
    image = image_of(context(header(ImagerPixelSpacing=..., PixelAspectRatio=["2", "1"])))
    assert image.Rows / image.Columns > 2


def test_the_same_film_gives_the_same_bytes() -> None:
    made = context(boxes=MANY)
    source = made.headers[0]
    one, other = (encoded_bytes(encode_overview(made, [film(source)])) for _ in range(2))
    assert one == other


def test_no_patient_data_is_drawn() -> None:
    """The same film of another patient gives the same pixels."""
    made = context(boxes=ONE)
    other = replace(
        made, headers=(header(PatientName="Other^Patient", PatientID="P2", AccessionNumber="A2"),)
    )
    assert image_of(made).PixelData == image_of(other).PixelData
