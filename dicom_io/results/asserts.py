"""What no validator notices: what every report is looked at for before anybody else sees it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

from models.results import Box

__all__ = [
    "CERTAINTY",
    "REGION",
    "box_problems",
    "children_of",
    "concept_code",
    "group_problems",
    "measurement_groups",
    "number_of",
    "reference_problems",
    "tracking_problems",
    "unit_problems",
    "walk",
]

MEASUREMENT_GROUP, REGION, CERTAINTY = "125007", "111030", "111012"
_TRACKING_IDENTIFIER, _TRACKING_UID = "112039", "112040"
_PIXEL_TOLERANCE = 1e-2


def walk(item: Dataset) -> Iterator[Dataset]:
    """Yield every content item below ``item``, parents first."""
    for child in item.get("ContentSequence") or ():
        yield child
        yield from walk(child)


def concept_code(item: Dataset) -> str:
    """Return the code value of a content item's concept name."""
    names = item.get("ConceptNameCodeSequence")
    return str(list(names)[0].get("CodeValue")) if names else ""


def children_of(item: Dataset, code: str) -> list[Dataset]:
    """Return the children that have a concept name."""
    return [child for child in item.get("ContentSequence") or () if concept_code(child) == code]


def number_of(group: Dataset, code: str) -> float | None:
    """Return the value of the first measurement of a concept."""
    for item in children_of(group, code):
        return float(item.MeasuredValueSequence[0].NumericValue)
    return None


def tracking_problems(group: Dataset, seen: set[str]) -> Iterator[str]:
    """Yield what is wrong with the tracking identifiers of a group; ``seen`` gathers their UIDs."""
    words, uids = children_of(group, _TRACKING_IDENTIFIER), children_of(group, _TRACKING_UID)
    if len(words) != 1 or not words[0].get("TextValue"):
        yield "a measurement group has no tracking identifier"
    if len(uids) != 1 or not uids[0].get("UID"):
        yield "a measurement group has no tracking unique identifier"
    elif str(uids[0].UID) in seen:
        yield "a tracking unique identifier comes twice"
    else:
        seen.add(str(uids[0].UID))


def unit_problems(item: Dataset) -> Iterator[str]:
    """Yield what is wrong with the unit or the value of a measurement."""
    for value in item.MeasuredValueSequence:
        units = list(value.get("MeasurementUnitsCodeSequence") or ())
        if len(units) != 1 or units[0].get("CodingSchemeDesignator") != "UCUM":
            yield f"the measurement {concept_code(item)} has no UCUM unit"
        if not math.isfinite(float(value.NumericValue)):
            yield f"the measurement {concept_code(item)} is no finite number"


def reference_problems(report: Dataset, evidence: Iterable[Dataset]) -> Iterator[str]:
    """Yield references that are not among the evidence, and evidence that is not what it should be.

    Parameters
    ----------
    report : Dataset
        A structured report.
    evidence : iterable of Dataset
        What it is made from: everything it may refer to.
    """
    wanted = {
        (str(h.SOPClassUID), str(h.SOPInstanceUID)): int(h.get("NumberOfFrames") or 1) for h in evidence
    }
    stated = set()
    for item in report.get("CurrentRequestedProcedureEvidenceSequence") or ():
        if str(item.StudyInstanceUID) != str(report.StudyInstanceUID):
            yield "its evidence is of another study"
        for series in item.ReferencedSeriesSequence:
            stated |= {
                (str(r.ReferencedSOPClassUID), str(r.ReferencedSOPInstanceUID))
                for r in series.ReferencedSOPSequence
            }
    if stated != wanted.keys():
        yield "its evidence is not what was read"
    for item in walk(report):
        for reference in item.get("ReferencedSOPSequence") or ():
            named = (str(reference.ReferencedSOPClassUID), str(reference.ReferencedSOPInstanceUID))
            if named not in wanted:
                yield "it refers to an object that is not among its evidence"
                continue
            frames = reference.get("ReferencedFrameNumber")
            numbers = [frames] if isinstance(frames, int) else list(frames or ())
            if any(not 1 <= int(number) <= wanted[named] for number in numbers):
                yield "it refers to a frame that its image does not have"


def group_problems(report: Dataset, expected: int) -> Iterator[str]:
    """Yield what is wrong with measurement groups whatever they are about.

    Parameters
    ----------
    report : Dataset
        A report of TID 1500.
    expected : int
        How many groups it should have.
    """
    groups = measurement_groups(report)
    if len(groups) != expected:
        yield f"it has {len(groups)} measurement groups instead of {expected}"
    seen: set[str] = set()
    for group in groups:
        yield from tracking_problems(group, seen)
    for item in walk(report):
        if item.get("ValueType") == "NUM":
            yield from unit_problems(item)


def measurement_groups(report: Dataset) -> list[Dataset]:
    """Return the measurement groups of a report of TID 1500."""
    return [item for item in walk(report) if concept_code(item) == MEASUREMENT_GROUP]


def box_problems(region: Dataset, header: Dataset, box: Box, name: str) -> Iterator[str]:
    """Yield what is wrong with a region that should be the closed outline of ``box``."""
    sources = [
        r for child in region.get("ContentSequence") or () for r in child.get("ReferencedSOPSequence", ())
    ]
    if [str(r.ReferencedSOPInstanceUID) for r in sources] != [str(header.SOPInstanceUID)]:
        yield f"the region of {name} is not selected from its image"
    points = [float(value) for value in region.GraphicData]
    columns, rows = points[0::2], points[1::2]
    if len(columns) != 5 or (columns[0], rows[0]) != (columns[-1], rows[-1]):
        yield f"{name} needs one closed box"
        return
    if min(columns) < 0 or min(rows) < 0 or max(columns) > header.Columns or max(rows) > header.Rows:
        yield f"the region of {name} leaves its image"
    edges = (min(rows), min(columns), max(rows), max(columns))
    wanted = (box.top, box.left, box.bottom, box.right)
    if any(abs(a - b) > _PIXEL_TOLERANCE for a, b in zip(edges, wanted, strict=True)):
        yield f"the region of {name} is not its box"
