"""The worker type ``secondread-resident``: flow runs go to processes that are already warm.

It is an ordinary Prefect worker otherwise: it polls a work pool, sends heartbeats, and shows in the UI.
``prefect worker start --type secondread-resident --pool POOL`` starts it as well as ``secondread serve``.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse, WorkerFlowRunResponse
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import Cancelled, Crashed
from prefect.utilities.engine import propose_state
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from flows.loops import repeat_for_ever
from flows.prefect_server import child_environment
from flows.settings import Settings, load_settings
from flows.worker.pool import ChildPool, PoolLimits, RunEnd, RunOutcome
from flows.worker.protocol import Run

__all__ = ["ResidentConfiguration", "ResidentResult", "ResidentVariables", "ResidentWorker"]

_LOG = logging.getLogger(__name__)

_FLOW_MODULES = ("flows.process_study",)
_CANCELLATION_POLL_S = 0.5
_LONGEST_PAUSE_S = 2.0
_REPORT_FOR_S = 60.0
# One thread for each library that would take all cores beside the inference runtime's own.
_THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class ResidentConfiguration(BaseJobConfiguration):
    """What a deployment may say about its runs; the processes are warm, so their environment is fixed."""


class ResidentVariables(BaseVariables):
    """The variables of the work pool's template."""


class ResidentResult(BaseWorkerResult):
    """How a flow run ended: the exit status of its process, 0 when the process lives on."""


