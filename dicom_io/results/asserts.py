"""What no validator notices: a last look at a report before anybody else sees it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_io.reading.spacing import spacing_of
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from models.film import Film
from models.results import Finding

__all__ = ["check_key_image", "check_report", "report_problems"]

_TRACKING_IDENTIFIER, _TRACKING_UID = "112039", "112040"
_MEASUREMENT_GROUP, _REGION = "125007", "111030"
_HEIGHT, _WIDTH, _CERTAINTY = "121207", "103355008", "111012"
_PIXEL_TOLERANCE = 1e-2
_VALUE_TOLERANCE = 1e-3


def check_report(report: Dataset, context: FilmContext) -> None:
    """Compare a report with the reading it is made from.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    problems = list(report_problems(report, context))
    if problems:
        raise ResultInvalid("the report is wrong: " + "; ".join(problems))


def report_problems(report: Dataset, context: FilmContext) -> Iterator[str]:
    """Yield what is wrong with a report, in words."""
    study = str(context.headers[0].StudyInstanceUID)
    if str(report.StudyInstanceUID) != study:
        yield "it is not in the study of its films"
    yield from _reference_problems(report, context, study)
    groups = [item for item in _walk(report) if _name(item) == _MEASUREMENT_GROUP]
    expected = len(context.findings) + len(context.readings) + 1
    if len(groups) != expected:
        yield f"it has {len(groups)} measurement groups instead of {expected}"
    seen: set[str] = set()
    for group in groups:
        yield from _tracking_problems(group, seen)
    for item in _walk(report):
        if item.get("ValueType") == "NUM":
            yield from _unit_problems(item)
    planar = [group for group in groups if _children(group, _REGION)]
    if len(planar) != len(context.findings):
        yield f"{len(planar)} regions for {len(context.findings)} findings"
        return
    for group, finding in zip(planar, sorted(context.findings, key=lambda f: f.number), strict=True):
        yield from _region_problems(group, finding, context)
        yield from _value_problems(group, finding, context)


