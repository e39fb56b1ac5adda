"""The states that studies, jobs and deliveries have, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from flows.journal.errors import IllegalTransition

__all__ = [
    "ACTIVE_JOB_STATES",
    "DELIVERABLE_JOB_STATES",
    "DELIVERED_STATES",
    "FINAL_JOB_STATES",
    "OPEN_DELIVERY_STATES",
    "DeadReason",
    "DeliveryState",
    "JobState",
    "StudyState",
    "check_delivery_step",
    "check_job_step",
    "check_study_step",
]

StudyState = Literal["receiving", "complete", "not-routed", "routed", "failed", "purged"]
JobState = Literal[
    "waiting", "submitted", "running", "completed", "refused", "failed", "dead-letter", "cancelled"
]
DeliveryState = Literal["pending", "sent", "awaiting", "committed", "failed", "dead"]
DeadReason = Literal["refused", "given-up", "kept-object", "no-commitment", "job-ended"]
"""Why a delivery is a dead letter: the destination will never take it, it took too long, the kept object is
gone or changed, the destination does not commit though it must, or the job ended without a result."""

ACTIVE_JOB_STATES: Final = frozenset[JobState]({"waiting", "submitted", "running"})
# Jobs whose open deliveries go on after them; those of other jobs end with the job, and go on where a
# person says so. A refused job has objects too: the report that its study was not read.
DELIVERABLE_JOB_STATES: Final = frozenset[JobState]({"completed", "refused"})
FINAL_JOB_STATES: Final = frozenset[JobState](get_args(JobState)) - ACTIVE_JOB_STATES
DELIVERED_STATES: Final = frozenset[DeliveryState]({"sent", "committed"})
"""Done: taken by a destination that offers no storage commitment, or committed by one that does."""
OPEN_DELIVERY_STATES: Final = frozenset[DeliveryState]({"pending", "failed", "awaiting"})
"""On their way without anybody's help."""

_STUDY_STEPS: Final[Mapping[StudyState, frozenset[StudyState]]] = {
    "receiving": frozenset({"complete", "purged"}),
    "complete": frozenset({"receiving", "routed", "not-routed", "failed", "purged"}),
    "routed": frozenset({"receiving", "purged"}),
    # A person may have a study read that no rule matched, or that failed while it was routed.
    "not-routed": frozenset({"receiving", "routed", "purged"}),
    "failed": frozenset({"receiving", "complete", "routed", "purged"}),
    "purged": frozenset({"receiving"}),
}

_JOB_STEPS: Final[Mapping[JobState, frozenset[JobState]]] = {
    # A worker may start a run before the dispatcher has noted that it submitted it.
    "waiting": frozenset({"submitted", "running", "cancelled", "dead-letter"}),
    "submitted": frozenset({"running", "waiting", "refused", "failed", "cancelled", "dead-letter"}),
    "running": frozenset({"waiting", "completed", "refused", "failed", "cancelled", "dead-letter"}),
    "completed": frozenset({"waiting"}),
    "refused": frozenset({"waiting"}),
    "failed": frozenset({"waiting", "dead-letter"}),
    "dead-letter": frozenset({"waiting"}),
    "cancelled": frozenset({"waiting"}),
}

_DELIVERY_STEPS: Final[Mapping[DeliveryState, frozenset[DeliveryState]]] = {
    "pending": frozenset({"sent", "awaiting", "failed", "dead"}),
    # The report of an earlier request may still come for what a later one was told is missing.
    "failed": frozenset({"pending", "sent", "awaiting", "committed", "failed", "dead"}),
    "awaiting": frozenset({"pending", "sent", "awaiting", "committed", "failed", "dead"}),
    "dead": frozenset({"pending", "sent", "awaiting", "committed"}),
    "sent": frozenset({"pending"}),
    "committed": frozenset({"pending"}),
}


def check_study_step(subject: str, old: StudyState, new: StudyState) -> None:
    """Raise IllegalTransition unless a study may go from ``old`` to ``new``."""
    if new not in _STUDY_STEPS[old]:
        raise IllegalTransition(subject, old, new)


def check_job_step(subject: str, old: JobState, new: JobState) -> None:
    """Raise IllegalTransition unless a job may go from ``old`` to ``new``."""
    if new not in _JOB_STEPS[old]:
        raise IllegalTransition(subject, old, new)


def check_delivery_step(subject: str, old: DeliveryState, new: DeliveryState) -> None:
    """Raise IllegalTransition unless a delivery may go from ``old`` to ``new``."""
    if new not in _DELIVERY_STEPS[old]:
        raise IllegalTransition(subject, old, new)
