"""Every assert of a report is shown a report that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_io.results import ResultInvalid, encode_structured_report
from dicom_io.results.film_asserts import check_film_report
from tests.dicom_io.results.factory import ONE, context, header

MADE = context(boxes=ONE)


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def named(report: Dataset, code: str) -> Dataset:
    return next(item for item in walk(report) if item.ConceptNameCodeSequence[0].CodeValue == code)


def drop(report: Dataset, code: str) -> None:
    for item in [report, *walk(report)]:
        children = [
            c for c in item.get("ContentSequence", ()) if c.ConceptNameCodeSequence[0].CodeValue == code
        ]
        if children:
            item.ContentSequence = [c for c in item.ContentSequence if c is not children[0]]
            return


def move_region(report: Dataset) -> None:
    region = named(report, "111030")
    region.GraphicData = [value + 5 for value in region.GraphicData]


def leave_image(report: Dataset) -> None:
    region = named(report, "111030")
    region.GraphicData = [value + 600 for value in region.GraphicData]


def open_region(report: Dataset) -> None:
    region = named(report, "111030")
    region.GraphicData = list(region.GraphicData)[:-2]


def other_source(report: Dataset) -> None:
    named(report, "111030").ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.1"


def wrong_unit(report: Dataset) -> None:
    value = named(report, "121207").MeasuredValueSequence[0]
    value.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator = "DCM"


def wrong_size(report: Dataset) -> None:
    named(report, "121207").MeasuredValueSequence[0].NumericValue = "21"


def wrong_certainty(report: Dataset) -> None:
    named(report, "111012").MeasuredValueSequence[0].NumericValue = "0.9"


def same_tracking(report: Dataset) -> None:
    for item in walk(report):
        if item.ConceptNameCodeSequence[0].CodeValue == "112040":
            item.UID = "2.25.5"


def other_study(report: Dataset) -> None:
    report.StudyInstanceUID = "2.25.6"


def less_evidence(report: Dataset) -> None:
    report.CurrentRequestedProcedureEvidenceSequence = []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda report: drop(report, "112040"), "no tracking unique identifier"),
        (lambda report: drop(report, "112039"), "no tracking identifier"),
        (lambda report: drop(report, "111030"), "0 regions for 1 findings"),
        (lambda report: drop(report, "125007"), "2 measurement groups instead of 3"),
        (same_tracking, "comes twice"),
        (move_region, "is not its box"),
        (leave_image, "leaves its image"),
        (open_region, "needs one closed box"),
        (other_source, "not among its evidence"),
        (other_source, "not selected from its image"),
        (wrong_unit, "no UCUM unit"),
        (wrong_size, "not what its box and the pixel spacing give"),
        (lambda report: drop(report, "121207"), "not what its box and the pixel spacing give"),
        (wrong_certainty, "the certainty of finding 1 is not its score"),
        (other_study, "not in the study of its films"),
        (less_evidence, "evidence is not what was read"),
    ],
)
def test_a_damaged_report_is_refused(damage: Callable[[Dataset], None], message: str) -> None:
    report = encode_structured_report(MADE)
    check_film_report(report, MADE)
    damage(report)
    with pytest.raises(ResultInvalid, match=message):
        check_film_report(report, MADE)


def test_a_size_that_does_not_follow_from_the_spacing_is_not_encoded() -> None:
    finding = replace(MADE.findings[0], size_mm=(40.0, 16.0))
    with pytest.raises(ResultInvalid, match="the size of finding 1"):
        encode_structured_report(replace(MADE, findings=(finding,)))


def test_a_size_without_any_spacing_is_not_encoded() -> None:
    with pytest.raises(ResultInvalid, match="the size of finding 1"):
        encode_structured_report(replace(MADE, headers=(header(ImagerPixelSpacing=...),)))


def test_a_size_is_not_called_calibrated_against_the_source() -> None:
    finding = replace(MADE.findings[0], size_is_calibrated=True)
    with pytest.raises(ResultInvalid, match="does not bear out"):
        encode_structured_report(replace(MADE, findings=(finding,)))


def test_every_problem_is_listed() -> None:
    report = encode_structured_report(MADE)
    wrong_unit(report)
    wrong_certainty(report)
    with pytest.raises(ResultInvalid, match="UCUM.*certainty"):
        check_film_report(report, MADE)
