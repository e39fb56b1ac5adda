"""Asking for commitment: a scripted archive that answers here, elsewhere, half, never, or breaks off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association

from dicom_io.commitment import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    CommitmentReference,
    CommitmentReport,
    CommitmentRequest,
    encode_request,
)
from dicom_io.send import AssociationRefused, NodeAddress, NodeUnreachable, request_commitment
from tests.dicom_io.receive.support import CR, until
from tests.dicom_io.receive.test_commitment import information
from tests.peers import free_port

A, B = CommitmentReference(CR, "1.2.3.1"), CommitmentReference(CR, "1.2.3.2")
Action = Callable[[evt.Event], tuple[int, Dataset | None]]


@contextmanager
def archive(action: Action, **changes: Any) -> Iterator[NodeAddress]:
    """Run a storage commitment SCP that does as ``action`` says."""
    entity = AE("ARCHIVE")
    entity.require_calling_aet = changes.get("calling", [])
    entity.dimse_timeout = 5
    entity.add_supported_context(changes.get("offers", COMMITMENT_PUSH_MODEL))
    handlers = [(evt.EVT_N_ACTION, action)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield NodeAddress("ARCHIVE", "127.0.0.1", server.server_address[1], changes.get("timeout", 5.0))
    finally:
        server.shutdown()


def transaction() -> str:
    return str(generate_uid())


class Reporter:
    """Reports on the association of the request, and keeps the answers."""

    def __init__(self, *reports: Callable[[str], Dataset], delay_s: float = 0.1) -> None:
        self.statuses: list[int | None] = []
        self.released: list[bool] = []
        self._reports = reports
        self._delay_s = delay_s

    def __call__(self, event: evt.Event) -> tuple[int, Dataset | None]:
        uid = str(event.action_information.TransactionUID)
        threading.Thread(target=self._report, args=(event.assoc, uid)).start()
        return 0x0000, None

    def _report(self, association: Association, transaction_uid: str) -> None:
        time.sleep(self._delay_s)
        for make in self._reports:
            if not association.is_established:
                return
            status, _ = association.send_n_event_report(
                make(transaction_uid), 1, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE
            )
            self.statuses.append(int(status.Status) if "Status" in status else None)
        until(lambda: not association.is_alive())
        self.released.append(association.is_released)


# -- no request ----------------------------------------------------------------------------------------


def test_what_cannot_be_asked() -> None:
    node = NodeAddress("ARCHIVE", "127.0.0.1", free_port(), 1.0)
    with pytest.raises(ValueError, match="at least one object"):
        request_commitment([], node, transaction())
    with pytest.raises(ValueError, match="UID of its own"):
        request_commitment([A], node, "no uid")


def test_nobody_listens() -> None:
    node = NodeAddress("ARCHIVE", "127.0.0.1", free_port(), 1.0)
    with pytest.raises(NodeUnreachable, match="nothing listens there"):
        request_commitment([A], node, transaction())


def test_unknown_to_the_archive() -> None:
    with (
        archive(lambda _event: (0, None), calling=["OTHER"]) as node,
        pytest.raises(AssociationRefused, match="register it there"),
    ):
        request_commitment([A], node, transaction())


def test_not_offered() -> None:
    with archive(lambda _event: (0, None), offers=CR) as node:
        answer = request_commitment([A], node, transaction())
        assert answer == CommitmentRequest(False, None, None, f"{node} does not offer storage commitment")


@pytest.mark.parametrize("status", [0x0110, 0x0112, 0x0122, 0x0213])
def test_refused(status: int) -> None:
    with archive(lambda _event: (status, None)) as node:
        answer = request_commitment([A], node, transaction())
        error = f"{node} answered 0x{status:04X} to the request"
        assert answer == CommitmentRequest(True, status, None, error)


def test_archive_that_does_not_answer() -> None:
    go_on = threading.Event()
    with archive(lambda _event: (go_on.wait(5) and 0 or 0, None), timeout=0.5) as node:
        started = time.monotonic()
        answer = request_commitment([A], node, transaction())
        assert time.monotonic() - started < 4
        go_on.set()
    assert (answer.offered, answer.status, answer.report) == (True, None, None)
    assert "no answer within 0.5 s; it may commit nevertheless" in str(answer.error)


def test_archive_that_breaks_off() -> None:
    def action(event: evt.Event) -> tuple[int, Dataset | None]:
        event.assoc.abort()
        return 0, None

    with archive(action) as node:
        started = time.monotonic()
        answer = request_commitment([A], node, transaction())
        assert time.monotonic() - started < 3
    assert (answer.offered, answer.status, answer.report) == (True, None, None)
    assert "the connection was lost; it may commit nevertheless" in str(answer.error)


def test_archive_that_breaks_off_after_its_answer() -> None:
    def action(event: evt.Event) -> tuple[int, Dataset | None]:
        threading.Timer(0.2, event.assoc.abort).start()
        return 0, None

    with archive(action) as node:
        started = time.monotonic()
        answer = request_commitment([A], node, transaction(), wait_s=20)
        assert time.monotonic() - started < 5
    assert answer == CommitmentRequest(True, 0, None, None)


# -- the report ----------------------------------------------------------------------------------------


def test_request_carries_what_is_asked_for() -> None:
    seen: list[Any] = []

    def action(event: evt.Event) -> tuple[int, Dataset | None]:
        request = event.request
        seen.extend([request.ActionTypeID, request.RequestedSOPInstanceUID, event.action_information])
        seen.append(str(event.assoc.requestor.ae_title).strip())
        return 0, None

    uid = transaction()
    with archive(action) as node:
        answer = request_commitment([A, B], node, uid, "READER", wait_s=0)
    assert answer == CommitmentRequest(True, 0, None, None)
    assert (seen[0], seen[1], seen[3]) == (1, COMMITMENT_INSTANCE, "READER")
    assert seen[2] == encode_request([A, B], uid)


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.5])
def test_report_on_the_same_association(delay_s: float) -> None:
    uid = transaction()
    reporter = Reporter(information, delay_s=delay_s)
    with archive(reporter) as node:
        started = time.monotonic()
        answer = request_commitment([A, B], node, uid, wait_s=5)
        assert time.monotonic() - started < delay_s + 2
        until(lambda: reporter.released)
    assert answer == CommitmentRequest(True, 0, CommitmentReport(uid, (A, B), ()), None)
    # the answer came before the release
    assert reporter.statuses == [0x0000]
    assert reporter.released == [True]


def test_half_failed() -> None:
    uid = transaction()
    reporter = Reporter(lambda name: information(name, (A,), (B,)))
    with archive(reporter) as node:
        answer = request_commitment([A, B], node, uid, wait_s=5)
    assert answer.report == CommitmentReport(uid, (A,), ((B, 0x0112),))
    assert answer.error is None


def test_report_that_does_not_come() -> None:
    with archive(lambda _event: (0, None)) as node:
        started = time.monotonic()
        answer = request_commitment([A], node, transaction(), wait_s=0.5)
        assert 0.5 <= time.monotonic() - started < 3
    assert answer == CommitmentRequest(True, 0, None, None)


def test_reports_that_are_not_ours() -> None:
    """Broken ones and those of earlier transactions are refused here, and ours is still taken."""
    uid = transaction()

    def nothing(_uid: str) -> Dataset:
        empty = Dataset()
        empty.TransactionUID = uid
        return empty

    reporter = Reporter(nothing, lambda _uid: information("1.2.3.4"), information)
    with archive(reporter) as node:
        answer = request_commitment([A, B], node, uid, wait_s=5)
        until(lambda: reporter.released)
    assert reporter.statuses == [0x0115, 0x0110, 0x0000]
    assert answer.report == CommitmentReport(uid, (A, B), ())


def test_report_before_the_answer() -> None:
    """An archive may be quicker with its report than with the answer to the request."""
    uid = transaction()
    statuses: list[int] = []

    def action(event: evt.Event) -> tuple[int, Dataset | None]:
        status, _ = event.assoc.send_n_event_report(
            information(uid), 1, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE
        )
        statuses.append(int(status.Status))
        return 0, None

    with archive(action) as node:
        answer = request_commitment([A, B], node, uid, wait_s=5)
    assert statuses == [0x0000]
    assert answer.report == CommitmentReport(uid, (A, B), ())
