"""The words below the pictures of volumes."""

from __future__ import annotations

from models.results import Assessment, Decision
from models.study_results import Classification, VolumeChange
from models.volume_results import VolumeFinding, VolumeReading

__all__ = ["assessment_line", "assessment_lines", "basis_lines", "finding_line", "study_lines"]

_DECISIONS: dict[Decision, str] = {
    "not-assessed": "not assessed",
    "accept": "accept",
    "review": "REVIEW",
    "reject": "REJECT",
}
_MOST_REASONS = 5
_SIDES = {"left": "left", "right": "right", "both": "both sides"}


def finding_line(finding: VolumeFinding) -> str:
    """Return what is known of a finding: score, volume, diameters, side, parts."""
    words = [f"{finding.number}:  {finding.segment.label}"]
    if finding.probability is not None:
        words.append(f"score {100 * finding.probability:.0f} %")
    words.append(_millilitres(finding.volume_ml))
    if finding.diameters is not None:
        words.append(f"{finding.diameters.longest_mm:.0f} x {finding.diameters.perpendicular_mm:.0f} mm")
    if finding.side is not None:
        words.append(_SIDES[finding.side])
    if finding.parts is not None and finding.parts > 1:
        words.append(f"{finding.parts} parts")
    return ", ".join(words)


def study_lines(reading: VolumeReading, assessment: Assessment | None) -> list[str]:
    """Return what is said of the study as a whole: change, classes, sequences, decision."""
    lines = [] if reading.change is None else [_change(reading.change, reading.volume_ml)]
    lines += [_suggestion(one) for one in reading.classifications]
    return [*lines, *basis_lines(reading, assessment)]


def basis_lines(reading: VolumeReading, assessment: Assessment | None) -> list[str]:
    """Return from which sequences a study was read, and how far that can be trusted."""
    lines = []
    if reading.series_used:
        missing = f"; not there: {', '.join(reading.series_missing)}" if reading.series_missing else ""
        lines.append(f"Read: {', '.join(reading.series_used)}{missing}")
    if assessment is not None:
        lines.append(assessment_line(assessment))
    return lines


def assessment_line(assessment: Assessment) -> str:
    """Return what is to be done with a reading, and the first reason."""
    reasons = f": {assessment.reasons[0]}" if assessment.reasons else ""
    return f"Assessment: {_DECISIONS[assessment.decision]}{reasons}"


def assessment_lines(assessment: Assessment) -> list[str]:
    """Return what is to be done with a reading, its first reasons one a line, and how many more there are."""
    shown, more = assessment.reasons[1:_MOST_REASONS], len(assessment.reasons) - _MOST_REASONS
    lines = [assessment_line(assessment), *shown]
    if more > 0:
        lines.append(f"and {more} more {'reason' if more == 1 else 'reasons'} in the report")
    return lines


def _change(change: VolumeChange, now_ml: float) -> str:
    before = f"On {change.previous_at:%Y-%m-%d}: {_millilitres(change.previous_ml)}"
    if not change.comparable:
        return f"{before}, not comparable: {change.reason}"
    share = "" if change.change_percent is None else f" ({change.change_percent:+.0f} %)"
    return f"{before}; now {_millilitres(now_ml)}, change {_millilitres(change.change_ml, '+')}{share}"


def _suggestion(found: Classification) -> str:
    shares = [(found.value, found.probability), *found.alternatives]
    said = ", ".join(f"{one.meaning} {100 * share:.0f} %" for one, share in shares)
    return f"{found.name.meaning}, suggested by algorithm: {said}"


def _millilitres(value: float, sign: str = "") -> str:
    form = ".1f" if abs(value) >= 1 or value == 0 else ".2g"
    return f"{value:{sign}{form}} ml"
