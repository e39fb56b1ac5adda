"""What no validator notices in a CAD report: a last look before anybody else sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from dicom_io.results.asserts import (
    CERTAINTY,
    children_of,
    concept_code,
    number_of,
    reference_problems,
    tracking_problems,
    unit_problems,
    walk,
)
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from models.mammography_results import LesionGroup, MammographyExam
from models.results import Finding

__all__ = ["cad_report_problems", "check_cad_report"]

_IMAGE_LIBRARY, _SUMMARY, _SINGLE_IMAGE_FINDING = "111028", "111017", "111059"
_COMPOSITE_FEATURE, _CERTAINTY_OF_FEATURE, _TRACKING_UID = "111015", "111011", "112040"
_CENTER, _OUTLINE, _HEIGHT, _WIDTH = "111010", "111041", "121207", "103355008"
_WITH_FINDINGS, _ALL_SUCCEEDED = {"111242", "111244"}, {"111241", "111242"}
_PIXEL_TOLERANCE, _VALUE_TOLERANCE = 1e-2, 1e-3


def check_cad_report(report: Dataset, context: FilmContext, exam: MammographyExam | None = None) -> None:
    """Compare a CAD report with the reading it is made from.

    Parameters
    ----------
    report : Dataset
        Of chest films or of mammograms.
    context : FilmContext
        The reading.
    exam : MammographyExam or None
        The lesions of several images that the report has.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    groups = exam.groups if exam is not None else ()
    problems = [*cad_report_problems(report, context), *_composite_problems(report, context, groups)]
    if problems:
        raise ResultInvalid("the CAD report is wrong: " + "; ".join(problems))


def cad_report_problems(report: Dataset, context: FilmContext) -> Iterator[str]:
    """Yield what is wrong with a CAD report, in words."""
    if str(report.StudyInstanceUID) != str(context.headers[0].StudyInstanceUID):
        yield "it is not in the study of its images"
    yield from reference_problems(report, context.headers)
    yield from _library_problems(report, context)
    yield from _summary_problems(report, context)
    for item in walk(report):
        if item.get("ValueType") == "NUM":
            yield from unit_problems(item)
        elif item.get("ValueType") == "SCOORD":
            yield from _place_problems(report, item, context)
    found = [item for item in walk(report) if concept_code(item) == _SINGLE_IMAGE_FINDING]
    by_image = {f.number: f for f in context.findings}
    if len(found) != len(by_image):
        yield f"it has {len(found)} findings instead of {len(by_image)}"
        return
    seen: set[str] = set()
    left = dict(by_image)
    for item in found:
        yield from tracking_problems(item, seen)
        finding = _finding_of(item, context, left)
        if finding is None:
            yield "it has a finding that the reading does not have"
        else:
            del left[finding.number]
            yield from _finding_problems(report, item, finding, context)


def _resolve(report: Dataset, place: Sequence[int]) -> Dataset | None:
    """Return the content item with an identifier of PS3.3 C.17.3.2.5, the root being 1."""
    item = report
    for position in list(place)[1:]:
        children = list(item.get("ContentSequence") or ())
        if not 1 <= position <= len(children):
            return None
        item = children[position - 1]
    return item


def _image_of(report: Dataset, scoord: Dataset) -> str:
    """Return the image that coordinates are selected from, ``""`` where the reference leads nowhere."""
    for child in scoord.get("ContentSequence") or ():
        place = child.get("ReferencedContentItemIdentifier")
        target = _resolve(report, place) if place else None
        if child.get("RelationshipType") == "SELECTED FROM" and target is not None:
            return "".join(str(r.ReferencedSOPInstanceUID) for r in target.get("ReferencedSOPSequence") or ())
    return ""


