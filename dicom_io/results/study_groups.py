"""Measurement groups of a volume beside segment and key slice: places, suggested classes, change.

All are of TID 1501, as they have no region of an image: a viewer has nothing to draw of them. A class and a
change are no findings of their own, and name none.
"""

from __future__ import annotations

import numpy as np
from highdicom.sr import (
    CodedConcept,
    CoordinatesForMeasurement3D,
    DateContentItem,
    GraphicTypeValues3D,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TimeContentItem,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_io.results.measurement_groups import add_comment, algorithm, measurement, tracking
from dicom_io.results.vocabulary import AI_NOTICE, coded, own
from dicom_io.results.volume_context import VolumeContext
from models.concepts import Concept
from models.study_results import Classification, VolumeChange
from models.volume_results import VolumeFinding

__all__ = [
    "CENTRE_OF_MASS",
    "CHANGE",
    "CHANGE_PERCENT",
    "COORDINATES",
    "PREVIOUS_VOLUME",
    "change_group",
    "classification_group",
    "laterality_of",
    "place_group",
    "probability_of",
    "study_groups",
]

CENTRE_OF_MASS = Code("128138", "DCM", "Center of Mass")
COORDINATES = (
    own("centre-x", "Centre of mass, towards the left of the patient"),
    own("centre-y", "Centre of mass, towards the back of the patient"),
    own("centre-z", "Centre of mass, towards the head of the patient"),
)
PREVIOUS_VOLUME = own("previous-volume", "Sum of the volumes of all findings, previous study")
CHANGE = own("volume-change", "Change of the sum of volumes since the previous study")
CHANGE_PERCENT = own("volume-change-pc", "Change of the sum of volumes in percent of the previous")
_COMPARABLE = own("comparable", "Comparable with the previous result")
_YES, _NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")
_MILLILITRE = Code("mL", "UCUM", "milliliter")
_SIDES = {
    "left": codes.SCT.Left,
    "right": codes.SCT.Right,
    "both": Code("51440002", "SCT", "Bilateral"),
}


def study_groups(context: VolumeContext) -> list[MeasurementsAndQualitativeEvaluations]:
    """Return the groups of a reading that have no region: places by number, classes, change."""
    reading = context.reading
    groups = [place_group(context, one) for one in reading.findings if one.centre_mm is not None]
    groups += [classification_group(context, one) for one in reading.classifications]
    if reading.change is not None:
        groups.append(change_group(context, reading.change))
    return groups


def laterality_of(finding: VolumeFinding) -> CodedConcept | None:
    """Return the side of a finding, of CID 244."""
    return None if finding.side is None else CodedConcept.from_code(_SIDES[finding.side])


def place_group(context: VolumeContext, finding: VolumeFinding) -> MeasurementsAndQualitativeEvaluations:
    """Return where a finding lies: its centre of mass, as a point and as three coordinates of the patient.

    The coordinates are those of the frame of reference of the images; each is inferred from the point, whose
    purpose is of CID 219.

    Raises
    ------
    ValueError
        The finding has no centre.
    """
    if finding.centre_mm is None:
        raise ValueError(f"finding {finding.number} has no centre")
    point = np.array([finding.centre_mm], dtype=np.float64)
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, f"{finding.segment.label}, place", f"place-{finding.number}"),
        finding_type=coded(finding.segment.type),
        algorithm_id=algorithm(context),
        measurements=[
            Measurement(
                name=name,
                value=round(value, 2),
                unit=codes.UCUM.Millimeter,
                referenced_coordinates=[
                    CoordinatesForMeasurement3D(
                        GraphicTypeValues3D.POINT,
                        point,
                        frame_of_reference_uid=str(context.reading.labels.frame_of_reference_uid),
                        purpose=CENTRE_OF_MASS,
                    )
                ],
            )
            for name, value in zip(COORDINATES, finding.centre_mm, strict=True)
        ],
    )
    add_comment(group, f"{AI_NOTICE}. Centre of mass of finding {finding.number} in patient coordinates.")
    if finding.side is not None:
        add_comment(
            group,
            "A side has more than nine tenths of the voxels, seen from the plane in which the head mirrors "
            "best; otherwise it is both. Left and right are those that the header of the images states.",
        )
    return group


def probability_of(what: Concept) -> CodedConcept:
    """Return the name of the probability of a class."""
    return own(f"p-{what.code}", f"Probability: {what.meaning}")


def classification_group(
    context: VolumeContext, found: Classification
) -> MeasurementsAndQualitativeEvaluations:
    """Return what an algorithm suggests the study shows: the class, and how probable each class is."""
    shares = [(found.value, found.probability), *found.alternatives]
    measurements = [
        measurement(probability_of(one), 100 * share, codes.UCUM.Percent) for one, share in shares
    ]
    words = f"Suggested by algorithm: {found.name.meaning}"
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, words, f"class-{found.name.code}"),
        algorithm_id=algorithm(context),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(coded(found.name), coded(found.value))],
    )
    said = ", ".join(f"{one.meaning} {100 * share:.0f} %" for one, share in shares)
    add_comment(group, f"{AI_NOTICE}. Suggested by an algorithm, not a diagnosis: {said}.")
    for statement in found.statements:
        add_comment(group, statement)
    return group


def change_group(context: VolumeContext, change: VolumeChange) -> MeasurementsAndQualitativeEvaluations:
    """Return the previous volume with its date and, where both are comparable, the change since."""
    measurements = [measurement(PREVIOUS_VOLUME, change.previous_ml, _MILLILITRE)]
    if change.comparable:
        measurements.append(measurement(CHANGE, change.change_ml, _MILLILITRE))
        if change.change_percent is not None:
            measurements.append(measurement(CHANGE_PERCENT, change.change_percent, codes.UCUM.Percent))
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, "Change since the previous result", "change"),
        algorithm_id=algorithm(context),
        measurements=measurements,
        qualitative_evaluations=[QualitativeEvaluation(_COMPARABLE, _YES if change.comparable else _NO)],
    )
    contains = RelationshipTypeValues.CONTAINS
    content = group[0].ContentSequence
    content.append(DateContentItem(codes.DCM.StudyDate, change.previous_at.date(), contains))
    content.append(TimeContentItem(codes.DCM.StudyTime, change.previous_at.time(), contains))
    day = f"{change.previous_at:%Y-%m-%d}"
    add_comment(group, f"{AI_NOTICE}. Compared with the study of {day}, read by {change.previous_package}.")
    if change.reason:
        add_comment(group, f"{'' if change.comparable else 'Not comparable: '}{change.reason}")
    return group
