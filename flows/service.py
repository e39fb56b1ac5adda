"""``secondread serve``: listener, intake and metrics here; Prefect server and conductor as children.

The main process never imports Prefect. What the parts have to tell each other is in the journal, so each
of them can be killed and started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dicom_io.commitment import CommitmentReport
from dicom_io.receive.inbox import Inbox, InboxError
from dicom_io.receive.listener import Listener, ListenerError
from dicom_io.receive.records import AssociationRecord, StoredInstance
from dicom_io.results.loop_guard import is_own_result
from flows.completeness import Completeness
from flows.encoding import configuration_hash
from flows.installation import Installation
from flows.intake import Intake
from flows.journal import Journal, JournalError, open_journal
from flows.metrics import MetricsServer
from flows.nodes import DimseNode
from flows.prefect_server import child_environment, log_path, server_program, wait_until_healthy
from flows.settings import Settings
from flows.supervisor import Program, SupervisedProcess
from models.registry import Registry

__all__ = ["Running", "ServiceError", "commitment_taker", "running", "serve"]

_LOG = logging.getLogger(__name__)

_PORT_FREE_WITHIN_S = 5.0
_SERVER_START_S = 120.0


class ServiceError(RuntimeError):
    """The service cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that has started.

    Parameters
    ----------
    listener_port, metrics_url, prefect_url
        Where it is reached.
    prefect_server : SupervisedProcess or None
        None where the server runs elsewhere.
    conductor : SupervisedProcess
        Dispatcher, reconciler and resident worker.
    """

    listener_port: int
    metrics_url: str
    prefect_url: str
    prefect_server: SupervisedProcess | None
    conductor: SupervisedProcess

    def lines(self) -> list[str]:
        """Return what a person wants to know after the start."""
        return [
            f"DICOM listener on port {self.listener_port}",
            f"Prefect UI {self.prefect_url}",
            f"metrics {self.metrics_url}",
        ]


def serve(
    settings: Settings,
    *,
    on_ready: Callable[[Running], None] | None = None,
    stop_after: Callable[[Running], Any] | None = None,
) -> None:
    """Run the service until SIGTERM or SIGINT.

    Parameters
    ----------
    on_ready : callable, optional
        Called when the listener accepts and the children have started; prints addresses by default.
    stop_after : callable, optional
        Work to do on a thread meanwhile; the service ends with it, and its error is raised.

    Raises
    ------
    ServiceError
        A port is taken, or a folder or the journal cannot be used.
    """
    asyncio.run(_serve(settings, on_ready or _print_addresses, stop_after))


async def _serve(
    settings: Settings, on_ready: Callable[[Running], None], stop_after: Callable[[Running], Any] | None
) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with running(settings) as service:
        on_ready(service)
        stopping = asyncio.create_task(stopped.wait())
        if stop_after is None:
            await stopping
            return
        working = asyncio.create_task(asyncio.to_thread(stop_after, service))
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            await working


def _print_addresses(service: Running) -> None:
    for line in service.lines():
        print(line, flush=True)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run the service inside an ``async with`` block: stopped in order at its end."""
    async with AsyncExitStack() as stack:
        try:
            yield await _start(settings, stack)
        finally:
            _LOG.info("stopping")


