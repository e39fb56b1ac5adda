"""Decides over one received object and keeps it: the part of C-STORE that knows no network."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from dicom_io.receive.head import Head, UnreadableDataSet, read_head
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.part10 import data_set_sha256, encode_file_meta, read_header
from dicom_io.receive.records import (
    ListenerObserver,
    QuarantinedInstance,
    Recorder,
    RefusedInstance,
    StoredInstance,
)
from dicom_io.receive.spool import Spool
from dicom_io.receive.statuses import FAILURES, SUCCESS, Failure, failure_of

__all__ = ["Answer", "Arrival", "Reception", "describe_error"]

_LOGGER = logging.getLogger(__name__)
_STRIPES = 64
_REMEMBERED_CONFLICTS = 1024


@dataclass(frozen=True, slots=True)
class Arrival:
    """One C-STORE request that is complete.

    Attributes
    ----------
    class_uid, instance_uid : str
        Affected SOP Class and Instance UID of the command.
    negotiated_class_uid, transfer_syntax_uid : str
        Of the presentation context.
    spool : Spool
        The data set.
    on_study : callable
        Told the Study Instance UID as soon as it is known.
    """

    association_id: str
    calling_ae_title: str
    class_uid: str
    instance_uid: str
    negotiated_class_uid: str
    transfer_syntax_uid: str
    spool: Spool
    on_study: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told."""

    status: int
    comment: str = ""

    @property
    def success(self) -> bool:
        """Whether the sender may forget the object."""
        return self.status == SUCCESS


class _Refused(Exception):
    def __init__(self, failure: Failure, reason: str = "") -> None:
        super().__init__(reason or failure.comment)
        self.failure = failure


