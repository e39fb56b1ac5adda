"""Pictures of films: one of all findings, one of each finding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dicom_io.results.pictures.drawing import findings_in_words, render
from dicom_io.results.pictures.panel import Mark, Panel
from models.film import Film
from models.results import Box, Finding

__all__ = ["finding_label", "finding_line", "percent", "render_films", "render_finding", "render_key_image"]

_ROOM_AROUND = 3.0
_SMALLEST_PART = 0.22


def render_key_image(
    film: Film, findings: Sequence[Finding], *, title: str = "SecondRead", pixel_aspect: float | None = None
) -> NDArray[np.uint8]:
    """Draw one film with ``findings`` marked around, never over, what they point at.

    Parameters
    ----------
    film : Film
        As displayed.
    findings : sequence of Finding
        Those of this film; without any, the picture says that there are none.
    title : str
        Who read, e.g. package and version.
    pixel_aspect : float or None
        Height of a pixel by its width; from the film's spacing where None, else 1.

    Returns
    -------
    numpy.ndarray
        ``(rows, columns, 3)`` uint8.
    """
    return render([_panel(film, findings, pixel_aspect)], _summary(findings), title)


def render_films(
    films: Sequence[Film],
    findings: Sequence[Finding],
    *,
    title: str,
    pixel_aspects: Sequence[float | None],
) -> NDArray[np.uint8]:
    """Draw all films of a study side by side with all findings: the overview.

    Parameters
    ----------
    films : sequence of Film
        As displayed, in the order to be shown.
    findings : sequence of Finding
        Of all these films.
    title : str
        Who read.
    pixel_aspects : sequence of float or None
        One per film, see :func:`render_key_image`.
    """
    panels = [
        _panel(film, [one for one in findings if one.sop_instance_uid == film.sop_instance_uid], aspect)
        for film, aspect in zip(films, pixel_aspects, strict=True)
    ]
    return render(panels, _summary(sorted(findings, key=lambda one: one.number)), title)


def render_finding(
    film: Film, finding: Finding, *, title: str, pixel_aspect: float | None = None
) -> NDArray[np.uint8]:
    """Draw one finding: where it lies on the film, and the part around it enlarged."""
    whole = _panel(film, [finding], pixel_aspect, caption="Where it lies")
    part = _part(film.shape, finding.candidate.box, whole.aspect)
    top, left, bottom, right = (round(edge) for edge in (part.top, part.left, part.bottom, part.right))
    box = finding.candidate.box
    near = Panel(
        pixels=film.pixels[top:bottom, left:right],
        aspect=whole.aspect,
        marks=(
            Mark(
                finding_label(finding),
                Box(box.top - top, box.left - left, box.bottom - top, box.right - left),
            ),
        ),
        caption=f"Finding {finding.number}, enlarged",
    )
    return render([whole, near], [finding_line(finding)], title)


def _panel(film: Film, findings: Sequence[Finding], pixel_aspect: float | None, caption: str = "") -> Panel:
    if film.pixel_spacing_mm is not None:
        pixel_aspect = film.pixel_spacing_mm[0] / film.pixel_spacing_mm[1]
    marks = tuple(Mark(finding_label(finding), finding.candidate.box) for finding in findings)
    return Panel(film.pixels, pixel_aspect or 1.0, marks, caption)


def _part(shape: tuple[int, int], box: Box, aspect: float) -> Box:
    """Return the part of a film around a box: square in the patient, wholly inside the film."""
    rows, columns = shape
    side = max(
        _ROOM_AROUND * max(box.height * aspect, box.width), _SMALLEST_PART * max(rows * aspect, columns)
    )
    height, width = min(side / aspect, rows), min(side, columns)
    top = min(max(box.centre[0] - height / 2, 0), rows - height)
    left = min(max(box.centre[1] - width / 2, 0), columns - width)
    return Box(top, left, top + height, left + width)


def _summary(findings: Sequence[Finding]) -> list[str]:
    nothing = "No finding at or above the operating point."
    return findings_in_words([finding_line(finding) for finding in findings], nothing)


def finding_label(finding: Finding) -> str:
    """Return what stands beside a mark: number and score."""
    return f"{finding.number}   {percent(finding.candidate.score)}"


def finding_line(finding: Finding, where: str = "") -> str:
    """Return what is known of a finding: number, where it lies, score, size."""
    place = f"{where}, " if where else ""
    score = f"{finding.number}:  {place}score {percent(finding.candidate.score)}"
    if finding.size_mm is None:
        return f"{score}, size in mm not known"
    height, width = finding.size_mm
    plane = "" if finding.size_is_calibrated else " (size not calibrated)"
    return f"{score}, box {height:.0f} x {width:.0f} mm{plane}"


def percent(score: float) -> str:
    """Return a score in [0, 1] in percent."""
    return f"{100 * score:.0f} %"
