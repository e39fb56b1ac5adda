"""What reports of volumes say beside volumes and regions: places, suggested classes, change."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.results import ResultInvalid, VolumeContext, encode_structured_report
from dicom_io.results.segmentation import encode_segmentation
from dicom_io.results.study_groups import place_group
from dicom_io.results.volume_asserts import check_volume_report
from models.measurements import centre_mm
from models.study_results import VolumeChange
from tests.dicom_io.results.test_volume_report import groups, named, report_of, texts, value
from tests.dicom_io.results.volume_factory import (
    GLIOMA,
    MENINGIOMA,
    TUMOUR_TYPE,
    change_to,
    placed,
    suggested,
    volume_context,
)


def made() -> VolumeContext:
    plain = volume_context(findings=2)
    return placed(plain, classifications=(suggested(),), change=change_to(plain.reading.volume_ml))


MADE = made()
SEGMENTATION = encode_segmentation(MADE)


def group_of(report: Dataset, words: str) -> Dataset:
    (found,) = [one for one in groups(report) if words in str(named(one, "112039")[0].TextValue)]
    return found


def code_of(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def test_the_centre_is_a_point_and_three_coordinates() -> None:
    group = group_of(report_of(MADE), "Tumour 2, place")
    wanted = centre_mm(MADE.reading.mask(2), MADE.reading.labels.affine)
    for code, coordinate in zip(("centre-x", "centre-y", "centre-z"), wanted, strict=True):
        assert value(group, code) == (pytest.approx(coordinate, abs=0.01), "mm")
    points = named(group, "128138")
    assert [one.RelationshipType for one in points] == ["INFERRED FROM"] * 3
    assert [one.GraphicType for one in points] == ["POINT"] * 3
    assert np.asarray(points[0].GraphicData) == pytest.approx(wanted, abs=1e-3)
    assert points[0].ReferencedFrameOfReferenceUID == MADE.reading.labels.frame_of_reference_uid


def test_the_centre_stands_apart_from_what_viewers_draw() -> None:
    (container,) = named(report_of(MADE), "126010")
    assert not named(container, "128138")


def test_parts_and_side_stand_with_the_volume() -> None:
    first = groups(report_of(MADE))[0]
    assert value(first, "parts") == (MADE.reading.findings[0].parts, "{regions}")
    assert [code_of(one) for one in named(first, "272741003")] == ["7771000", "7771000"]
    (site,) = named(first, "363698007")
    assert code_of(site.ContentSequence[0]) == "7771000"


def test_both_sides_are_bilateral() -> None:
    plain = volume_context(findings=1)
    first = groups(report_of(placed(plain, side="both")))[0]
    assert {code_of(one) for one in named(first, "272741003")} == {"51440002"}


def test_what_is_not_known_is_not_said() -> None:
    report = report_of(volume_context(findings=1))
    assert not named(report, "272741003")
    assert not named(report, "128138")
    assert not named(report, "previous-volume")


def test_a_class_is_a_suggestion_with_its_probabilities() -> None:
    group = group_of(report_of(MADE), "Suggested by algorithm: Type of tumour")
    assert code_of(named(group, TUMOUR_TYPE.code)[0]) == MENINGIOMA.code
    assert value(group, f"p-{MENINGIOMA.code}") == (pytest.approx(71), "%")
    assert value(group, f"p-{GLIOMA.code}") == (pytest.approx(24), "%")
    assert "not a diagnosis: Meningioma 71 %, Glioma 24 %" in texts(group)
    assert "Trained on three types only." in texts(group)


def test_a_class_is_told_where_nothing_was_found() -> None:
    empty = volume_context(empty=True, reading={"classifications": (suggested(),)})
    assert group_of(report_of(empty), "Suggested by algorithm")


def test_the_change_names_what_it_is_a_change_from() -> None:
    group = group_of(report_of(MADE), "Change since")
    total = MADE.reading.volume_ml
    assert value(group, "previous-volume") == (pytest.approx(total / 2, rel=1e-3), "mL")
    assert value(group, "volume-change") == (pytest.approx(total / 2, rel=1e-3), "mL")
    assert value(group, "volume-change-pc") == (pytest.approx(100), "%")
    assert str(named(group, "111060")[0].Date) == "20250301"
    assert "study of 2025-03-01, read by brain-tumour 0.9.0" in texts(group)


def test_nothing_now_is_a_change_to_nothing() -> None:
    change = VolumeChange.between(
        4.0, 0.0, previous_at=datetime(2025, 3, 1, tzinfo=UTC), previous_package="brain-tumour 0.9.0"
    )
    group = group_of(report_of(volume_context(empty=True, reading={"change": change})), "Change since")
    assert value(group, "volume-change") == (-4.0, "mL")


def test_from_nothing_there_is_no_percentage() -> None:
    plain = volume_context(findings=1)
    change = change_to(plain.reading.volume_ml, previous_ml=0.0)
    group = group_of(report_of(placed(plain, change=change)), "Change since")
    assert value(group, "previous-volume") == (0, "mL")
    assert not named(group, "volume-change-pc")


def test_what_is_not_comparable_gives_no_change() -> None:
    plain = volume_context(findings=1)
    change = change_to(plain.reading.volume_ml, comparable=False, reason="another package read it.")
    group = group_of(report_of(placed(plain, change=change)), "Change since")
    assert value(group, "previous-volume")[1] == "mL"
    assert not named(group, "volume-change")
    assert code_of(named(group, "comparable")[0]) == "373067005"
    assert "Not comparable: another package read it." in texts(group)


def test_a_finding_without_a_centre_has_no_place() -> None:
    plain = volume_context(findings=1)
    with pytest.raises(ValueError, match="no centre"):
        place_group(plain, plain.reading.findings[0])


def test_findings_that_their_masks_do_not_bear_out_are_refused() -> None:
    plain = volume_context(findings=1)
    with pytest.raises(ResultInvalid, match="centre of finding 1"):
        report_of(placed(plain, centre_mm=(0.0, 0.0, 0.0)))
    with pytest.raises(ResultInvalid, match="parts of finding 1"):
        report_of(placed(plain, parts=7))


def _other_centre(report: Dataset) -> None:
    named(report, "centre-y")[0].MeasuredValueSequence[0].NumericValue = "99.5"


def _other_point(report: Dataset) -> None:
    named(report, "128138")[0].GraphicData = [1.0, 2.0, 3.0]


def _other_frame(report: Dataset) -> None:
    named(report, "128138")[0].ReferencedFrameOfReferenceUID = "2.25.1"


def _other_parts(report: Dataset) -> None:
    named(report, "parts")[0].MeasuredValueSequence[0].NumericValue = "9"


def _other_side(report: Dataset) -> None:
    named(report, "272741003")[0].ConceptCodeSequence[0].CodeValue = "24028007"


def _other_class(report: Dataset) -> None:
    named(report, TUMOUR_TYPE.code)[0].ConceptCodeSequence[0].CodeValue = GLIOMA.code


def _other_probability(report: Dataset) -> None:
    named(report, f"p-{GLIOMA.code}")[0].MeasuredValueSequence[0].NumericValue = "80"


def _other_previous(report: Dataset) -> None:
    named(report, "previous-volume")[0].MeasuredValueSequence[0].NumericValue = "80"


def _other_change(report: Dataset) -> None:
    named(report, "volume-change")[0].MeasuredValueSequence[0].NumericValue = "80"


def _no_change(report: Dataset) -> None:
    named(report, "previous-volume")[0].ConceptNameCodeSequence[0].CodeValue = "other"


def _no_place(report: Dataset) -> None:
    group = group_of(report, "Tumour 1, place")
    group.ContentSequence = [
        one for one in group.ContentSequence if one.ConceptNameCodeSequence[0].CodeValue != "centre-x"
    ]


def _no_point(report: Dataset) -> None:
    del named(report, "centre-z")[0].ContentSequence


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_other_centre, "centre of finding 1 is not that of its mask"),
        (_other_point, "centre of finding 1 is not that of its mask"),
        (_other_frame, "another frame of reference"),
        (_other_parts, "parts of finding 1"),
        (_other_side, "side of finding 1"),
        (_other_class, "Type of tumour is not told once"),
        (_other_probability, "probability of Type of tumour"),
        (_other_previous, "change since the previous result is not what"),
        (_other_change, "change since the previous result is not what"),
        (_no_change, "change since the previous result is not told once"),
        (_no_place, "1 places for 2 findings"),
        (_no_point, "centre of finding 1 is no point"),
    ],
)
def test_a_damaged_report_is_refused(damage: Callable[[Dataset], None], words: str) -> None:
    # Reports share their concepts: what damages one must not damage the others.
    report = deepcopy(encode_structured_report(MADE, SEGMENTATION))
    damage(report)
    with pytest.raises(ResultInvalid, match=words):
        check_volume_report(report, MADE, SEGMENTATION)
