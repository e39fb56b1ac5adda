"""What the journal gives back: frozen values, detached from the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from flows.journal.states import DeliveryState, JobState, StudyState

__all__ = [
    "AttemptRecord",
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
    """One result object on its way to one destination."""

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
