"""From readings to an assessment: components, decision and reasons."""

from __future__ import annotations

from collections.abc import Sequence

from models.confidence.boxes import score_spread
from models.results import Assessment, Candidate, FilmReading

__all__ = ["assess_detection"]


def assess_detection(readings: Sequence[FilmReading]) -> Assessment:
    """Report how far the members agree on a study; no decision is fitted yet.

    The components describe the candidates above the operating point, and where there is none the
    strongest candidate below it:

    - ``member_support``: the least fraction of all members that have a hit on one of them (IoU > .2 with
      the fused box, as the detector counts it: a member that scored elsewhere in the cluster is none);
    - ``score_spread``: the largest standard deviation of the members' scores, silent members as 0;
    - ``case_score``: the highest probability of a film.

    The words count the members whose own score reaches the operating point: a hit may be far below it.

    Raises
    ------
    ValueError
        There is no reading.
    """
    if not readings:
        raise ValueError("an assessment needs at least one reading")
    reported = [candidate for reading in readings for candidate in reading.above_operating_point]
    strongest = _strongest(readings)
    judged = reported or ([strongest] if strongest else [])
    components = {
        "member_support": min((c.support for c in judged), default=0.0),
        "score_spread": max((score_spread(c.member_scores) for c in judged), default=0.0),
        "case_score": max(reading.case_score for reading in readings),
    }
    members, least = readings[0].members, readings[0].operating_point
    reasons = ["Confidence has not been fitted for this package: the reading is not assessed."]
    if reported:
        fewest = min(_convinced(candidate, least) for candidate in reported)
        reasons.append(
            f"On every finding at least {fewest} of {members} members reach the operating point alone."
        )
    elif strongest:
        reasons.append(
            f"No candidate reaches the operating point; on the strongest {_convinced(strongest, least)} of "
            f"{members} members reach it alone."
        )
    else:
        reasons.append(f"None of {members} members sees anything; agreement on nothing is not confidence.")
    return Assessment(decision="not-assessed", components=components, reasons=tuple(reasons))


def _convinced(candidate: Candidate, operating_point: float) -> int:
    return sum(score >= operating_point for score in candidate.member_scores)


def _strongest(readings: Sequence[FilmReading]) -> Candidate | None:
    candidates = [reading.candidates[0] for reading in readings if reading.candidates]
    return max(candidates, key=lambda candidate: candidate.score, default=None)
