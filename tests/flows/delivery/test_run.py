"""Delivering within a run: peers that refuse, break off, commit half or nothing; kept files that are gone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dicom_io.archive import ArchiveNode
from dicom_io.archive_commitment import CommitmentService
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from flows.delivery import deliver
from flows.service import commitment_taker
from flows.settings import DimseNode, FolderNode, Peer
from tests.dicom_io.receive.support import CT, MemoryRecorder
from tests.dicom_io.send.certificates import Authority
from tests.flows.delivery.archive import ScriptedArchive
from tests.flows.delivery.conftest import Desk, MakeDesk
from tests.peers import free_port, wait_until


@contextmanager
def hanging_peer() -> Iterator[DimseNode]:
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield DimseNode(ae_title="HANGS", port=server.getsockname()[1], timeout_s=3.0, attempts=1)


@contextmanager
def listening(desk: Desk, folder: Path) -> Iterator[Listener]:
    """Run our listener, whose reports go into the journal as in the service."""
    listener = Listener(
        Inbox(folder / "inbox", folder / "quarantine"),
        MemoryRecorder(),
        ae_title="SECONDREAD",
        host="127.0.0.1",
        port=0,
        peers=(Peer(ae_title="*"),),
        commitment_reported=commitment_taker(desk.journal, desk.settings),
    )
    listener.start()
    try:
        yield listener
    finally:
        listener.stop()


# -- bad peers -----------------------------------------------------------------------------------------


def test_nobody_there_is_a_problem_of_that_destination_alone(desk: MakeDesk, tmp_path: Path) -> None:
    away = DimseNode(ae_title="AWAY", port=free_port())
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node(), away=away, share=FolderNode(kind="folder", path=tmp_path / "share"))
        report = deliver(made.journal, made.settings, made.job)
    assert made.states("pacs") == ["committed"] * 3
    assert made.states("share") == ["sent"] * 3
    assert made.states("away") == ["failed"] * 3
    assert list(report.problems) == ["away"]
    assert report.problem == "away: 3 objects missing (NodeUnreachable)"
    assert (report.sent, report.worth_another, report.complete) == (6, True, False)
    assert len(list((tmp_path / "share").rglob("*.dcm"))) == 3
    assert {one.error for one in made.deliveries if one.destination == "away"} == {
        f"AWAY at 127.0.0.1 port {away.port}: nothing listens there: start the node or correct its port"
    }


def test_a_slow_destination_does_not_hold_back_another(desk: MakeDesk) -> None:
    with hanging_peer() as slow, ScriptedArchive() as pacs:
        made = desk(slow=slow, pacs=pacs.node())
        run = threading.Thread(target=deliver, args=(made.journal, made.settings, made.job))
        started = time.monotonic()
        run.start()
        wait_until("the quick one", lambda: made.states("pacs") == ["sent"] * 3, timeout=2.5)
        assert time.monotonic() - started < 3
        run.join(20)
        assert made.states("slow") == ["failed"] * 3
        report = deliver(made.journal, made.settings, made.job, 2)
    assert not report.worth_another
    assert {one.attempts for one in made.deliveries if one.destination == "slow"} == {1}


def test_a_refused_sop_class_is_a_dead_letter_at_once_and_the_rest_arrives(desk: MakeDesk) -> None:
    with ScriptedArchive("same", refused_classes=(CT,)) as pacs:
        made = desk(pacs=pacs.node())
        report = deliver(made.journal, made.settings, made.job)
        assert made.states("pacs") == ["committed", "dead", "committed"]
        (dead,) = [one for one in made.deliveries if one.state == "dead"]
        assert (dead.dead_reason, dead.attempts) == ("refused", 1)
        assert "does not accept CT Image Storage" in str(dead.error)
        assert (report.problems, report.dead, report.worth_another) == ({}, {"pacs": 1}, False)
        assert report.problem == "pacs: 1 dead letters"
        deliver(made.journal, made.settings, made.job, 2)
    assert sorted(pacs.taken.values()) == [1, 1]


@pytest.mark.parametrize(
    ("status", "state"), [(0xA900, "dead"), (0xC000, "dead"), (0x0122, "dead"), (0xA700, "failed")]
)
def test_what_a_status_means(desk: MakeDesk, status: int, state: str) -> None:
    with ScriptedArchive() as pacs:
        made = desk(pacs=pacs.node())
        bad = made.objects[1].sop_instance_uid
        pacs.stores = lambda uid: status if uid == bad else 0x0000
        deliver(made.journal, made.settings, made.job)
    assert made.states("pacs") == ["sent", state, "sent"]
    assert f"0x{status:04X}" in str(made.deliveries[1].error)


def test_what_dies_in_mid_association_gets_the_rest_only(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(5, pacs=pacs.node())
        pacs.breaks_after = 2
        first = deliver(made.journal, made.settings, made.job)
        assert first.worth_another
        assert sorted(made.states("pacs")) == ["committed"] * 2 + ["failed"] * 3
        pacs.breaks_after = None
        second = deliver(made.journal, made.settings, made.job, 2)
        assert second.complete
        assert made.states("pacs") == ["committed"] * 5
    assert set(pacs.taken.values()) == {1}
    assert [len(uids) for _, uids in pacs.requests] == [2, 3]


# -- commitment ----------------------------------------------------------------------------------------


def test_one_request_for_all_that_awaits(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node())
        report = deliver(made.journal, made.settings, made.job)
    assert (report.complete, report.awaiting, report.problem) == (True, {}, None)
    assert [sorted(uids) for _, uids in pacs.requests] == [sorted(o.sop_instance_uid for o in made.objects)]
    assert pacs.statuses == [0x0000]
    assert all(one.committed_at and one.delivered for one in made.deliveries)


def test_over_mutual_tls(desk: MakeDesk, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    server, client = authority.issue("server"), authority.issue("client")
    tls = {
        "ca_file": authority.file,
        "certificate_file": client.certificate,
        "key_file": client.key,
    }
    context = authority.server_context(server)
    with ArchiveNode(tmp_path / "archive", commitment=CommitmentService(), tls=context) as archive:
        known, unknown = (
            DimseNode.model_validate({"ae_title": "ARCHIVE", "port": archive.port, "tls": one})
            for one in (tls, {"ca_file": authority.file})
        )
        made = desk(known=known, unknown=unknown)
        deliver(made.journal, made.settings, made.job)
    assert made.states("known") == ["committed"] * 3
    assert made.states("unknown") == ["failed"] * 3


def test_commitment_that_is_off_is_not_asked_for(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node(commitment="off"))
        deliver(made.journal, made.settings, made.job)
    assert (made.states("pacs"), pacs.requests) == (["sent"] * 3, [])


def test_commitment_that_is_required_and_not_offered(desk: MakeDesk) -> None:
    with ScriptedArchive("none") as pacs:
        made = desk(pacs=pacs.node(commitment="required"))
        report = deliver(made.journal, made.settings, made.job)
    assert (report.dead, made.states("pacs")) == ({"pacs": 3}, ["dead"] * 3)
    assert {one.dead_reason for one in made.deliveries} == {"no-commitment"}
    assert "does not offer storage commitment" in str(made.deliveries[0].error)


def test_the_half_that_is_not_committed_alone_is_sent_again(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(4, pacs=pacs.node())
        lost = {made.objects[1].sop_instance_uid, made.objects[3].sop_instance_uid}
        pacs.commits = lambda uid: uid not in lost
        report = deliver(made.journal, made.settings, made.job)
        assert made.states("pacs") == ["committed", "failed", "committed", "failed"]
        assert report.problem == "pacs: 2 objects missing (not committed)"
        assert report.worth_another
        pacs.commits = lambda _uid: True
        deliver(made.journal, made.settings, made.job, 2)
        assert made.states("pacs") == ["committed"] * 4
    assert {uid: times for uid, times in pacs.taken.items() if times > 1} == dict.fromkeys(lost, 2)
    assert [set(uids) for _, uids in pacs.requests][1] == lost


def test_a_report_on_another_association_comes_by_the_listener(desk: MakeDesk, tmp_path: Path) -> None:
    with ScriptedArchive("new") as pacs:
        made = desk(pacs=pacs.node(commitment_wait_s=5))
        with listening(made, tmp_path) as listener:
            pacs.report_to = ("127.0.0.1", listener.port)
            started = time.monotonic()
            report = deliver(made.journal, made.settings, made.job)
            assert time.monotonic() - started < 3
    assert (report.awaiting, made.states("pacs")) == ({}, ["committed"] * 3)
    assert pacs.statuses == [0x0000]


def test_a_report_that_never_comes_is_no_failure_and_the_late_one_counts(
    desk: MakeDesk, tmp_path: Path
) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(pacs=pacs.node(commitment_wait_s=0.5))
        started = time.monotonic()
        report = deliver(made.journal, made.settings, made.job)
        assert time.monotonic() - started < 2.5
        assert (report.complete, report.awaiting, report.worth_another) == (True, {"pacs": 3}, False)
        assert len(pacs.requests) == 1
        # Begun again, as after a kill: asked for once more under another transaction, nothing sent.
        assert deliver(made.journal, made.settings, made.job).sent == 0
        assert len({transaction for transaction, _ in pacs.requests}) == 2
        with listening(made, tmp_path) as listener:
            pacs.report_to = ("127.0.0.1", listener.port)
            references = [(one.sop_class_uid, one.sop_instance_uid) for one in made.objects]
            first, second = (transaction for transaction, _ in pacs.requests)
            assert pacs.call_back(pacs.report(first, references)) == 0x0000
            assert made.states("pacs") == ["committed"] * 3
            before = made.deliveries
            assert pacs.call_back(pacs.report(first, references)) == 0x0000
            assert pacs.call_back(pacs.report(second, references)) == 0x0000
            assert made.deliveries == before
            assert pacs.call_back(pacs.report("2.25.4711", references)) not in {0x0000, None}
    assert set(pacs.taken.values()) == {1}


# -- kept objects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "gone"),
        (lambda path: path.write_bytes(path.read_bytes()[:-2] + b"\x00\x01"), "changed"),
    ],
)
def test_a_kept_object_that_is_not_what_was_encoded_is_never_sent(
    desk: MakeDesk, spoil: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node(), share=FolderNode(kind="folder", path=tmp_path / "share"))
        spoil(made.objects[0].path)
        report = deliver(made.journal, made.settings, made.job)
    assert made.states("pacs") == ["dead", "committed", "committed"]
    assert made.states("share") == ["dead", "sent", "sent"]
    dead = made.deliveries[0]
    assert (dead.dead_reason, dead.attempts) == ("kept-object", 0)
    assert said in str(dead.error)
    assert made.objects[0].sop_instance_uid not in pacs.taken
    assert report.dead == {"pacs": 1, "share": 1}


def test_the_source_may_be_gone(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node())
        (made.settings.inbox / "source.dcm").unlink()
        deliver(made.journal, made.settings, made.job)
    assert made.states("pacs") == ["committed"] * 3


def test_a_destination_that_left_the_settings(desk: MakeDesk) -> None:
    with ScriptedArchive() as pacs:
        made = desk(pacs=pacs.node())
        without = made.settings.model_copy(update={"nodes": {}})
        report = deliver(made.journal, without, made.job)
        assert report.problem == "pacs: 3 objects missing (no node 'pacs' is configured any more)"
        deliver(made.journal, made.settings, made.job, 2)
    assert made.states("pacs") == ["sent"] * 3
