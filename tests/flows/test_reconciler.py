"""What a flow run says of its job; the whole loop is tested on a real server in tests/integration."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.journal import JobRecord, JobState
from flows.outbox import run_name
from flows.reconciler import Action, judge
from flows.worker.pool import is_gone, process_identity

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HANG = timedelta(minutes=20)


def job(state: JobState = "running", age_s: float = 60, attempt: int = 1) -> JobRecord:
    then = NOW - timedelta(seconds=age_s)
    return JobRecord(
        id=1, study_id=1, study_instance_uid="2.25.1", pseudonym="S-AAAAAAAAAA", route="chest",
        package_name="blobs", package_version="1.0.0", package_hash="p", configuration_hash="c", revision=1,
        attempt=attempt, fingerprint="f", idempotency_key="k", state=state, reason=None,
        flow_run_id=str(uuid4()), predecessor_id=None, urgency="routine", content_time=then, created_at=then,
        state_at=then, submitted_at=then, started_at=then, finished_at=None,
    )  # fmt: skip


def run(
    kind: StateType, age_s: float = 60, process: str | None = None, message: str | None = None
) -> FlowRun:
    state: State[None] = State(type=kind, message=message, timestamp=NOW - timedelta(seconds=age_s))
    return FlowRun(flow_id=uuid4(), state=state, infrastructure_pid=process)


def ended_process() -> str:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = process_identity(process.pid)
    process.communicate(b"\n")
    return identity


def test_a_run_that_vanished_is_repeated() -> None:
    assert judge(job(), None, NOW, HANG).action is Action.AGAIN


def test_a_run_that_was_just_submitted_may_not_be_visible_yet() -> None:
    assert judge(job("submitted", age_s=1), None, NOW, HANG).action is Action.LEAVE


def test_a_crashed_run_is_repeated_with_the_reason() -> None:
    verdict = judge(job(), run(StateType.CRASHED, 0, message="status -9"), NOW, HANG)
    assert verdict.action is Action.AGAIN
    assert "status -9" in verdict.reason
    assert not verdict.end_run


def test_a_cancelled_run_cancels_its_job() -> None:
    assert judge(job(), run(StateType.CANCELLED, 0), NOW, HANG).action is Action.CANCEL


@pytest.mark.parametrize("kind", [StateType.COMPLETED, StateType.FAILED])
def test_a_run_that_ended_without_a_word_in_the_journal_is_repeated(kind: StateType) -> None:
    assert judge(job(), run(kind, age_s=60), NOW, HANG).action is Action.AGAIN
    assert judge(job(), run(kind, age_s=1), NOW, HANG).action is Action.LEAVE


@pytest.mark.parametrize("kind", [StateType.SCHEDULED, StateType.RUNNING, StateType.PENDING])
def test_a_living_run_is_left_alone(kind: StateType) -> None:
    alive = process_identity(os.getpid())
    assert judge(job(), run(kind, age_s=600, process=alive), NOW, HANG).action is Action.LEAVE


@pytest.mark.parametrize("kind", [StateType.RUNNING, StateType.PENDING])
def test_a_run_whose_process_is_gone_is_ended_and_repeated(kind: StateType) -> None:
    verdict = judge(job(), run(kind, process=ended_process()), NOW, HANG)
    assert (verdict.action, verdict.end_run) == (Action.AGAIN, True)


def test_a_run_that_was_being_cancelled_when_its_process_went_is_cancelled() -> None:
    verdict = judge(job(), run(StateType.CANCELLING, process=ended_process()), NOW, HANG)
    assert (verdict.action, verdict.end_run) == (Action.CANCEL, True)


def test_a_run_that_no_worker_started_is_repeated() -> None:
    assert judge(job("submitted"), run(StateType.PENDING, age_s=90), NOW, HANG).action is Action.AGAIN


def test_a_run_that_waits_for_a_worker_waits_for_ever() -> None:
    waiting = judge(job("submitted", age_s=86400), run(StateType.SCHEDULED, age_s=86400), NOW, HANG)
    assert waiting.action is Action.LEAVE


def test_a_hanging_run_is_ended_and_repeated() -> None:
    verdict = judge(job(age_s=3600), run(StateType.RUNNING, age_s=3600, process="elsewhere:1:2"), NOW, HANG)
    assert (verdict.action, verdict.end_run) == (Action.AGAIN, True)


def test_processes_of_other_machines_are_not_judged() -> None:
    assert not is_gone("elsewhere:1:2.00")
    assert not is_gone("a-container-name")
    assert not is_gone(process_identity(os.getpid()))


def test_a_reused_process_number_is_another_process() -> None:
    host, pid, _ = process_identity(os.getpid()).split(":")
    assert is_gone(f"{host}:{pid}:1.00")


def test_run_names_have_pseudonym_and_package_alone() -> None:
    assert run_name(job()) == "S-AAAAAAAAAA blobs@1.0.0"
    assert run_name(job(attempt=3)) == "S-AAAAAAAAAA blobs@1.0.0 attempt 3"
