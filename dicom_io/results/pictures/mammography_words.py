"""The words on pictures of mammograms."""

from __future__ import annotations

from datetime import datetime

from dicom_io.results.mammography_context import MammographyContext, view_words
from dicom_io.results.pictures.drawing import findings_in_words
from dicom_io.results.pictures.film_pictures import finding_line, percent
from dicom_io.results.pictures.volume_words import assessment_lines
from models.results import Finding

__all__ = ["basis_lines", "exam_lines", "interval_words", "numbered_line"]

_SIDES = {"R": "right", "L": "left"}
_FEW_DAYS, _MANY_MONTHS, _MONTHS = 60, 36, 12


def exam_lines(context: MammographyContext) -> list[str]:
    """Return what stands below the overview: findings, breasts, lesions, tissue, decision."""
    found = sorted(context.findings, key=lambda one: one.number)
    nothing = "No finding at or above the operating point."
    lines = findings_in_words([numbered_line(context, one) for one in found], nothing)
    for lesion in context.exam.groups:
        numbers = " and ".join(str(number) for number in sorted(lesion.findings))
        lines.append(f"{numbers} are taken for one lesion, score {percent(lesion.probability)}")
    return [*lines, *basis_lines(context)]


def basis_lines(context: MammographyContext) -> list[str]:
    """Return scores of the breasts, tissue, decision, what the package states, and what was not read."""
    lines = []
    if context.breasts:
        ordered = sorted(context.breasts, key=lambda one: one.laterality, reverse=True)
        scores = ", ".join(f"{_SIDES[one.laterality]} {percent(one.score)}" for one in ordered)
        lines.append(f"Score of the breast:  {scores}")
    if context.density is not None:
        lines.append(f"Background tissue, mini-MIAS class:  {context.density.label}")
    lines += assessment_lines(context.assessment)
    if context.package.statements:
        lines.append(" ".join(context.package.statements))
    if context.failures:
        count = len(context.failures)
        lines.append(f"{count} {'image' if count == 1 else 'images'} not read, see the report")
    elif context.partial:
        lines.append("Not everything of the examination was read, see the report")
    return lines


def numbered_line(context: MammographyContext, finding: Finding) -> str:
    """Return what is known of a finding, with its breast and view."""
    return finding_line(finding, view_words(context.view_of(finding)))


def interval_words(earlier: datetime | None, later: datetime | None) -> str:
    """Return how long before a study another one was made; dates themselves identify people and stay out."""
    if earlier is None or later is None:
        return "date not known"
    days = (later.date() - earlier.date()).days
    if days < 1:
        return "the same day"
    if days < _FEW_DAYS:
        return f"{days} {'day' if days == 1 else 'days'} before"
    months = _MONTHS * (later.year - earlier.year) + later.month - earlier.month - (later.day < earlier.day)
    if months < _MANY_MONTHS:
        return f"{months} months before"
    return f"{months // _MONTHS} years before"
