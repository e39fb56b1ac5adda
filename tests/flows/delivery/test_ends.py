"""Ends that must not be missed: jobs that ended badly, nodes that are gone, archives that report late."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from dicom_io.commitment import CommitmentReference, CommitmentReport, UnknownTransaction
from flows.delivery import deliver, deliver_now, retry_deliveries
from flows.journal import DeliveryOutcome, JobState
from flows.service import commitment_taker
from flows.settings import FolderNode
from tests.flows.delivery.archive import ScriptedArchive
from tests.flows.delivery.conftest import Desk, MakeDesk
from tests.flows.delivery.test_run import listening


def share(tmp_path: Path) -> FolderNode:
    return FolderNode(kind="folder", path=tmp_path / "share")


def report(made: Desk, committed: bool = True, *, class_uid: str | None = None) -> CommitmentReport:
    """Return a report on all that was asked for last."""
    (transaction,) = {one.transaction_uid for one in made.deliveries}
    assert transaction is not None
    references = tuple(
        CommitmentReference(class_uid or one.sop_class_uid, one.sop_instance_uid) for one in made.deliveries
    )
    return CommitmentReport(
        transaction,
        references if committed else (),
        () if committed else tuple((one, 0x0112) for one in references),
    )


# -- the job ended -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["failed", "dead-letter", "cancelled"])
def test_what_an_ended_job_left_is_a_dead_letter_and_can_be_delivered(
    desk: MakeDesk, tmp_path: Path, end: JobState
) -> None:
    made = desk(2, share=share(tmp_path))
    made.journal.mark_delivery(made.deliveries[0].id, "failed", "disk full")
    made.journal.finish_job(made.job.id, end, "the run crashed")
    assert {(one.state, one.dead_reason) for one in made.deliveries} == {("dead", "job-ended")}
    assert f"ended as {end}" in str(made.deliveries[0].error)
    assert made.journal.delivery_counts()[1] == {"share": {"job-ended": 2}}
    assert retry_deliveries(made.journal, made.settings, made.now + timedelta(days=1)) == 0
    chosen = [one.id for one in made.deliveries]
    assert made.journal.revive_deliveries(chosen[:1]) == 1
    assert retry_deliveries(made.journal, made.settings, made.now) == 1
    assert made.journal.revive_deliveries(chosen[1:]) == 1
    assert deliver_now(made.journal, made.settings, chosen) == 1
    assert made.states("share") == ["sent"] * 2


def test_a_new_attempt_delivers_what_the_ended_one_left(desk: MakeDesk, tmp_path: Path) -> None:
    made = desk(2, share=share(tmp_path))
    made.journal.finish_job(made.job.id, "failed", "out of memory")
    made.journal.requeue_job(made.job.id, "it may pass")
    assert {(one.state, one.dead_reason, one.error) for one in made.deliveries} == {("pending", None, None)}
    again = made.journal.start_job(made.job.id)
    assert deliver(made.journal, made.settings, again).sent == 2


def test_what_a_cancelled_run_still_encodes_is_not_sent(desk: MakeDesk, tmp_path: Path) -> None:
    made = desk(1, share=share(tmp_path))
    made.journal.cancel_job(made.job.id, "called off")
    made.journal.record_results(made.job.id, made.make_objects(1), ["share"])
    assert made.states("share") == ["dead"] * 2
    assert deliver(made.journal, made.settings, made.job).dead == {"share": 2}
    assert retry_deliveries(made.journal, made.settings, made.now) == 0


def test_what_is_stored_when_the_job_ends_still_awaits_its_commitment(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(1, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        made.journal.finish_job(made.job.id, "dead-letter", "given up")
    assert made.states("pacs") == ["awaiting"]
    made.journal.record_commitment(report(made))
    assert made.states("pacs") == ["committed"]


# -- the node is gone ----------------------------------------------------------------------------------


def test_no_commitment_is_awaited_for_ever_from_a_node_that_is_gone(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(2, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        made.complete()
    gone = made.settings.model_copy(update={"nodes": {}})
    retry_deliveries(made.journal, gone, made.now + timedelta(hours=71))
    assert made.states("pacs") == ["awaiting"] * 2
    retry_deliveries(made.journal, gone, made.now + timedelta(hours=73))
    assert {(one.state, one.dead_reason) for one in made.deliveries} == {("dead", "no-commitment")}
    assert str(made.deliveries[0].error).endswith("no node 'pacs' is configured any more")


# -- the archive changes its mind ----------------------------------------------------------------------


def test_what_the_archive_lost_after_it_was_given_up_is_sent_again_when_revived(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(1, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        made.complete()
        asked = report(made, committed=False)
        retry_deliveries(made.journal, made.settings, made.now + timedelta(hours=80))
        assert made.deliveries[0].stored_at is not None
        made.journal.record_commitment(asked)
        (dead,) = made.deliveries
        assert (dead.state, dead.dead_reason, dead.stored_at) == ("dead", "no-commitment", None)
        assert dead.transaction_uid is None
        assert dead.error == "not committed: it does not have the object (0x0112)"
        made.journal.revive_deliveries([dead.id])
        assert deliver_now(made.journal, made.settings, [dead.id]) == 1
        assert set(pacs.taken.values()) == {2}
    made.journal.record_commitment(report(made))
    assert made.states("pacs") == ["committed"]


def test_a_late_refusal_to_commit_is_followed_by_another_try(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(1, pacs=pacs.node(give_up_after_h=1, commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        made.complete()
        with made.journal._writing() as connection:
            long_ago = (made.now - timedelta(minutes=61)).replace(tzinfo=None)
            connection.exec_driver_sql("UPDATE deliveries SET created_at = ?", (str(long_ago),))
        made.journal.record_commitment(report(made, committed=False))
        assert made.states("pacs") == ["failed"]
        assert retry_deliveries(made.journal, made.settings, made.now + timedelta(seconds=30)) == 1
        assert made.states("pacs") == ["awaiting"]
        assert set(pacs.taken.values()) == {2}


def test_who_takes_and_never_commits_is_given_up(desk: MakeDesk) -> None:
    with ScriptedArchive("same") as pacs:
        pacs.commits = lambda _uid: False
        made = desk(1, pacs=pacs.node(give_up_after_h=1))
        deliver(made.journal, made.settings, made.job)
        made.complete()
        for minutes in range(10, 70, 10):
            retry_deliveries(made.journal, made.settings, made.now + timedelta(minutes=minutes))
    (dead,) = made.deliveries
    assert (dead.state, dead.dead_reason) == ("dead", "given-up")
    assert "not committed" in str(dead.error)
    assert set(pacs.taken.values()) == {6}


# -- who reports ---------------------------------------------------------------------------------------


def test_only_the_archive_that_was_asked_may_report(desk: MakeDesk, tmp_path: Path) -> None:
    with ScriptedArchive("never") as pacs, ScriptedArchive("never") as other:
        made = desk(2, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        nodes = {**made.settings.nodes, "other": other.node().model_copy(update={"ae_title": "OTHER"})}
        made.settings = made.settings.model_copy(update={"nodes": nodes})
        take = commitment_taker(made.journal, made.settings)
        for stranger in ("OTHER", "MODALITY", ""):
            with pytest.raises(UnknownTransaction):
                take(report(made), stranger)
        assert made.states("pacs") == ["awaiting"] * 2
        take(report(made), " archive ")
    assert made.states("pacs") == ["committed"] * 2


def test_a_stranger_among_the_peers_is_told_so(desk: MakeDesk, tmp_path: Path) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(2, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
        renamed = made.settings.nodes["pacs"].model_copy(update={"ae_title": "PACS"})
        made.settings = made.settings.model_copy(update={"nodes": {"pacs": renamed}})
        references = [(one.sop_class_uid, one.sop_instance_uid) for one in made.objects]
        with listening(made, tmp_path) as listener:
            pacs.report_to = ("127.0.0.1", listener.port)
            assert pacs.call_back(pacs.report(pacs.requests[0][0], references)) == 0x0115
    assert made.states("pacs") == ["awaiting"] * 2


def test_another_sop_class_is_another_object(desk: MakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(2, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
    take = commitment_taker(made.journal, made.settings)
    for committed in (True, False):
        with pytest.raises(UnknownTransaction):
            take(report(made, committed, class_uid="1.2.3.4"), "ARCHIVE")
    assert made.states("pacs") == ["awaiting"] * 2
    right, wrong = report(made), report(made, class_uid="1.2.3.4")
    take(CommitmentReport(right.transaction_uid, (right.committed[0], wrong.committed[1]), ()), "ARCHIVE")
    assert made.states("pacs") == ["committed", "awaiting"]
    assert "1 objects" in caplog.text
    assert made.deliveries[1].sop_instance_uid not in caplog.text
    spoken_against = ((wrong.committed[1], 0x0112),)
    take(CommitmentReport(right.transaction_uid, (right.committed[1],), spoken_against), "ARCHIVE")
    assert made.states("pacs") == ["committed", "awaiting"]
    # That the archive has it under another class may be said with that class.
    take(CommitmentReport(right.transaction_uid, (), ((wrong.committed[1], 0x0119),)), "ARCHIVE")
    assert made.states("pacs") == ["committed", "dead"]


def test_a_failure_that_comes_after_it_was_stored_elsewise_changes_nothing(desk: MakeDesk) -> None:
    with ScriptedArchive("never") as pacs:
        made = desk(1, pacs=pacs.node(commitment_wait_s=0))
        deliver(made.journal, made.settings, made.job)
    (before,) = made.deliveries
    made.journal.mark_deliveries([DeliveryOutcome(before.id, "failed", "the connection was lost")])
    assert made.deliveries == [before]
