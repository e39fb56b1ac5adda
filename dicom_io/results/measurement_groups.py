"""What measurement groups of all readings have in common, and the one of the reading as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ContentSequence,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_io.results.context import ResultContext
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text, component_concept, own
from models.results import Box

__all__ = [
    "add_comment",
    "algorithm",
    "box_corners",
    "measurement",
    "reading_group",
    "summary_code",
    "tracking",
]

_ASSESSMENT = own("assessment", "Assessment of the reading")
_DECISIONS = {
    "not-assessed": own("not-assessed", "Not assessed"),
    "accept": own("accept", "Accept"),
    "review": own("review", "Review"),
    "reject": own("reject", "Reject"),
}
_SUMMARIES = {
    # findings, partial
    (True, False): codes.DCM.AllAlgorithmsSucceededWithFindings,
    (False, False): codes.DCM.AllAlgorithmsSucceededWithoutFindings,
    (True, True): codes.DCM.NotAllAlgorithmsSucceededWithFindings,
    (False, True): codes.DCM.NotAllAlgorithmsSucceededWithoutFindings,
}
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


def summary_code(*, findings: bool, partial: bool, failed: bool = False) -> CodedConcept:
    """Return how the algorithm fared, of CID 6047: silence is not a negative reading."""
    code = codes.DCM.NoAlgorithmsSucceededWithoutFindings if failed else _SUMMARIES[findings, partial]
    return CodedConcept.from_code(code)


def reading_group(
    context: ResultContext,
    *,
    failed: bool = False,
    source_images: Sequence[SourceImageForMeasurementGroup] = (),
) -> MeasurementsAndQualitativeEvaluations:
    """Return TID 1501 for the reading: decision, confidence, their components and the reasons.

    Parameters
    ----------
    context : ResultContext
        The reading.
    failed : bool
        Whether nothing at all could be read.
    source_images : sequence of SourceImageForMeasurementGroup
        What was read, where a list of it serves.
    """
    assessment = context.assessment
    measurements = [
        measurement(component_concept(name), value, codes.UCUM.NoUnits)
        for name, value in sorted(assessment.components.items())
    ]
    if assessment.confidence is not None:
        value = own("confidence", "Predicted quality of the reading")
        measurements.insert(0, measurement(value, 100 * assessment.confidence, codes.UCUM.Percent))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, "Reading", "reading"),
        finding_type=summary_code(findings=context.has_findings, partial=context.partial, failed=failed),
        algorithm_id=algorithm(context),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(_ASSESSMENT, _DECISIONS[assessment.decision])],
        source_images=source_images or None,
    )
    add_comment(group, f"{AI_NOTICE}. Not for diagnosis.")
    package = context.package
    for words in (*assessment.reasons, *context.statements, *package.statements, package.intended_use):
        if ascii_text(words):
            add_comment(group, words)
    return group


def measurement(
    name: CodedConcept | Code, value: float, unit: CodedConcept | Code, method: CodedConcept | None = None
) -> Measurement:
    """Return TID 300 with a value rounded to what its decimal string holds."""
    if not isinstance(value, int):
        return Measurement(name=name, value=_rounded(float(value)), unit=unit, method=method)
    made = Measurement(name=name, value=value, unit=unit, method=method)
    made[0].MeasuredValueSequence[0].NumericValue = str(value)  # a count is no 3.0
    return made


def _rounded(value: float) -> float:
    """Round to four decimals, and below one to four digits that count: a small volume is not nought."""
    return round(value, _DIGITS) if abs(value) >= 1 else float(f"{value:.{_DIGITS}g}")


def tracking(context: ResultContext, words: str, kind: str) -> TrackingIdentifier:
    """Return tracking identifier and derived tracking UID of one thing of the reading."""
    identifier = (
        ascii_text(words) or kind.replace("-", " ").capitalize()
    )  # as the segment of a finding has it
    return TrackingIdentifier(uid=context.identity.uid(f"tracking:{kind}"), identifier=identifier)


def algorithm(context: ResultContext) -> AlgorithmIdentification:
    """Return TID 4019 for the package."""
    package = context.package
    return AlgorithmIdentification(
        name=ascii_text(package.name),
        version=ascii_text(package.version),
        parameters=[f"content {package.content_hash}"],
        manufacturer=ascii_text(package.manufacturer),
    )


def add_comment(group: ContentSequence, words: str) -> None:
    """Say something in words within a measurement group."""
    group[0].ContentSequence.append(
        TextContentItem(
            name=codes.DCM.Comment,
            value=ascii_text(words),
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
    )
