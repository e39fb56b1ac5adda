"""A last look at the report of a volume: whether it says what the reading and its masks say."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.results.asserts import (
    CERTAINTY,
    REGION,
    box_problems,
    children_of,
    group_problems,
    measurement_groups,
    number_of,
    reference_problems,
)
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.study_asserts import finding_problems, study_group_count, study_problems
from dicom_io.results.volume_context import VolumeContext
from models.measurements import box_on_slice, diameters_on_slice, largest_slice, volume_ml
from models.volume_results import Diameters, VolumeFinding

__all__ = ["check_volume_report", "volume_report_problems"]

_SEGMENT, _VOLUME, _LONG_AXIS, _SHORT_AXIS = "121191", "118565006", "103339001", "103340004"
_EDGE = 1e-3  # coordinates are single precision


def check_volume_report(report: Dataset, context: VolumeContext, segmentation: Dataset | None) -> None:
    """Compare a report with the reading it is made from, and its measurements with the masks.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    problems = list(volume_report_problems(report, context, segmentation))
    if problems:
        raise ResultInvalid("the report is wrong: " + "; ".join(problems))


def volume_report_problems(
    report: Dataset, context: VolumeContext, segmentation: Dataset | None
) -> Iterator[str]:
    """Yield what is wrong with a report, in words."""
    study = str(context.headers[0].StudyInstanceUID)
    if str(report.StudyInstanceUID) != study:
        yield "it is not in the study of its images"
    if segmentation is not None and str(segmentation.StudyInstanceUID) != study:
        yield "its segmentation is of another study"
    evidence = context.headers if segmentation is None else (*context.headers, segmentation)
    yield from reference_problems(report, evidence)
    findings = context.reading.findings
    regions = sum(1 if finding.diameters is None else 3 for finding in findings)
    groups = measurement_groups(report)
    yield from group_problems(report, len(findings) + regions + 2 + study_group_count(context.reading))
    yield from study_problems(groups, context)
    planar = [group for group in groups if children_of(group, REGION)]
    volumetric = [group for group in groups if children_of(group, _VOLUME)]
    if len(planar) != regions or len(volumetric) != len(findings):
        yield f"{len(planar)} regions and {len(volumetric)} segments for {len(findings)} findings"
        return
    for finding, group in zip(findings, volumetric, strict=True):
        yield from _volume_problems(group, finding, context, segmentation)
        yield from _slice_problems(planar.pop(0), finding, context)
        if finding.diameters is not None:
            lines = (planar.pop(0), planar.pop(0))
            yield from _diameter_problems(lines, finding, finding.diameters, context)


def _volume_problems(
    group: Dataset, finding: VolumeFinding, context: VolumeContext, segmentation: Dataset | None
) -> Iterator[str]:
    name = f"finding {finding.number}"
    for segment in children_of(group, _SEGMENT):
        (reference,) = segment.ReferencedSOPSequence
        named = str(reference.ReferencedSOPInstanceUID)
        if segmentation is None or named != str(segmentation.SOPInstanceUID):
            yield f"{name} points at no segmentation of this reading"
        if int(reference.get("ReferencedSegmentNumber", 0)) != finding.number:
            yield f"{name} points at another segment"
    given = volume_ml(context.reading.mask(finding.number), context.reading.labels.spacing)
    if not _close(number_of(group, _VOLUME), given):
        yield f"the volume of {name} is not what its mask gives ({given:.3f} ml)"
    if finding.probability is not None and not _close(number_of(group, CERTAINTY), 100 * finding.probability):
        yield f"the certainty of {name} is not its probability"
    yield from finding_problems(group, finding, context)


def _slice_problems(group: Dataset, finding: VolumeFinding, context: VolumeContext) -> Iterator[str]:
    name, mask = f"finding {finding.number}", context.reading.mask(finding.number)
    key = finding.key_slice
    if not 0 <= key < mask.shape[0] or not mask[key].any():
        yield f"the key slice of {name} does not show it"
        return
    if np.count_nonzero(mask[key]) != np.count_nonzero(mask[largest_slice(mask)]):
        yield f"the key slice of {name} is not the one of largest extent"
    regions = children_of(group, REGION)
    if len(regions) != 1:
        yield f"{name} needs one closed box"
        return
    source = context.reading.slices[key]
    header = context.header_of(source.sop_instance_uid)
    yield from box_problems(regions[0], header, box_on_slice(mask[key]), name)
    if _frame(regions[0]) != source.frame:
        yield f"the region of {name} is on another frame"


def _diameter_problems(
    lines: tuple[Dataset, Dataset], finding: VolumeFinding, diameters: Diameters, context: VolumeContext
) -> Iterator[str]:
    name, key = f"finding {finding.number}", finding.key_slice
    if diameters.slice_index != key:
        yield f"the diameters of {name} are not those of its key slice"
        return
    spacing = context.reading.labels.spacing[1:]
    measured = diameters_on_slice(context.reading.mask(finding.number)[key], spacing, key)
    for line, code, value in (
        (lines[0], _LONG_AXIS, measured.longest_mm),
        (lines[1], _SHORT_AXIS, measured.perpendicular_mm),
    ):
        if not _close(number_of(line, code), value):
            yield f"a diameter of {name} is not what its mask gives ({value:.2f} mm)"
        columns, rows = _points(line)
        length = math.hypot((rows[1] - rows[0]) * spacing[0], (columns[1] - columns[0]) * spacing[1])
        if not math.isclose(length, value, rel_tol=1e-2, abs_tol=0.05):
            yield f"a line of {name} is not as long as its diameter"
        size = context.reading.labels.spatial_shape[1:]
        if min(*rows, *columns) < -_EDGE or max(rows) > size[0] + _EDGE or max(columns) > size[1] + _EDGE:
            yield f"a line of {name} leaves its image"
        if _frame(children_of(line, REGION)[0]) != context.reading.slices[key].frame:
            yield f"a line of {name} is on another frame"


def _points(group: Dataset) -> tuple[list[float], list[float]]:
    values = [float(value) for value in children_of(group, REGION)[0].GraphicData]
    return values[0::2], values[1::2]


def _frame(region: Dataset) -> int | None:
    (reference,) = region.ContentSequence[0].ReferencedSOPSequence
    frame = reference.get("ReferencedFrameNumber")
    return None if frame is None else int(frame)


def _close(stated: float | None, wanted: float) -> bool:
    return stated is not None and math.isclose(stated, wanted, rel_tol=1e-3)
