"""A real Orthanc commits what it has, says what it has not, and takes STOW-RS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from flows.delivery import deliver, retry_deliveries
from flows.delivery.commitment import ask_for_commitment
from flows.delivery.storing import store
from flows.journal import Journal
from flows.settings import DicomwebNode, DimseNode, Peer
from tests.dicom_io.receive.support import MemoryRecorder
from tests.flows.delivery.conftest import MakeDesk
from tests.peers import Orthanc, start_orthanc, wait_until

pytestmark = pytest.mark.peer


@pytest.fixture
def listener(journal: Journal, tmp_path: Path) -> Iterator[Listener]:
    running = Listener(
        Inbox(tmp_path / "inbox", tmp_path / "quarantine"),
        MemoryRecorder(),
        ae_title="SECONDREAD",
        host="127.0.0.1",
        port=0,
        peers=(Peer(ae_title="ORTHANC"),),
        commitment_reported=lambda report, _peer: journal.record_commitment(report),
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def orthanc(listener: Listener, tmp_path: Path) -> Iterator[Orthanc]:
    with start_orthanc(tmp_path, secondread_port=listener.port, stable_age_s=3600) as running:
        yield running


def node(orthanc: Orthanc, **values: float) -> DimseNode:
    return DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port, **values)  # type: ignore[arg-type]


def held(orthanc: Orthanc) -> set[str]:
    found = orthanc.get("/instances", expand="")
    return {one["MainDicomTags"]["SOPInstanceUID"] for one in found}


def test_everything_is_committed_within_the_run(desk: MakeDesk, orthanc: Orthanc) -> None:
    made = desk(pacs=node(orthanc, commitment_wait_s=5))
    report = deliver(made.journal, made.settings, made.job)
    assert (report.complete, report.awaiting) == (True, {})
    assert made.states("pacs") == ["committed"] * 3
    assert {one.commitment_requests for one in made.deliveries} == {1}


def test_what_orthanc_has_lost_alone_is_sent_again(desk: MakeDesk, orthanc: Orthanc) -> None:
    made = desk(4, pacs=node(orthanc, commitment_wait_s=0, first_pause_s=0.01))
    assert store(made.journal, made.settings, "pacs", made.deliveries) == (4, "")
    lost = {made.objects[0].sop_instance_uid, made.objects[2].sop_instance_uid}
    for uid in lost:
        (found,) = orthanc.post("/tools/lookup", content=uid.encode())
        orthanc._client.delete(f"{orthanc.url}/instances/{found['ID']}").raise_for_status()
    ask_for_commitment(made.journal, made.settings, "pacs", made.deliveries)
    wait_until("the report", lambda: "awaiting" not in made.states("pacs"))
    assert made.states("pacs") == ["failed", "committed", "failed", "committed"]
    assert made.deliveries[0].error == "not committed: it does not have the object (0x0112)"
    made.complete()
    wait_until("the pause to be over", lambda: retry_deliveries(made.journal, made.settings, made.now) == 2)
    wait_until("the second report", lambda: made.states("pacs") == ["committed"] * 4)
    assert [one.attempts for one in made.deliveries] == [2, 1, 2, 1]


def test_dimse_and_stow_beside_each_other(desk: MakeDesk, orthanc: Orthanc) -> None:
    web = DicomwebNode(kind="dicomweb", url=orthanc.dicomweb_url)
    made = desk(web=web, pacs=node(orthanc, commitment_wait_s=5))
    report = deliver(made.journal, made.settings, made.job)
    assert (report.problem, report.awaiting) == (None, {})
    assert (made.states("web"), made.states("pacs")) == (["sent"] * 3, ["committed"] * 3)
    assert held(orthanc) == {one.sop_instance_uid for one in made.objects}
