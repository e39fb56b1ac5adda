"""A real Orthanc takes objects, is asked to commit them, and reports to our listener."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from dicom_io.commitment import CommitmentReference, CommitmentReport, UnknownTransaction
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.send import NodeAddress, request_commitment, send_files
from tests.dicom_io.receive.support import CR, MemoryRecorder, make_film, save
from tests.peers import Orthanc, start_orthanc, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]


@dataclass
class Transactions:
    """What was asked for and what was reported."""

    asked: set[str] = field(default_factory=set)
    reports: dict[str, tuple[CommitmentReport, str]] = field(default_factory=dict)

    def ask(self) -> str:
        uid = str(generate_uid())
        self.asked.add(uid)
        return uid

    def reported(self, report: CommitmentReport, peer: str) -> None:
        if report.transaction_uid not in self.asked:
            raise UnknownTransaction(report.transaction_uid)
        self.reports[report.transaction_uid] = report, peer

    def wait(self, uid: str) -> tuple[CommitmentReport, str]:
        wait_until("the report", lambda: uid in self.reports, timeout=20, interval=0.01)
        return self.reports[uid]


@pytest.fixture(scope="module")
def transactions() -> Transactions:
    return Transactions()


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory, transactions: Transactions) -> Iterator[Orthanc]:
    folder = tmp_path_factory.mktemp("commitment")
    inbox = Inbox(folder / "inbox", folder / "quarantine")
    with (
        Listener(inbox, MemoryRecorder(), port=0, commitment_reported=transactions.reported) as listener,
        start_orthanc(folder, secondread_port=listener.port, stable_age_s=600) as peer,
    ):
        yield peer


def node_of(orthanc: Orthanc) -> NodeAddress:
    return NodeAddress(orthanc.ae_title, orthanc.host, orthanc.dicom_port, 10.0)


def stored(folder: Path, node: NodeAddress, count: int) -> list[CommitmentReference]:
    paths = [save(make_film(), folder / f"{number}.dcm") for number in range(count)]
    results = send_files(paths, node)
    assert all(result.delivered for result in results)
    return [CommitmentReference(CR, str(pydicom.dcmread(path).SOPInstanceUID)) for path in paths]


def test_committed(tmp_path: Path, orthanc: Orthanc, transactions: Transactions) -> None:
    node = node_of(orthanc)
    references = stored(tmp_path, node, 3)
    uid = transactions.ask()
    started = time.monotonic()
    answer = request_commitment(references, node, uid, wait_s=0)
    assert (answer.offered, answer.status, answer.report, answer.error) == (True, 0x0000, None, None)
    report, peer = transactions.wait(uid)
    assert time.monotonic() - started < 5
    assert peer == orthanc.ae_title
    assert (set(report.committed), report.failed) == (set(references), ())


def test_half_of_it_is_missing(tmp_path: Path, orthanc: Orthanc, transactions: Transactions) -> None:
    node = node_of(orthanc)
    references = stored(tmp_path, node, 2)
    missing = [CommitmentReference(CR, str(generate_uid())) for _ in range(2)]
    uid = transactions.ask()
    answer = request_commitment([*references, *missing], node, uid, wait_s=0.1)
    assert answer.status == 0x0000
    report, _ = transactions.wait(uid)
    assert set(report.committed) == set(references)
    assert {reference for reference, _ in report.failed} == set(missing)
    assert {reason for _, reason in report.failed} == {0x0112}


def test_wrong_class(tmp_path: Path, orthanc: Orthanc, transactions: Transactions) -> None:
    node = node_of(orthanc)
    (reference,) = stored(tmp_path, node, 1)
    other = CommitmentReference("1.2.840.10008.5.1.4.1.1.2", reference.sop_instance_uid)
    uid = transactions.ask()
    request_commitment([other], node, uid, wait_s=0)
    report, _ = transactions.wait(uid)
    assert report.committed == ()
    assert report.failed == ((other, 0x0119),)


def test_transaction_nobody_knows(tmp_path: Path, orthanc: Orthanc, transactions: Transactions) -> None:
    """The refusal does not disturb the reports of others."""
    node = node_of(orthanc)
    references = stored(tmp_path, node, 1)
    answer = request_commitment(references, node, str(generate_uid()), wait_s=0.5)
    assert (answer.status, answer.report) == (0x0000, None)
    uid = transactions.ask()
    request_commitment(references, node, uid, wait_s=0)
    assert transactions.wait(uid)[0].committed == tuple(references)