async def _start(settings: Settings, stack: AsyncExitStack) -> Running:
    """Start all parts; the stack stops the sources first and the Prefect server last."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        journal = stack.enter_context(contextlib.closing(open_journal(settings, upgrade=True)))
        server = await _start_server(settings, stack)
        conductor = SupervisedProcess(
            _conductor_program(settings), log_file=log_path(settings, "conductor"), grace_s=20.0
        )
        await conductor.start()
        stack.push_async_callback(conductor.stop)
        metrics = MetricsServer(journal, settings.metrics.host, settings.metrics.port)
        stack.callback(metrics.stop)
        port = _start_receiving(settings, stack, journal, metrics)
    except (JournalError, ListenerError, InboxError, OSError) as error:
        raise ServiceError(str(error)) from error
    if server is not None and not await wait_until_healthy(settings.prefect.url, _SERVER_START_S):
        _LOG.warning(
            "the Prefect server does not answer yet, see %s; studies are received, their jobs wait",
            log_path(settings, "prefect-server"),
        )
    return Running(port, metrics.url, settings.prefect.ui_url, server, conductor)


def _start_receiving(settings: Settings, stack: AsyncExitStack, journal: Any, metrics: MetricsServer) -> int:
    serial = Installation(settings.state_dir).serial
    listening = settings.listener
    observer = _WakingObserver(metrics)
    listener = Listener(
        Inbox(settings.inbox, settings.quarantine),
        journal,
        ae_title=listening.ae_title,
        host=listening.host,
        port=listening.port,
        peers=listening.peers,
        maximum_associations=listening.maximum_associations,
        network_timeout_s=listening.network_timeout_s,
        maximum_object_bytes=listening.maximum_object_bytes,
        is_own_result=is_own_result,
        observer=observer,
        commitment_reported=commitment_taker(journal, settings),
    )
    intake = Intake(
        journal,
        settings.inbox,
        settings.routes,
        Registry(settings.runtime.package_dirs),
        configuration_hash=lambda route, _package: configuration_hash(serial, route),
        completeness=Completeness(journal, settings.routes, listener.open_study_uids),
    )
    observer.wake = intake.wake
    intake.start()
    stack.callback(intake.stop)
    listener.start()
    stack.callback(listener.stop)
    return listener.port


def commitment_taker(journal: Journal, settings: Settings) -> Callable[[CommitmentReport, str], None]:
    """Return what takes commitment reports: each from the archive that was asked, and from no other peer.

    The taker raises UnknownTransaction where the calling AE title is not that of the destination's node, or
    the report names nothing that was asked for.
    """

    def take(report: CommitmentReport, calling_ae_title: str) -> None:
        title = calling_ae_title.strip().upper()
        destinations = {
            name
            for name, node in settings.nodes.items()
            if isinstance(node, DimseNode) and node.ae_title.strip().upper() == title
        }
        outcome = journal.record_commitment(report, destinations)
        if outcome.unmatched:
            _LOG.warning("a commitment report names %d objects that it is not about", outcome.unmatched)

    return take


class _WakingObserver:
    """Counts for the metrics, and wakes the intake when something may have become complete."""

    def __init__(self, metrics: MetricsServer) -> None:
        self._count = metrics.listener
        self.wake: Callable[[], None] = lambda: None

    def association_ended(self, record: AssociationRecord) -> None:
        self._count.association_ended(record)
        self.wake()

    def instance_stored(self, instance: StoredInstance, seconds: float) -> None:
        self._count.instance_stored(instance, seconds)
        self.wake()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._count, name)


def _conductor_program(settings: Settings) -> Program:
    return Program(
        name="conductor",
        command=(sys.executable, "-m", "flows.conductor"),
        environment=child_environment(settings),
    )


async def _start_server(settings: Settings, stack: AsyncExitStack) -> SupervisedProcess | None:
    if not settings.prefect.embedded:
        return None
    await asyncio.to_thread(_require_free_port, settings.prefect.host, settings.prefect.port)
    server = SupervisedProcess(server_program(settings), log_file=log_path(settings, "prefect-server"))
    await server.start()
    stack.push_async_callback(server.stop)
    return server


def _require_free_port(host: str, port: int) -> None:
    """Refuse to mistake a stranger's server for ours; a predecessor that was killed gets time to end."""
    deadline = time.monotonic() + _PORT_FREE_WITHIN_S
    while True:
        with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ServiceError(
                        f"the Prefect server cannot bind {host} port {port}: {error.strerror}; "
                        "set prefect.port, or prefect.embedded = false with prefect.api_url"
                    ) from error
            else:
                return
        time.sleep(0.2)
