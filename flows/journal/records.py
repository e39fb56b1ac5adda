"""What the journal gives back: frozen values, detached from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from flows.journal.states import DELIVERED_STATES, DeadReason, DeliveryState, JobState, StudyState

__all__ = [
    "AttemptRecord",
    "CommitmentOutcome",
    "DeliveryOutcome",
    "DeliveryRecord",
    "EventRecord",
    "JobDraft",
    "JobRecord",
    "ReceivingStudy",
    "ResultObject",
    "ResultRecord",
    "StudyRecord",
    "Urgency",
]

Urgency = Literal["routine", "urgent", "stat"]


class ResultObject(Protocol):
    """An encoded object as the results room writes it."""

    @property
    def kind(self) -> str:
        """What it is, e.g. ``report`` or ``key-image-1``."""

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""

    @property
    def path(self) -> Path:
        """Where the file lies."""

    @property
    def sha256(self) -> str:
        """Of the whole file, in hexadecimal."""

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study; ``instances`` counts inputs that are still kept, own results apart."""

    id: int
    study_instance_uid: str
    pseudonym: str
    state: StudyState
    reason: str | None
    created_at: datetime
    state_at: datetime
    last_instance_at: datetime | None
    completed_at: datetime | None
    tries: int
    instances: int
    series: int
    explanation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivingStudy:
    """A study whose completeness is open."""

    id: int
    study_instance_uid: str
    pseudonym: str
    last_instance_at: datetime


@dataclass(frozen=True, slots=True)
class JobDraft:
    """A job before it has a revision.

    Parameters
    ----------
    route, package_name, package_version, package_hash, configuration_hash : str
        What would read the study, and how.
    fingerprint : str
        Of the selected instances.
    sop_instance_uids : tuple of str
        The selected instances themselves, all of the study.
    urgency : {"routine", "urgent", "stat"}
        Order of submission.
    """

    route: str
    package_name: str
    package_version: str
    package_hash: str
    configuration_hash: str
    fingerprint: str
    sop_instance_uids: tuple[str, ...]
    urgency: Urgency = "routine"

    def __post_init__(self) -> None:
        if not self.sop_instance_uids:
            raise ValueError(f"a job of route {self.route!r} needs at least one instance")


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One study × package × revision, in its present attempt.

    ``content_time`` is the creation of the revision and stays over all attempts, so that a repeat
    encodes the same objects.
    """

    id: int
    study_id: int
    study_instance_uid: str
    pseudonym: str
    route: str
    package_name: str
    package_version: str
    package_hash: str
    configuration_hash: str
    revision: int
    attempt: int
    fingerprint: str
    idempotency_key: str
    state: JobState
    reason: str | None
    flow_run_id: str | None
    predecessor_id: int | None
    urgency: Urgency
    content_time: datetime
    created_at: datetime
    state_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    outcome: Mapping[str, Any] = field(default_factory=dict)

    @property
    def package(self) -> str:
        """``name@version``."""
        return f"{self.package_name}@{self.package_version}"


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt of a job; ``state`` is the one it ended in, or the job's present one."""

    job_id: int
    attempt: int
    state: JobState
    reason: str | None
    flow_run_id: str | None
    created_at: datetime
    submitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One result object of a job."""

    id: int
    job_id: int
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    path: Path
    sha256: str
    size_bytes: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One result object on its way to one destination.

    Parameters
    ----------
    state : str
        ``sent`` (taken, no commitment offered) and ``committed`` are the good ends, ``dead`` is the bad one.
    attempts : int
        How often it was sent, with or without success.
    error : str or None
        Why it is not there, in words.
    sent_at : datetime or None
        When the destination last took it.
    stored_at : datetime or None
        The same, as long as nobody says that it is missing there.
    asked_at, transaction_uid, commitment_requests
        The last request for storage commitment; no UID where the destination did not take the request.
    dead_reason : str or None
        Why it was given up, as a code.
    uncommitted_at : datetime or None
        When the destination first said of what it had taken that it does not keep it.
    claimed_by, claimed_until
        The pass that is delivering it, and when that claim ends by itself.
    pseudonym, route, job_state, revision
        Of the study and the job.
    """

    id: int
    job_id: int
    result_id: int
    destination: str
    state: DeliveryState
    attempts: int
    error: str | None
    created_at: datetime
    state_at: datetime
    sent_at: datetime | None
    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    path: Path
    sha256: str
    stored_at: datetime | None = None
    committed_at: datetime | None = None
    asked_at: datetime | None = None
    transaction_uid: str | None = None
    commitment_requests: int = 0
    dead_reason: DeadReason | None = None
    uncommitted_at: datetime | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    pseudonym: str = ""
    route: str = ""
    revision: int = 1
    job_state: JobState = "running"

    @property
    def delivered(self) -> bool:
        """Whether the destination has it, as far as it is asked to say so."""
        return self.state in DELIVERED_STATES


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The end of one try to deliver one object.

    Parameters
    ----------
    state : {"sent", "awaiting", "failed", "dead"}
        What the delivery becomes.
    error : str or None
        Why it is not there, in words.
    dead_reason : str or None
        Why it is given up.
    """

    delivery_id: int
    state: DeliveryState
    error: str | None = None
    dead_reason: DeadReason | None = None

    def __post_init__(self) -> None:
        if (self.state == "dead") != (self.dead_reason is not None):
            raise ValueError("a dead letter, and nothing else, has a reason")


@dataclass(frozen=True, slots=True)
class CommitmentOutcome:
    """What a report on storage commitment changed.

    Parameters
    ----------
    committed, failed : int
        Deliveries that this report has ended, and those that it sends again.
    open : int
        Deliveries of the transaction that no report has named yet.
    unmatched : int
        References of the report to nothing that was asked for; another SOP class is another object.
    """

    committed: int = 0
    failed: int = 0
    open: int = 0
    unmatched: int = 0


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A change of state (``kind`` "study" or "job"), or the seconds of a stage ("stage") or wait ("wait")."""

    id: int
    at: datetime
    kind: str
    name: str
    study_id: int
    job_id: int | None
    attempt: int | None
    seconds: float | None
    reason: str | None
