"""Delivering what runs left behind: each destination by itself, for as long as it is worth it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import Self

from flows.delivery.claims import claimed, lease_s
from flows.delivery.commitment import ask_for_commitment
from flows.delivery.run import MOST_THREADS
from flows.delivery.schedule import has_expired, is_due
from flows.delivery.storing import not_configured, store
from flows.journal import FINAL_JOB_STATES, DeliveryOutcome, DeliveryRecord, Journal
from flows.loops import PassIncomplete
from flows.settings import Settings

__all__ = ["LateDelivery", "deliver_now", "retry_deliveries"]

_LOG = logging.getLogger(__name__)

_AT_A_TIME = 500
_LOOK_S = 0.2


class LateDelivery:
    """Serves destinations on threads of their own: one that is slow keeps only itself busy.

    Parameters
    ----------
    journal, settings
        Those of the process.
    """

    def __init__(self, journal: Journal, settings: Settings) -> None:
        self._journal = journal
        self._settings = settings
        self._threads = ThreadPoolExecutor(MOST_THREADS, "late-delivery")
        self._busy: dict[str, Future[int]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Begin nothing more; a transfer that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def start_due(self, now: datetime) -> list[Future[int]]:
        """Begin with every destination that has something due and is not being served already.

        Returns
        -------
        list of Future
            One per destination that was begun with; each gives how many objects the destination took.
        """
        due: dict[str, list[DeliveryRecord]] = {}
        for delivery in self._journal.open_deliveries():
            if is_due(delivery, self._settings, now):
                due.setdefault(delivery.destination, []).append(delivery)
        begun = []
        with self._lock:
            for destination, deliveries in due.items():
                if destination in self._busy and not self._busy[destination].done():
                    continue
                one = self._threads.submit(self._serve, destination, deliveries[:_AT_A_TIME], now)
                self._busy[destination] = one
                begun.append(one)
        return begun

    def _serve(self, destination: str, due: Sequence[DeliveryRecord], now: datetime) -> int:
        try:
            return _serve(self._journal, self._settings, destination, due, now)
        except Exception as error:
            # The text of an error may quote an object or a query.
            _LOG.error("destination %s could not be served: %s", destination, type(error).__name__)
            raise


def _serve(
    journal: Journal, settings: Settings, destination: str, due: Sequence[DeliveryRecord], now: datetime
) -> int:
    with claimed(journal, settings, destination, [one.id for one in due]) as held:
        # Another process may have tried them a moment ago.
        still_due = [one for one in held if is_due(one, settings, now)]
        expired = [one for one in still_due if has_expired(one, settings, now)]
        if expired:
            journal.mark_deliveries([_given_up(one, settings) for one in expired])
            _LOG.error("destination %s: %d deliveries given up", destination, len(expired))
        gone = {one.id for one in expired}
        left = [one for one in still_due if one.id not in gone]
        taken, problem = _bring(journal, settings, destination, left)
    missing = sum(one.state != "awaiting" for one in left)
    if missing:
        _LOG.warning(
            "destination %s: %d of %d objects delivered late%s",
            destination,
            taken,
            missing,
            f"; {problem}" if problem else "",
        )
    return taken


def _bring(
    journal: Journal, settings: Settings, destination: str, deliveries: Sequence[DeliveryRecord]
) -> tuple[int, str]:
    missing = [one for one in deliveries if one.state in {"pending", "failed"}]
    taken, problem = store(journal, settings, destination, missing) if missing else (0, "")
    ours = {one.id for one in deliveries}
    stored = [one for one in journal.open_deliveries() if one.id in ours and one.state == "awaiting"]
    ask_for_commitment(journal, settings, destination, stored)
    return taken, problem


def _bring_now(journal: Journal, settings: Settings, destination: str, delivery_ids: Sequence[int]) -> int:
    """Bring what nobody else is bringing; wait for who is, as long as its claim may last, and do the rest."""
    left, taken = set(delivery_ids), 0
    end = time.monotonic() + lease_s(settings, destination) + _LOOK_S
    while True:
        with claimed(journal, settings, destination, sorted(left)) as held:
            ours = [one for one in held if one.job_state in FINAL_JOB_STATES]
            taken += _bring(journal, settings, destination, ours)[0]
        left -= {one.id for one in held}
        left &= {one.id for one in journal.open_deliveries()}
        if not left or time.monotonic() > end:
            return taken
        time.sleep(_LOOK_S)


def _given_up(delivery: DeliveryRecord, settings: Settings) -> DeliveryOutcome:
    if delivery.state == "awaiting":
        text = f"stored, and not committed after {delivery.commitment_requests} requests"
        if delivery.destination not in settings.nodes:
            text += f": {not_configured(delivery.destination)}"
        elif delivery.error:
            text += f": {delivery.error}"
        return DeliveryOutcome(delivery.id, "dead", text, "no-commitment")
    return DeliveryOutcome(
        delivery.id, "dead", delivery.error or f"given up after {delivery.attempts} attempts", "given-up"
    )


def retry_deliveries(journal: Journal, settings: Settings, now: datetime) -> int:
    """Do all that is due now, wait for its end, and return how many objects were taken.

    Raises
    ------
    PassIncomplete
        Some destinations could not even be tried; all others were.
    """
    with LateDelivery(journal, settings) as late:
        begun = late.start_due(now)
        return _total(begun, "served late")


def deliver_now(journal: Journal, settings: Settings, delivery_ids: Sequence[int]) -> int:
    """Try these deliveries at once, due or not, wait for the end, and return how many objects were taken.

    Deliveries whose job is still on its way are left to it; those that another process is bringing at the
    moment are waited for.

    Raises
    ------
    PassIncomplete
        Some destinations could not even be tried; all others were.
    """
    chosen = set(delivery_ids)
    by_destination: dict[str, list[int]] = {}
    for delivery in journal.open_deliveries():
        if delivery.id in chosen and delivery.job_state in FINAL_JOB_STATES:
            by_destination.setdefault(delivery.destination, []).append(delivery.id)
    with ThreadPoolExecutor(MOST_THREADS, "deliver-now") as threads:
        begun = [
            threads.submit(_bring_now, journal, settings, name, ids) for name, ids in by_destination.items()
        ]
    return _total(begun, "served")


def _total(begun: Sequence[Future[int]], what: str) -> int:
    taken, failed = 0, 0
    for one in begun:
        if one.exception() is None:
            taken += one.result()
        else:
            failed += 1
    if failed:
        raise PassIncomplete(f"{failed} of {len(begun)} destinations could not be {what}")
    return taken
