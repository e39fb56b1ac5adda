"""Two deliverers at the same time: nothing is stored twice, no pass breaks off, none blocks for long."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from flows.delivery import deliver, deliver_now, retry_deliveries
from flows.delivery.claims import claimed, lease_s
from flows.journal import Journal
from flows.settings import DimseNode, FolderNode, Settings
from tests.flows.conftest import pseudonym
from tests.flows.delivery.archive import ScriptedArchive
from tests.flows.delivery.conftest import Desk, MakeDesk
from tests.peers import free_port

_DELIVER_NOW = """
import sys
from flows.delivery import deliver_now
from flows.journal import Journal
from flows.settings import DimseNode, Settings
journal = Journal(sys.argv[1])
settings = Settings(nodes={"pacs": DimseNode(ae_title="ARCHIVE", port=int(sys.argv[2]))}, routes=())
print("ready", flush=True)
sys.stdin.readline()
print(deliver_now(journal, settings, [one.id for one in journal.open_deliveries()]))
"""


def at_once(count: int, work: Callable[[], object]) -> list[BaseException]:
    """Do the same on so many threads, and return what they raised."""
    raised: list[BaseException] = []

    def one() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


def everything(made: Desk) -> list[int]:
    return [one.id for one in made.deliveries]


def test_two_deliverers_of_refused_objects_both_get_to_the_end(desk: MakeDesk) -> None:
    with ScriptedArchive() as pacs:
        pacs.before_store = lambda: time.sleep(0.05)
        pacs.stores = lambda _uid: 0xA900
        made = desk(3, pacs=pacs.node(commitment="off"))
        made.complete()
        chosen = everything(made)
        raised = at_once(2, lambda: deliver_now(made.journal, made.settings, chosen))
    assert raised == []
    assert {(one.state, one.dead_reason, one.attempts) for one in made.deliveries} == {("dead", "refused", 1)}


def test_of_three_deliverers_each_object_is_stored_once(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        pacs.before_store = lambda: time.sleep(0.02)
        made = desk(6, pacs=pacs.node())
        made.complete()
        chosen = everything(made)
        raised = at_once(3, lambda: deliver_now(made.journal, made.settings, chosen))
    assert raised == []
    assert made.states("pacs") == ["committed"] * 6
    assert set(pacs.taken.values()) == {1}
    assert {(one.claimed_by, one.claimed_until) for one in made.deliveries} == {(None, None)}


def test_of_two_processes_each_object_is_stored_once(desk: MakeDesk, journal_url: str) -> None:
    with ScriptedArchive("same") as pacs:
        pacs.before_store = lambda: time.sleep(0.02)
        made = desk(6, pacs=pacs.node())
        made.complete()
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", _DELIVER_NOW, journal_url, str(pacs.node().port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        answers = [process.communicate("\n", timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
    assert sum(int(answer) for answer in answers) == 6
    assert made.states("pacs") == ["committed"] * 6
    assert set(pacs.taken.values()) == {1}


def test_a_late_pass_leaves_what_another_process_has_claimed(desk: MakeDesk) -> None:
    with ScriptedArchive() as pacs:
        made = desk(3, pacs=pacs.node())
        made.complete()
        with claimed(made.journal, made.settings, "pacs", everything(made)[:2]) as held:
            assert len(held) == 2
            assert retry_deliveries(made.journal, made.settings, made.now) == 1
            with claimed(made.journal, made.settings, "pacs", everything(made)) as other:
                assert other == []
        assert retry_deliveries(made.journal, made.settings, made.now) == 2
    assert set(pacs.taken.values()) == {1}


def test_who_delivers_now_waits_for_who_is_delivering(desk: MakeDesk, tmp_path: Path) -> None:
    made = desk(1, share=FolderNode(kind="folder", path=tmp_path / "share"))
    made.complete()
    with claimed(made.journal, made.settings, "share", everything(made)):
        thread = threading.Thread(target=deliver_now, args=(made.journal, made.settings, everything(made)))
        thread.start()
        time.sleep(0.5)
        assert made.states("share") == ["pending"]
    thread.join(10)
    assert made.states("share") == ["sent"]


def test_the_claim_of_a_killed_deliverer_ends_by_itself(desk: MakeDesk, journal_url: str) -> None:
    with ScriptedArchive() as pacs:
        made = desk(2, pacs=pacs.node(timeout_s=7.0))
        made.complete()
        seconds = lease_s(made.settings, "pacs")
        assert seconds == 14
        assert len(made.journal.claim_deliveries(everything(made), "killed", seconds)) == 2
        assert retry_deliveries(made.journal, made.settings, made.now) == 0
        later = made.now + timedelta(seconds=seconds + 1)
        with Journal(journal_url, pseudonym=pseudonym, clock=lambda: later) as journal:
            assert retry_deliveries(journal, made.settings, later) == 2


def test_a_claim_is_renewed_as_long_as_the_transfer_takes(
    desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = desk(1, share=FolderNode(kind="folder", path=tmp_path / "share"))
    made.complete()
    monkeypatch.setattr("flows.delivery.claims.lease_s", lambda *_: 0.8)
    with claimed(made.journal, made.settings, "share", everything(made)):
        time.sleep(1.6)
        assert made.journal.claim_deliveries(everything(made), "other", 60) == []
    assert len(made.journal.claim_deliveries(everything(made), "other", 60)) == 1


def test_the_next_attempt_of_a_job_does_not_wait_for_the_claim_of_a_killed_one(desk: MakeDesk) -> None:
    with ScriptedArchive() as pacs:
        made = desk(2, pacs=pacs.node())
        made.journal.claim_deliveries(everything(made), "killed", 60)
        assert deliver(made.journal, made.settings, made.job).sent == 0
        made.journal.requeue_job(made.job.id, "the worker died")
        again = made.journal.start_job(made.job.id)
        assert deliver(made.journal, made.settings, again).sent == 2


@pytest.mark.parametrize(
    ("node", "seconds"),
    [
        (DimseNode(ae_title="A", port=free_port(), timeout_s=0.1), 10),
        (DimseNode(ae_title="A", port=free_port(), timeout_s=30), 60),
        (DimseNode(ae_title="A", port=free_port(), timeout_s=3600), 120),
        (FolderNode(kind="folder", path=Path("share")), 60),
        (None, 60),
    ],
)
def test_how_long_a_claim_is(node: DimseNode | FolderNode | None, seconds: float) -> None:
    settings = Settings(nodes={} if node is None else {"one": node}, routes=())
    assert lease_s(settings, "one") == seconds
