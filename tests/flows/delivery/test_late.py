"""What runs leave behind: when it is due, when it is given up, and that no destination waits for another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from flows.delivery import LateDelivery, deliver, deliver_now, has_expired, is_due, retry_deliveries
from flows.journal import DeliveryRecord, JobDraft, Journal
from flows.loops import PassIncomplete
from flows.settings import DimseNode, FolderNode, Settings
from tests.flows.delivery.archive import ScriptedArchive
from tests.flows.delivery.conftest import Desk, MakeDesk
from tests.flows.delivery.test_run import hanging_peer
from tests.peers import free_port, wait_until

THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NODE = DimseNode(
    ae_title="PACS",
    port=104,
    attempts=2,
    first_pause_s=10,
    longest_pause_s=60,
    give_up_after_h=2,
    commitment_timeout_s=100,
)
SETTINGS = Settings(nodes={"pacs": NODE, "share": FolderNode(kind="folder", path=Path("share"))}, routes=())


def delivery(**values: Any) -> DeliveryRecord:
    plain: dict[str, Any] = {
        "id": 1, "job_id": 1, "result_id": 1, "destination": "pacs", "state": "failed", "attempts": 2,
        "error": None, "created_at": THEN, "state_at": THEN, "sent_at": None, "kind": "report",
        "sop_class_uid": "1.2", "sop_instance_uid": "2.25.1", "path": Path("r.dcm"), "sha256": "a",
        "job_state": "completed",
    }  # fmt: skip
    return DeliveryRecord(**(plain | values))


def due_after(**values: Any) -> float | None:
    """Return the seconds after which a delivery becomes due, None if it never does."""
    one = delivery(**values)
    moments = (0, 9, 10, 19, 20, 39, 40, 59, 60, 99, 100, 10**6)
    return next((s for s in moments if is_due(one, SETTINGS, THEN + timedelta(seconds=s))), None)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ({"attempts": 1}, 10),
        ({"attempts": 2}, 10),
        ({"attempts": 3}, 20),
        ({"attempts": 4}, 40),
        ({"attempts": 5}, 60),
        ({"attempts": 5000}, 60),
        ({"state": "pending", "attempts": 0}, 0),
        ({"job_state": "running"}, None),
        ({"state": "pending", "job_state": "failed"}, 0),
        ({"state": "pending", "job_state": "waiting"}, None),
        ({"state": "sent"}, None),
        ({"state": "committed"}, None),
        ({"state": "dead"}, None),
        ({"state": "awaiting"}, 0),
        ({"state": "awaiting", "job_state": "running"}, None),
        ({"state": "awaiting", "job_state": "dead-letter"}, 0),
        ({"state": "awaiting", "asked_at": THEN, "transaction_uid": "2.25.1"}, 100),
        ({"state": "awaiting", "asked_at": THEN, "commitment_requests": 1}, 10),
        ({"state": "awaiting", "asked_at": THEN, "commitment_requests": 3}, 40),
        ({"state": "awaiting", "destination": "gone"}, 10**6),
        ({"state": "awaiting", "destination": "share", "asked_at": THEN}, 0),
    ],
)
def test_when_it_is_due(values: dict[str, Any], seconds: float | None) -> None:
    assert due_after(**values) == seconds


@pytest.mark.parametrize(
    ("values", "hours", "expired"),
    [
        ({}, 1.9, False),
        ({}, 2.1, True),
        ({"state": "pending", "attempts": 0}, 1000, False),
        ({"destination": "gone"}, 71, False),
        ({"destination": "gone"}, 73, True),
        ({"state": "awaiting", "stored_at": THEN + timedelta(hours=1)}, 2.9, False),
        ({"state": "awaiting", "stored_at": THEN + timedelta(hours=1)}, 3.1, True),
        ({"destination": "gone", "state": "awaiting", "stored_at": THEN}, 71, False),
        ({"destination": "gone", "state": "awaiting", "stored_at": THEN}, 73, True),
        ({"uncommitted_at": THEN + timedelta(hours=1)}, 2.9, False),
        ({"uncommitted_at": THEN + timedelta(hours=1)}, 3.1, True),
        ({"created_at": THEN + timedelta(hours=5), "state": "awaiting", "stored_at": THEN}, 6, False),
    ],
)
def test_when_it_is_given_up(values: dict[str, Any], hours: float, expired: bool) -> None:
    assert has_expired(delivery(**values), SETTINGS, THEN + timedelta(hours=hours)) is expired


# -- served --------------------------------------------------------------------------------------------


def left_behind(made: Desk) -> Desk:
    """Let the run end with what it could do."""
    deliver(made.journal, made.settings, made.job)
    made.complete()
    return made


def test_it_is_delivered_when_the_archive_is_back(desk: MakeDesk) -> None:
    pacs = ScriptedArchive("same")
    with pacs:
        pass
    made = left_behind(desk(pacs=pacs.node(first_pause_s=0.01)))
    assert made.states("pacs") == ["failed"] * 3
    with pacs:
        assert retry_deliveries(made.journal, made.settings, made.now + timedelta(seconds=60)) == 3
    assert made.states("pacs") == ["committed"] * 3
    assert len(pacs.requests) == 1
    assert {one.attempts for one in made.deliveries} == {2}
    assert retry_deliveries(made.journal, made.settings, made.now + timedelta(days=1)) == 0


def test_of_three_destinations_one_stays_dead(desk: MakeDesk, tmp_path: Path) -> None:
    with ScriptedArchive("same") as pacs, ScriptedArchive() as research:
        away = DimseNode(ae_title="AWAY", port=free_port(), give_up_after_h=1)
        made = desk(away=away, pacs=pacs.node(), research=research.node())
        left_behind(made)
        assert retry_deliveries(made.journal, made.settings, made.now + timedelta(minutes=10)) == 0
        assert made.states("away") == ["failed"] * 3
        retry_deliveries(made.journal, made.settings, made.now + timedelta(hours=2))
    assert (made.states("away"), made.states("pacs"), made.states("research")) == (
        ["dead"] * 3, ["committed"] * 3, ["sent"] * 3,
    )  # fmt: skip
    dead = made.deliveries[0]
    assert (dead.dead_reason, dead.attempts) == ("given-up", 2)
    assert "nothing listens there" in str(dead.error)
    assert {**pacs.taken, **research.taken} == dict.fromkeys(pacs.taken, 1)


def test_a_hanging_destination_keeps_only_itself_busy(desk: MakeDesk) -> None:
    with hanging_peer() as slow, ScriptedArchive() as pacs:
        made = desk(slow=slow, pacs=pacs.node())
        made.complete()
        with LateDelivery(made.journal, made.settings) as late:
            begun = late.start_due(made.now)
            assert len(begun) == 2
            wait_until("the quick one", lambda: made.states("pacs") == ["sent"] * 3, timeout=2.5)
            assert late.start_due(made.now) == []
            wait_until("the slow one", lambda: all(one.done() for one in begun), timeout=10)
            assert made.states("slow") == ["failed"] * 3


def test_an_error_of_one_destination_is_told_and_the_others_are_served(
    desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedArchive() as pacs:
        made = desk(pacs=pacs.node(), share=FolderNode(kind="folder", path=tmp_path / "share"))
        made.complete()
        mark = Journal.mark_deliveries

        def failing(journal: Journal, outcomes: Any) -> None:
            if threading.current_thread().name.startswith("late") and "share" in {
                one.destination for one in made.deliveries for o in outcomes if o.delivery_id == one.id
            }:
                raise OperationalError("UPDATE secret", {"uid": "2.25.1"}, Exception("locked"))
            mark(journal, outcomes)

        monkeypatch.setattr(Journal, "mark_deliveries", failing)
        with pytest.raises(PassIncomplete, match="1 of 2 destinations"):
            retry_deliveries(made.journal, made.settings, made.now)
    assert made.states("pacs") == ["sent"] * 3
    assert "share could not be served: OperationalError" in caplog.text
    assert "secret" not in caplog.text


def test_a_report_that_does_not_come_is_asked_for_again_and_in_the_end_given_up(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = left_behind(desk(pacs=pacs.node(commitment_wait_s=0, commitment_timeout_s=60)))
        retry_deliveries(made.journal, made.settings, made.now + timedelta(seconds=50))
        assert len(pacs.requests) == 1
        retry_deliveries(made.journal, made.settings, made.now + timedelta(seconds=70))
        assert [len(uids) for _, uids in pacs.requests] == [3, 3]
        assert len({transaction for transaction, _ in pacs.requests}) == 2
        assert made.states("pacs") == ["awaiting"] * 3
        retry_deliveries(made.journal, made.settings, made.now + timedelta(hours=80))
    assert made.states("pacs") == ["dead"] * 3
    assert {(one.dead_reason, one.error) for one in made.deliveries} == {
        ("no-commitment", "stored, and not committed after 2 requests")
    }
    assert set(pacs.taken.values()) == {1}


def test_a_dead_letter_for_want_of_commitment_is_asked_for_and_not_sent_when_revived(desk: MakeDesk) -> None:
    pacs = ScriptedArchive("none")
    with pacs:
        made = left_behind(desk(pacs=pacs.node(commitment="required")))
        assert made.states("pacs") == ["dead"] * 3
    pacs.reports = "same"
    with pacs:
        chosen = [one.id for one in made.deliveries]
        assert made.journal.revive_deliveries(chosen) == 3
        assert deliver_now(made.journal, made.settings, chosen) == 0
    assert made.states("pacs") == ["committed"] * 3
    assert set(pacs.taken.values()) == {1}


def test_jobs_share_associations_and_requests(desk: MakeDesk, draft: Callable[..., JobDraft]) -> None:
    with ScriptedArchive("same") as pacs:
        made = desk(0, pacs=pacs.node())
        more = made.make_objects(4)
        other = made.journal.create_job(made.job.study_id, draft(route="research"))
        assert other is not None
        made.journal.start_job(other.id)
        made.journal.record_results(made.job.id, more[:2], ["pacs"])
        made.journal.record_results(other.id, more[2:], ["pacs"])
        for one in (made.job.id, other.id):
            made.journal.finish_job(one, "completed")
        assert retry_deliveries(made.journal, made.settings, made.now) == 4
    assert [len(uids) for _, uids in pacs.requests] == [4]


# -- killed --------------------------------------------------------------------------------------------

_DELIVER = """
import sys
from flows.delivery import deliver
from flows.journal import Journal
from flows.settings import DimseNode, Settings
journal = Journal(sys.argv[1])
settings = Settings(nodes={"pacs": DimseNode(ae_title="ARCHIVE", port=int(sys.argv[2]))}, routes=())
deliver(journal, settings, journal.job(int(sys.argv[3])))
"""


def _killed(made: Desk, url: str, port: int, when: Any) -> None:
    process = subprocess.Popen([sys.executable, "-c", _DELIVER, url, str(port), str(made.job.id)])
    try:
        wait_until("the moment to kill it", when, timeout=30, interval=0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def test_killed_between_storing_and_commitment(desk: MakeDesk, journal_url: str) -> None:
    held = threading.Event()
    with ScriptedArchive("same") as pacs:
        made = desk(pacs=pacs.node())
        pacs.before_answer = lambda: held.wait(10) and None
        _killed(made, journal_url, pacs.node().port, lambda: pacs.requests)
        held.set()
        assert made.states("pacs") == ["awaiting"] * 3
        time.sleep(0.2)
        made.journal.start_job(made.job.id)
        assert deliver(made.journal, made.settings, made.job).sent == 0
    assert made.states("pacs") == ["committed"] * 3
    assert set(pacs.taken.values()) == {1}


def test_killed_in_the_middle_of_storing(desk: MakeDesk, journal_url: str) -> None:
    held, begun = threading.Event(), []
    with ScriptedArchive("same") as pacs:
        made = desk(5, pacs=pacs.node())

        def third_hangs() -> None:
            begun.append(1)
            if len(begun) == 3:
                held.wait(10)

        pacs.before_store = third_hangs
        _killed(made, journal_url, pacs.node().port, lambda: len(begun) == 3)
        assert made.states("pacs") == ["awaiting"] * 2 + ["pending"] * 3
        held.set()
        made.journal.start_job(made.job.id)
        assert deliver(made.journal, made.settings, made.job).sent == 3
    assert made.states("pacs") == ["committed"] * 5
    assert [pacs.taken[one.sop_instance_uid] for one in made.objects[:2]] == [1, 1]
