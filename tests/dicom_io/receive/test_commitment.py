"""Archives report what they have committed to our listener: good ones, broken ones, strangers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from dicom_io.commitment import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    CommitmentReference,
    CommitmentReport,
    UnknownTransaction,
    encode_request,
)
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.receive.policy import AllowedPeer
from tests.dicom_io.receive.support import CR, EXPLICIT, IMPLICIT, MemoryRecorder, Sender, make_film, until

A, B = CommitmentReference(CR, "1.2.3.1"), CommitmentReference(CR, "1.2.3.2")


class Journal:
    """Knows one transaction, and keeps what is reported."""

    def __init__(self) -> None:
        self.transaction_uid = str(generate_uid())
        self.reports: list[tuple[CommitmentReport, str]] = []
        self.error: Exception | None = None

    def reported(self, report: CommitmentReport, peer: str) -> None:
        if self.error is not None:
            raise self.error
        if report.transaction_uid != self.transaction_uid:
            raise UnknownTransaction(report.transaction_uid)
        self.reports.append((report, peer))


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def listener(start: Callable[..., Listener], journal: Journal) -> Listener:
    return start(commitment_reported=journal.reported)


@contextmanager
def archive(
    port: int, *, roles: tuple[bool, bool] | None = (False, True), syntax: str = EXPLICIT
) -> Iterator[Association]:
    """Associate as an archive does that wants to report."""
    entity = AE("ARCHIVE")
    entity.dimse_timeout = 5
    entity.add_requested_context(COMMITMENT_PUSH_MODEL, syntax)
    negotiation = [build_role(COMMITMENT_PUSH_MODEL, *roles)] if roles else []
    association = entity.associate("127.0.0.1", port, ae_title="SECONDREAD", ext_neg=negotiation)
    yield association
    if association.is_established:
        association.release()


def information(
    transaction_uid: str,
    committed: tuple[CommitmentReference, ...] = (A, B),
    failed: tuple[CommitmentReference, ...] = (),
    reason: int | None = 0x0112,
) -> Dataset:
    report = encode_request([*committed, *failed], transaction_uid)
    report.ReferencedSOPSequence = report.ReferencedSOPSequence[: len(committed)]
    if failed:
        report.FailedSOPSequence = encode_request(failed, transaction_uid).ReferencedSOPSequence
        for item in report.FailedSOPSequence:
            if reason is not None:
                item.FailureReason = reason
    if not committed:
        del report.ReferencedSOPSequence
    return report


def report(association: Association, data: Dataset | None, event_type: int = 1, **changes: str) -> int | None:
    """Send one N-EVENT-REPORT with pynetdicom; return the status, or None without an answer."""
    status, _ = association.send_n_event_report(
        data,
        event_type,
        changes.get("class_uid", COMMITMENT_PUSH_MODEL),
        changes.get("instance_uid", COMMITMENT_INSTANCE),
        meta_uid=COMMITMENT_PUSH_MODEL,
    )
    return int(status.Status) if "Status" in status else None


def send_raw(association: Association, data: bytes, event_type: int = 1, message_id: int = 1) -> None:
    """Send one N-EVENT-REPORT with these bytes as its data set, and wait for nothing."""
    request = N_EVENT_REPORT()
    request.MessageID = message_id
    request.AffectedSOPClassUID = COMMITMENT_PUSH_MODEL
    request.AffectedSOPInstanceUID = COMMITMENT_INSTANCE
    request.EventTypeID = event_type
    request.EventInformation = BytesIO(data)
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)


def raw_status(association: Association, data: bytes) -> int | None:
    association._reactor_checkpoint.clear()
    while not association._is_paused:
        time.sleep(0.001)
    send_raw(association, data)
    _, answer = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return None if answer is None else int(answer.Status)


# -- not served ----------------------------------------------------------------------------------------


def test_not_offered_without_a_journal(start: Callable[..., Listener]) -> None:
    with archive(start().port) as association:
        assert not association.is_established


def test_not_as_provider(listener: Listener, journal: Journal) -> None:
    """Nobody gets commitment from us: an SCU is refused the role, and an N-ACTION is not answered."""
    with archive(listener.port, roles=(True, False)) as association:
        assert not association.is_established
    with archive(listener.port, roles=None) as association:
        status, _ = association.send_n_action(
            encode_request([A], journal.transaction_uid), 1, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE
        )
        assert "Status" not in status
    assert journal.reports == []


def test_peers_that_are_not_listed(start: Callable[..., Listener], journal: Journal) -> None:
    class Peer:
        ae_title, address = "OTHER", "127.0.0.1"

    peer: AllowedPeer = Peer()
    listener = start(commitment_reported=journal.reported, peers=[peer])
    with archive(listener.port) as association:
        assert association.is_rejected


def test_a_store_under_the_context(listener: Listener, recorder: MemoryRecorder) -> None:
    with Sender(listener.port, [(COMMITMENT_PUSH_MODEL, EXPLICIT)]) as sender:
        assert sender.store(make_film()) is None
    assert recorder.rows == 0


# -- refused -------------------------------------------------------------------------------------------


def test_unknown_transaction(listener: Listener, journal: Journal) -> None:
    with archive(listener.port) as association:
        assert report(association, information(str(generate_uid()))) == 0x0115
        # the association goes on
        assert report(association, information(journal.transaction_uid)) == 0x0000


def test_journal_that_is_away(listener: Listener, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.error = RuntimeError("the disk of Zebra^Quagga is full")
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid)) == 0x0110
        journal.error = None
        assert report(association, information(journal.transaction_uid)) == 0x0000
    assert len(journal.reports) == 1
    assert "could not be kept" in caplog.text
    assert "Zebra" not in caplog.text


@pytest.mark.parametrize(
    ("event_type", "changes", "status"),
    [
        (3, {}, 0x0113),
        (0, {}, 0x0113),
        (1, {"instance_uid": "1.2.3"}, 0x0112),
        (1, {"class_uid": CR}, 0x0118),
    ],
)
def test_another_event(
    listener: Listener, journal: Journal, event_type: int, changes: dict[str, str], status: int
) -> None:
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid), event_type, **changes) == status
    assert journal.reports == []


def broken(change: Callable[[Dataset], Any]) -> Callable[[str], Dataset]:
    def make(transaction_uid: str) -> Dataset:
        data = information(transaction_uid, (A,), (B,))
        change(data)
        return data

    return make


@pytest.mark.parametrize(
    "make",
    [
        broken(lambda d: d.__delattr__("TransactionUID")),
        broken(lambda d: setattr(d, "TransactionUID", "")),
        broken(lambda d: setattr(d, "ReferencedSOPSequence", [Dataset()])),
        broken(lambda d: d.FailedSOPSequence[0].__delattr__("ReferencedSOPInstanceUID")),
        broken(lambda d: (d.__delattr__("ReferencedSOPSequence"), d.__delattr__("FailedSOPSequence"))),
    ],
)
def test_report_without_what_it_needs(
    listener: Listener, journal: Journal, make: Callable[[str], Dataset]
) -> None:
    with archive(listener.port) as association:
        assert report(association, make(journal.transaction_uid)) == 0x0115
    assert journal.reports == []


@pytest.mark.parametrize("data", [b"\x08", b"\xff" * 64, bytes(range(256)) * 8])
def test_garbage(listener: Listener, journal: Journal, data: bytes) -> None:
    with archive(listener.port) as association:
        assert raw_status(association, data) in {0x0115, 0x0110}
    assert journal.reports == []
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid)) == 0x0000


def test_no_information(listener: Listener, journal: Journal) -> None:
    with archive(listener.port) as association:
        assert report(association, None) == 0x0115
        assert report(association, information(journal.transaction_uid)) == 0x0000


def test_enormous_report(listener: Listener, journal: Journal, inbox: Inbox) -> None:
    with archive(listener.port) as association:
        assert raw_status(association, bytes(9 << 20)) == 0x0213
    assert journal.reports == []
    assert not [path for path in inbox.root.rglob("*") if path.is_file()]


def test_reports_that_do_not_wait(listener: Listener, journal: Journal, recorder: MemoryRecorder) -> None:
    go_on = threading.Event()
    listener.commitment_reported = lambda _report, _peer: go_on.wait(5) and None
    with archive(listener.port) as association:
        data = b""
        for number in range(1, 4):
            send_raw(association, data or _encoded(information(journal.transaction_uid)), 1, number)
        (reason,) = recorder.ends()
        assert reason == "aborted: reports come without waiting for the answers"
    go_on.set()


def _encoded(data: Dataset) -> bytes:
    from tests.dicom_io.receive.support import encoded

    return encoded(data)


# -- taken ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [(False, True), (True, True), None])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_all_committed(
    listener: Listener, journal: Journal, roles: tuple[bool, bool] | None, syntax: str
) -> None:
    with archive(listener.port, roles=roles, syntax=syntax) as association:
        assert association.is_established
        if roles is not None:
            assert association.accepted_contexts[0].as_scp
        assert report(association, information(journal.transaction_uid)) == 0x0000
    assert journal.reports == [(CommitmentReport(journal.transaction_uid, (A, B), ()), "ARCHIVE")]


@pytest.mark.parametrize(("reason", "expected"), [(0x0112, 0x0112), (0x0213, 0x0213), (None, 0x0110)])
def test_half_failed(listener: Listener, journal: Journal, reason: int | None, expected: int) -> None:
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid, (A,), (B,), reason), 2) == 0x0000
    (kept, _) = journal.reports[0]
    assert kept == CommitmentReport(journal.transaction_uid, (A,), ((B, expected),))


def test_all_failed(listener: Listener, journal: Journal) -> None:
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid, (), (A, B)), 2) == 0x0000
    assert journal.reports[0][0].committed == ()
    assert [reference for reference, _ in journal.reports[0][0].failed] == [A, B]


def test_an_object_in_both_lists_has_failed(listener: Listener, journal: Journal) -> None:
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid, (A, B, A), (B,)), 1) == 0x0000
    assert journal.reports[0][0] == CommitmentReport(journal.transaction_uid, (A,), ((B, 0x0112),))


def test_success_only_when_it_is_kept(listener: Listener, journal: Journal) -> None:
    """The answer waits for the journal, however long it takes."""
    go_on = threading.Event()
    listener.commitment_reported = lambda one, peer: (go_on.wait(5), journal.reported(one, peer))[1]
    statuses: list[int | None] = []
    with archive(listener.port) as association:
        data = information(journal.transaction_uid)
        thread = threading.Thread(target=lambda: statuses.append(report(association, data)))
        thread.start()
        time.sleep(0.3)
        assert statuses == []
        assert journal.reports == []
        go_on.set()
        thread.join(5)
    assert statuses == [0x0000]
    assert len(journal.reports) == 1


def test_thousands_of_objects(listener: Listener, journal: Journal) -> None:
    references = tuple(CommitmentReference(CR, f"2.25.{10**30 + number}") for number in range(5000))
    with archive(listener.port) as association:
        assert report(association, information(journal.transaction_uid, references)) == 0x0000
    assert journal.reports[0][0].committed == references


def test_storing_and_reporting_on_one_association(
    listener: Listener, journal: Journal, recorder: MemoryRecorder
) -> None:
    with Sender(listener.port, [(CR, EXPLICIT), (COMMITMENT_PUSH_MODEL, EXPLICIT)]) as sender:
        assert sender.store(make_film()) == 0
        assert report(sender.association, information(journal.transaction_uid)) == 0
        assert sender.store(make_film()) == 0
    assert recorder.rows == 2
    assert len(journal.reports) == 1
    until(lambda: recorder.closed)
    assert recorder.closed[0].end_reason == "released"


def test_archive_that_does_not_wait_for_the_answer(listener: Listener, journal: Journal) -> None:
    with archive(listener.port) as association:
        send_raw(association, _encoded(information(journal.transaction_uid)))
        until(lambda: journal.reports)
        association.abort()
    until(lambda: listener.open_associations == 0)


def test_no_uids_in_logs(listener: Listener, journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with archive(listener.port) as association:
        report(association, information(journal.transaction_uid))
        report(association, information("1.2.3.4.5.6"))
    listeners = [record for record in caplog.records if record.name.startswith("dicom_io")]
    text = "".join(record.getMessage() for record in listeners)
    assert "transaction that was not asked for" in text
    assert A.sop_instance_uid not in text
    assert "1.2.3.4.5.6" not in text
