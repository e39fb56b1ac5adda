"""Measurement groups of a volume: per finding one volume and one key slice, and the volume as a whole."""

from __future__ import annotations

import numpy as np
from highdicom.sr import (
    CodedConcept,
    CoordinatesForMeasurement,
    FindingSite,
    GraphicTypeValues,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_io.results.measurement_groups import (
    add_comment,
    algorithm,
    box_corners,
    measurement,
    summary_code,
    tracking,
)
from dicom_io.results.vocabulary import AI_NOTICE, component_concept, concept, own
from dicom_io.results.volume_context import VolumeContext
from models.concepts import Concept
from models.volume_results import Diameters, VolumeFinding

__all__ = ["key_slice_group", "volume_group", "whole_volume_group"]

_MILLILITRE = concept("mL", "UCUM", "milliliter")
_FROM_VOXELS = own("voxel-summation", "Voxels of the segment times the volume of a voxel")
_ON_KEY_SLICE = own("rano-key-slice", "On the slice of largest extent, edge to edge, as RANO measures")
_PIXEL_CENTRE = 0.5


def volume_group(
    context: VolumeContext, finding: VolumeFinding, segmentation: Dataset
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    """Return TID 1411 for one finding: its segment, how sure, how large."""
    series = str(context.segmented_headers[0].SeriesInstanceUID)
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, finding.segment.label, f"finding-{finding.number}"),
        referenced_segment=ReferencedSegment(
            sop_class_uid=str(segmentation.SOPClassUID),
            sop_instance_uid=str(segmentation.SOPInstanceUID),
            segment_number=finding.number,
            source_series=SourceSeriesForSegmentation(series),
        ),
        finding_type=_coded(finding.segment.type),
        algorithm_id=algorithm(context),
        finding_sites=_sites(finding),
        measurements=[
            *_certainty(finding),
            measurement(codes.SCT.Volume, finding.volume_ml, _MILLILITRE, _FROM_VOXELS),
            *(
                measurement(component_concept(name), value, codes.UCUM.NoUnits)
                for name, value in sorted(finding.components.items())
            ),
        ],
    )
    add_comment(group, AI_NOTICE)
    return group


def key_slice_group(
    context: VolumeContext, finding: VolumeFinding
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return TID 1410 for the slice where a finding is largest: viewers show it without the segmentation."""
    source = _slice_image(context, finding.key_slice)
    rows, columns = context.reading.labels.spatial_shape[1:]
    label = f"{finding.segment.label}, key slice"
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, label, f"key-slice-{finding.number}"),
        referenced_region=ImageRegion(
            graphic_type=GraphicTypeValues.POLYLINE,
            graphic_data=np.array(box_corners(finding.key_box, rows, columns), dtype=np.float32),
            source_image=source,
        ),
        finding_type=_coded(finding.segment.type),
        algorithm_id=algorithm(context),
        finding_sites=_sites(finding),
        measurements=[*_certainty(finding), *_diameters(context, finding)] or None,
    )
    words = f"{AI_NOTICE}. Outlining box on the slice of largest extent."
    if finding.diameters is None:
        words += " Diameters in millimetres are not known."
    add_comment(group, words)
    return group


def whole_volume_group(context: VolumeContext) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for the volume as a whole, also where nothing was found."""
    reading = context.reading
    searched = ", ".join(dict.fromkeys(segment.type.meaning for segment in reading.searched))
    total = sum(finding.volume_ml for finding in reading.findings)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, "Volume", "volume"),
        finding_type=summary_code(findings=context.has_findings, partial=False),
        algorithm_id=algorithm(context),
        finding_sites=_common_sites(context),
        measurements=[
            measurement(own("case-score", f"Score that the study shows: {searched}"),
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


def _diameters(context: VolumeContext, finding: VolumeFinding) -> list[Measurement]:
    found = finding.diameters
    if found is None:
        return []
    return [
        _length(context, codes.SCT.LongAxis, found.longest_mm, found, found.longest),
        _length(context, codes.SCT.ShortAxis, found.perpendicular_mm, found, found.perpendicular),
    ]


def _length(
    context: VolumeContext,
    name: CodedConcept,
    value: float,
    diameters: Diameters,
    ends: tuple[tuple[float, float], tuple[float, float]],
) -> Measurement:
    points = np.array([(column, row) for row, column in ends], dtype=np.float32) + _PIXEL_CENTRE
    line = CoordinatesForMeasurement(
        graphic_type=GraphicTypeValues.POLYLINE,
        graphic_data=points,
        source_image=_slice_image(context, diameters.slice_index),
    )
    # highdicom writes INFERRED FROM; TID 320 row 3 says SELECTED FROM.
    for child in line.ContentSequence:
        child.RelationshipType = RelationshipTypeValues.SELECTED_FROM.value
    made = measurement(name, value, codes.UCUM.Millimeter, _ON_KEY_SLICE)
    content = made[0].get("ContentSequence")
    if content is None:
        raise AssertionError("a measurement with a method has content")
    content.append(line)
    return made


def _slice_image(context: VolumeContext, index: int) -> SourceImageForRegion:
    source = context.reading.slices[index]
    frames = None if source.frame is None else [source.frame]
    return SourceImageForRegion(source.sop_class_uid, source.sop_instance_uid, frames)


def _coded(what: Concept) -> CodedConcept:
    return concept(what.code, what.scheme, what.meaning)


def _sites(finding: VolumeFinding) -> list[FindingSite] | None:
    site = finding.segment.site
    return None if site is None else [FindingSite(_coded(site))]


def _common_sites(context: VolumeContext) -> list[FindingSite] | None:
    sites = {segment.site for segment in context.reading.searched}
    site = sites.pop()
    return None if sites or site is None else [FindingSite(_coded(site))]
