"""The outbox: waiting jobs become flow runs as soon as Prefect takes them, and stay waiting until then."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.attempts import requeue_or_give_up
from flows.deployment import Registration, register
from flows.journal import JobRecord, Journal, StaleRun
from flows.loops import repeat_for_ever
from flows.settings import Settings

__all__ = ["Dispatcher", "run_name"]

_LOG = logging.getLogger(__name__)

_PAUSE_BETWEEN_ATTEMPTS = timedelta(seconds=10)
# Answers that say something of the server, or of us, and nothing of the job that was submitted.
_NOT_ABOUT_THE_JOB = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
}


def run_name(job: JobRecord) -> str:
    """Return the name of a job's flow run: pseudonym and package, and which attempt if not the first."""
    again = f" attempt {job.attempt}" if job.attempt > 1 else ""
    return f"{job.pseudonym} {job.package}{again}"


class Dispatcher:
    """Submits waiting jobs.

    Parameters
    ----------
    client : PrefectClient
        Without retries of its own: a server that is away is asked again here, and soon.
    offer : callable, optional
        Called with each new run: a worker in the same process need not wait for its next poll.
    """

    def __init__(
        self,
        journal: Journal,
        settings: Settings,
        client: PrefectClient,
        offer: Callable[[FlowRun], Awaitable[None]] | None = None,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._client = client
        self._offer = offer
        self._registration: Registration | None = None
        self._refusals: dict[str, tuple[int, float]] = {}

    async def registration(self) -> Registration:
        """Return where jobs go, registering the deployment first if that was not done yet."""
        if self._registration is None:
            self._registration = await register(self._client, self._settings)
        return self._registration

    async def run(self) -> None:
        """Submit for ever; nothing is lost however long the server is away."""
        await repeat_for_ever("dispatch", self._pass, self._settings.outbox.poll_interval_s)

    async def _pass(self) -> None:
        await self.registration()
        await self.submit_waiting()

    async def submit_waiting(self) -> int:
        """Submit every job whose time has come; return how many."""
        waiting = await asyncio.to_thread(self._journal.waiting_jobs)
        keys = {job.idempotency_key for job in waiting}
        self._refusals = {key: refusal for key, refusal in self._refusals.items() if key in keys}
        jobs = [job for job in waiting if _is_due(job) and not self._is_held_back(job)]
        return sum([await self._submit(job) for job in jobs])

    def _is_held_back(self, job: JobRecord) -> bool:
        _, until = self._refusals.get(job.idempotency_key, (0, 0.0))
        return time.monotonic() < until

    async def _submit(self, job: JobRecord) -> bool:
        registration = await self.registration()
        try:
            flow_run = await self._client.create_flow_run_from_deployment(
                registration.deployment_id,
                parameters={"job_id": job.id},
                name=run_name(job),
                tags=[job.route, job.urgency],
                idempotency_key=job.idempotency_key,
            )
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status == HTTPStatus.NOT_FOUND:
                _LOG.warning("the deployment is gone from the Prefect server and is registered again")
                self._registration = None
            elif error.response.is_client_error and status not in _NOT_ABOUT_THE_JOB:
                await self._note_refusal(job, status)
            else:
                raise
            return False
        if self._offer is not None and flow_run.state is not None and flow_run.state.is_scheduled():
            await self._offer(flow_run)
        try:
            await asyncio.to_thread(self._journal.mark_submitted, job.id, str(flow_run.id))
        except StaleRun as error:
            _LOG.warning("%s", error)
        return True

    async def _note_refusal(self, job: JobRecord, status: int) -> None:
        """Count a job that the server does not take: the jobs behind it go on, and it is given up in time."""
        before, _ = self._refusals.get(job.idempotency_key, (0, 0.0))
        attempt = job.attempt + before
        reason = f"the Prefect server refuses the flow run with status {status}"
        _LOG.warning("study %s, job %d, attempt %d: %s", job.pseudonym, job.id, attempt, reason)
        limit = self._settings.outbox.maximum_attempts
        if attempt >= limit:
            given_up = replace(job, attempt=attempt)
            await asyncio.to_thread(requeue_or_give_up, self._journal, given_up, reason, limit)
            return
        # There was no run, so the journal has no attempt to end: the count is kept here.
        until = time.monotonic() + (before + 1) * _PAUSE_BETWEEN_ATTEMPTS.total_seconds()
        self._refusals[job.idempotency_key] = before + 1, until


def _is_due(job: JobRecord) -> bool:
    """Return whether an attempt may begin: the second at once, later ones after a growing pause."""
    pause = max(job.attempt - 2, 0) * _PAUSE_BETWEEN_ATTEMPTS
    # Where there is no pause, a clock that was set back must not make one.
    return not pause or job.state_at + pause <= datetime.now(UTC)
