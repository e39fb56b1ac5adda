"""What the listener tells others: plain values, the recorder that keeps them, the observer that counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

__all__ = [
    "AssociationRecord",
    "ListenerObserver",
    "QuarantinedInstance",
    "Recorder",
    "RefusedInstance",
    "SilentObserver",
    "StoredInstance",
]


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One SOP instance that lies in the inbox.

    Attributes
    ----------
    sha256 : str
        Lower-case hexadecimal digest of the encoded data set as received, without file meta information.
    size_bytes : int
        Length of that data set.
    path : Path
        Relative to the inbox: ``study/series/instance.dcm``.
    modality : str
        (0008,0060), or an empty string.
    received_at : datetime
        Aware, UTC.
    own_result : bool
        One of our own results that came back: kept, never processed.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size_bytes: int
    path: Path
    modality: str
    received_at: datetime
    association_id: str
    own_result: bool = False


@dataclass(frozen=True, slots=True)
class QuarantinedInstance:
    """An object that was kept and answered with success, and that will never be processed.

    Attributes
    ----------
    path : Path
        Relative to the quarantine folder; a random name.
    """

    reason_code: str
    reason: str
    study_instance_uid: str | None
    series_instance_uid: str | None
    sop_instance_uid: str | None
    sop_class_uid: str | None
    sha256: str
    size_bytes: int
    path: Path
    received_at: datetime
    association_id: str


@dataclass(frozen=True, slots=True)
class RefusedInstance:
    """An object that was answered with a failure status; nothing of it was kept.

    Attributes
    ----------
    status : int
        DIMSE status that the sender got.
    """

    association_id: str
    status: int
    reason_code: str
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AssociationRecord:
    """One association from request to end.

    Attributes
    ----------
    presentation_contexts : int
        Accepted ones; 0 until the association was accepted.
    instances, bytes : int
        Data sets that were answered with success, and the bytes of all data sets received.
    end_reason : str
        Empty while open; then ``released``, ``aborted by peer``, ``aborted: …``, ``connection lost`` or
        ``rejected: …``.
    """

    association_id: str
    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    started_at: datetime
    ended_at: datetime | None = None
    presentation_contexts: int = 0
    instances: int = 0
    bytes: int = 0
    end_reason: str = ""


class Recorder(Protocol):
    """Keeps the records; every method is durable when it returns and raises when it cannot be."""

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        """Return the instance of the inbox that has this UID."""
        ...

    def record_instance(self, instance: StoredInstance) -> None:
        """Commit the row of an instance whose file is already durable."""
        ...

    def record_quarantined(self, instance: QuarantinedInstance) -> None:
        """Commit the row of an object whose file already lies in quarantine."""
        ...

    def record_refused(self, refused: RefusedInstance) -> None:
        """Note an object that was not kept."""
        ...

    def association_opened(self, record: AssociationRecord) -> None:
        """Note that a peer asked for an association."""
        ...

    def association_closed(self, record: AssociationRecord) -> None:
        """Note how and when the association ended; rejected ones come here too."""
        ...


class ListenerObserver(Protocol):
    """Hears what the listener does, for metrics; called on network threads, must be quick."""

    def association_started(self, record: AssociationRecord) -> None:
        """Hear of an accepted association."""
        ...

    def association_ended(self, record: AssociationRecord) -> None:
        """Hear that an accepted association ended."""
        ...

    def association_rejected(self, record: AssociationRecord, reason_code: str) -> None:
        """Hear of a rejected association."""
        ...

    def instance_stored(self, instance: StoredInstance, seconds: float) -> None:
        """Hear of a new instance; ``seconds`` from the last byte received to the answer."""
        ...

    def instance_repeated(self, instance: StoredInstance, seconds: float) -> None:
        """Hear of an identical duplicate, answered with success and not stored again."""
        ...

    def instance_quarantined(self, instance: QuarantinedInstance, seconds: float) -> None:
        """Hear of an object put into quarantine."""
        ...

    def instance_refused(self, refused: RefusedInstance, size_bytes: int, seconds: float) -> None:
        """Hear of an object answered with a failure."""
        ...


class SilentObserver:
    """An observer that does nothing; override what is of interest."""

    def association_started(self, record: AssociationRecord) -> None:
        """Do nothing."""

    def association_ended(self, record: AssociationRecord) -> None:
        """Do nothing."""

    def association_rejected(self, record: AssociationRecord, reason_code: str) -> None:
        """Do nothing."""

    def instance_stored(self, instance: StoredInstance, seconds: float) -> None:
        """Do nothing."""

    def instance_repeated(self, instance: StoredInstance, seconds: float) -> None:
        """Do nothing."""

    def instance_quarantined(self, instance: QuarantinedInstance, seconds: float) -> None:
        """Do nothing."""

    def instance_refused(self, refused: RefusedInstance, size_bytes: int, seconds: float) -> None:
        """Do nothing."""
