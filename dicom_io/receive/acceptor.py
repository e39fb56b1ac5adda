"""The association as the listener needs it: policy, spooled data sets, one answer per request, one end.

With ``reactor`` the only place that leans on pynetdicom's internals.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, cast

from pynetdicom import AE, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE, N_EVENT_REPORT
from pynetdicom.pdu_primitives import A_ABORT, A_ASSOCIATE, A_P_ABORT, P_DATA
from pynetdicom.presentation import PresentationContext, build_context

from dicom_io.commitment import COMMITMENT_PUSH_MODEL
from dicom_io.receive.commitment_reports import CommitmentReported, commitment_context, serve_report
from dicom_io.receive.contexts import TRANSFER_SYNTAXES, VERIFICATION, is_storage_class
from dicom_io.receive.head import peek_study_uid
from dicom_io.receive.part10 import encode_file_meta
from dicom_io.receive.policy import Rejection
from dicom_io.receive.reactor import WaitingAssociation, WaitingDIMSE
from dicom_io.receive.reception import Answer, Arrival, describe_error
from dicom_io.receive.records import AssociationRecord
from dicom_io.receive.response import encode_store_response
from dicom_io.receive.spool import Spool

__all__ = ["MAXIMUM_PDU_BYTES", "Host", "StorageAssociation"]

_LOGGER = logging.getLogger(__name__)
MAXIMUM_PDU_BYTES = 1 << 20
_MAXIMUM_WAITING = 8
_PDV_OVERHEAD = 6
_UNEXPECTED_PDU = 0x05  # what pynetdicom says after AA-8 (PS3.8 9.2.3)


class Host(Protocol):
    """What an association asks of the listener."""

    network_timeout_s: float
    maximum_object_bytes: int
    commitment_reported: CommitmentReported | None

    def new_file(self) -> Path:
        """Return the path of a temporary file in the inbox."""
        ...

    def requested(self, association: StorageAssociation) -> Rejection | None:
        """Decide over a request and note it."""
        ...

    def accepted(self, association: StorageAssociation) -> None:
        """Hear that the association is established."""
        ...

    def receive(self, arrival: Arrival) -> Answer:
        """Keep an object."""
        ...

    def ended(self, association: StorageAssociation) -> None:
        """Hear that the association is over."""
        ...


@dataclass(slots=True)
class _End:
    """How the association ended, as far as is known."""

    rejection: Rejection | None = None
    peer_aborted: bool = False
    cause: str = ""


class _StorageDIMSE(WaitingDIMSE):
    """Gives every message a spool instead of a buffer."""

    def receive_primitive(self, primitive: Any) -> None:
        if self.message is None:
            if self.msg_queue.qsize() > _MAXIMUM_WAITING:
                self._break_off("requests come without waiting for the answers")
                return
            self.message = DIMSEMessage()
            self.message.data_set = cast(StorageAssociation, self.assoc).new_spool(self.message)
        try:
            super().receive_primitive(primitive)
        except Exception as error:  # a peer can make a command set fail in any way
            self._break_off(f"a command set cannot be understood: {describe_error(error)}")

    def _break_off(self, reason: str) -> None:
        _LOGGER.warning("association %s: %s", cast(StorageAssociation, self.assoc).association_id, reason)
        self.dul.event_queue.put("Evt19")  # PS3.8 9.2.3: unrecognised or invalid PDU

    def discard(self) -> None:
        """Remove what was received of an unfinished message, and finished ones that nobody will read."""
        message = self.message
        if message is not None and isinstance(message.data_set, Spool):
            message.data_set.discard()
        while not self.msg_queue.empty():
            _, request = self.msg_queue.get()
            if isinstance(request, C_STORE) and isinstance(request.DataSet, Spool):
                request.DataSet.discard()


class StorageAssociation(WaitingAssociation):
    """One association with a sender.

    Attributes
    ----------
    association_id : str
        Random; the only thing that logs call it by.
    record : AssociationRecord
        Facts and counts so far.
    studies : set of str
        Study Instance UIDs seen so far.
    """

    def __init__(self, ae: AE, host: Host) -> None:
        self._host = host
        self.association_id = uuid.uuid4().hex[:16]
        self.studies: set[str] = set()
        self.end = _End()
        self.record: AssociationRecord | None = None
        self._reporting = threading.Lock()
        super().__init__(ae, MODE_ACCEPTOR)
        self.bind(evt.EVT_REQUESTED, self._on_requested)
        self.bind(evt.EVT_ESTABLISHED, self._on_established)
        self.bind(evt.EVT_ACSE_RECV, self._on_acse)
        self.bind(evt.EVT_C_ECHO, self._on_echo)

    def _make_dimse(self) -> WaitingDIMSE:
        return _StorageDIMSE(self)

    # -- life -----------------------------------------------------------------------------------------

    def run_reactor(self) -> None:
        """Run until the end, and say how it ended."""
        try:
            super().run_reactor()
        finally:
            assert isinstance(self.dimse, _StorageDIMSE)  # noqa: S101
            self.dimse.discard()
            self._host.ended(self)

    def _on_requested(self, event: evt.Event) -> None:
        request = cast(A_ASSOCIATE, self.requestor.primitive)
        self.record = AssociationRecord(
            association_id=self.association_id,
            calling_ae_title=str(request.calling_ae_title).strip(),
            called_ae_title=str(request.called_ae_title).strip(),
            peer_address=self.requestor.address,
            started_at=datetime.now(UTC),
        )
        try:
            self.end.rejection = rejection = self._host.requested(self)
        except Exception:
            # pynetdicom logs what an event handler raises and goes on: nobody must come in that way
            self.end.cause = "the request could not be decided"
            self.acse.send_abort(0x00)
            self.is_aborted = True
            self.kill()
            raise
        if rejection is not None:
            self.requestor.ae_title = request.calling_ae_title
            self.acse.send_reject(rejection.result, rejection.source, rejection.diagnostic)
            self.is_rejected = True
            self.kill()
            return
        self.acceptor.supported_contexts = _supported(
            request.presentation_context_definition_list, self._host.commitment_reported is not None
        )

    def _on_established(self, event: evt.Event) -> None:
        self.count(presentation_contexts=len(self.accepted_contexts))
        self._host.accepted(self)

    def _on_acse(self, event: evt.Event) -> None:
        primitive = getattr(event, "primitive", None)
        if isinstance(primitive, A_ABORT):
            self.end.peer_aborted = True
        elif isinstance(primitive, A_P_ABORT) and primitive.provider_reason == _UNEXPECTED_PDU:
            self.end.cause = self.end.cause or "the peer broke the protocol"

    def stop(self, cause: str) -> None:
        """Abort from outside, for example at shutdown."""
        self.end.cause = cause
        self.abort()

    @property
    def end_reason(self) -> str:
        """How the association ended, in words."""
        cause = self.end.cause
        if not cause and self._sent_abort:
            cause = f"the peer was silent for {self._host.network_timeout_s:g} s"
        ends = (
            (self.end.rejection is not None, f"rejected: {getattr(self.end.rejection, 'reason', '')}"),
            (self.is_released, "released"),
            (self.end.peer_aborted, "aborted by peer"),
            (bool(cause), f"aborted: {cause}"),
        )
        return next((words for applies, words in ends if applies), "connection lost")

    def count(self, **changes: int) -> None:
        """Add to the counts of the record."""
        if self.record is not None:
            sums = {name: getattr(self.record, name) + value for name, value in changes.items()}
            self.record = replace(self.record, **sums)

    # -- requests -------------------------------------------------------------------------------------

    def new_spool(self, message: DIMSEMessage) -> Spool:
        """Return an empty spool for the data set of a message."""

        def prefix() -> bytes:
            command = message.command_set
            return encode_file_meta(
                str(command.get("AffectedSOPClassUID", ""))[:64],
                str(command.get("AffectedSOPInstanceUID", ""))[:64],
                self._syntax(message.context_id),
                self.record.calling_ae_title if self.record else "",
            )

        def peek(start: bytes) -> None:
            study = peek_study_uid(start, self._syntax(message.context_id))
            if study is not None:
                self.studies.add(study)

        return Spool(self._host.maximum_object_bytes, self._host.new_file, prefix, peek)

    def _syntax(self, context_id: int | None) -> str:
        context = self._accepted_cx.get(context_id or 0)
        return str(context.transfer_syntax[0]) if context is not None else ""

    def _serve_request(self, msg: Any, context_id: int) -> None:
        context = self._accepted_cx.get(context_id)
        if context is None or not msg.is_valid_request:
            self.stop("a request without a valid context or with missing fields")
        elif context.abstract_syntax == COMMITMENT_PUSH_MODEL:
            self._report(msg, context)
        elif isinstance(msg, C_STORE) and context.abstract_syntax != VERIFICATION:
            self._store(msg, context)
        elif isinstance(msg, C_ECHO) and context.abstract_syntax == VERIFICATION:
            super()._serve_request(msg, context_id)
        else:
            self.stop("a request that this node does not serve")

    def _report(self, msg: Any, context: PresentationContext) -> None:
        reported = self._host.commitment_reported
        if not isinstance(msg, N_EVENT_REPORT) or reported is None:
            self.stop("a request that this node does not serve")
        elif not self._reporting.acquire(blocking=False):
            # pynetdicom gives each report a thread; no operations window was negotiated (PS3.7 D.3.3.3)
            self.stop("reports come without waiting for the answers")
        else:
            try:
                peer = self.record.calling_ae_title if self.record else ""
                answer = serve_report(msg, context, peer, reported)
                if self.is_established:
                    self.dimse.send_msg(answer, cast(int, context.context_id))
            finally:
                self._reporting.release()

    def _on_echo(self, event: evt.Event) -> int:
        return 0x0000

    def _store(self, request: C_STORE, context: PresentationContext) -> None:
        spool = request.DataSet
        if not isinstance(spool, Spool):
            spool = self.new_spool(DIMSEMessage())
        answer = self._host.receive(
            Arrival(
                association_id=self.association_id,
                calling_ae_title=self.record.calling_ae_title if self.record else "",
                class_uid=str(request.AffectedSOPClassUID),
                instance_uid=str(request.AffectedSOPInstanceUID),
                negotiated_class_uid=str(context.abstract_syntax),
                transfer_syntax_uid=str(context.transfer_syntax[0]),
                spool=spool,
                on_study=self.studies.add,
            )
        )
        self.count(instances=int(answer.success), bytes=spool.size)
        if self.is_established:
            self._answer(request, cast(int, context.context_id), answer)

    def _answer(self, request: C_STORE, context_id: int, answer: Answer) -> None:
        command = encode_store_response(
            cast(int, request.MessageID),
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
            answer.status,
            answer.comment,
        )
        # a PDV of the peer's size: its item has 6 bytes before the fragment (PS3.8 9.3.5.1)
        size = max(1, (self.dimse.maximum_pdu_size or MAXIMUM_PDU_BYTES) - _PDV_OVERHEAD)
        for start in range(0, len(command), size):
            last = start + size >= len(command)
            fragment = P_DATA()
            fragment.presentation_data_value_list.append(
                (context_id, (b"\x03" if last else b"\x01") + command[start : start + size])
            )
            self.dul.send_pdu(fragment)


def _supported(proposed: list[PresentationContext], commitment: bool) -> list[PresentationContext]:
    """Return what this node supports of the proposed contexts."""
    syntaxes = list(TRANSFER_SYNTAXES)
    classes = {str(context.abstract_syntax) for context in proposed}
    supported = [build_context(VERIFICATION)]
    supported += [build_context(uid, syntaxes) for uid in sorted(classes) if is_storage_class(uid)]
    if commitment and COMMITMENT_PUSH_MODEL in classes:
        supported.append(commitment_context())
    return supported
