"""Every check of a CAD report is shown a report that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_io.results import ResultInvalid
from dicom_io.results.cad import encode_mammography_cad_report
from dicom_io.results.cad.checks import check_cad_report
from tests.dicom_io.results.cad.cases import OTHER, PAIRED, SPOT, breasts
from tests.dicom_io.results.cad.test_chest import named

MADE = breasts({1: (SPOT,), 3: (OTHER,)})


def other_study(report: Dataset) -> None:
    report.StudyInstanceUID = "2.25.1"


def other_evidence(report: Dataset) -> None:
    series = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.1"


def image_twice(report: Dataset) -> None:
    library = named(report, "111028")[0]
    library.ContentSequence[0].ReferencedSOPSequence = library.ContentSequence[1].ReferencedSOPSequence


def dangling(report: Dataset) -> None:
    named(report, "111010")[0].ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 9]


def not_an_image(report: Dataset) -> None:
    named(report, "111022")[0].ContentSequence[-1].ReferencedContentItemIdentifier = [1, 3]


def other_image(report: Dataset) -> None:
    named(report, "111041")[0].ContentSequence[0].ReferencedContentItemIdentifier = [1, 2, 2]


def says_nothing(report: Dataset) -> None:
    named(report, "111017")[0].ConceptCodeSequence[0].CodeValue = "111241"


def moved(report: Dataset) -> None:
    outline = named(report, "111041")[0]
    outline.GraphicData = [one + 5 for one in outline.GraphicData]


def outside(report: Dataset) -> None:
    path = named(report, "121055")[0]
    path.GraphicData = [one + 600 for one in path.GraphicData]


def surer(report: Dataset) -> None:
    named(report, "111012")[0].MeasuredValueSequence[0].NumericValue = "99"


def larger(report: Dataset) -> None:
    named(report, "121207")[0].MeasuredValueSequence[0].NumericValue = "99"


def other_unit(report: Dataset) -> None:
    value = named(report, "121207")[0].MeasuredValueSequence[0]
    value.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator = "DCM"


def untracked(report: Dataset) -> None:
    named(report, "112040")[1].UID = "2.25.1"


def surer_feature(report: Dataset) -> None:
    named(report, "111011")[0].MeasuredValueSequence[0].NumericValue = "12"


def lost_finding(report: Dataset) -> None:
    composite = named(report, "111015")[0]
    composite.ContentSequence = list(composite.ContentSequence)[:-1]


def lost_composite(report: Dataset) -> None:
    named(report, "111015")[0].ConceptNameCodeSequence[0].CodeValue = "111034"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (other_study, "not in the study"),
        (other_evidence, "evidence is not what was read"),
        (image_twice, "image library is not the images"),
        (dangling, "no entry of its image library"),
        (not_an_image, "no entry of its image library"),
        (other_image, r"no place \(111041\) on its image"),
        (says_nothing, "does not say whether there are findings"),
        (moved, r"place \(111041\) of finding 1 is not its box"),
        (outside, "leaves its image"),
        (surer, "certainty of finding 1 is not its score"),
        (larger, "size of finding 1 is not the one of the reading"),
        (other_unit, "no UCUM unit"),
        (untracked, "a finding that the reading does not have"),
        (surer_feature, "certainty of group 1 is not its probability"),
        (lost_finding, "1 findings instead of 2"),
        (lost_composite, "0 composite features instead of 1"),
    ],
)
def test_damage_is_found(damage: Callable[[Dataset], None], words: str) -> None:
    report = encode_mammography_cad_report(MADE, PAIRED)
    check_cad_report(report, MADE, PAIRED)
    damage(report)
    with pytest.raises(ResultInvalid, match=words):
        check_cad_report(report, MADE, PAIRED)


def test_all_cannot_have_succeeded_where_something_was_not_read() -> None:
    report = encode_mammography_cad_report(MADE, PAIRED)
    with pytest.raises(ResultInvalid, match="although something was not read"):
        check_cad_report(report, replace(MADE, partial=True), PAIRED)


def test_size_without_spacing_is_found() -> None:
    report = encode_mammography_cad_report(MADE, PAIRED)
    unsized = replace(MADE, findings=tuple(replace(f, size_mm=None) for f in MADE.findings))
    with pytest.raises(ResultInvalid, match="size without pixel spacing"):
        check_cad_report(report, unsized, PAIRED)
