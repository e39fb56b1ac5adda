"""Templates that the CAD documents of every organ share (PS3.16 TID 1204, 1400, 4015 to 4019, 4021, 4107)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydicom.dataset import Dataset

from dicom_io.results.cad import codes, items
from dicom_io.results.cad.codes import dcm
from dicom_io.results.cad.image_library import ImageLibrary
from dicom_io.results.film_context import FilmContext
from dicom_io.results.measurement_groups import box_corners
from models.concepts import Concept
from models.results import Finding

__all__ = [
    "Run",
    "algorithm",
    "certainty",
    "findings_code",
    "geometry",
    "language",
    "rendering_intent",
    "sizes",
    "status_of",
    "summary_of_analyses",
    "summary_of_detections",
    "tracking",
]

_RENDERING_INTENT = dcm("111056", "Rendering Intent")
_CENTER, _OUTLINE, _PATH = dcm("111010", "Center"), dcm("111041", "Outline"), dcm("121055", "Path")


@dataclass(frozen=True, slots=True)
class Run:
    """What an algorithm was asked to do, and the images where it succeeded and where it failed.

    Parameters
    ----------
    performed : Concept
        The detection or the analysis.
    succeeded, failed : tuple of str
        SOP Instance UIDs; both empty where it was not attempted.
    """

    performed: Concept
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class _Names(NamedTuple):
    summary: Concept
    successful: Concept
    failed: Concept
    performed: Concept


_DETECTIONS = _Names(
    summary=dcm("111064", "Summary of Detections"),
    successful=dcm("111063", "Successful Detections"),
    failed=dcm("111025", "Failed Detections"),
    performed=dcm("111022", "Detection Performed"),
)
_ANALYSES = _Names(
    summary=dcm("111065", "Summary of Analyses"),
    successful=dcm("111062", "Successful Analyses"),
    failed=dcm("111024", "Failed Analyses"),
    performed=dcm("111004", "Analysis Performed"),
)


def language() -> Dataset:
    """Return TID 1204: everything below is in English."""
    name = dcm("121049", "Language of Content Item and Descendants")
    return items.code("HAS CONCEPT MOD", name, codes.ENGLISH)


def findings_code(context: FilmContext) -> Concept:
    """Return how the algorithms fared, of CID 6047: silence is not a negative reading."""
    if not context.readings:
        return codes.NONE_WITHOUT_FINDINGS
    if context.partial:
        return codes.SOME_WITH_FINDINGS if context.findings else codes.SOME_WITHOUT_FINDINGS
    return codes.ALL_WITH_FINDINGS if context.findings else codes.ALL_WITHOUT_FINDINGS


def status_of(run: Run) -> codes.Status:
    """Return the status of a run by the images where it succeeded and failed."""
    if run.succeeded:
        return "partial" if run.failed else "succeeded"
    return "failed" if run.failed else "not-attempted"


def summary_of_detections(run: Run, context: FilmContext, library: ImageLibrary) -> Dataset:
    """Return the Summary of Detections with TID 4015 and TID 4017."""
    return _summary(_DETECTIONS, run, context, library)


def summary_of_analyses(run: Run | None, context: FilmContext, library: ImageLibrary) -> Dataset:
    """Return the Summary of Analyses with TID 4016 and TID 4018; "not attempted" for None."""
    if run is None:
        return items.code("CONTAINS", _ANALYSES.summary, codes.STATUS["not-attempted"])
    return _summary(_ANALYSES, run, context, library)


def _summary(names: _Names, run: Run, context: FilmContext, library: ImageLibrary) -> Dataset:
    below = []
    for container, images in ((names.successful, run.succeeded), (names.failed, run.failed)):
        if images:  # rows 1 and 3 of TID 4015 and TID 4016
            rows = [
                *algorithm("HAS PROPERTIES", context),  # row 2
                *(library.reference("HAS PROPERTIES", uid) for uid in images),  # row 4
            ]
            entry = items.code("CONTAINS", names.performed, run.performed, rows)
            below.append(items.container("INFERRED FROM", container, [entry]))
    return items.code("CONTAINS", names.summary, codes.STATUS[status_of(run)], below)


def algorithm(relationship: items.Relationship, context: FilmContext) -> Iterator[Dataset]:
    """Yield TID 4019: name, version, and what else the results depend on."""
    package = context.package
    yield items.text(relationship, dcm("111001", "Algorithm Name"), package.name)
    yield items.text(relationship, dcm("111003", "Algorithm Version"), package.version)
    parameters = dcm("111002", "Algorithm Parameters")
    yield items.text(relationship, parameters, f"content {package.content_hash}")
    points = sorted({reading.operating_point for reading in context.readings})
    if points:
        percent = ", ".join(f"{100 * point:.6g}" for point in points)
        yield items.text(relationship, parameters, f"operating point {percent} %")


def rendering_intent(context: FilmContext) -> Dataset:
    """Return whether a viewer must show something: it may leave out what comes from a rejected reading."""
    rejected = context.assessment.decision == "reject"
    value = codes.PRESENTATION_OPTIONAL if rejected else codes.PRESENTATION_REQUIRED
    return items.code("HAS CONCEPT MOD", _RENDERING_INTENT, value)


def tracking(context: FilmContext, words: str, kind: str) -> Iterator[Dataset]:
    """Yield TID 4108, with the identifiers that the measurement report has for the same thing."""
    name = dcm("112039", "Tracking Identifier")
    yield items.text("HAS OBS CONTEXT", name, words)
    unique = dcm("112040", "Tracking Unique Identifier")
    yield items.uid("HAS OBS CONTEXT", unique, context.identity.uid(f"tracking:{kind}"))


def certainty(finding: Finding) -> Dataset:
    """Return the Certainty of Finding in percent."""
    name = dcm("111012", "Certainty of Finding")
    return items.number("HAS PROPERTIES", name, 100 * finding.candidate.score, codes.PERCENT)


def geometry(finding: Finding, header: Dataset, library: ImageLibrary) -> Iterator[Dataset]:
    """Yield TID 4021 or TID 4107: the centre and the outline of a finding, selected from its image."""
    box = finding.candidate.box.clipped(int(header.Rows), int(header.Columns))
    row, column = box.centre
    outline = box_corners(box, int(header.Rows), int(header.Columns))
    yield _place(finding, library, "HAS PROPERTIES", _CENTER, [(column, row)])
    yield _place(finding, library, "HAS PROPERTIES", _OUTLINE, outline)


def sizes(finding: Finding, header: Dataset, library: ImageLibrary) -> Iterator[Dataset]:
    """Yield TID 1400 for height and width, each with the path it is measured along; none without spacing."""
    if finding.size_mm is None:
        return
    box = finding.candidate.box.clipped(int(header.Rows), int(header.Columns))
    row, column = box.centre
    for name, value, path in (
        (codes.HEIGHT, finding.size_mm[0], [(column, box.top), (column, box.bottom)]),
        (codes.WIDTH, finding.size_mm[1], [(box.left, row), (box.right, row)]),
    ):
        along = _place(finding, library, "INFERRED FROM", _PATH, path)
        yield items.number("HAS PROPERTIES", name, value, codes.MILLIMETRE, [along])


def _place(
    finding: Finding,
    library: ImageLibrary,
    relationship: items.Relationship,
    name: Concept,
    points: Sequence[tuple[float, float]],
) -> Dataset:
    source = library.reference("SELECTED FROM", finding.sop_instance_uid)
    return items.scoord(relationship, name, "POINT" if len(points) == 1 else "POLYLINE", points, source)
