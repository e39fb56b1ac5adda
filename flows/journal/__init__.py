"""The journal: every study, instance, job, result and delivery with a state and a time."""

from __future__ import annotations

from flows.journal.errors import (
    ConflictingInstance,
    ConflictingResult,
    IllegalTransition,
    JournalError,
    JournalSchemaError,
    ReprocessRefused,
    StaleRun,
    UnknownRecord,
)
from flows.journal.journal import Journal, open_journal
from flows.journal.overview import Overview, StudyOverview
from flows.journal.priors import KeptImage, KnownPatient, PriorRecord
from flows.journal.records import (
    AttemptRecord,
    CommitmentOutcome,
    DeliveryOutcome,
    DeliveryRecord,
    EventRecord,
    JobDraft,
    JobRecord,
    ReceivingStudy,
    ResultObject,
    ResultRecord,
    StudyRecord,
    Urgency,
)
from flows.journal.states import (
    ACTIVE_JOB_STATES,
    DELIVERABLE_JOB_STATES,
    DELIVERED_STATES,
    FINAL_JOB_STATES,
    OPEN_DELIVERY_STATES,
    DeadReason,
    DeliveryState,
    JobState,
    StudyState,
)

__all__ = [
    "ACTIVE_JOB_STATES",
    "DELIVERED_STATES",
    "DELIVERABLE_JOB_STATES",
    "FINAL_JOB_STATES",
    "OPEN_DELIVERY_STATES",
    "AttemptRecord",
    "CommitmentOutcome",
    "ConflictingInstance",
    "ConflictingResult",
    "DeadReason",
    "DeliveryOutcome",
    "DeliveryRecord",
    "DeliveryState",
    "EventRecord",
    "IllegalTransition",
    "JobDraft",
    "JobRecord",
    "JobState",
    "Journal",
    "JournalError",
    "JournalSchemaError",
    "Overview",
    "PriorRecord",
    "KeptImage",
    "KnownPatient",
    "ReceivingStudy",
    "ReprocessRefused",
    "ResultObject",
    "ResultRecord",
    "StaleRun",
    "StudyOverview",
    "StudyRecord",
    "StudyState",
    "UnknownRecord",
    "Urgency",
    "open_journal",
]
