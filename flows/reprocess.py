"""Reading a study again: a new attempt of the same reading, or a new revision that names its predecessor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from flows.encoding import configuration_hash
from flows.installation import Installation
from flows.intake import RoutingFailed, draft_job, study_headers
from flows.journal import (
    FINAL_JOB_STATES,
    JobDraft,
    JobRecord,
    Journal,
    ReprocessRefused,
    StudyRecord,
)
from flows.routing.engine import PackageSource, route_study
from flows.routing.rules import Route
from flows.settings import Settings

__all__ = ["Plan", "carry_out", "plan_reprocessing", "wait_for_jobs"]

_POLL_S = 0.2
_NOT_YET = {
    "receiving": "it is still arriving",
    "complete": "it is being routed at this moment",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What reading a study again means for one route.

    Parameters
    ----------
    kind : {"attempt", "revision"}
        ``attempt``: same instances, package and configuration, so the same objects are made and sent again;
        ``revision``: something differs, so new objects are made, which name the predecessor's.
    why : str
        What differs, or that nothing does.
    last : JobRecord or None
        The route's last job of this study; the predecessor of a revision.
    """

    study: StudyRecord
    route: str
    package: str
    kind: Literal["attempt", "revision"]
    why: str
    draft: JobDraft
    last: JobRecord | None


def _routes(settings: Settings, jobs: Sequence[JobRecord], package: str | None) -> tuple[Route, ...]:
    if package is None:
        return settings.routes
    name = package.partition("@")[0]
    same_name = [route for route in settings.routes if route.package.partition("@")[0] == name]
    earlier = {job.route for job in jobs}
    chosen = same_name or [route for route in settings.routes if route.name in earlier]
    if not chosen:
        raise ReprocessRefused(
            f"no route reads with the package {name!r}, and none has read this study before"
        )
    return tuple(route.model_copy(update={"package": package}) for route in chosen)


def _difference(draft: JobDraft, last: JobRecord) -> str | None:
    if draft.fingerprint != last.fingerprint:
        return "other instances are selected than last time"
    if (draft.package_name, draft.package_version) != (last.package_name, last.package_version):
        return f"{last.package} read it last"
    if draft.package_hash != last.package_hash:
        return f"the content of {last.package} has changed since"
    if draft.configuration_hash != last.configuration_hash:
        return "the configuration has changed since"
    return None


def plan_reprocessing(
    journal: Journal,
    settings: Settings,
    registry: PackageSource,
    reference: str,
    package: str | None = None,
) -> list[Plan]:
    """Say what reading a study again would do, one plan per route that reads it; nothing is changed.

    Parameters
    ----------
    reference : str
        Study Instance UID or pseudonym.
    package : str, optional
        ``NAME`` or ``NAME@VERSION`` to read with instead of what the routes name.

    Raises
    ------
    ReprocessRefused
        The study is unknown, purged, still arriving or on its way, or nothing reads it; the text says which.
    """
    study = journal.find_study(reference)
    if study is None:
        raise ReprocessRefused(f"the journal knows no study {reference}")
    if study.state == "purged":
        raise ReprocessRefused(f"study {study.pseudonym} is purged: its files are gone, send it again")
    if study.state in _NOT_YET:
        raise ReprocessRefused(f"study {study.pseudonym} cannot be read again now: {_NOT_YET[study.state]}")
    instances = journal.study_instances(study.id)
    jobs = journal.jobs(study_id=study.id)
    routes = _routes(settings, jobs, package)
    try:
        headers = study_headers(instances, settings.inbox)
    except RoutingFailed as error:
        raise ReprocessRefused(f"study {study.pseudonym}: {error}") from error
    decision = route_study(headers, routes, registry)
    if decision.problems:
        raise ReprocessRefused("; ".join(decision.problems))
    if not decision.matches:
        raise ReprocessRefused(f"nothing reads study {study.pseudonym}: {decision.reason}")
    serial = Installation(settings.state_dir).serial
    sha256 = {one.sop_instance_uid: one.sha256 for one in instances}
    plans = []
    for match in decision.matches:
        configuration = configuration_hash(serial, match.route)
        draft = draft_job(match, sha256, configuration)
        of_route = [job for job in jobs if job.route == match.route.name]
        last = max(of_route, key=lambda job: job.revision, default=None)
        if last is not None and last.state not in FINAL_JOB_STATES:
            raise ReprocessRefused(
                f"job {last.id} of study {study.pseudonym} is {last.state}: wait for its end"
            )
        difference = "it was not read before" if last is None else _difference(draft, last)
        plans.append(
            Plan(
                study=study,
                route=match.route.name,
                package=match.package.reference,
                kind="attempt" if difference is None else "revision",
                why=difference or "the same instances, package and configuration",
                draft=draft,
                last=last,
            )
        )
    return plans


def carry_out(journal: Journal, plan: Plan, reason: str) -> JobRecord:
    """Put a plan into the queue; the dispatcher submits it as soon as Prefect answers."""
    if plan.kind == "attempt" and plan.last is not None:
        return journal.create_attempt(plan.last.id, reason)
    return journal.create_revision(plan.study.id, plan.draft, f"{reason}: {plan.why}")


def wait_for_jobs(
    journal: Journal,
    job_ids: Sequence[int],
    timeout_s: float,
    on_change: Callable[[JobRecord], None] = lambda job: None,
) -> list[JobRecord]:
    """Wait until all jobs have ended and return them; TimeoutError when one has not after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    seen: dict[int, str] = {}
    while True:
        jobs = [journal.job(job_id) for job_id in job_ids]
        for job in jobs:
            if seen.get(job.id) != job.state:
                seen[job.id] = job.state
                on_change(job)
        if all(job.state in FINAL_JOB_STATES for job in jobs):
            return jobs
        if time.monotonic() > end:
            late = next(job for job in jobs if job.state not in FINAL_JOB_STATES)
            raise TimeoutError(f"job {late.id} is still {late.state} after {timeout_s:g} s")
        time.sleep(_POLL_S)