class Reception:
    """Keeps objects and records them; safe to call from many threads.

    Parameters
    ----------
    inbox : Inbox
        Where files go.
    recorder : Recorder
        Where rows go; success is answered only after its commit.
    observer : ListenerObserver
        Hears the outcome.
    maximum_object_bytes : int
        Larger objects are refused.
    is_own_result : callable
        Says from the header whether an object is one of our own results.
    """

    def __init__(
        self,
        inbox: Inbox,
        recorder: Recorder,
        observer: ListenerObserver,
        maximum_object_bytes: int,
        is_own_result: Callable[[Dataset], bool],
    ) -> None:
        self._inbox = inbox
        self._recorder = recorder
        self._observer = observer
        self._maximum = maximum_object_bytes
        self._is_own_result = is_own_result
        self._locks = tuple(threading.Lock() for _ in range(_STRIPES))
        self._conflicts: OrderedDict[tuple[str, str], Path] = OrderedDict()

    def receive(self, arrival: Arrival) -> Answer:
        """Keep one object, or say why not; never raises.

        The spool is free afterwards: its file has its final name or is removed.
        """
        started = time.perf_counter()
        try:
            return self._receive(arrival, started)
        except _Refused as refusal:
            return self._refuse(arrival, refusal.failure, str(refusal), started)
        except Exception as error:  # the sender must get an answer, whatever broke
            failure = failure_of(error)
            _LOGGER.error(
                "association %s: %s: %s", arrival.association_id, failure.code, describe_error(error)
            )
            return self._refuse(arrival, failure, failure.comment, started)
        finally:
            arrival.spool.discard()

    def _receive(self, arrival: Arrival, started: float) -> Answer:
        spool = arrival.spool
        if spool.too_large:
            raise _Refused(FAILURES["too-large"], f"{spool.size} bytes, {self._maximum} are accepted")
        spool.check()
        head = self._read_head(arrival)
        _compare(arrival, head)
        arrival.on_study(head.study_instance_uid)
        instance = StoredInstance(
            study_instance_uid=head.study_instance_uid,
            series_instance_uid=head.series_instance_uid,
            sop_instance_uid=head.sop_instance_uid,
            sop_class_uid=head.sop_class_uid,
            transfer_syntax_uid=arrival.transfer_syntax_uid,
            sha256=spool.sha256,
            size_bytes=spool.size,
            path=self._inbox.instance_path(
                head.study_instance_uid, head.series_instance_uid, head.sop_instance_uid
            ),
            modality=head.modality,
            received_at=datetime.now(UTC),
            association_id=arrival.association_id,
            own_result=self._own_result(arrival, head),
        )
        prefix = encode_file_meta(
            instance.sop_class_uid,
            instance.sop_instance_uid,
            instance.transfer_syntax_uid,
            arrival.calling_ae_title,
        )
        with self._locks[hash(instance.sop_instance_uid) % _STRIPES]:
            known = self._recorder.find_instance(instance.sop_instance_uid)
            if known is None:
                self._store(instance, spool, prefix)
                self._observed(self._observer.instance_stored, instance, _since(started))
            elif known.sha256 == instance.sha256:
                if not self._inbox.holds(known.path):
                    _LOGGER.warning("association %s: a lost file came again", arrival.association_id)
                    self._inbox.settle(self._inbox.store(spool, prefix, known.path))
                self._observed(self._observer.instance_repeated, known, _since(started))
            else:
                self._quarantine(instance, spool, prefix, started)
        return Answer(SUCCESS)

    def _read_head(self, arrival: Arrival) -> Head:
        spool = arrival.spool
        reader = spool.reader()
        try:
            return read_head(
                reader, spool.size, arrival.transfer_syntax_uid, self._maximum, self._inbox.incoming
            )
        except UnreadableDataSet as error:
            raise _Refused(FAILURES[error.code], str(error)) from error
        finally:
            if reader is not spool:
                reader.close()

    def _own_result(self, arrival: Arrival, head: Head) -> bool:
        try:
            return self._is_own_result(head.header)
        except Exception as error:  # a header that the check cannot read is not one that we wrote
            _LOGGER.warning(
                "association %s: the loop guard failed: %s", arrival.association_id, describe_error(error)
            )
            return False

    def _store(self, instance: StoredInstance, spool: Spool, prefix: bytes) -> None:
        mark = self._inbox.store(spool, prefix, instance.path)
        try:
            self._recorder.record_instance(instance)
        except Exception:
            # a commit whose answer was lost did happen: ask before the file is removed
            known = self._recorder.find_instance(instance.sop_instance_uid)
            if known is None or known.sha256 != instance.sha256:
                self._inbox.take_back(mark, instance.path)
                raise
        self._inbox.settle(mark)

    def _quarantine(self, instance: StoredInstance, spool: Spool, prefix: bytes, started: float) -> None:
        key = (instance.sop_instance_uid, instance.sha256)
        kept = self._conflicts.get(key)
        if kept is not None and (self._inbox.quarantine / kept).is_file():
            self._observed(self._observer.instance_repeated, instance, _since(started))
            return
        name = self._inbox.store_quarantined(spool, prefix)
        record = QuarantinedInstance(
            reason_code="uid-conflict",
            reason="an instance with this SOP Instance UID and other content was received before",
            study_instance_uid=instance.study_instance_uid,
            series_instance_uid=instance.series_instance_uid,
            sop_instance_uid=instance.sop_instance_uid,
            sop_class_uid=instance.sop_class_uid,
            sha256=instance.sha256,
            size_bytes=instance.size_bytes,
            path=name,
            received_at=instance.received_at,
            association_id=instance.association_id,
        )
        try:
            self._recorder.record_quarantined(record)
        except Exception:
            self._inbox.remove_quarantined(name)
            raise
        self._conflicts[key] = name
        while len(self._conflicts) > _REMEMBERED_CONFLICTS:
            self._conflicts.popitem(last=False)
        self._observed(self._observer.instance_quarantined, record, _since(started))

    def _refuse(self, arrival: Arrival, failure: Failure, reason: str, started: float) -> Answer:
        refused = RefusedInstance(
            association_id=arrival.association_id,
            status=failure.status,
            reason_code=failure.code,
            reason=reason,
            received_at=datetime.now(UTC),
        )
        _LOGGER.warning(
            "association %s: object refused with 0x%04X: %s", arrival.association_id, failure.status, reason
        )
        try:
            self._recorder.record_refused(refused)
        except Exception as error:  # the answer is a failure in any case
            _LOGGER.error("association %s: %s", arrival.association_id, describe_error(error))
        self._observed(self._observer.instance_refused, refused, arrival.spool.size, _since(started))
        return Answer(failure.status, failure.comment)

    def _observed(self, hook: Callable[..., None], *arguments: object) -> None:
        try:
            hook(*arguments)
        except Exception as error:  # figures must not cost an object
            _LOGGER.error("the observer failed: %s", describe_error(error))

    def set_aside_orphans(self) -> int:
        """Put instance files without a row into quarantine; return how many there were.

        They come from a process that ended between the rename and the commit: their senders got no
        success. They are kept, in case it was the journal that lost them.
        """
        count = 0
        for mark in self._inbox.unsettled():
            try:
                header = read_header(mark)
                path = self._inbox.instance_path(
                    str(header.StudyInstanceUID), str(header.SeriesInstanceUID), str(header.SOPInstanceUID)
                )
            except (InvalidDicomError, AttributeError, ValueError) as error:
                _LOGGER.warning("a file left by a crash is damaged: %s", describe_error(error))
                self._inbox.settle(mark)
                continue
            known = self._recorder.find_instance(path.stem)
            if (known is None or known.path != path) and self._inbox.holds(path):
                self._set_aside(path, header, mark)
                count += 1
            self._inbox.settle(mark)
        return count

    def _set_aside(self, path: Path, header: Dataset, mark: Path) -> None:
        digest, size = data_set_sha256(mark), mark.stat().st_size
        self._recorder.record_quarantined(
            QuarantinedInstance(
                reason_code="no-row",
                reason="the file was in the inbox without a row, as after a crash; never acknowledged",
                study_instance_uid=path.parts[0],
                series_instance_uid=path.parts[1],
                sop_instance_uid=path.stem,
                sop_class_uid=str(header.get("SOPClassUID", "")) or None,
                sha256=digest,
                size_bytes=size,
                path=self._inbox.set_aside(path),
                received_at=datetime.now(UTC),
                association_id="",
            )
        )


def _compare(arrival: Arrival, head: Head) -> None:
    if arrival.class_uid != head.sop_class_uid:
        raise _Refused(FAILURES["class-mismatch"])
    if arrival.instance_uid != head.sop_instance_uid:
        raise _Refused(FAILURES["instance-mismatch"])
    if arrival.negotiated_class_uid != head.sop_class_uid:
        raise _Refused(FAILURES["class-not-negotiated"])


def _since(started: float) -> float:
    return time.perf_counter() - started


def describe_error(error: BaseException) -> str:
    """Return type and place of an error without its text, which may hold values of a data set or a row."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
