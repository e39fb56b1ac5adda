"""The little archive commits what it has: on the association of the request, on a new one, over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from dicom_io.archive import ArchiveNode
from dicom_io.archive_commitment import CommitmentService
from dicom_io.commitment import CommitmentReference, CommitmentReport
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.send import NodeAddress, NodeUnreachable, TlsIdentity, echo, request_commitment, send_files
from tests.dicom_io.receive.support import CR, CT, MemoryRecorder, make_film, save, until
from tests.dicom_io.send.certificates import Authority


def address(archive: ArchiveNode, tls: TlsIdentity | None = None) -> NodeAddress:
    return NodeAddress(archive.ae_title, "127.0.0.1", archive.port, 5.0, tls)


def store(folder: Path, node: NodeAddress, count: int) -> list[CommitmentReference]:
    paths = [save(make_film(), folder / f"{number}.dcm") for number in range(count)]
    assert all(result.delivered for result in send_files(paths, node))
    return [CommitmentReference(CR, str(pydicom.dcmread(path).SOPInstanceUID)) for path in paths]


@contextmanager
def listening(folder: Path) -> Iterator[tuple[Listener, list[tuple[CommitmentReport, str]]]]:
    reports: list[tuple[CommitmentReport, str]] = []
    inbox = Inbox(folder / "inbox", folder / "quarantine")

    def reported(report: CommitmentReport, peer: str) -> None:
        reports.append((report, peer))

    with Listener(inbox, MemoryRecorder(), port=0, commitment_reported=reported) as listener:
        yield listener, reports


def test_not_offered_unasked(tmp_path: Path) -> None:
    with ArchiveNode(tmp_path / "archive") as archive:
        answer = request_commitment([CommitmentReference(CR, "1.2")], address(archive), generate_uid())
    assert not answer.offered


def test_on_the_same_association(tmp_path: Path) -> None:
    with ArchiveNode(tmp_path / "archive", commitment=CommitmentService()) as archive:
        references = store(tmp_path, address(archive), 2)
        uid = str(generate_uid())
        answer = request_commitment(references, address(archive), uid, wait_s=5)
    assert answer.report == CommitmentReport(uid, tuple(references), ())


def test_half_of_it_is_missing(tmp_path: Path) -> None:
    with ArchiveNode(tmp_path / "archive", commitment=CommitmentService()) as archive:
        (kept,) = store(tmp_path, address(archive), 1)
        missing = CommitmentReference(CR, str(generate_uid()))
        other = CommitmentReference(CT, kept.sop_instance_uid)
        uid = str(generate_uid())
        answer = request_commitment([kept, missing, other], address(archive), uid, wait_s=5)
    assert answer.report == CommitmentReport(uid, (kept,), ((missing, 0x0112), (other, 0x0119)))


def test_on_a_new_association(tmp_path: Path) -> None:
    with listening(tmp_path) as (listener, reports):
        service = CommitmentService(report_to=("127.0.0.1", listener.port))
        with ArchiveNode(tmp_path / "archive", commitment=service) as archive:
            references = store(tmp_path, address(archive), 2)
            uid = str(generate_uid())
            answer = request_commitment(references, address(archive), uid, wait_s=0)
            assert (answer.status, answer.report, answer.error) == (0, None, None)
            until(lambda: reports)
    assert reports == [(CommitmentReport(uid, tuple(references), ()), "ARCHIVE")]


def test_asker_that_has_gone(tmp_path: Path) -> None:
    """The report is lost, the archive goes on."""
    service = CommitmentService(delay_s=0.3)
    with ArchiveNode(tmp_path / "archive", commitment=service) as archive:
        references = store(tmp_path, address(archive), 1)
        first = request_commitment(references, address(archive), generate_uid(), wait_s=0)
        assert (first.status, first.report) == (0, None)
        second = request_commitment(references, address(archive), generate_uid(), wait_s=5)
        assert second.report is not None
        assert second.report.committed == tuple(references)


def test_over_mutual_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    server, client = authority.issue("server"), authority.issue("client")
    tls = TlsIdentity(authority.file, client.certificate, client.key)
    context = authority.server_context(server)
    with ArchiveNode(tmp_path / "archive", commitment=CommitmentService(), tls=context) as archive:
        with pytest.raises(NodeUnreachable, match="certificate_file and key_file"):
            echo(address(archive, TlsIdentity(authority.file)))
        references = store(tmp_path, address(archive, tls), 3)
        uid = str(generate_uid())
        answer = request_commitment(references, address(archive, tls), uid, wait_s=5)
    assert answer.report == CommitmentReport(uid, tuple(references), ())
