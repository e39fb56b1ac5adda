"""What is told of a run: the journal's outcome, and the summary that Prefect shows. Neither has PHI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows import pipeline
from flows.journal import DeliveryRecord, JobRecord, ResultRecord
from models.results import Assessment, FilmReading, Finding

__all__ = ["Reading", "delivered", "not_read_of", "reading_of", "summary_markdown"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read and how."""

    prepared: pipeline.Prepared
    readings: tuple[FilmReading, ...]
    assessment: Assessment


def delivered(objects: Sequence[ResultRecord], deliveries: Sequence[DeliveryRecord]) -> dict[str, Any]:
    """Return what was made and how far it came, as plain JSON values."""
    return {
        "objects": [one.kind for one in objects],
        "deliveries": {
            name: dict(Counter(one.state for one in deliveries if one.destination == name))
            for name in dict.fromkeys(one.destination for one in deliveries)
        },
    }


def reading_of(reading: Reading) -> dict[str, Any]:
    """Return what was read, as plain JSON values; films go by their number, not by UID."""
    films = {film.source.sop_instance_uid: number for number, film in enumerate(reading.prepared.films, 1)}
    assessment = reading.assessment
    return {
        "films": len(films),
        "decision": assessment.decision,
        "confidence": assessment.confidence,
        "components": dict(assessment.components),
        "reasons": list(assessment.reasons),
        "case_scores": [one.case_score for one in reading.readings],
        "findings": [
            _finding(finding, films[finding.sop_instance_uid])
            for finding in pipeline.findings_of(reading.prepared.films, reading.readings)
        ],
        "not_read": not_read_of(reading.prepared.not_read),
        "statements": list(reading.prepared.statements),
    }


def not_read_of(items: Sequence[pipeline.NotRead]) -> list[dict[str, str]]:
    """Return what was left out and why, without saying which instance it was."""
    return [{"code": item.code, "reason": item.reason} for item in items]


def _finding(finding: Finding, film: int) -> dict[str, Any]:
    box = finding.candidate.box
    return {
        "number": finding.number,
        "film": film,
        "score": finding.candidate.score,
        "support": finding.candidate.support,
        "score_spread": finding.candidate.score_spread,
        "box": [box.top, box.left, box.bottom, box.right],
        "size_mm": finding.size_mm and list(finding.size_mm),
        "size_is_calibrated": finding.size_is_calibrated,
    }


def summary_markdown(
    job: JobRecord, title: str, outcome: Mapping[str, Any], times: Mapping[str, float]
) -> str:
    """Return the summary of a run for people who watch Prefect."""
    lines = [f"# {title}: study {job.pseudonym}", ""]
    facts = {
        "Package": job.package,
        "Route": job.route,
        "Revision, attempt": f"{job.revision}, {job.attempt}",
        "Films": outcome.get("films"),
        "Decision": outcome.get("decision"),
        "Confidence": outcome.get("confidence"),
        "Objects": ", ".join(outcome.get("objects", ())),
        **{name: f"{value:.3f}" for name, value in outcome.get("components", {}).items()},
    }
    lines += _table(("", ""), [(name, value) for name, value in facts.items() if value not in (None, "")])
    for reason in outcome.get("reasons", ()):
        lines += [f"- {reason}"]
    if "findings" in outcome:
        lines += ["", f"## Findings: {len(outcome['findings'])}", ""]
        lines += _table(
            ("Finding", "Film", "Score", "Support", "Size in mm"),
            [
                (one["number"], one["film"], f"{one['score']:.3f}", f"{one['support']:.2f}", _size(one))
                for one in outcome["findings"]
            ],
        )
    if outcome.get("not_read"):
        lines += ["", "## Not read", ""]
        lines += [f"- {one['reason']}" for one in outcome["not_read"]]
    if outcome.get("deliveries"):
        lines += ["", "## Delivery", ""]
        lines += _table(
            ("Destination", "State"),
            [
                (name, ", ".join(f"{count} {state}" for state, count in states.items()))
                for name, states in outcome["deliveries"].items()
            ],
        )
    lines += ["", "## Time", ""]
    lines += _table(("Stage", "Seconds"), [(name, f"{seconds:.3f}") for name, seconds in times.items()])
    lines += ["", "Research use, not for diagnosis."]
    return "\n".join(lines)


def _size(finding: Mapping[str, Any]) -> str:
    if not finding["size_mm"]:
        return "unknown"
    height, width = finding["size_mm"]
    return f"{height:.0f} x {width:.0f}{'' if finding['size_is_calibrated'] else ' (at the detector)'}"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    return [
        "| " + " | ".join(head) + " |",
        "|" + " --- |" * len(head),
        *("| " + " | ".join(str(value).replace("|", "/") for value in row) + " |" for row in rows),
    ]