def _library_problems(report: Dataset, context: FilmContext) -> Iterator[str]:
    wanted = [str(header.SOPInstanceUID) for header in context.headers]
    entries = [entry for library in children_of(report, _IMAGE_LIBRARY) for entry in library.ContentSequence]
    if [str(entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for entry in entries] != wanted:
        yield "its image library is not the images that were read"
    for item in walk(report):
        place = item.get("ReferencedContentItemIdentifier")
        target = _resolve(report, place) if place else None
        if place and not any(target is entry for entry in entries):
            yield "it refers to a content item that is no entry of its image library"


def _summary_problems(report: Dataset, context: FilmContext) -> Iterator[str]:
    codes = [str(item.ConceptCodeSequence[0].CodeValue) for item in children_of(report, _SUMMARY)]
    if len(codes) != 1:
        yield "it has no summary of findings"
        return
    if (codes[0] in _WITH_FINDINGS) is not bool(context.findings):
        yield "its summary does not say whether there are findings"
    if codes[0] in _ALL_SUCCEEDED and (context.partial or not context.readings):
        yield "its summary says that all succeeded although something was not read"


def _place_problems(report: Dataset, scoord: Dataset, context: FilmContext) -> Iterator[str]:
    image = _image_of(report, scoord)
    sizes = {str(h.SOPInstanceUID): (float(h.Rows), float(h.Columns)) for h in context.headers}
    if image not in sizes:
        yield "coordinates are not selected from an image that was read"
        return
    points = [float(value) for value in scoord.GraphicData]
    rows, columns = sizes[image]
    if min(points) < 0 or max(points[0::2]) > columns or max(points[1::2]) > rows:
        yield f"the place ({concept_code(scoord)}) of a finding leaves its image"


def _finding_of(item: Dataset, context: FilmContext, left: dict[int, Finding]) -> Finding | None:
    uids = [str(child.UID) for child in children_of(item, _TRACKING_UID)]
    for number, finding in left.items():
        if uids == [context.identity.uid(f"tracking:finding-{number}")]:
            return finding
    return None


def _finding_problems(
    report: Dataset, item: Dataset, finding: Finding, context: FilmContext
) -> Iterator[str]:
    name, box = f"finding {finding.number}", finding.candidate.box
    certainty = number_of(item, CERTAINTY)
    if certainty is None or abs(certainty - 100 * finding.candidate.score) > _VALUE_TOLERANCE:
        yield f"the certainty of {name} is not its score"
    for code, wanted in (
        (_CENTER, [box.centre[1], box.centre[0]]),
        (_OUTLINE, [box.left, box.top, box.right, box.top, box.right, box.bottom, box.left, box.bottom,
                    box.left, box.top]),
    ):  # fmt: skip
        places = children_of(item, code)
        if len(places) != 1 or _image_of(report, places[0]) != finding.sop_instance_uid:
            yield f"{name} has no place ({code}) on its image"
        elif not _same(places[0].GraphicData, wanted, _PIXEL_TOLERANCE):
            yield f"the place ({code}) of {name} is not its box"
    sizes = (number_of(item, _HEIGHT), number_of(item, _WIDTH))
    if finding.size_mm is None:
        if sizes != (None, None):
            yield f"{name} has a size without pixel spacing"
    elif None in sizes or not _same(sizes, finding.size_mm, _VALUE_TOLERANCE):
        yield f"the size of {name} is not the one of the reading"


def _composite_problems(
    report: Dataset, context: FilmContext, groups: Sequence[LesionGroup]
) -> Iterator[str]:
    composites = [item for item in walk(report) if concept_code(item) == _COMPOSITE_FEATURE]
    if len(composites) != len(groups):
        yield f"it has {len(composites)} composite features instead of {len(groups)}"
        return
    by_uid = {str(child.UID): item for item in composites for child in children_of(item, _TRACKING_UID)}
    for group in groups:
        item = by_uid.get(context.identity.uid(f"tracking:lesion-{group.number}"))
        if item is None:
            yield f"group {group.number} has no composite feature"
            continue
        certainty = number_of(item, _CERTAINTY_OF_FEATURE)
        if certainty is None or abs(certainty - 100 * group.probability) > _VALUE_TOLERANCE:
            yield f"the certainty of group {group.number} is not its probability"
        parts = {
            str(child.UID)
            for finding in children_of(item, _SINGLE_IMAGE_FINDING)
            for child in children_of(finding, _TRACKING_UID)
        }
        if parts != {context.identity.uid(f"tracking:finding-{number}") for number in group.findings}:
            yield f"the findings of group {group.number} are not those of its composite feature"


def _same(found: Sequence[float | None], wanted: Sequence[float], tolerance: float) -> bool:
    return len(found) == len(wanted) and all(
        value is not None and abs(float(value) - other) <= tolerance
        for value, other in zip(found, wanted, strict=True)
    )
