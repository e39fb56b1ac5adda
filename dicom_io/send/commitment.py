"""Asks an archive to take responsibility for objects it was sent.

The archive reports on the association of the request or later on a new one to our listener, as it likes;
``dicom_io.receive.Listener`` takes the latter.

References
----------
PS3.4 Annex J (Storage Commitment Push Model), PS3.7 10.1.4 (N-ACTION), 10.1.1 (N-EVENT-REPORT).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.presentation import build_context

from dicom_io.commitment import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    COMMITMENT_SYNTAXES,
    CommitmentReference,
    CommitmentReport,
    CommitmentRequest,
    UnknownTransaction,
    UnreadableReport,
    encode_request,
    parse_report,
)
from dicom_io.send.association import associated
from dicom_io.send.nodes import NodeAddress

__all__ = [
    "CommitmentReference",
    "CommitmentReport",
    "CommitmentRequest",
    "UnknownTransaction",
    "request_commitment",
]

_REQUEST_COMMITMENT = 1
_SUCCESS = 0x0000
_INVALID_ARGUMENT_VALUE = 0x0115
_PROCESSING_FAILURE = 0x0110
_POLL_S = 0.02
_ANSWER_S = 2.0


def request_commitment(
    references: Iterable[CommitmentReference],
    node: NodeAddress,
    transaction_uid: str,
    calling_ae_title: str = "SECONDREAD",
    wait_s: float = 1.0,
    *,
    answered: Callable[[], bool] | None = None,
) -> CommitmentRequest:
    """Ask a node to commit objects, and wait a moment for its report.

    The report may reach the listener before this returns: note the transaction first.

    Parameters
    ----------
    references : iterable of CommitmentReference
        Objects the node was sent; at least one.
    node : NodeAddress
        The archive.
    transaction_uid : str
        A new UID, by which the report will be known.
    calling_ae_title : str
        Our AE title, to which the node reports.
    wait_s : float
        How long the association stays open for a report; 0 releases it at once.
    answered : callable, optional
        Asked meanwhile whether the report has come another way, which ends the wait.

    Raises
    ------
    NodeUnreachable, AssociationRefused
        There is no association; the text says what to do.
    SendError
        A file of the TLS identity cannot be used.
    ValueError
        There is nothing to ask for, or ``transaction_uid`` is not a UID.
    """
    information = encode_request(references, transaction_uid)
    reports = _Reports(transaction_uid)
    contexts = [build_context(COMMITMENT_PUSH_MODEL, list(COMMITMENT_SYNTAXES))]
    handlers = [(evt.EVT_N_EVENT_REPORT, reports.hear)]
    with associated(node, calling_ae_title, contexts, handlers) as association:
        if not association.is_established:
            return CommitmentRequest(False, None, None, f"{node} does not offer storage commitment")
        answer, _ = association.send_n_action(
            information, _REQUEST_COMMITMENT, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE
        )
        status = int(answer.Status) if "Status" in answer else None
        if status is None:
            # pynetdicom aborts by itself when there is no answer
            silent = association._sent_abort
            reason = f"no answer within {node.timeout_s:g} s" if silent else "the connection was lost"
            error = f"{node}: {reason}; it may commit nevertheless"
            return CommitmentRequest(True, None, reports.report, error)
        if status != _SUCCESS:
            return CommitmentRequest(True, status, None, f"{node} answered 0x{status:04X} to the request")
        deadline = time.monotonic() + wait_s
        while association.is_established and time.monotonic() < deadline:
            if reports.arrived.wait(_POLL_S) or (answered is not None and answered()):
                break
        reports.wait_answered()
    return CommitmentRequest(True, status, reports.report, None)


class _Reports:
    """Takes the report of one transaction on the association of its request."""

    def __init__(self, transaction_uid: str) -> None:
        self._transaction_uid = transaction_uid
        self._answering: threading.Thread | None = None
        self.report: CommitmentReport | None = None
        self.arrived = threading.Event()

    def hear(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Answer an N-EVENT-REPORT."""
        try:
            report = parse_report(event.event_information)
        except UnreadableReport:
            return _INVALID_ARGUMENT_VALUE, None
        if report.transaction_uid != self._transaction_uid:
            # of an earlier transaction: only the listener's journal can take it, so it must come again
            return _PROCESSING_FAILURE, None
        self.report = report
        self._answering = threading.current_thread()
        self.arrived.set()
        return _SUCCESS, None

    def wait_answered(self) -> None:
        """Wait until the answer to the report is on its way; a release before it would lose it."""
        if self._answering is not None:
            self._answering.join(_ANSWER_S)
