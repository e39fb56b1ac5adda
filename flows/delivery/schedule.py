"""When a delivery is tried again, when a commitment is asked for again, and when either is given up."""

from __future__ import annotations

from datetime import datetime, timedelta

from flows.journal import FINAL_JOB_STATES, DeliveryRecord
from flows.nodes import DicomwebNode, DimseNode, FolderNode
from flows.settings import Settings

__all__ = ["attempts_in_run", "has_expired", "is_due", "patience"]

_MOST_DOUBLINGS = 30
# A destination that left the settings is waited for as long as others are by default.
_UNCONFIGURED = FolderNode.model_construct(kind="folder")


def patience(settings: Settings, destination: str) -> DimseNode | DicomwebNode | FolderNode:
    """Return the node whose pauses apply to a destination."""
    return settings.nodes.get(destination, _UNCONFIGURED)


def attempts_in_run(settings: Settings, destination: str) -> int:
    """Return how often a run tries a destination before it leaves the rest to the background."""
    return patience(settings, destination).attempts or settings.outbox.delivery_attempts


def is_due(delivery: DeliveryRecord, settings: Settings, now: datetime) -> bool:
    """Return whether something is to be done for a delivery that its run has left behind.

    What failed is sent again after pauses that double. Commitment is asked for again when no report came
    within the node's time, and sooner when the request itself was not taken. What an ended job has left is
    due in whatever state it ended: where it failed, only a person can have opened its deliveries again.
    """
    if delivery.job_state not in FINAL_JOB_STATES:
        return False
    if delivery.state == "awaiting":
        return _is_to_be_asked(delivery, settings, now)
    if delivery.state == "pending":
        return True
    later = delivery.attempts - attempts_in_run(settings, delivery.destination)
    return delivery.state == "failed" and now >= delivery.state_at + _pause(delivery, settings, later)


def _is_to_be_asked(delivery: DeliveryRecord, settings: Settings, now: datetime) -> bool:
    node = settings.nodes.get(delivery.destination)
    if node is None:
        return has_expired(delivery, settings, now)
    if delivery.asked_at is None or not isinstance(node, DimseNode):
        return True
    if delivery.transaction_uid is not None:
        return now >= delivery.asked_at + timedelta(seconds=node.commitment_timeout_s)
    return now >= delivery.asked_at + _pause(delivery, settings, delivery.commitment_requests - 1)


def _pause(delivery: DeliveryRecord, settings: Settings, later: int) -> timedelta:
    node = patience(settings, delivery.destination)
    doublings = min(max(later, 0), _MOST_DOUBLINGS)
    return timedelta(seconds=min(node.first_pause_s * 2**doublings, node.longest_pause_s))


def has_expired(delivery: DeliveryRecord, settings: Settings, now: datetime) -> bool:
    """Return whether a delivery was tried, or a commitment waited for, as long as the node is worth.

    The time begins again, once, when the destination says that it does not keep what it had taken.
    """
    since = delivery.created_at
    if delivery.state == "awaiting":
        since = max(since, delivery.stored_at or since)
    elif not delivery.attempts:
        return False
    else:
        since = max(since, delivery.uncommitted_at or since)
    return now - since > timedelta(hours=patience(settings, delivery.destination).give_up_after_h)
