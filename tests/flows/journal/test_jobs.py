from __future__ import annotations

from collections.abc import Callable

import pytest

from flows.journal import (
    IllegalTransition,
    JobDraft,
    JobRecord,
    Journal,
    JournalError,
    ReprocessRefused,
    StaleRun,
    UnknownRecord,
)
from tests.flows.conftest import STUDY, Clock, MakeInstance

Draft = Callable[..., JobDraft]


@pytest.fixture
def study_id(journal: Journal, instance: MakeInstance) -> int:
    for number in (1, 2, 3):
        journal.record_instance(instance(number))
    study = journal.receiving_studies()[0]
    journal.mark_complete(study.id, study.last_instance_at)
    return study.id


@pytest.fixture
def job(journal: Journal, study_id: int, draft: Draft) -> JobRecord:
    made = journal.record_routing(study_id, [draft()], "chest", ["chest: 1 of 3"])
    assert made is not None
    return made[0]


def test_unknown_numbers_are_named(journal: Journal, draft: Draft) -> None:
    for call in (
        lambda: journal.job(7),
        lambda: journal.study(7),
        lambda: journal.start_job(7),
        lambda: journal.create_job(7, draft()),
        lambda: journal.mark_delivery(7, "sent"),
    ):
        with pytest.raises(UnknownRecord, match="7"):
            call()


def test_a_draft_of_unknown_instances_makes_nothing(journal: Journal, study_id: int, draft: Draft) -> None:
    with pytest.raises(JournalError, match="selected 1 instances.*holds 0"):
        journal.create_job(study_id, draft(99))
    assert journal.jobs() == []


def test_routing_makes_jobs_and_states_in_one_step(journal: Journal, study_id: int, job: JobRecord) -> None:
    study = journal.study(study_id)
    assert (study.state, study.reason, study.explanation) == ("routed", "chest", ("chest: 1 of 3",))
    assert (job.state, job.revision, job.attempt, job.predecessor_id) == ("waiting", 1, 1, None)
    assert job.package == "blobs@1.0.0"
    assert job.content_time == job.created_at
    assert [i.sop_instance_uid for i in journal.job_instances(job.id)] == [f"{STUDY}.1.1"]
    assert journal.waiting_jobs() == [job]


def test_routing_of_a_study_that_opened_again_does_nothing(
    journal: Journal, study_id: int, draft: Draft, instance: MakeInstance
) -> None:
    journal.record_instance(instance(4))
    assert journal.record_routing(study_id, [draft()], "chest") is None
    assert not journal.mark_not_routed(study_id, "no route")
    assert journal.jobs() == []


def test_the_same_instances_make_no_second_job(
    journal: Journal, study_id: int, job: JobRecord, draft: Draft
) -> None:
    assert journal.create_job(study_id, draft()) is None
    assert journal.create_job(study_id, draft(package_version="2.0.0", package_hash="q" * 64)) is None
    assert len(journal.jobs()) == 1


def test_other_instances_make_the_next_revision(
    journal: Journal, study_id: int, job: JobRecord, draft: Draft
) -> None:
    journal.start_job(job.id)
    journal.finish_job(job.id, "completed")
    second = journal.create_job(study_id, draft(1, 2))
    assert second is not None
    assert (second.revision, second.attempt, second.predecessor_id) == (2, 1, job.id)
    assert second.idempotency_key != job.idempotency_key
    assert journal.create_job(study_id, draft(1, 2)) is None


def test_routes_count_their_revisions_apart(
    journal: Journal, study_id: int, job: JobRecord, draft: Draft
) -> None:
    other = journal.create_job(study_id, draft(route="research"))
    assert other is not None
    assert (other.revision, other.predecessor_id) == (1, None)
    assert other.idempotency_key != job.idempotency_key


def test_a_waiting_job_is_superseded(journal: Journal, study_id: int, job: JobRecord, draft: Draft) -> None:
    second = journal.create_job(study_id, draft(1, 2))
    assert second is not None
    old = journal.job(job.id)
    assert (old.state, old.reason) == ("cancelled", "superseded by revision 2 before it was submitted")
    assert [j.id for j in journal.waiting_jobs()] == [second.id]


