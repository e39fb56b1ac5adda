"""Measurement groups of a volume: per finding one volume and one key slice, and the volume as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom.sr import (
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_io.results.measurement_groups import (
    add_comment,
    algorithm,
    box_corners,
    measurement,
    summary_code,
    tracking,
)
from dicom_io.results.study_groups import laterality_of
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text, coded, component_concept, own
from dicom_io.results.volume_context import VolumeContext
from models.volume_results import VolumeFinding

__all__ = [
    "PARTS",
    "is_label_map",
    "key_slice_groups",
    "told_volume_group",
    "volume_group",
    "whole_volume_group",
]

_MILLILITRE = Code("mL", "UCUM", "milliliter")
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_FROM_VOXELS = own("voxel-summation", "Voxels of the segment times the volume of a voxel")
PARTS = own("parts", "Number of separate regions of the segment")
_REGIONS = Code("{regions}", "UCUM", "regions")
_LATERALITY = Code("272741003", "SCT", "Laterality")
_PIXEL_CENTRE = 0.5
_ON_KEY_SLICE = own("rano-key-slice", "On the slice of largest extent, edge to edge, as RANO measures")


def volume_group(
    context: VolumeContext, finding: VolumeFinding, segmentation: Dataset
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Return TID 1411 for one finding: its segment, how sure, how large."""
    reference = ReferencedSegment(
        sop_class_uid=str(segmentation.SOPClassUID),
        sop_instance_uid=str(segmentation.SOPInstanceUID),
        segment_number=finding.number,
        source_series=SourceSeriesForSegmentation(str(context.segmented_headers[0].SeriesInstanceUID)),
    )
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        referenced_segment=reference, **_of_volume(context, finding)
    )
    add_comment(group, AI_NOTICE)
    return group


def told_volume_group(
    context: VolumeContext, finding: VolumeFinding
) -> MeasurementsAndQualitativeEvaluations:
    """Return the same as TID 1501: it belongs to its segment by the tracking unique identifier of both."""
    group = MeasurementsAndQualitativeEvaluations(**_of_volume(context, finding))
    add_comment(group, f"{AI_NOTICE}. Segment {finding.number} of the segmentation.")
    return group


def _of_volume(context: VolumeContext, finding: VolumeFinding) -> dict[str, Any]:
    segment, side = finding.segment, laterality_of(finding)
    return {
        "tracking_identifier": tracking(context, segment.label, f"finding-{finding.number}"),
        "finding_type": coded(segment.type),
        "algorithm_id": algorithm(context),
        "finding_sites": _sites(finding),
        "measurements": [
            *_certainty(finding),
            measurement(codes.SCT.Volume, finding.volume_ml, _MILLILITRE, _FROM_VOXELS),
            *([] if finding.parts is None else [measurement(PARTS, finding.parts, _REGIONS)]),
            *(
                measurement(component_concept(name), value, codes.UCUM.NoUnits)
                for name, value in sorted(finding.components.items())
            ),
        ],
        "qualitative_evaluations": None if side is None else [QualitativeEvaluation(_LATERALITY, side)],
    }


def is_label_map(segmentation: Dataset) -> bool:
    """Return whether a segmentation is of the label map class."""
    return bool(segmentation.SOPClassUID == _LABEL_MAP)


