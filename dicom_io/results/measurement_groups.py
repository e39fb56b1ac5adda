"""Measurement groups of a report: one per finding, one per film, one for the reading as a whole."""

from __future__ import annotations

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ContentSequence,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_io.reading.attributes import number, text
from dicom_io.results.film_context import FilmContext
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text, component_concept, concept, own
from models.results import Box, FilmReading, Finding

__all__ = [
    "CALIBRATED_PLANE",
    "DETECTOR_PLANE",
    "ESTIMATED_PLANE",
    "box_corners",
    "film_group",
    "finding_group",
    "reading_group",
    "summary_code",
]

DETECTOR_PLANE = own("detector-plane", "Detector or film plane, not corrected for magnification")
ESTIMATED_PLANE = own("estimated-plane", "Corrected by the estimated magnification factor")
CALIBRATED_PLANE = own("calibrated-plane", "Plane that the pixel spacing is calibrated for")
_PLANE_WORDS = {
    DETECTOR_PLANE.value: "Sizes are those of the outlining box in the plane of the detector: in the patient "
    "it is smaller, by the magnification of the projection.",
    ESTIMATED_PLANE.value: "Sizes are those of the outlining box, corrected by the estimated magnification "
    "that the source states: an estimate.",
    CALIBRATED_PLANE.value: "Sizes are those of the outlining box in the plane that the pixel spacing is "
    "calibrated for.",
}
_ASSESSMENT = own("assessment", "Assessment of the reading")
_DECISIONS = {
    "not-assessed": own("not-assessed", "Not assessed"),
    "accept": own("accept", "Accept"),
    "review": own("review", "Review"),
    "reject": own("reject", "Reject"),
}
_THORAX = concept("51185008", "SCT", "Chest")
_DIGITS = 4


def box_corners(box: Box, rows: int, columns: int) -> list[tuple[float, float]]:
    """Return the closed outline of ``box`` as five ``(column, row)`` pairs inside the image."""
    inside = box.clipped(rows, columns)
    return [
        (inside.left, inside.top),
        (inside.right, inside.top),
        (inside.right, inside.bottom),
        (inside.left, inside.bottom),
        (inside.left, inside.top),
    ]


def summary_code(*, findings: bool, partial: bool) -> CodedConcept:
    """Return how the algorithm fared, of CID 6047: silence is not a negative reading."""
    if partial:
        code = (
            codes.DCM.NotAllAlgorithmsSucceededWithFindings
            if findings
            else codes.DCM.NotAllAlgorithmsSucceededWithoutFindings
        )
    else:
        code = (
            codes.DCM.AllAlgorithmsSucceededWithFindings
            if findings
            else codes.DCM.AllAlgorithmsSucceededWithoutFindings
        )
    return CodedConcept.from_code(code)


def finding_group(context: FilmContext, finding: Finding) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    """Return TID 1410 for one finding: where, how sure, how large."""
    header, candidate = context.header_of(finding.sop_instance_uid), finding.candidate
    region = ImageRegion(
        graphic_type="POLYLINE",
        graphic_data=np.array(
            box_corners(candidate.box, int(header.Rows), int(header.Columns)), dtype=np.float32
        ),
        source_image=SourceImageForRegion(str(header.SOPClassUID), str(header.SOPInstanceUID)),
    )
    measurements = [
        _number(codes.DCM.CertaintyOfFinding, 100 * candidate.score, codes.UCUM.Percent),
        _number(component_concept("member_support"), candidate.support, codes.UCUM.Ratio),
        _number(component_concept("score_spread"), candidate.score_spread, codes.UCUM.NoUnits),
        _number(component_concept("mean_iou"), candidate.mean_iou, codes.UCUM.Ratio),
        *_sizes(header, finding),
    ]
    meaning = context.package.finding.meaning
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, f"{meaning} {finding.number}", f"finding-{finding.number}"),
        referenced_region=region,
        finding_type=concept(context.package.finding.code, context.package.finding.scheme, meaning),
        algorithm_id=_algorithm(context),
        finding_sites=_sites(header),
        measurements=measurements,
    )
    _comment(group, AI_NOTICE)
    if finding.size_mm is None:
        _comment(group, "The source image states no pixel spacing: sizes in millimetres are not known.")
    else:
        _comment(group, _PLANE_WORDS[_plane(header, finding).value])
    return group