def test_a_revision_waits_for_its_predecessor(
    journal: Journal, study_id: int, job: JobRecord, draft: Draft
) -> None:
    journal.mark_submitted(job.id, "run-1")
    second = journal.create_revision(study_id, draft(), "asked for")
    assert (second.revision, second.reason) == (2, "asked for")
    assert journal.waiting_jobs() == []
    journal.start_job(job.id, "run-1")
    journal.finish_job(job.id, "failed", "the network broke")
    assert [j.id for j in journal.waiting_jobs()] == [second.id]


def test_urgent_jobs_go_first(journal: Journal, study_id: int, draft: Draft) -> None:
    for urgency in ("routine", "stat", "urgent"):
        journal.create_job(study_id, draft(route=urgency, urgency=urgency))
    assert [j.urgency for j in journal.waiting_jobs()] == ["stat", "urgent", "routine"]
    assert [j.urgency for j in journal.waiting_jobs(limit=1)] == ["stat"]


def test_the_way_of_a_job(journal: Journal, job: JobRecord, clock: Clock) -> None:
    clock.advance(1)
    submitted = journal.mark_submitted(job.id, "run-1")
    assert (submitted.state, submitted.flow_run_id, submitted.submitted_at) == ("submitted", "run-1", clock())
    assert journal.active_jobs() == [submitted]
    clock.advance(1)
    started = journal.start_job(job.id, "run-1")
    assert (started.state, started.started_at) == ("running", clock())
    assert journal.start_job(job.id, "run-1") == started
    journal.stage_time(job.id, "gather", 0.25)
    clock.advance(1)
    done = journal.finish_job(job.id, "completed", outcome={"findings": 2, "decision": "not-assessed"})
    assert (done.state, done.finished_at, done.outcome["findings"]) == ("completed", clock(), 2)
    assert journal.finish_job(job.id, "completed") == done
    assert journal.stage_times(job.id) == {"gather": 0.25}
    assert [(e.kind, e.name) for e in journal.job_events(job.id)] == [
        ("job", "waiting"),
        ("wait", "complete-to-job"),
        ("job", "submitted"),
        ("job", "running"),
        ("wait", "job-to-run"),
        ("stage", "gather"),
        ("job", "completed"),
    ]
    assert journal.job_attempts(job.id)[0].state == "completed"


def test_a_run_may_start_before_its_submission_is_noted(journal: Journal, job: JobRecord) -> None:
    journal.start_job(job.id, "run-1")
    noted = journal.mark_submitted(job.id, "run-1")
    assert (noted.state, noted.flow_run_id) == ("running", "run-1")
    assert noted.submitted_at is not None


@pytest.mark.parametrize("state", ["completed", "refused", "failed", "dead-letter", "cancelled"])
def test_an_ended_job_does_not_move(journal: Journal, job: JobRecord, state: str) -> None:
    journal.start_job(job.id)
    journal.finish_job(job.id, state, "why")  # type: ignore[arg-type]
    with pytest.raises(IllegalTransition, match=f"job {job.id} is '{state}' and cannot become 'running'"):
        journal.start_job(job.id)
    other = "cancelled" if state == "completed" else "completed"
    with pytest.raises(IllegalTransition, match=f"'{state}' and cannot become '{other}'"):
        journal.finish_job(job.id, other)  # type: ignore[arg-type]
    assert journal.job(job.id).reason == "why"


def test_a_waiting_job_cannot_complete(journal: Journal, job: JobRecord) -> None:
    with pytest.raises(IllegalTransition, match="'waiting' and cannot become 'completed'"):
        journal.finish_job(job.id, "completed")
    with pytest.raises(ValueError, match="a job ends as one of"):
        journal.finish_job(job.id, "running")


def test_a_lost_run_goes_into_the_queue_again(journal: Journal, job: JobRecord) -> None:
    journal.mark_submitted(job.id, "run-1")
    journal.start_job(job.id, "run-1")
    again = journal.requeue_job(job.id, "the run vanished")
    assert (again.state, again.attempt, again.revision, again.flow_run_id) == ("waiting", 2, 1, None)
    assert again.idempotency_key != job.idempotency_key
    assert again.content_time == job.content_time
    first, second = journal.job_attempts(job.id)
    assert (first.state, first.reason, first.flow_run_id) == ("failed", "the run vanished", "run-1")
    assert second.state == "waiting"