def key_slice_groups(
    context: VolumeContext, finding: VolumeFinding
) -> list[PlanarROIMeasurementsAndQualitativeEvaluations]:
    """Return TID 1410 for the slice where a finding is largest: viewers show it without the segmentation.

    The first group has the outlining box; where diameters are known, one group each has the line of the
    longest diameter and of its perpendicular. Lines are regions of their own, as the measurements of
    TID 1410 have no coordinates.
    """
    rows, columns = context.reading.labels.spatial_shape[1:]
    label, kind = finding.segment.label, f"key-slice-{finding.number}"
    box = _planar(
        context,
        finding,
        finding.key_slice,
        identifier=tracking(context, f"{label}, key slice", kind),
        points=np.array(box_corners(finding.key_box, rows, columns), dtype=np.float32),
        measurements=_certainty(finding),
    )
    words = f"{AI_NOTICE}. Outlining box on the slice of largest extent."
    add_comment(box, words if finding.diameters else f"{words} Diameters in millimetres are not known.")
    groups = [box]
    if finding.diameters is not None:
        found = finding.diameters
        for name, axis, ends, length in (
            ("longest diameter", codes.SCT.LongAxis, found.longest, found.longest_mm),
            ("perpendicular diameter", codes.SCT.ShortAxis, found.perpendicular, found.perpendicular_mm),
        ):
            line = _planar(
                context,
                finding,
                found.slice_index,
                identifier=tracking(context, f"{label}, {name}", f"{name.split()[0]}-{finding.number}"),
                points=np.array([(column, row) for row, column in ends], dtype=np.float32) + _PIXEL_CENTRE,
                measurements=[measurement(axis, length, codes.UCUM.Millimeter, _ON_KEY_SLICE)],
            )
            add_comment(line, AI_NOTICE)
            groups.append(line)
    return groups


def whole_volume_group(context: VolumeContext) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for the volume as a whole, also where nothing was found."""
    reading = context.reading
    searched = ", ".join(dict.fromkeys(ascii_text(segment.label) for segment in reading.searched))
    total = sum(finding.volume_ml for finding in reading.findings)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, "Volume", "volume"),
        finding_type=summary_code(findings=context.has_findings, partial=context.partial),
        algorithm_id=algorithm(context),
        finding_sites=_common_sites(context),
        measurements=[
            measurement(own("case-score", "Highest probability over half a millilitre, not calibrated"),
                        100 * reading.case_score, codes.UCUM.Percent),
            measurement(own("findings", "Number of findings"), len(reading.findings), codes.UCUM.NoUnits),
            measurement(own("total-volume", "Sum of the volumes of all findings"), total, _MILLILITRE),
            measurement(own("members", "Number of ensemble members"), reading.members, codes.UCUM.NoUnits),
            measurement(own("operating-point", "Probability from which a voxel belongs to a segment"),
                        100 * reading.operating_point, codes.UCUM.Percent),
        ],
    )  # fmt: skip
    found = len(reading.findings)
    words = f"{found} finding(s)." if found else "No finding. This does not exclude disease."
    add_comment(group, f"{AI_NOTICE}. Looked for: {searched}. {words}")
    if reading.series_used:
        add_comment(group, f"Series read: {', '.join(reading.series_used)}.")
    if reading.series_missing:
        add_comment(
            group, f"Series that the study does not have and that were not read: "
            f"{', '.join(reading.series_missing)}.",
        )  # fmt: skip
    return group


def _certainty(finding: VolumeFinding) -> list[Measurement]:
    if finding.probability is None:
        return []
    return [measurement(codes.DCM.CertaintyOfFinding, 100 * finding.probability, codes.UCUM.Percent)]


def _planar(
    context: VolumeContext,
    finding: VolumeFinding,
    index: int,
    *,
    identifier: TrackingIdentifier,
    points: NDArray[np.float32],
    measurements: list[Measurement],
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=identifier,
        referenced_region=ImageRegion(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=points,
            source_image=_slice_image(context, index),
        ),
        finding_type=coded(finding.segment.type),
        algorithm_id=algorithm(context),
        finding_sites=_sites(finding),
        measurements=measurements or None,
    )


def _slice_image(context: VolumeContext, index: int) -> SourceImageForRegion:
    source = context.reading.slices[index]
    frames = None if source.frame is None else [source.frame]
    return SourceImageForRegion(source.sop_class_uid, source.sop_instance_uid, frames)


def _sites(finding: VolumeFinding) -> list[FindingSite] | None:
    site = finding.segment.site
    return None if site is None else [FindingSite(coded(site), laterality_of(finding))]


def _common_sites(context: VolumeContext) -> list[FindingSite] | None:
    sites = {segment.site for segment in context.reading.searched}
    site = sites.pop()
    return None if sites or site is None else [FindingSite(coded(site))]