def check_key_image(image: Dataset, context: FilmContext, film: Film, findings: Sequence[Finding]) -> None:
    """Check that a key image belongs to its film and holds the pixels it promises.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    problems = []
    if str(image.StudyInstanceUID) != str(context.headers[0].StudyInstanceUID):
        problems.append("it is not in the study of its films")
    films = {str(h.SOPInstanceUID) for h in context.headers}
    sources = {str(item.ReferencedSOPInstanceUID) for item in image.get("SourceImageSequence") or ()}
    if not sources or not sources <= films:
        problems.append("it refers to an image that was not read")
    if {film.sop_instance_uid, *(finding.sop_instance_uid for finding in findings)} != sources:
        problems.append("its film or its findings are those of another image")
    length = int(image.Rows) * int(image.Columns) * int(image.SamplesPerPixel)
    if len(image.PixelData) != length + length % 2:
        problems.append(f"it has {len(image.PixelData)} bytes of pixels instead of {length}")
    if problems:
        raise ResultInvalid("the key image is wrong: " + "; ".join(problems))


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence") or ():
        yield child
        yield from _walk(child)


def _name(item: Dataset) -> str:
    names = item.get("ConceptNameCodeSequence")
    return str(list(names)[0].get("CodeValue")) if names else ""


def _children(item: Dataset, code: str) -> list[Dataset]:
    return [child for child in item.get("ContentSequence") or () if _name(child) == code]


def _number(group: Dataset, code: str) -> float | None:
    for item in _children(group, code):
        return float(item.MeasuredValueSequence[0].NumericValue)
    return None


def _tracking_problems(group: Dataset, seen: set[str]) -> Iterator[str]:
    words, uids = _children(group, _TRACKING_IDENTIFIER), _children(group, _TRACKING_UID)
    if len(words) != 1 or not words[0].get("TextValue"):
        yield "a measurement group has no tracking identifier"
    if len(uids) != 1 or not uids[0].get("UID"):
        yield "a measurement group has no tracking unique identifier"
    elif str(uids[0].UID) in seen:
        yield "a tracking unique identifier comes twice"
    else:
        seen.add(str(uids[0].UID))


def _unit_problems(item: Dataset) -> Iterator[str]:
    for value in item.MeasuredValueSequence:
        units = list(value.get("MeasurementUnitsCodeSequence") or ())
        if len(units) != 1 or units[0].get("CodingSchemeDesignator") != "UCUM":
            yield f"the measurement {_name(item)} has no UCUM unit"
        if not math.isfinite(float(value.NumericValue)):
            yield f"the measurement {_name(item)} is no finite number"


def _reference_problems(report: Dataset, context: FilmContext, study: str) -> Iterator[str]:
    films = {(str(h.SOPClassUID), str(h.SOPInstanceUID)) for h in context.headers}
    evidence = set()
    for item in report.get("CurrentRequestedProcedureEvidenceSequence") or ():
        if str(item.StudyInstanceUID) != study:
            yield "its evidence is of another study"
        for series in item.ReferencedSeriesSequence:
            evidence |= {
                (str(r.ReferencedSOPClassUID), str(r.ReferencedSOPInstanceUID))
                for r in series.ReferencedSOPSequence
            }
    if evidence != films:
        yield "its evidence is not the films that were read"
    for item in _walk(report):
        for reference in item.get("ReferencedSOPSequence") or ():
            named = (str(reference.ReferencedSOPClassUID), str(reference.ReferencedSOPInstanceUID))
            if named not in evidence:
                yield "it refers to an image that is not among its evidence"


def _region_problems(group: Dataset, finding: Finding, context: FilmContext) -> Iterator[str]:
    regions = _children(group, _REGION)
    region = regions[0]
    name, header = f"finding {finding.number}", context.header_of(finding.sop_instance_uid)
    sources = [
        r for child in region.get("ContentSequence") or () for r in child.get("ReferencedSOPSequence", ())
    ]
    if [str(r.ReferencedSOPInstanceUID) for r in sources] != [finding.sop_instance_uid]:
        yield f"the region of {name} is not selected from its film"
    points = [float(value) for value in region.GraphicData]
    columns, rows = points[0::2], points[1::2]
    if len(regions) != 1 or len(columns) != 5 or (columns[0], rows[0]) != (columns[-1], rows[-1]):
        yield f"{name} needs one closed box"
        return
    if min(columns) < 0 or min(rows) < 0 or max(columns) > header.Columns or max(rows) > header.Rows:
        yield f"the region of {name} leaves its image"
    box = finding.candidate.box
    edges = (min(rows), min(columns), max(rows), max(columns))
    wanted = (box.top, box.left, box.bottom, box.right)
    if any(abs(a - b) > _PIXEL_TOLERANCE for a, b in zip(edges, wanted, strict=True)):
        yield f"the region of {name} is not its box"


def _value_problems(group: Dataset, finding: Finding, context: FilmContext) -> Iterator[str]:
    name, candidate = f"finding {finding.number}", finding.candidate
    certainty = _number(group, _CERTAINTY)
    if certainty is None or abs(certainty - 100 * candidate.score) > _VALUE_TOLERANCE:
        yield f"the certainty of {name} is not its score"
    sizes = (_number(group, _HEIGHT), _number(group, _WIDTH))
    if finding.size_mm is None:
        if sizes != (None, None):
            yield f"{name} has a size without pixel spacing"
        return
    spacing, calibrated = spacing_of(context.header_of(finding.sop_instance_uid))
    extent = (candidate.box.height, candidate.box.width)
    if spacing is None or not _agrees(sizes, extent, spacing):
        yield f"the size of {name} is not what its box and the pixel spacing give"
    elif calibrated is not finding.size_is_calibrated:
        yield f"the source does not bear out whether the size of {name} is calibrated"


def _agrees(
    sizes: tuple[float | None, float | None], extent: tuple[float, float], spacing: tuple[float, float]
) -> bool:
    return all(
        size is not None and math.isclose(size, pixels * step, rel_tol=1e-3, abs_tol=_VALUE_TOLERANCE)
        for size, pixels, step in zip(sizes, extent, spacing, strict=True)
    )
