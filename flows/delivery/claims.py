"""Claiming deliveries while they are served: two processes never send the same object at the same time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from flows.journal import DeliveryRecord, Journal
from flows.nodes import FolderNode
from flows.settings import Settings

__all__ = ["claimed", "lease_s"]

_LOG = logging.getLogger(__name__)

_SHORTEST_S = 10.0
_LONGEST_S = 120.0
_FOLDER_S = 60.0


def lease_s(settings: Settings, destination: str) -> float:
    """Return after how many seconds the claim of a killed process ends: twice the node's timeout."""
    node = settings.nodes.get(destination)
    if node is None or isinstance(node, FolderNode):
        return _FOLDER_S
    return min(max(2 * node.timeout_s, _SHORTEST_S), _LONGEST_S)


@contextmanager
def claimed(
    journal: Journal, settings: Settings, destination: str, delivery_ids: Sequence[int]
) -> Iterator[list[DeliveryRecord]]:
    """Give those deliveries that are open and nobody else's, as they are now; theirs until the end.

    The claim is renewed for as long as this process lives, however long a transfer takes.
    """
    owner, seconds = uuid4().hex, lease_s(settings, destination)
    ours = journal.claim_deliveries(delivery_ids, owner, seconds)
    if not ours:
        yield ours
        return
    over = threading.Event()
    keeper = threading.Thread(
        target=_renew, args=(journal, owner, seconds, over), name=f"claim-{destination}", daemon=True
    )
    keeper.start()
    try:
        yield ours
    finally:
        over.set()
        keeper.join()
        try:
            journal.release_claims(owner)
        except SQLAlchemyError as error:
            _LOG.warning("a claim was not released and ends by itself: %s", type(error).__name__)


def _renew(journal: Journal, owner: str, seconds: float, over: threading.Event) -> None:
    while not over.wait(seconds / 4):
        try:
            journal.renew_claims(owner, seconds)
        except SQLAlchemyError as error:
            _LOG.warning("a claim could not be renewed: %s", type(error).__name__)
