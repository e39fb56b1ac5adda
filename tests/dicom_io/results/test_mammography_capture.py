"""Key images of mammography examinations as objects, with earlier images beside them."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import (
    PriorMammogram,
    ResultInvalid,
    encode_mammography_finding_image,
    encode_mammography_overview,
    encode_prior_comparison,
    encoded_bytes,
)
from dicom_io.results.mammography_capture import _views_not_read
from models.mammography_results import MammographyExam, MammographyView
from tests.dicom_io.results.mammography_factory import FOUR, Examination, Shot, examination, prior

MADE = examination(FOUR)
PRIORS = (prior(1, Shot("L", "CC", wall="right")), prior(2, Shot("R", "MLO")))


def read(encoded: Dataset | None) -> Dataset:
    assert encoded is not None
    return dcmread(io.BytesIO(encoded_bytes(encoded)))


def overview(made: Examination = MADE) -> Dataset:
    return read(encode_mammography_overview(made.context, made.mammograms, anatomy=made.anatomy))


def of_finding(priors: tuple[PriorMammogram, ...] = (), number: int = 2) -> Dataset:
    finding = MADE.context.findings[0]
    return read(
        encode_mammography_finding_image(MADE.context, MADE.mammograms[1], finding, number, priors=priors)
    )


def sources(image: Dataset) -> list[str]:
    return [str(item.ReferencedSOPInstanceUID) for item in image.SourceImageSequence]


def test_an_overview_without_an_image_that_has_findings_is_refused() -> None:
    with pytest.raises(ResultInvalid, match="every image with findings"):
        encode_mammography_overview(MADE.context, MADE.mammograms[:3])
    with pytest.raises(ResultInvalid, match="every image with findings"):
        encode_mammography_overview(MADE.context, ())


def test_an_image_that_was_not_read_gets_no_picture() -> None:
    made = examination((*FOUR[:3], replace(FOUR[3], fails=True)))
    with pytest.raises(ResultInvalid, match="was not read"):
        encode_mammography_overview(made.context, MADE.mammograms)
    assert sources(overview(made)) == ["2.25.3331", "2.25.3332", "2.25.3333"]


def test_an_image_shown_as_another_view_is_refused() -> None:
    uid = MADE.mammograms[0].sop_instance_uid
    wrong = replace(MADE.mammograms[0], view=MammographyView(uid, "L", "CC"))
    with pytest.raises(ResultInvalid, match="as another view than the reading"):
        encode_mammography_overview(MADE.context, (wrong, *MADE.mammograms[1:]))


def test_a_finding_of_another_image_is_refused() -> None:
    with pytest.raises(ResultInvalid, match="none of this image"):
        encode_mammography_finding_image(MADE.context, MADE.mammograms[0], MADE.context.findings[0], 2)


def test_the_overview_names_all_its_images_and_both_breasts() -> None:
    image = overview()
    assert sources(image) == [f"2.25.333{number}" for number in range(1, 5)]
    assert (image.ImageLaterality, image.BodyPartExamined) == ("B", "BREAST")
    assert not image.PatientOrientation and "Laterality" not in image
    assert image.DerivationDescription.startswith("AI result, research use")
    assert (image.Modality, image.SeriesNumber, image.InstanceNumber) == ("OT", 9302, 1)


def test_the_picture_of_one_breast_says_which() -> None:
    image = of_finding()
    assert image.ImageLaterality == "L" and not image.PatientOrientation


def test_patients_look_alike_in_the_picture() -> None:
    other = {"more": (("PatientName", "Other^Patient"), ("PatientID", "P2"), ("AccessionNumber", "A2"))}
    made = examination([replace(shot, **other) for shot in FOUR])  # type: ignore[arg-type]
    assert overview(made).PixelData == overview().PixelData


def test_the_same_reading_gives_the_same_bytes() -> None:
    one, two = (encoded_bytes(encode_mammography_overview(MADE.context, MADE.mammograms)) for _ in range(2))
    assert one == two


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PatientID": "P2"}, "of another patient"),
        ({"IssuerOfPatientID": "Elsewhere"}, "of another patient"),
        ({"StudyInstanceUID": "2.25.111"}, "of the same study"),
        ({"StudyDate": "20260601"}, "later than the study"),
    ],
)
def test_a_prior_that_cannot_be_one_is_refused(change: dict[str, Any], words: str) -> None:
    wrong = prior(1, FOUR[1], **change)
    with pytest.raises(ResultInvalid, match=words):
        of_finding((wrong,))
    with pytest.raises(ResultInvalid, match=words):
        encode_prior_comparison(MADE.context, MADE.mammograms, (wrong,), 9)


def test_findings_of_a_prior_lie_on_it() -> None:
    with pytest.raises(ValueError, match="lie on it"):
        replace(PRIORS[0], findings=MADE.context.findings)
    with pytest.raises(ValueError, match="of one instance"):
        PriorMammogram(PRIORS[0].mammogram, PRIORS[1].header)


def test_a_finding_stands_beside_the_same_view_of_before() -> None:
    alone, compared = of_finding(), of_finding(PRIORS)
    assert sources(alone) == ["2.25.3332"]
    assert sources(compared) == ["2.25.3332", "2.25.55521"]
    assert compared.Columns > alone.Columns
    (series,) = compared.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence] == ["2.25.3332"]
    (study,) = compared.StudiesContainingOtherReferencedInstancesSequence
    assert study.StudyInstanceUID == "2.25.5550"
    assert "earlier images" in compared.DerivationDescription
    assert "StudiesContainingOtherReferencedInstancesSequence" not in alone


def test_without_the_same_view_the_picture_is_as_without_priors() -> None:
    assert of_finding(PRIORS[1:]) == of_finding()


def test_the_latest_prior_is_taken_and_one_with_the_same_modifiers_first() -> None:
    def made(number: int, date: str, *modifiers: str) -> PriorMammogram:
        return prior(number, Shot("L", "CC", modifiers=modifiers), StudyDate=date, ContentDate=date)

    old, new, spot = made(1, "20240101"), made(2, "20250101"), made(3, "20260101", "S")
    assert sources(of_finding((old, new, spot)))[1] == "2.25.55522"
    assert sources(of_finding((old, spot)))[1] == "2.25.55521"
    assert sources(of_finding((spot,)))[1] == "2.25.55523"


def test_marks_of_a_prior_are_those_of_its_own_reading() -> None:
    lesion = replace(FOUR[1], lesion=(260.0, 120.0, 20.0))
    plain = prior(1, lesion)
    (found,) = examination((lesion,)).context.findings
    marked = replace(plain, findings=(replace(found, sop_instance_uid=plain.mammogram.sop_instance_uid),))
    without, with_marks = (of_finding((one,)).pixel_array.astype(int) for one in (plain, marked))
    blue = [((one[..., 2] - one[..., 0]) > 100).sum() for one in (without, with_marks)]
    assert blue[0] == 0 < blue[1]


def test_every_view_stands_beside_the_one_of_before() -> None:
    image = read(encode_prior_comparison(MADE.context, MADE.mammograms, PRIORS, 9))
    assert set(sources(image)) == {f"2.25.333{n}" for n in range(1, 5)} | {"2.25.55521", "2.25.55522"}
    assert image.StudyInstanceUID == "2.25.111" and image.ImageLaterality == "B"
    assert image.InstanceNumber == 9


def test_without_any_view_of_before_there_is_no_comparison() -> None:
    assert encode_prior_comparison(MADE.context, MADE.mammograms, (), 9) is None
    other = prior(1, Shot("L", "ML"))
    assert encode_prior_comparison(MADE.context, MADE.mammograms, (other,), 9) is None


def test_a_prior_without_a_date_is_shown_without_one() -> None:
    undated = {
        keyword: ... for keyword in ("StudyDate", "StudyTime", "ContentDate", "SeriesDate", "AcquisitionDate")
    }
    image = of_finding((prior(1, FOUR[1], **undated),))
    assert len(sources(image)) == 2


def test_no_date_is_drawn() -> None:
    """Two priors of other days but the same number of months before give the same pixels."""
    one, two = (of_finding((prior(1, FOUR[1], StudyDate=date),)) for date in ("20250103", "20250104"))
    assert np.array_equal(one.pixel_array, two.pixel_array)


@pytest.mark.parametrize(
    ("more", "views"),
    [
        ((), ["L MLO"]),
        ((("Laterality", "R"),), ["R MLO", "L MLO"]),
        ((("ImageLaterality", "U"),), ["R MLO", "L MLO"]),
        ((("ViewPosition", ""),), ["L CC", "L MLO"]),
        ((("ViewPosition", ""), ("ImageLaterality", "")), []),
    ],
)
def test_an_image_that_failed_is_named_although_its_header_contradicts_itself(
    more: tuple[tuple[str, str], ...], views: list[str]
) -> None:
    made = examination((Shot("R", "CC"), Shot("L", "MLO", fails=True, more=more))).context
    unclear = replace(made, exam=MammographyExam(made.exam.views[:1])) if more else made
    assert _views_not_read(unclear) == views
