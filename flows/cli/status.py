"""``secondread status``: what came in, what became of it, where it went, and what was set aside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from flows.cli.console import output, print_json, table
from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.cli.journals import journal
from flows.journal import DELIVERED_STATES, JobRecord, Journal, Overview, StudyOverview

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_WATCH_INTERVAL_S = 1.0


def _age(moment: datetime | None) -> str:
    if moment is None:
        return "-"
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()) if number) or "none"


def _study_row(one: StudyOverview) -> tuple[str, ...]:
    job = one.job
    return (
        one.study.pseudonym,
        one.study.state,
        str(one.study.instances),
        "-" if job is None else f"{job.package} r{job.revision}",
        "-" if job is None else job.state,
        _counts(dict(one.deliveries)) if one.deliveries else "-",
        _age(one.study.state_at if job is None else job.state_at),
        _reason(job, dict(one.deliveries)) or one.study.reason or "",
    )


def _reason(job: JobRecord | None, deliveries: Mapping[str, int]) -> str | None:
    """Return why a job is as it is: what a completed one could not deliver is told while it is missing."""
    if job is None:
        return None
    missing = sum(number for state, number in deliveries.items() if state not in DELIVERED_STATES)
    return None if job.state == "completed" and not missing else job.reason


def _page(overview: Overview) -> Group:
    head = Text(
        f"studies: {_counts(dict(overview.studies_by_state))}\n"
        f"jobs: {_counts(dict(overview.jobs_by_state))}"
        + (f" (oldest waits {overview.oldest_waiting_s:.0f} s)" if overview.oldest_waiting_s else "")
        + f"\ndeliveries: {_counts(dict(overview.deliveries_by_state))}\n"
        f"instances: {overview.instances} ({overview.bytes / 1e6:.1f} MB), results: {overview.results}, "
        f"quarantined: {overview.quarantined}, refused: {overview.refused}, "
        f"associations: {overview.associations} ({overview.open_associations} open)"
    )
    parts: list[object] = [head]
    for destination, reasons in overview.dead_letters.items():
        counts = _counts(dict(reasons))
        text = f"DEAD LETTERS for {destination}: {counts}; see `secondread deliveries --state dead`"
        parts.append(Text(text, style="bold red"))
    if overview.studies:
        studies = table("study", "state", "instances", "read by", "job", "delivered", "age", "reason")
        for one in overview.studies:
            studies.add_row(*_study_row(one))
        parts += [Text(), studies]
    set_aside = [
        *((item, "quarantined") for item in overview.last_quarantined),
        *(
            (item, f"refused 0x{item.status:04X}" if item.status is not None else "refused")
            for item in overview.last_refused
        ),
    ]
    if set_aside:
        aside = table("set aside", "study", "code", "reason", "age")
        for item, how in sorted(set_aside, key=lambda pair: pair[0].at, reverse=True):
            aside.add_row(how, item.pseudonym or "-", item.reason_code, item.reason, _age(item.at))
        parts += [Text(), aside]
    bad = [one for one in overview.last_associations if one.end_reason not in {"", "released"}]
    if bad:
        ends = table("association", "from", "instances", "ended", "age")
        for end in bad:
            ends.add_row(
                end.calling_ae_title,
                end.peer_address,
                str(end.instances),
                end.end_reason,
                _age(end.started_at),
            )
        parts += [Text(), ends]
    return Group(*parts)  # type: ignore[arg-type]


def _one_study(opened: Journal, reference: str, as_json: bool) -> None:
    study = opened.find_study(reference)
    if study is None:
        raise CommandError(f"the journal knows no study {reference}")
    jobs = opened.jobs(study_id=study.id)
    if as_json:
        print_json(
            {
                "study": study,
                "jobs": [
                    {
                        "job": job,
                        "attempts": opened.job_attempts(job.id),
                        "stages_s": opened.stage_times(job.id),
                        "results": opened.job_results(job.id),
                        "deliveries": opened.deliveries(job.id),
                    }
                    for job in jobs
                ],
                "events": opened.study_events(study.id),
            }
        )
        return
    output.print(
        f"[bold]{study.pseudonym}[/] {study.state}, {study.instances} instances" + _because(study.reason)
    )
    for line in study.explanation:
        output.print(f"  {line}", markup=False)
    for job in jobs:
        states = Counter[str](delivery.state for delivery in opened.deliveries(job.id))
        output.print(
            f"job {job.id}: {job.package}, route {job.route}, revision {job.revision}, "
            f"attempt {job.attempt}: {job.state}" + _because(_reason(job, states)),
            markup=False,
        )
        stages = opened.stage_times(job.id)
        if stages:
            output.print("  " + ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in stages.items()))
        for delivery in opened.deliveries(job.id):
            output.print(
                f"  {delivery.kind} → {delivery.destination}: {delivery.state}"
                + (f" ({delivery.error})" if delivery.error else ""),
                markup=False,
            )


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


@app.command()
def command(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="One study: Study Instance UID or pseudonym.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many studies and refusals to show.")] = 20,
    watch: Annotated[bool, typer.Option("--watch", help="Show again every second until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show studies, jobs and deliveries with their states, and what was refused or quarantined and why."""
    if watch and (as_json or study):
        raise CommandError("--watch shows the overview only, without --json and without a study", 2)
    with journal(settings()) as opened:
        if study is not None:
            _one_study(opened, study, as_json)
        elif as_json:
            print_json(opened.overview(limit).as_json())
        elif watch:
            with Live(_page(opened.overview(limit)), console=output, auto_refresh=False) as live:
                while True:
                    time.sleep(_WATCH_INTERVAL_S)
                    live.update(_page(opened.overview(limit)), refresh=True)
        else:
            output.print(_page(opened.overview(limit)))