class ResidentWorker(BaseWorker[ResidentConfiguration, ResidentVariables, ResidentResult]):
    """Keeps processes warm and hands flow runs to them.

    Parameters
    ----------
    work_pool_name : str
        The pool to poll.
    settings : Settings, optional
        Read from ``$SECONDREAD_CONFIG`` or the current folder by default.
    modules : tuple of str
        What the processes import and warm up.
    on_end : callable, optional
        Called with the ID of each flow run whose process ended abnormally or was cancelled.
    **options
        As for every Prefect worker.
    """

    type = "secondread-resident"
    job_configuration = ResidentConfiguration
    job_configuration_variables = ResidentVariables
    _display_name = "SecondRead resident worker"
    _description = "Runs flows in warm processes that keep imported code and loaded models."

    def __init__(
        self,
        work_pool_name: str,
        *arguments: Any,
        settings: Settings | None = None,
        modules: tuple[str, ...] = _FLOW_MODULES,
        on_end: Callable[[str], None] | None = None,
        **options: Any,
    ) -> None:
        self._settings = settings or load_settings()
        worker = self._settings.worker
        options["limit"] = options.get("limit") or worker.processes
        options["name"] = options.get("name") or f"secondread-{socket.gethostname()}"
        super().__init__(work_pool_name, *arguments, **options)
        self._on_end = on_end or (lambda _flow_run_id: None)
        self._pool = ChildPool(
            modules,
            PoolLimits(
                processes=options["limit"],
                spares=worker.spares,
                maximum_runs=worker.maximum_runs,
                maximum_growth_bytes=worker.maximum_growth_mb * 2**20,
                run_timeout_s=worker.run_timeout_s,
            ),
            child_environment(self._settings) | _THREADS | {"PREFECT_CLIENT_MAX_RETRIES": "5"},
            on_ready=lambda _child: self.wake(),
        )
        self._wake = asyncio.Event()
        self._in_flight: set[str] = set()
        self._to_cancel: set[str] = set()

    @property
    def pool(self) -> ChildPool:
        """The warm processes."""
        return self._pool

    def wake(self) -> None:
        """Ask for runs now, without waiting for the next poll."""
        self._wake.set()

    async def start(
        self,
        run_once: bool = False,
        with_healthcheck: bool = False,
        printer: Callable[..., None] = print,
    ) -> None:
        """Run until cancelled; a server that is away is waited for, however long it takes."""
        if run_once or with_healthcheck:
            await super().start(run_once, with_healthcheck, printer)
            return
        async with self, anyio.create_task_group() as loops:
            interval = self._settings.worker.poll_interval_s
            loops.start_soon(repeat_for_ever, "polling", self.get_and_submit_flow_runs, interval, self._wake)
            heartbeat = self.heartbeat_interval_seconds
            loops.start_soon(repeat_for_ever, "heartbeat", self._synchronise, heartbeat)
            loops.start_soon(repeat_for_ever, "cancelling", self._cancel_where_asked, _CANCELLATION_POLL_S)
            printer(f"Worker {self.name!r} started!")

    async def _synchronise(self) -> None:
        await self._sync_and_initialize()
        if self._started_event is None:
            self._started_event = await self._emit_worker_started_event()

    async def setup(self) -> None:
        """Start the processes and connect."""
        self._pool.start()
        await super().setup()

    async def teardown(self, *exc_info: Any) -> None:
        """End runs and processes, and disconnect."""
        for scope in self._scheduled_task_scopes:
            scope.cancel()
        await self._pool.close()
        await super().teardown(*exc_info)

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        """Ask for runs, unless none could start now: another worker may have a process ready.

        A pool of another type is left to the workers of that type.
        """
        return await super().get_and_submit_flow_runs() if self._may_take_runs else []

    @property
    def _may_take_runs(self) -> bool:
        right_pool = self._work_pool is not None and self._work_pool.type == self.type
        return right_pool and self._pool.idle > 0 and self.limiter.available_tokens >= 1

    async def offer(self, flow_run: FlowRun) -> None:
        """Take a run that was just made, if a process is free now; the next poll takes it otherwise."""
        if self._may_take_runs:
            entry = WorkerFlowRunResponse(
                work_pool_id=self.work_pool.id,
                work_queue_id=flow_run.work_queue_id or self.work_pool.id,
                flow_run=flow_run,
            )
            await self._submit_scheduled_flow_runs([entry])

    async def run(
        self,
        flow_run: FlowRun,
        configuration: ResidentConfiguration,
        task_status: anyio.abc.TaskStatus[Any] | None = None,
    ) -> ResidentResult:
        """Execute a flow run that was submitted to this worker directly."""
        deployment = configuration._related_objects.get("deployment")
        identity = await self._execute(flow_run, _entrypoint(deployment), task_status)
        return ResidentResult(identifier=identity, status_code=0)

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Take a scheduled run.

        The base class asks the server eight times before a run starts, for templates of infrastructure
        that is not made here. Two questions are enough, and they are asked together.
        """
        try:
            pending, deployment = await asyncio.gather(
                self._propose_pending_state(flow_run), self._deployment(flow_run)
            )
            if pending:
                await self._execute(flow_run, _entrypoint(deployment))
        except ValueError as error:
            message = str(error)
            await self._report(lambda: self._set_crashed(flow_run, message))
        except httpx.HTTPError as error:
            _LOG.warning("a flow run could not be taken: %s", type(error).__name__)
        finally:
            self._release_limit_slot(flow_run.id)
            self._submitting_flow_run_ids.discard(flow_run.id)

    async def _deployment(self, flow_run: FlowRun) -> DeploymentResponse | None:
        if flow_run.deployment_id is None:
            return None
        try:
            return await self.client.read_deployment(flow_run.deployment_id)
        except ObjectNotFound:
            return None

    async def _execute(
        self, flow_run: FlowRun, entrypoint: str, task_status: anyio.abc.TaskStatus[Any] | None = None
    ) -> str:
        """Execute a flow run in a warm process and see to its end, whatever it is."""
        flow_run_id = str(flow_run.id)
        child = await self._pool.acquire()
        identity = child.identity
        if task_status is not None:
            task_status.started(identity)
        self._in_flight.add(flow_run_id)
        noting = asyncio.create_task(self._note_process(flow_run, identity))
        try:
            request = Run(
                flow_run_id=flow_run_id, entrypoint=entrypoint, flow_run=flow_run.model_dump(mode="json")
            )
            outcome = await self._pool.execute(child, request)
            await noting
            await self._see_to_end(flow_run, outcome)
        finally:
            noting.cancel()
            self._in_flight.discard(flow_run_id)
            self._to_cancel.discard(flow_run_id)
            shutil.rmtree(self._settings.scratch / flow_run_id, ignore_errors=True)
            self.wake()
        return identity

    async def _note_process(self, flow_run: FlowRun, identity: str) -> None:
        """Tell the server which process has the run: without it a run cannot be cancelled once started."""
        try:
            await self.client.update_flow_run(flow_run.id, infrastructure_pid=identity)
        except (httpx.HTTPError, ObjectNotFound) as error:
            _LOG.warning("the process of a flow run could not be noted: %s", type(error).__name__)

    async def kill_infrastructure(
        self, infrastructure_pid: str, configuration: ResidentConfiguration, grace_seconds: int = 30
    ) -> None:
        """End the process of a run that the server wants cancelled before it started."""
        for child in self._pool.members:
            if child.flow_run_id is not None and child.identity == infrastructure_pid:
                await child.kill()

    async def _see_to_end(self, flow_run: FlowRun, outcome: RunOutcome) -> None:
        flow_run_id = str(flow_run.id)
        if flow_run_id in self._to_cancel:
            await self._report(lambda: self._set_cancelled(flow_run))
        elif outcome.end is RunEnd.FINISHED and outcome.done is not None and outcome.done.error is None:
            return
        elif outcome.end is RunEnd.FINISHED:
            problem = outcome.done.error if outcome.done is not None else "an unknown error"
            await self._report(lambda: self._set_crashed(flow_run, f"The run broke off with {problem}."))
        elif outcome.end is RunEnd.TIMED_OUT:
            limit = self._settings.worker.run_timeout_s
            await self._report(
                lambda: self._set_crashed(flow_run, f"The run took longer than {limit:g} s and was ended.")
            )
        else:
            await self._report(
                lambda: self._set_crashed(
                    flow_run, f"The process of the run ended with status {outcome.exit_status}."
                )
            )
        self._on_end(flow_run_id)

    async def _set_cancelled(self, flow_run: FlowRun) -> None:
        state: State[Any] = Cancelled(message="The process of the run was ended on request.")
        await self.client.set_flow_run_state(flow_run.id, state, force=True)

    async def _set_crashed(self, flow_run: FlowRun, message: str) -> None:
        await propose_state(self.client, Crashed(message=message), flow_run_id=flow_run.id)

    async def _report(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the server how a run ended, again while it is away; the reconciler has the last word."""
        deadline = asyncio.get_running_loop().time() + _REPORT_FOR_S
        while True:
            try:
                await tell()
            except (Abort, ObjectNotFound):
                return
            except httpx.HTTPError as error:
                if asyncio.get_running_loop().time() > deadline:
                    _LOG.warning("the end of a run could not be reported: %s", type(error).__name__)
                    return
                await asyncio.sleep(_LONGEST_PAUSE_S)
            else:
                return

    async def _cancel_where_asked(self) -> None:
        if not self._in_flight:
            return
        asked = await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                id=FlowRunFilterId(any_=[UUID(item) for item in self._in_flight]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])),
            )
        )
        for flow_run in asked:
            flow_run_id = str(flow_run.id)
            if flow_run_id in self._in_flight and flow_run_id not in self._to_cancel:
                self._to_cancel.add(flow_run_id)
                await self._pool.kill(flow_run_id)


def _entrypoint(deployment: DeploymentResponse | None) -> str:
    entrypoint = deployment.entrypoint if deployment is not None else None
    if not entrypoint or ":" in entrypoint:
        raise ValueError(
            f"the resident worker runs module paths such as {_FLOW_MODULES[0]}.process_study, "
            f"not {entrypoint!r}"
        )
    return entrypoint
