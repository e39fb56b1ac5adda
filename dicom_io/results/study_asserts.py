"""A last look at what the report of a volume says beside volumes and regions: places, classes, change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.results.asserts import children_of, number_of
from dicom_io.results.study_groups import (
    CENTRE_OF_MASS,
    CHANGE,
    CHANGE_PERCENT,
    COORDINATES,
    PREVIOUS_VOLUME,
    laterality_of,
    probability_of,
)
from dicom_io.results.volume_context import VolumeContext
from models.measurements import centre_mm, parts
from models.study_results import Classification, VolumeChange
from models.volume_results import VolumeFinding, VolumeReading

__all__ = ["finding_problems", "study_group_count", "study_problems"]

_PARTS, _LATERALITY, _SITE = "parts", "272741003", "363698007"
_MILLIMETRES = 0.05


def study_group_count(reading: VolumeReading) -> int:
    """Return how many groups a report has beside those of volumes, key slices, and the reading."""
    places = sum(finding.centre_mm is not None for finding in reading.findings)
    return places + len(reading.classifications) + (reading.change is not None)


def finding_problems(group: Dataset, finding: VolumeFinding, context: VolumeContext) -> Iterator[str]:
    """Yield what is wrong with parts and side in the group of a finding."""
    name = f"finding {finding.number}"
    if finding.parts is not None:
        given = parts(context.reading.mask(finding.number))
        if number_of(group, _PARTS) != given:
            yield f"the parts of {name} are not those of its mask ({given})"
    side = laterality_of(finding)
    stated = [str(one.ConceptCodeSequence[0].CodeValue) for one in _sides(group)]
    if set(stated) != (set() if side is None else {str(side.value)}):
        yield f"the side of {name} is not what was found"


def study_problems(groups: Sequence[Dataset], context: VolumeContext) -> Iterator[str]:
    """Yield what is wrong with places, classes and change."""
    reading = context.reading
    placed = [finding for finding in reading.findings if finding.centre_mm is not None]
    places = [group for group in groups if children_of(group, str(COORDINATES[0].value))]
    if len(places) != len(placed):
        yield f"{len(places)} places for {len(placed)} findings with a centre"
        return
    for finding, group in zip(placed, places, strict=True):
        yield from _place_problems(group, finding, context)
    for found in reading.classifications:
        yield from _class_problems(groups, found)
    changes = [group for group in groups if children_of(group, str(PREVIOUS_VOLUME.value))]
    if len(changes) != (reading.change is not None):
        yield "the change since the previous result is not told once"
    elif reading.change is not None:
        yield from _change_problems(changes[0], reading.change)


def _place_problems(group: Dataset, finding: VolumeFinding, context: VolumeContext) -> Iterator[str]:
    name, labels = f"finding {finding.number}", context.reading.labels
    wanted = centre_mm(context.reading.mask(finding.number), labels.affine)
    for concept, value in zip(COORDINATES, wanted, strict=True):
        stated = number_of(group, str(concept.value))
        items = children_of(group, str(concept.value))
        points = [point for item in items for point in children_of(item, CENTRE_OF_MASS.value)]
        if stated is None or len(points) != 1:
            yield f"the centre of {name} is no point"
            continue
        (point,) = points
        given = np.asarray(point.GraphicData, dtype=np.float64)
        if abs(stated - value) > _MILLIMETRES or not np.allclose(given, wanted, atol=_MILLIMETRES):
            yield f"the centre of {name} is not that of its mask"
        if str(point.ReferencedFrameOfReferenceUID) != str(labels.frame_of_reference_uid):
            yield f"the centre of {name} is in another frame of reference"


def _class_problems(groups: Sequence[Dataset], found: Classification) -> Iterator[str]:
    values = [
        str(item.ConceptCodeSequence[0].CodeValue)
        for group in groups
        for item in children_of(group, found.name.code)
    ]
    if values != [found.value.code]:
        yield f"{found.name.meaning} is not told once as it was found"
        return
    (group,) = [group for group in groups if children_of(group, found.name.code)]
    for one, share in ((found.value, found.probability), *found.alternatives):
        if not _close(number_of(group, str(probability_of(one).value)), 100 * share):
            yield f"a probability of {found.name.meaning} is not what was found"


def _change_problems(group: Dataset, change: VolumeChange) -> Iterator[str]:
    told = change.comparable
    for concept, value in (
        (PREVIOUS_VOLUME, change.previous_ml),
        (CHANGE, change.change_ml if told else None),
        (CHANGE_PERCENT, change.change_percent if told else None),
    ):
        stated = number_of(group, str(concept.value))
        if (stated is None) != (value is None) or (value is not None and not _close(stated, value)):
            yield "the change since the previous result is not what was found"


def _sides(group: Dataset) -> list[Dataset]:
    sites = [one for site in children_of(group, _SITE) for one in children_of(site, _LATERALITY)]
    return [*children_of(group, _LATERALITY), *sites]


def _close(stated: float | None, wanted: float) -> bool:
    return stated is not None and math.isclose(stated, wanted, rel_tol=1e-3, abs_tol=1e-4)