def test_a_run_that_was_given_up_cannot_take_the_job_back(journal: Journal, job: JobRecord) -> None:
    journal.mark_submitted(job.id, "run-1")
    journal.requeue_job(job.id, "the run vanished")
    with pytest.raises(StaleRun, match="was attempt 1"):
        journal.start_job(job.id, "run-1")
    journal.mark_submitted(job.id, "run-2")
    with pytest.raises(StaleRun, match="has run run-2"):
        journal.start_job(job.id, "run-1")
    with pytest.raises(StaleRun):
        journal.mark_submitted(job.id, "run-1")
    assert journal.start_job(job.id, "run-2").state == "running"


def test_an_end_names_its_attempt(journal: Journal, job: JobRecord) -> None:
    journal.start_job(job.id, "run-1")
    journal.requeue_job(job.id, "the run vanished", attempt=1)
    journal.start_job(job.id, "run-2")
    with pytest.raises(StaleRun, match="at attempt 2, not 1"):
        journal.finish_job(job.id, "completed", attempt=1)
    with pytest.raises(StaleRun, match="at attempt 2, not 1"):
        journal.requeue_job(job.id, "the run vanished", attempt=1)
    assert journal.finish_job(job.id, "completed", attempt=2).state == "completed"


def test_only_active_or_failed_jobs_are_requeued(journal: Journal, job: JobRecord) -> None:
    with pytest.raises(IllegalTransition, match="'waiting' and cannot become 'waiting'"):
        journal.requeue_job(job.id, "no run")
    journal.start_job(job.id)
    journal.finish_job(job.id, "completed")
    with pytest.raises(IllegalTransition, match="'completed' and cannot become 'waiting'"):
        journal.requeue_job(job.id, "no run")


def test_stage_times_belong_to_an_attempt(journal: Journal, job: JobRecord) -> None:
    journal.mark_submitted(job.id, "run-1")
    journal.stage_time(job.id, "gather", 1.0)
    journal.requeue_job(job.id, "crashed")
    journal.stage_time(job.id, "gather", 2.0)
    assert journal.stage_times(job.id) == {"gather": 2.0}
    assert journal.stage_times(job.id, 1) == {"gather": 1.0}


def test_a_new_attempt_of_an_ended_job(journal: Journal, job: JobRecord) -> None:
    with pytest.raises(ReprocessRefused, match="is waiting"):
        journal.create_attempt(job.id, "asked for")
    journal.start_job(job.id, "run-1")
    journal.finish_job(job.id, "dead-letter", "three runs crashed")
    again = journal.create_attempt(job.id, "asked for")
    assert (again.state, again.attempt, again.revision) == ("waiting", 2, 1)
    assert again.idempotency_key != job.idempotency_key
    assert journal.job_attempts(job.id)[0].state == "dead-letter"


def test_what_was_replaced_or_purged_is_not_repeated(
    journal: Journal, study_id: int, job: JobRecord, draft: Draft
) -> None:
    journal.start_job(job.id)
    journal.finish_job(job.id, "completed")
    second = journal.create_revision(study_id, draft(), "new weights")
    with pytest.raises(ReprocessRefused, match="replaced by revision 2"):
        journal.create_attempt(job.id, "asked for")
    with pytest.raises(JournalError, match=f"job {second.id} still needs its files"):
        journal.purge_study(study_id, "kept for 30 days")
    journal.cancel_job(second.id, "changed my mind")
    journal.purge_study(study_id, "kept for 30 days")
    with pytest.raises(ReprocessRefused, match="purged"):
        journal.create_attempt(second.id, "asked for")
    with pytest.raises(ReprocessRefused, match="purged"):
        journal.create_revision(study_id, draft(), "asked for")


def test_intake_failures_end_in_a_state_with_a_reason(
    journal: Journal, study_id: int, instance: MakeInstance
) -> None:
    assert journal.note_intake_failure(study_id, "file 1 of 3 is missing", 2) == "complete"
    assert journal.study(study_id).tries == 1
    assert journal.note_intake_failure(study_id, "file 1 of 3 is missing", 2) == "failed"
    study = journal.study(study_id)
    assert (study.state, study.reason, study.tries) == ("failed", "file 1 of 3 is missing", 2)
    assert journal.complete_studies() == []
    assert journal.reopen_study(study_id).state == "complete"
    journal.record_instance(instance(4))
    assert journal.note_intake_failure(study_id, "late", 2) == "receiving"