def film_group(
    context: FilmContext, reading: FilmReading, position: int
) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for one film as a whole, also where nothing was found."""
    header = context.header_of(reading.sop_instance_uid)
    found = context.findings_on(reading.sop_instance_uid)
    meaning = context.package.finding.meaning
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, f"Film {position}", f"film:{reading.sop_instance_uid}"),
        finding_type=summary_code(findings=bool(found), partial=False),
        algorithm_id=_algorithm(context),
        finding_sites=_sites(header),
        measurements=[
            _number(own("film-score", f"Score that the film shows: {meaning}"), 100 * reading.case_score,
                    codes.UCUM.Percent),
            _number(own("findings", "Number of findings"), len(found), codes.UCUM.NoUnits),
            _number(own("members", "Number of ensemble members"), reading.members, codes.UCUM.NoUnits),
            _number(own("operating-point", "Score from which a candidate is a finding"),
                    100 * reading.operating_point, codes.UCUM.Percent),
        ],
        source_images=[_source(header)],
    )  # fmt: skip
    words = f"{len(found)} finding(s) at or above the operating point." if found else (
        "No finding at or above the operating point. This does not exclude disease."
    )  # fmt: skip
    _comment(group, f"{AI_NOTICE}. {words}")
    return group


def reading_group(context: FilmContext) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for the reading: decision, confidence, their components and the reasons."""
    assessment = context.assessment
    measurements = [
        _number(component_concept(name), value, codes.UCUM.NoUnits)
        for name, value in sorted(assessment.components.items())
    ]
    if assessment.confidence is not None:
        value = own("confidence", "Predicted quality of the reading")
        measurements.insert(0, _number(value, 100 * assessment.confidence, codes.UCUM.Percent))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(context, "Reading", "reading"),
        finding_type=summary_code(findings=bool(context.findings), partial=context.partial),
        algorithm_id=_algorithm(context),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(_ASSESSMENT, _DECISIONS[assessment.decision])],
        source_images=[_source(header) for header in context.headers],
    )
    _comment(group, f"{AI_NOTICE}. Not for diagnosis.")
    for words in (*assessment.reasons, *context.statements, context.package.intended_use):
        if ascii_text(words):
            _comment(group, words)
    return group


def _sizes(header: Dataset, finding: Finding) -> list[Measurement]:
    if finding.size_mm is None:
        return []
    method, (height, width) = _plane(header, finding), finding.size_mm
    return [
        _number(codes.DCM.Height, height, codes.UCUM.Millimeter, method),
        _number(codes.SCT.Width, width, codes.UCUM.Millimeter, method),
    ]


def _plane(header: Dataset, finding: Finding) -> CodedConcept:
    if finding.size_is_calibrated:
        return CALIBRATED_PLANE
    corrected = (number(header, "EstimatedRadiographicMagnificationFactor") or 1.0) > 1.0
    return ESTIMATED_PLANE if corrected else DETECTOR_PLANE


def _number(
    name: CodedConcept, value: float, unit: CodedConcept, method: CodedConcept | None = None
) -> Measurement:
    rounded = value if isinstance(value, int) else round(float(value), _DIGITS)
    return Measurement(name=name, value=rounded, unit=unit, method=method)


def _tracking(context: FilmContext, words: str, kind: str) -> TrackingIdentifier:
    return TrackingIdentifier(uid=context.identity.uid(f"tracking:{kind}"), identifier=ascii_text(words))


def _algorithm(context: FilmContext) -> AlgorithmIdentification:
    package = context.package
    return AlgorithmIdentification(
        name=ascii_text(package.name),
        version=ascii_text(package.version),
        parameters=[f"content {package.content_hash}"],
        manufacturer=ascii_text(package.manufacturer),
    )


def _sites(header: Dataset) -> list[FindingSite] | None:
    is_chest = text(header, "BodyPartExamined") in {"CHEST", "THORAX", "LUNG"}
    return [FindingSite(_THORAX)] if is_chest else None


def _source(header: Dataset) -> SourceImageForMeasurementGroup:
    return SourceImageForMeasurementGroup(str(header.SOPClassUID), str(header.SOPInstanceUID))


def _comment(group: ContentSequence, words: str) -> None:
    group[0].ContentSequence.append(
        TextContentItem(
            name=codes.DCM.Comment,
            value=ascii_text(words),
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
    )
