"""The outbox: waiting jobs become flow runs as soon as Prefect takes them, and stay waiting until then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.deployment import Registration, register
from flows.journal import JobRecord, Journal, StaleRun
from flows.settings import Settings

__all__ = ["Dispatcher", "run_name"]

_LOG = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 2.0
_PAUSE_BETWEEN_ATTEMPTS = timedelta(seconds=10)


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

    async def registration(self) -> Registration:
        """Return where jobs go, registering the deployment first if that was not done yet."""
        if self._registration is None:
            self._registration = await register(self._client, self._settings)
        return self._registration

    async def run(self) -> None:
        """Submit for ever; nothing is lost however long the server is away."""
        pause, away = self._settings.outbox.poll_interval_s, False
        while True:
            try:
                await self.registration()
                await self.submit_waiting()
            except httpx.HTTPError as error:
                if not away:
                    _LOG.warning("jobs wait: the Prefect server does not answer (%s)", type(error).__name__)
                pause, away = min(pause * 2, _LONGEST_PAUSE_S), True
            else:
                if away:
                    _LOG.warning("the Prefect server answers again: waiting jobs are submitted")
                pause, away = self._settings.outbox.poll_interval_s, False
            await asyncio.sleep(pause)

    async def submit_waiting(self) -> int:
        """Submit every job whose time has come; return how many."""
        jobs = [job for job in await asyncio.to_thread(self._journal.waiting_jobs) if _is_due(job)]
        for job in jobs:
            await self._submit(job)
        return len(jobs)

    async def _submit(self, job: JobRecord) -> None:
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
            if error.response.status_code != HTTPStatus.NOT_FOUND:
                raise
            _LOG.warning("the deployment is gone from the Prefect server and is registered again")
            self._registration = None
            return
        if self._offer is not None and flow_run.state is not None and flow_run.state.is_scheduled():
            await self._offer(flow_run)
        try:
            await asyncio.to_thread(self._journal.mark_submitted, job.id, str(flow_run.id))
        except StaleRun as error:
            _LOG.warning("%s", error)


def _is_due(job: JobRecord) -> bool:
    """Return whether an attempt may begin: the second at once, later ones after a growing pause."""
    pause = max(job.attempt - 2, 0) * _PAUSE_BETWEEN_ATTEMPTS
    return job.state_at + pause <= datetime.now(UTC)
