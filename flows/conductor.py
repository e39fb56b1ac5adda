"""The process between journal and Prefect: dispatcher, reconciler, late deliveries, resident worker.

``secondread serve`` starts it as ``python -m flows.conductor``; several may run on one journal.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flows.loops import repeat_for_ever
from flows.memory import give_back_regularly
from flows.prefect_server import prefect_environment
from flows.settings import Settings, load_settings
from flows.supervisor import end_with_parent

if TYPE_CHECKING:
    from flows.delivery import LateDelivery
    from flows.journal import Journal

__all__ = ["conduct", "main"]

_LOG = logging.getLogger(__name__)

_DELIVERY_INTERVAL_S = 2.0
_LEFT_BY_A_RUN = timedelta(seconds=5)


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description="Dispatcher, reconciler and resident worker.")
    parser.add_argument("--config", type=Path, default=None)
    settings = load_settings(parser.parse_args().config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for chatty in ("alembic", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    end_with_parent()
    give_back_regularly()
    # Prefect reads its settings when it is imported; our loops repeat requests themselves, and sooner.
    os.environ.update(prefect_environment(settings) | {"PREFECT_CLIENT_MAX_RETRIES": "0"})
    asyncio.run(_until_signalled(settings))


async def _until_signalled(settings: Settings) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    conducting = asyncio.create_task(conduct(settings))
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({conducting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not conducting.done():
        conducting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await conducting


async def conduct(settings: Settings) -> None:
    """Run all loops until cancelled; one that ends with an error ends them all."""
    from prefect.client.orchestration import get_client  # noqa: PLC0415

    from flows.journal import open_journal  # noqa: PLC0415
    from flows.outbox import Dispatcher  # noqa: PLC0415
    from flows.reconciler import Reconciler  # noqa: PLC0415
    from flows.worker.resident import ResidentWorker  # noqa: PLC0415

    with open_journal(settings, upgrade=True) as journal:
        async with get_client() as client, asyncio.TaskGroup() as group:
            reconciler = Reconciler(journal, settings, client)
            worker: ResidentWorker | None = None
            if settings.worker.enabled:
                worker = ResidentWorker(
                    settings.prefect.work_pool, settings=settings, on_end=lambda _run: reconciler.wake()
                )
                group.create_task(worker.start(printer=_LOG.info), name="resident worker")
            dispatcher = Dispatcher(journal, settings, client, worker.offer if worker is not None else None)
            group.create_task(dispatcher.run(), name="dispatch")
            group.create_task(reconciler.run(), name="reconcile")
            group.create_task(_deliver_late(journal, settings), name="deliver late")


async def _deliver_late(journal: Journal, settings: Settings) -> None:
    """Deliver what runs left behind; the network library is loaded when there is such a thing."""
    late: LateDelivery | None = None

    async def deliver() -> None:
        nonlocal late
        now = datetime.now(UTC)
        if late is None:
            left = await asyncio.to_thread(journal.open_deliveries)
            if not any(now - delivery.state_at > _LEFT_BY_A_RUN for delivery in left):
                return
            from flows.delivery import LateDelivery  # noqa: PLC0415

            late = LateDelivery(journal, settings)
        await asyncio.to_thread(late.start_due, now)

    try:
        await repeat_for_ever("late delivery", deliver, _DELIVERY_INTERVAL_S)
    finally:
        if late is not None:
            late.close()


if __name__ == "__main__":
    main()
