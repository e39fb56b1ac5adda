"""Reports of volumes: what they say, and every assert shown a report that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.results import Predecessor, ResultInvalid, VolumeContext, encode_structured_report
from dicom_io.results.segmentation import encode_segmentation
from dicom_io.results.volume_asserts import check_volume_report
from dicom_io.results.write import encoded_bytes
from tests.dicom_io.results.volume_factory import volume_context

MADE = volume_context(findings=2)
SEGMENTATION = encode_segmentation(MADE)


def report_of(made: VolumeContext) -> Dataset:
    return encode_structured_report(made, encode_segmentation(made) if made.has_findings else None)


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def named(item: Dataset, code: str) -> list[Dataset]:
    return [child for child in walk(item) if child.ConceptNameCodeSequence[0].CodeValue == code]


def groups(report: Dataset) -> list[Dataset]:
    return named(report, "125007")


def value(group: Dataset, code: str) -> tuple[float, str]:
    (measured,) = named(group, code)[0].MeasuredValueSequence
    return float(measured.NumericValue), str(measured.MeasurementUnitsCodeSequence[0].CodeValue)


def texts(report: Dataset) -> str:
    return "\n".join(str(item.TextValue) for item in walk(report) if item.ValueType == "TEXT")


def test_a_volume_points_at_its_segment_and_says_millilitres() -> None:
    report = report_of(MADE)
    first = groups(report)[0]
    (reference,) = named(first, "121191")[0].ReferencedSOPSequence
    assert reference.ReferencedSOPInstanceUID == SEGMENTATION.SOPInstanceUID
    assert reference.ReferencedSegmentNumber == 1
    assert value(first, "118565006") == (pytest.approx(MADE.reading.findings[0].volume_ml, abs=1e-3), "mL")
    assert value(first, "111012") == (pytest.approx(92), "%")
    # the series is named once, not every image of it
    assert [item.ValueType for item in named(first, "121232")] == ["UIDREF"]


def test_tracking_is_the_same_in_report_and_segmentation() -> None:
    in_report = [str(named(group, "112040")[0].UID) for group in groups(report_of(MADE))]
    for segment in SEGMENTATION.SegmentSequence:
        assert segment.TrackingUID in in_report
    assert len(set(in_report)) == len(in_report)


@pytest.mark.parametrize(("kind", "pointing"), [("labelmap", True), ("binary", False)])
def test_segments_are_told_by_the_tracking_alone_where_pointing_does_harm(
    kind: Literal["labelmap", "binary"], pointing: bool
) -> None:
    segmentation = encode_segmentation(MADE, kind=kind)
    report = encode_structured_report(MADE, segmentation, point_at_segments=pointing)
    assert not named(report, "121191")
    (first,) = [group for group in groups(report) if "Segment 1 of the segmentation" in texts(group)]
    tracked = {str(one.SegmentNumber): one.get("TrackingUID") for one in segmentation.SegmentSequence}
    assert str(named(first, "112040")[0].UID) == tracked["1"]
    assert value(first, "118565006")[1] == "mL"
    # a group without coordinates stops some readers of Imaging Measurements: there is none
    (container,) = named(report, "126010")
    assert all(named(group, "111030") for group in groups(container))


def test_the_key_slice_shows_box_and_diameters() -> None:
    report, finding = report_of(MADE), MADE.reading.findings[0]
    box, longest, perpendicular = groups(report)[2:5]
    assert finding.diameters is not None
    image = MADE.reading.slices[finding.key_slice]
    for group in (box, longest, perpendicular):
        (region,) = named(group, "111030")
        (reference,) = region.ContentSequence[0].ReferencedSOPSequence
        assert region.ContentSequence[0].RelationshipType == "SELECTED FROM"
        assert reference.ReferencedSOPInstanceUID == image.sop_instance_uid
    assert value(longest, "103339001") == (pytest.approx(finding.diameters.longest_mm, abs=1e-3), "mm")
    assert value(perpendicular, "103340004") == (
        pytest.approx(finding.diameters.perpendicular_mm, abs=1e-3),
        "mm",
    )


def test_frames_of_an_enhanced_image_are_named() -> None:
    made = volume_context(findings=1, enhanced=True)
    report = report_of(made)
    (region,) = named(groups(report)[1], "111030")
    (reference,) = region.ContentSequence[0].ReferencedSOPSequence
    assert reference.ReferencedFrameNumber == made.reading.findings[0].key_slice + 1


def test_nothing_found_is_said_and_excludes_nothing() -> None:
    made = volume_context(empty=True)
    report = report_of(made)
    assert len(groups(report)) == 2
    assert [named(group, "121071")[0].ConceptCodeSequence[0].CodeValue for group in groups(report)] == [
        "111241",
        "111241",
    ]
    assert "No finding. This does not exclude disease." in texts(report)


def test_what_was_read_and_what_was_not_there() -> None:
    made = volume_context(
        reading={"series_used": ("FLAIR", "T2"), "series_missing": ("T1 with contrast",)},
        partial=True,
        statements=("Two of 155 slices were not read.",),
    )
    report = report_of(made)
    assert "Series read: FLAIR, T2." in texts(report)
    assert "were not read: T1 with contrast." in texts(report)
    assert "Two of 155 slices were not read." in texts(report)
    assert report.CompletionFlag == "PARTIAL"


def test_confidence_components_and_decision_with_reasons() -> None:
    report = report_of(MADE)
    last = groups(report)[-1]
    meanings = {str(item.ConceptNameCodeSequence[0].CodeMeaning): item for item in walk(last)}
    measured = meanings["Predicted quality of the reading"].MeasuredValueSequence[0]
    assert (float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue) == (91.0, "%")
    agreement = meanings["Mean Dice of pairs of members"].MeasuredValueSequence[0]
    assert agreement.NumericValue == pytest.approx(0.93)
    assert meanings["Assessment of the reading"].ConceptCodeSequence[0].CodeMeaning == "Accept"
    assert "Members agree." in texts(last)


def test_all_images_and_the_segmentation_are_evidence() -> None:
    (study,) = report_of(MADE).CurrentRequestedProcedureEvidenceSequence
    referenced = {
        str(one.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert referenced == {str(h.SOPInstanceUID) for h in MADE.headers} | {str(SEGMENTATION.SOPInstanceUID)}


def test_a_revision_names_its_predecessor() -> None:
    made = volume_context(predecessor=Predecessor("1.2.840.10008.5.1.4.1.1.88.34", "2.25.4", "2.25.5"))
    (study,) = report_of(made).PredecessorDocumentsSequence
    reference = study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == "2.25.4"


def test_a_repeat_is_the_same_bytes() -> None:
    again = volume_context(findings=2)
    assert encoded_bytes(report_of(MADE)) == encoded_bytes(report_of(again))


def test_findings_without_a_segmentation_are_refused() -> None:
    with pytest.raises(ResultInvalid, match="points at its segmentation"):
        encode_structured_report(MADE)


def _other_volume(report: Dataset) -> None:
    named(report, "118565006")[0].MeasuredValueSequence[0].NumericValue = "99.5"


def _other_diameter(report: Dataset) -> None:
    named(report, "103339001")[0].MeasuredValueSequence[0].NumericValue = "99.5"


def _other_line(report: Dataset) -> None:
    region = named(report, "111030")[1]
    region.GraphicData = [value / 2 for value in region.GraphicData]


def _line_outside(report: Dataset) -> None:
    region = named(report, "111030")[1]
    region.GraphicData = [value + 500 for value in region.GraphicData]


def _other_box(report: Dataset) -> None:
    region = named(report, "111030")[0]
    region.GraphicData = [value + 1 for value in region.GraphicData]


def _other_segment(report: Dataset) -> None:
    named(report, "121191")[0].ReferencedSOPSequence[0].ReferencedSegmentNumber = 2


def _other_image(report: Dataset) -> None:
    named(report, "111030")[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.1"


def _other_slice(report: Dataset) -> None:
    source = MADE.reading.slices[0]
    reference = named(report, "111030")[0].ContentSequence[0].ReferencedSOPSequence[0]
    key = MADE.reading.slices[MADE.reading.findings[0].key_slice]
    other = source if source != key else MADE.reading.slices[-1]
    reference.ReferencedSOPInstanceUID = other.sop_instance_uid


def _frame_that_is_not_there(report: Dataset) -> None:
    reference = named(report, "111030")[0].ContentSequence[0].ReferencedSOPSequence[0]
    reference.ReferencedFrameNumber = 2


def _no_tracking(report: Dataset) -> None:
    group = groups(report)[0]
    group.ContentSequence = [
        item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue != "112040"
    ]


def _wrong_unit(report: Dataset) -> None:
    measured = named(report, "118565006")[0].MeasuredValueSequence[0]
    measured.MeasurementUnitsCodeSequence[0].CodingSchemeDesignator = "DCM"


def _other_study(report: Dataset) -> None:
    report.StudyInstanceUID = "2.25.1"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_other_volume, "volume of finding 1 is not what its mask gives"),
        (_other_diameter, "diameter of finding 1 is not what its mask gives"),
        (_other_line, "line of finding 1 is not as long"),
        (_line_outside, "line of finding 1 leaves its image"),
        (_other_box, "region of finding 1 is not its box"),
        (_other_segment, "finding 1 points at another segment"),
        (_other_image, "not among its evidence"),
        (_other_slice, "not selected from its image"),
        (_frame_that_is_not_there, "a frame that its image does not have"),
        (_no_tracking, "no tracking unique identifier"),
        (_wrong_unit, "no UCUM unit"),
        (_other_study, "not in the study"),
    ],
)
def test_a_damaged_report_is_refused(damage: Callable[[Dataset], None], words: str) -> None:
    report = report_of(MADE)
    damage(report)
    with pytest.raises(ResultInvalid, match=words):
        check_volume_report(report, MADE, SEGMENTATION)


def test_a_finding_that_its_mask_does_not_bear_out_is_refused() -> None:
    findings = MADE.reading.findings
    larger = replace(findings[0], volume_ml=findings[0].volume_ml * 2)
    made = volume_context(findings=2, reading={"findings": (larger, findings[1])})
    with pytest.raises(ResultInvalid, match="finding 1 has .* ml, its mask"):
        report_of(made)


@pytest.mark.parametrize("spacing", [(0.2, 0.2, 0.2), (0.5, 0.5, 0.5), (3.0, 0.75, 1.25)])
def test_the_volume_of_a_single_voxel_is_not_nought(spacing: tuple[float, float, float]) -> None:
    masks = np.zeros((7, 24, 20, 1), dtype=bool)
    masks[3, 10, 9, 0] = True
    made = volume_context(masks=masks, spacing=spacing)
    stated, unit = value(groups(report_of(made))[0], "118565006")
    assert stated == pytest.approx(np.prod(spacing) / 1000, rel=1e-3)
    assert unit == "mL"


def test_a_partial_study_is_nowhere_called_wholly_read() -> None:
    report = report_of(volume_context(empty=True, partial=True))
    assert "111241" not in [
        named(group, "121071")[0].ConceptCodeSequence[0].CodeValue for group in groups(report)
    ]
