from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless

from dicom_io.results import (
    FilmContext,
    ResultInvalid,
    encode_key_image,
    encode_structured_report,
    encoded_bytes,
    render_key_image,
)
from tests.dicom_io.results.factory import MANY, ONE, context, film, header


def image_of(made: FilmContext, number: int = 1) -> Dataset:
    source = made.headers[0]
    found = made.findings_on(str(source.SOPInstanceUID))
    return dcmread(io.BytesIO(encoded_bytes(encode_key_image(made, source, film(source), found, number))))


def test_a_film_that_was_not_read_gets_no_key_image() -> None:
    made, other = context(boxes=ONE), header(7)
    with pytest.raises(ResultInvalid, match="an image that was not read"):
        encode_key_image(made, other, film(other), (), 1)


def test_a_film_of_another_study_gets_no_key_image() -> None:
    made, other = context(), header(StudyInstanceUID="2.25.9")
    with pytest.raises(ResultInvalid, match="not in the study of its films"):
        encode_key_image(made, other, film(other), (), 1)


def test_a_film_or_findings_of_another_image_are_refused() -> None:
    made = context(header(), header(2), boxes=ONE)
    one, two = made.headers
    with pytest.raises(ResultInvalid, match="those of another image"):
        encode_key_image(made, one, film(two), (), 1)
    with pytest.raises(ResultInvalid, match="those of another image"):
        encode_key_image(made, two, film(two), made.findings, 1)


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
    one, other = (
        encoded_bytes(encode_key_image(made, source, film(source), made.findings, 1)) for _ in range(2)
    )
    assert one == other


def test_no_patient_data_is_drawn() -> None:
    """The same film of another patient gives the same pixels."""
    made = context(boxes=ONE)
    other = replace(
        made, headers=(header(PatientName="Other^Patient", PatientID="P2", AccessionNumber="A2"),)
    )
    assert image_of(made).PixelData == image_of(other).PixelData
