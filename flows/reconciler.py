"""The reconciler: jobs whose run vanished, crashed, was cancelled or hangs get the end that they need."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from flows.attempts import requeue_or_give_up
from flows.journal import IllegalTransition, JobRecord, Journal
from flows.loops import repeat_for_ever
from flows.settings import Settings
from flows.worker.pool import is_gone

__all__ = ["Action", "Reconciler", "Verdict", "judge"]

_LOG = logging.getLogger(__name__)

_CHUNK = 100
_SETTLE = timedelta(seconds=5)
_LONGEST_PENDING = timedelta(seconds=60)


class Action(Enum):
    """What is to be done with a job because of its run."""

    LEAVE = "leave"
    AGAIN = "again"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a job's run says about it.

    Parameters
    ----------
    action : Action
        What to do with the job.
    reason : str
        Why, in words.
    end_run : bool
        Whether the run still looks alive to Prefect and has to be marked as crashed.
    """

    action: Action = Action.LEAVE
    reason: str = ""
    end_run: bool = False


_LEAVE = Verdict()


def judge(job: JobRecord, run: FlowRun | None, now: datetime, hang_timeout: timedelta) -> Verdict:
    """Compare an active job with its flow run."""
    if run is None or run.state is None:
        gone = now - job.state_at > _SETTLE
        return Verdict(Action.AGAIN, "the flow run vanished") if gone else _LEAVE
    kind = run.state.type
    if kind is StateType.CANCELLED:
        return Verdict(Action.CANCEL, "cancelled in Prefect")
    if kind is StateType.CRASHED:
        return Verdict(Action.AGAIN, f"the flow run crashed: {run.state.message or 'no reason given'}")
    # The flow writes the job's end before its own, and a worker notes its process after the start.
    settled = now - run.state.timestamp > _SETTLE
    if settled and kind in {StateType.FAILED, StateType.COMPLETED}:
        return Verdict(Action.AGAIN, f"the flow run ended as {run.state.name} and left the job {job.state}")
    if settled and kind in {StateType.PENDING, StateType.RUNNING, StateType.CANCELLING}:
        return _judge_living(job, run, kind, now, hang_timeout)
    return _LEAVE


def _judge_living(
    job: JobRecord, run: FlowRun, kind: StateType, now: datetime, hang_timeout: timedelta
) -> Verdict:
    if run.infrastructure_pid and is_gone(run.infrastructure_pid):
        action = Action.CANCEL if kind is StateType.CANCELLING else Action.AGAIN
        return Verdict(action, "the process of the flow run is gone", end_run=True)
    age = now - run.state.timestamp if run.state is not None else timedelta()
    if kind is StateType.PENDING and not run.infrastructure_pid and age > _LONGEST_PENDING:
        return Verdict(Action.AGAIN, "a worker took the flow run and did not start it", end_run=True)
    if min(age, now - job.state_at) > hang_timeout:
        seconds = hang_timeout.total_seconds()
        return Verdict(Action.AGAIN, f"the flow run had no end after {seconds:g} s", end_run=True)
    return _LEAVE


class Reconciler:
    """Looks at all active jobs every few seconds, and at once when it is woken."""

    def __init__(self, journal: Journal, settings: Settings, client: PrefectClient) -> None:
        self._journal = journal
        self._settings = settings
        self._client = client
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    async def run(self) -> None:
        """Reconcile for ever; while the server is away nothing can be said of any run."""
        interval = self._settings.outbox.reconcile_interval_s
        await repeat_for_ever("reconciling", self.reconcile, interval, self._wake)

    async def reconcile(self) -> int:
        """Compare every active job with its run once; return how many were changed."""
        jobs = [job for job in await asyncio.to_thread(self._journal.active_jobs) if job.flow_run_id]
        changed = 0
        for start in range(0, len(jobs), _CHUNK):
            chunk = jobs[start : start + _CHUNK]
            runs = await self._runs(chunk)
            for job in chunk:
                changed += await self._reconcile(job, runs.get(str(job.flow_run_id)))
        return changed

    async def _runs(self, jobs: Sequence[JobRecord]) -> dict[str, FlowRun]:
        ids = [UUID(job.flow_run_id) for job in jobs if job.flow_run_id]
        found = await self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=ids)), limit=_CHUNK
        )
        return {str(run.id): run for run in found}

    async def _reconcile(self, job: JobRecord, run: FlowRun | None) -> bool:
        hang_timeout = timedelta(seconds=self._settings.outbox.hang_timeout_s)
        verdict = judge(job, run, datetime.now(UTC), hang_timeout)
        if verdict.action is Action.LEAVE:
            return False
        if verdict.end_run and run is not None:
            await self._end(run, verdict)
        return await asyncio.to_thread(self._apply, job, verdict)

    def _apply(self, job: JobRecord, verdict: Verdict) -> bool:
        now = self._journal.job(job.id)
        if (now.state, now.attempt, now.flow_run_id) != (job.state, job.attempt, job.flow_run_id):
            return False
        limit = self._settings.outbox.maximum_attempts
        try:
            if verdict.action is Action.CANCEL:
                after = self._journal.cancel_job(job.id, verdict.reason)
            else:
                after = requeue_or_give_up(self._journal, job, verdict.reason, limit)
        except IllegalTransition:
            return False
        _LOG.warning("study %s, job %d is %s: %s", job.pseudonym, job.id, after.state, verdict.reason)
        return True

    async def _end(self, run: FlowRun, verdict: Verdict) -> None:
        """Give a run that has no process an end; a run that Prefect is cancelling is cancelled then."""
        cancelled = verdict.action is Action.CANCEL
        state: State[Any] = (Cancelled if cancelled else Crashed)(message=verdict.reason)
        try:
            await self._client.set_flow_run_state(run.id, state, force=True)
        except ObjectNotFound:
            _LOG.debug("flow run %s is gone", run.id)
