"""``secondread reprocess``: read a study again."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.console import errors, output, print_json
from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.cli.journals import journal
from flows.journal import JobRecord
from flows.reprocess import Plan, carry_out, plan_reprocessing, wait_for_jobs
from models.registry import Registry

__all__ = ["app"]

app = typer.Typer(add_completion=False)


def _told(plan: Plan) -> str:
    if plan.kind == "attempt" and plan.last is not None:
        return (
            f"{plan.route}: attempt {plan.last.attempt + 1} of job {plan.last.id} with {plan.package} "
            f"({plan.why}): the same objects are made and sent again"
        )
    if plan.last is None:
        return f"{plan.route}: a first reading with {plan.package} ({plan.why})"
    return (
        f"{plan.route}: revision {plan.last.revision + 1} with {plan.package} ({plan.why}): new objects, "
        f"which name those of job {plan.last.id} as their predecessors"
    )


def _as_json(plan: Plan, job: JobRecord | None) -> dict[str, object]:
    return {
        "route": plan.route,
        "package": plan.package,
        "kind": plan.kind,
        "why": plan.why,
        "predecessor_job": plan.last.id if plan.kind == "revision" and plan.last is not None else None,
        "job": None
        if job is None
        else {
            "id": job.id,
            "revision": job.revision,
            "attempt": job.attempt,
            "state": job.state,
            "reason": job.reason,
        },
    }


@app.command()
def command(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Study Instance UID or pseudonym.")],
    *,
    package: Annotated[
        str | None,
        typer.Option(
            "--package", metavar="NAME@VERSION", help="Read with this package instead of the route's."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and do nothing.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; status 1 unless it completed.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that --wait waits.")] = 900.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read a study again: a new attempt where nothing changed, a new revision where something did.

    While Prefect is down the job waits in the queue. Studies that are unknown, purged or still arriving are
    refused with the reason.
    """
    configured = settings()
    with journal(configured) as opened:
        plans = plan_reprocessing(
            opened, configured, Registry(configured.runtime.package_dirs), study, package
        )
        jobs: list[JobRecord] = []
        if not dry_run:
            jobs = [carry_out(opened, plan, "asked for by `secondread reprocess`") for plan in plans]
        if not as_json:
            for number, plan in enumerate(plans):
                output.print(_told(plan), markup=False)
                if jobs:
                    output.print(f"  job {jobs[number].id} is in the queue", markup=False)
        if wait and jobs:
            told = (lambda job: None) if as_json else _progress
            try:
                jobs = wait_for_jobs(opened, [job.id for job in jobs], timeout, told)
            except TimeoutError as error:
                raise CommandError(f"{error}; it stays in the queue, see `secondread status`") from error
        if as_json:
            made: list[JobRecord | None] = [*jobs] if jobs else [None] * len(plans)
            print_json(
                {
                    "study": plans[0].study.pseudonym,
                    "study_instance_uid": plans[0].study.study_instance_uid,
                    "dry_run": dry_run,
                    "plans": [_as_json(plan, job) for plan, job in zip(plans, made, strict=True)],
                }
            )
    bad = [job for job in jobs if wait and job.state != "completed"]
    if bad:
        raise CommandError(f"job {bad[0].id} {bad[0].state}: {bad[0].reason or 'no reason given'}")


def _progress(job: JobRecord) -> None:
    errors.print(f"  job {job.id} {job.state}" + (f": {job.reason}" if job.reason else ""), markup=False)
