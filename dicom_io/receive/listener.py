"""The Storage and Verification SCP, and where archives report what they have committed.

An object is answered with success only after its file, the folders' names and its row are durable; see
``reception`` for the order and ``statuses`` for the answers.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE

from dicom_io.receive.acceptor import StorageAssociation
from dicom_io.receive.commitment_reports import CommitmentReported
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.receive.policy import AllowedPeer, AssociationFacts, Policy, Rejection
from dicom_io.receive.quiet import quiet_libraries
from dicom_io.receive.reception import Answer, Arrival, Reception, describe_error
from dicom_io.receive.records import AssociationRecord, ListenerObserver, Recorder, SilentObserver
from dicom_io.receive.server import AssociationServer

__all__ = ["LOOPBACK_ONLY", "Listener", "ListenerError", "LoopbackPeer"]

_LOGGER = logging.getLogger(__name__)
_MAXIMUM_PDU = 131_072
_POLL_S = 0.1
_ABORT_S = 2.0
_KEEP_S = 10.0
_CONGESTION = Rejection(2, 3, 1, "congestion", "the association could not be recorded; try again later")


class ListenerError(RuntimeError):
    """The listener cannot start."""


@dataclass(frozen=True, slots=True)
class LoopbackPeer:
    """Any title on this machine."""

    ae_title: str = "*"
    address: str = "127.0.0.0/8"


LOOPBACK_ONLY: tuple[LoopbackPeer, ...] = (LoopbackPeer(), LoopbackPeer(address="::1"))


def _never(_header: Dataset) -> bool:
    return False


class Listener:
    """Listens from :meth:`start` to :meth:`stop`; also a context manager.

    Parameters
    ----------
    inbox : Inbox
        Where files go.
    recorder : Recorder
        Where rows go.
    ae_title : str
        Our AE title; other called titles are rejected.
    host, port
        Address to bind; port 0 takes a free one.
    peers : iterable of AllowedPeer
        Who may send; by default only this machine.
    maximum_associations : int
        Accepted associations at one time; more are rejected as transient.
    network_timeout_s : float
        A peer that is silent for so long, or needs so long for one PDU, is dropped.
    maximum_object_bytes : int
        Larger objects are refused.
    is_own_result : callable
        Says from the header (no pixel data) whether an object is one of our own results.
    observer : ListenerObserver
        Hears what happens, for metrics.
    commitment_reported : callable, optional
        Takes each commitment report and the AE title it comes from; the archive gets success after it has
        returned. It raises ``UnknownTransaction`` for one that was not asked for. Without it, archives
        are not offered the Storage Commitment Push Model.

    Raises
    ------
    ListenerError
        The AE title, the list of peers or the limit cannot be understood.
    """

    def __init__(
        self,
        inbox: Inbox,
        recorder: Recorder,
        *,
        ae_title: str = "SECONDREAD",
        host: str = "127.0.0.1",
        port: int = 11112,
        peers: Iterable[AllowedPeer] = LOOPBACK_ONLY,
        maximum_associations: int = 32,
        network_timeout_s: float = 60.0,
        maximum_object_bytes: int = 4 * 1024**3,
        is_own_result: Callable[[Dataset], bool] = _never,
        observer: ListenerObserver | None = None,
        commitment_reported: CommitmentReported | None = None,
    ) -> None:
        self.network_timeout_s = network_timeout_s
        self.maximum_object_bytes = maximum_object_bytes
        self.commitment_reported = commitment_reported
        self._inbox = inbox
        self._recorder = recorder
        self._observer = observer or SilentObserver()
        self._address = (host, port)
        self._maximum_associations = maximum_associations
        try:
            self._policy = Policy(ae_title, peers, maximum_associations)
            self._ae = _application_entity(ae_title, network_timeout_s)
        except ValueError as error:
            raise ListenerError(f"the listener's settings: {error}") from error
        self._reception = Reception(inbox, recorder, self._observer, maximum_object_bytes, is_own_result)
        self._lock = threading.Lock()
        self._open: dict[str, StorageAssociation] = {}
        self._server: AssociationServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Sweep what a crash left, bind the port and listen in threads.

        Raises
        ------
        ListenerError
            It listens already, or the address cannot be bound.
        """
        if self._server is not None:
            raise ListenerError("the listener is running already")
        quiet_libraries()
        orphans = self._reception.set_aside_orphans()
        if orphans:
            _LOGGER.warning("put %d files without a row into quarantine", orphans)
        host, port = self._address
        try:
            self._server = AssociationServer(self._ae, self._address, self, self._maximum_associations)
        except OSError as error:
            raise ListenerError(
                f"cannot listen on {host} port {port}: {error.strerror or error}; "
                "is another listener running, or is the address not of this machine?"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="dicom-listener", daemon=True
        )
        self._thread.start()
        _LOGGER.info("listening as %s on %s port %d", self._ae.ae_title, host, self.port)

    def stop(self, grace_s: float = 5.0) -> None:
        """Accept nobody more, give open associations ``grace_s`` to end, then abort them.

        Objects that are being kept are kept to the end; their senders know the answer or keep their copy.
        """
        server, self._server = self._server, None
        if server is None:
            return
        server.stop_accepting()
        deadline = time.monotonic() + grace_s
        while self._associations() and time.monotonic() < deadline:
            time.sleep(0.02)
        remaining = server.associations
        aborting = [
            _in_thread(association.stop, "the listener stopped") for association in self._associations()
        ]
        for association in remaining:
            if association.record is None:
                association.cut()
        for thread in aborting:
            thread.join(_ABORT_S)
        for association in remaining:
            # its peer neither reads nor sends, or it is keeping an object
            association.cut()
        for association in remaining:
            association.join(_KEEP_S)
        if self._thread is not None:
            self._thread.join(5.0)
        _LOGGER.info("the listener stopped")

    def __enter__(self) -> Listener:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port bound, or the one that will be."""
        return int(self._server.server_address[1]) if self._server is not None else self._address[1]

    @property
    def is_listening(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None and self._thread is not None and self._thread.is_alive()

    @property
    def open_associations(self) -> int:
        """Accepted associations that have not ended."""
        return len(self._associations())

    def open_study_uids(self) -> frozenset[str]:
        """Return the studies that an open association has sent to, or is sending to."""
        return frozenset(uid for association in self._associations() for uid in tuple(association.studies))

    def _associations(self) -> list[StorageAssociation]:
        with self._lock:
            return list(self._open.values())

    # -- what associations ask (acceptor.Host) ----------------------------------------------------------

    def new_file(self) -> Path:
        """Return the path of a temporary file in the inbox."""
        return self._inbox.new_file()

    def receive(self, arrival: Arrival) -> Answer:
        """Keep an object."""
        return self._reception.receive(arrival)

    def requested(self, association: StorageAssociation) -> Rejection | None:
        """Decide over a request; an accepted one counts from now on."""
        record = association.record
        assert record is not None  # noqa: S101
        with self._lock:
            rejection = self._policy.decide(
                AssociationFacts(
                    record.calling_ae_title, record.called_ae_title, record.peer_address, len(self._open)
                )
            )
            if rejection is None:
                self._open[association.association_id] = association
        try:
            self._recorder.association_opened(record)
        except Exception as error:  # without a record there is no association
            _LOGGER.error("association %s: %s", record.association_id, describe_error(error))
            rejection = rejection or _CONGESTION
        if rejection is not None:
            with self._lock:
                self._open.pop(association.association_id, None)
        return rejection

    def accepted(self, association: StorageAssociation) -> None:
        """Hear that an association is established."""
        record = association.record
        assert record is not None  # noqa: S101
        _LOGGER.info(
            "association %s: accepted from %r at %s, %d presentation contexts",
            record.association_id,
            record.calling_ae_title,
            record.peer_address,
            record.presentation_contexts,
        )
        self._tell(lambda: self._observer.association_started(record))

    def ended(self, association: StorageAssociation) -> None:
        """Note the end of a connection; one that never asked for an association leaves no record."""
        server = association._server
        if isinstance(server, AssociationServer):
            server.release_slot()
        if association.record is None:
            return
        record = replace(association.record, ended_at=datetime.now(UTC), end_reason=association.end_reason)
        try:
            self._recorder.association_closed(record)
        except Exception as error:  # the association is over in any case
            _LOGGER.error("association %s: %s", record.association_id, describe_error(error))
        with self._lock:
            self._open.pop(record.association_id, None)
        self._report_end(record, association.end.rejection)

    def _report_end(self, record: AssociationRecord, rejection: Rejection | None) -> None:
        _LOGGER.info(
            "association %s: %s, %d instances, %d bytes",
            record.association_id,
            record.end_reason,
            record.instances,
            record.bytes,
        )
        if rejection is not None:
            self._tell(lambda: self._observer.association_rejected(record, rejection.code))
        else:
            self._tell(lambda: self._observer.association_ended(record))

    def _tell(self, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception as error:  # figures must not cost an association
            _LOGGER.error("the observer failed: %s", describe_error(error))


def _in_thread(action: Callable[[str], None], argument: str) -> threading.Thread:
    thread = threading.Thread(target=action, args=(argument,), daemon=True)
    thread.start()
    return thread


def _application_entity(ae_title: str, network_timeout_s: float) -> AE:
    entity = AE(ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.maximum_pdu_size = _MAXIMUM_PDU
    entity.maximum_associations = 1_000_000  # the policy counts accepted ones itself
    entity.acse_timeout = min(30.0, network_timeout_s)
    entity.dimse_timeout = network_timeout_s
    entity.network_timeout = network_timeout_s
    return entity
