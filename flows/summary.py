"""What is told of a run: the journal's outcome, and the summary that Prefect shows. Neither has PHI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dicom_io.results.mammography_context import view_words
from flows.journal import DeliveryRecord, JobRecord, ResultRecord
from flows.reading.films import Prepared, findings_of
from flows.reading.mammograms import ExamReading, PreparedExam
from flows.reading.study import NotRead
from flows.reading.volumes import PreparedStudy
from models.results import Assessment, FilmReading, Finding
from models.volume_results import VolumeFinding, VolumeReading

__all__ = ["delivered", "not_read_of", "of_exam", "of_films", "of_volume", "summary_markdown"]


def delivered(objects: Sequence[ResultRecord], deliveries: Sequence[DeliveryRecord]) -> dict[str, Any]:
    """Return what was made and how far it came, as plain JSON values."""
    return {
        "objects": [one.kind for one in objects],
        "deliveries": {
            name: dict(Counter(one.state for one in deliveries if one.destination == name))
            for name in dict.fromkeys(one.destination for one in deliveries)
        },
    }


def of_films(prepared: Prepared, readings: Sequence[FilmReading], assessment: Assessment) -> dict[str, Any]:
    """Return what was read of films, as plain JSON values; films go by their number, not by UID."""
    films = {film.source.sop_instance_uid: number for number, film in enumerate(prepared.films, 1)}
    return {
        "films": len(films),
        **_assessed(assessment),
        "case_scores": [one.case_score for one in readings],
        "findings": [
            _finding(finding, films[finding.sop_instance_uid])
            for finding in findings_of(prepared.films, readings)
        ],
        "not_read": not_read_of(prepared.not_read),
        "statements": list(prepared.statements),
    }


def of_exam(prepared: PreparedExam, exam: ExamReading, assessment: Assessment) -> dict[str, Any]:
    """Return what was read of mammograms, as plain JSON values; images go by their number, not by UID."""
    films = {film.source.sop_instance_uid: number for number, film in enumerate(prepared.films, 1)}
    reading, density = exam.reading, exam.reading.density
    return {
        "films": len(films),
        "views": [view_words(view) for view in prepared.views],
        **_assessed(assessment),
        "case_scores": [one.case_score for one in reading.images],
        "breasts": [
            {
                "laterality": one.laterality,
                "score": one.score,
                "films": [films[uid] for uid in one.views],
                "asymmetry": one.asymmetry,
            }
            for one in reading.breasts
        ],
        "exam_score": reading.exam_score,
        "tissue": density and {"label": density.label, "probabilities": dict(density.probabilities)},
        "findings": [_finding(finding, films[finding.sop_instance_uid]) for finding in exam.findings],
        "views_compared": exam.exam.views_compared,
        "lesions": [
            {"number": one.number, "findings": list(one.findings), "probability": one.probability}
            for one in exam.exam.groups
        ],
        "members": exam.members,
        "prior_images": 0 if exam.prior is None else len(exam.prior.record.images),
        "not_read": not_read_of(prepared.not_read),
        "statements": list(prepared.statements),
    }


def of_volume(prepared: PreparedStudy, reading: VolumeReading, assessment: Assessment) -> dict[str, Any]:
    """Return what was read of volumes, as plain JSON values."""
    return {
        "sequences": list(reading.series_used),
        "sequences_missing": list(reading.series_missing),
        "networks": prepared.plan.branch,
        **_assessed(assessment),
        "case_scores": [reading.case_score],
        "segments": [_segment(finding) for finding in reading.findings],
        "volume_ml": reading.volume_ml,
        "classifications": [
            {"name": one.name.meaning, "value": one.value.meaning, "probability": one.probability}
            for one in reading.classifications
        ],
        "members": reading.members,
        "change_percent": _change_percent(reading),
        "not_read": not_read_of(prepared.not_read),
        "statements": list(prepared.statements),
    }


def _change_percent(reading: VolumeReading) -> float | None:
    change = reading.change
    return change.change_percent if change is not None and change.comparable else None


def _assessed(assessment: Assessment) -> dict[str, Any]:
    return {
        "decision": assessment.decision,
        "confidence": assessment.confidence,
        "components": dict(assessment.components),
        "reasons": list(assessment.reasons),
    }


def _segment(finding: VolumeFinding) -> dict[str, Any]:
    diameters = finding.diameters
    return {
        "number": finding.number,
        "label": finding.segment.label,
        "volume_ml": finding.volume_ml,
        "diameters_mm": diameters and [diameters.longest_mm, diameters.perpendicular_mm],
        "side": finding.side,
        "parts": finding.parts,
        "probability": finding.probability,
    }


def not_read_of(items: Sequence[NotRead]) -> list[dict[str, str]]:
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
        "Views": ", ".join(outcome.get("views", ())),
        "Background tissue": (outcome.get("tissue") or {}).get("label"),
        "Images of an earlier study beside these": outcome.get("prior_images") or None,
        "Sequences": ", ".join(outcome.get("sequences", ())),
        "Not there": ", ".join(outcome.get("sequences_missing", ())),
        "Networks": outcome.get("networks"),
        "Decision": outcome.get("decision"),
        "Confidence": outcome.get("confidence"),
        "Objects": ", ".join(outcome.get("objects", ())),
        **{name: f"{value:.3f}" for name, value in outcome.get("components", {}).items()},
    }
    lines += _table(("", ""), [(name, value) for name, value in facts.items() if value not in (None, "")])
    for reason in outcome.get("reasons", ()):
        lines += [f"- {reason}"]
    if "breasts" in outcome:
        lines += _breasts(outcome)
    if "findings" in outcome:
        lines += ["", f"## Findings: {len(outcome['findings'])}", ""]
        lines += _table(
            ("Finding", "Film", "Score", "Support", "Size in mm"),
            [
                (one["number"], one["film"], f"{one['score']:.3f}", f"{one['support']:.2f}", _size(one))
                for one in outcome["findings"]
            ],
        )
    if "segments" in outcome:
        lines += ["", f"## Segments: {len(outcome['segments'])}", ""]
        lines += _table(
            ("Segment", "Volume in ml", "Diameters in mm", "Side", "Parts"),
            [
                (one["label"], f"{one['volume_ml']:.1f}", _diameters(one), one["side"] or "", one["parts"])
                for one in outcome["segments"]
            ],
        )
        lines += [
            f"- {one['name']}: {one['value']} ({one['probability']:.2f}), a suggestion"
            for one in outcome["classifications"]
        ]
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


def _breasts(outcome: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            {"L": "left", "R": "right"}[one["laterality"]],
            f"{one['score']:.3f}",
            ", ".join(outcome["views"][film - 1] for film in one["films"]),
            "not compared" if one["asymmetry"] is None else f"{one['asymmetry']:+.3f}",
        )
        for one in outcome["breasts"]
    ]
    lines = ["", f"## Breasts: {len(rows)}, examination {outcome['exam_score']:.3f}", ""]
    lines += _table(("Breast", "Score", "Views", "More conspicuous than the other by"), rows)
    return lines + [
        f"- findings {' and '.join(str(number) for number in one['findings'])} are taken for one lesion "
        f"({one['probability']:.3f})"
        for one in outcome["lesions"]
    ]


def _diameters(segment: Mapping[str, Any]) -> str:
    if not segment["diameters_mm"]:
        return "unknown"
    longest, across = segment["diameters_mm"]
    return f"{longest:.0f} x {across:.0f}"


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
