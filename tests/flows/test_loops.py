"""Loops that go on: through a journal, a server or a single job that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from prefect.client.orchestration import PrefectClient
from sqlalchemy.exc import OperationalError

from flows import conductor, loops
from flows.deployment import Registration
from flows.journal import JobRecord, Journal, JournalError
from flows.loops import repeat_for_ever
from flows.outbox import Dispatcher, _is_due
from flows.reconciler import Reconciler
from flows.settings import Settings
from tests.flows.test_reconciler import job

LOCKED = OperationalError("SELECT secret", {"uid": "2.25.1"}, Exception("database is locked"))
SETTINGS = cast(
    "Settings",
    SimpleNamespace(
        outbox=SimpleNamespace(
            poll_interval_s=0.01, reconcile_interval_s=0.01, maximum_attempts=3, delivery_attempts=3
        )
    ),
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_FIRST_BACK_OFF_S", 0.01)
    monkeypatch.setattr(loops, "_LONGEST_BACK_OFF_S", 0.02)


async def for_a_while(loop: Any, seconds: float = 0.3) -> None:
    """Run a loop; only our own impatience may end it."""
    task = asyncio.ensure_future(loop)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if done:
        task.result()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not done


def journal(**methods: Callable[..., object]) -> Journal:
    return cast("Journal", SimpleNamespace(**methods))


class Locked:
    """Fails however often it is asked, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *_arguments: object) -> list[Any]:
        self.calls += 1
        raise LOCKED


@pytest.mark.parametrize("error", [LOCKED, JournalError("away"), OSError(5, "I/O"), httpx.ReadError("away")])
async def test_what_passes_is_waited_for(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        raise error

    await for_a_while(repeat_for_ever("a test", work, 0.01))
    assert calls > 2
    assert caplog.text.count("a test waits") == 1
    assert type(error).__name__ in caplog.text
    assert "secret" not in caplog.text
    assert "2.25.1" not in caplog.text


async def test_an_error_of_ours_at_the_start_is_not_hidden() -> None:
    async def work() -> None:
        raise TypeError("wrong program")

    with pytest.raises(TypeError):
        await repeat_for_ever("a test", work, 0.01)


async def test_an_error_of_ours_later_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    calls, text = 0, "-".join(["Doe", "Jane"])

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise TypeError(text)

    await for_a_while(repeat_for_ever("a test", work, 0.01))
    assert calls > 3
    assert "TypeError" in caplog.text
    assert text not in caplog.text


def dispatcher(held: Journal, client: object = None) -> Dispatcher:
    made = Dispatcher(held, SETTINGS, cast("PrefectClient", client))
    made._registration = Registration(uuid4(), "process")
    return made


async def test_dispatching_outlives_the_journal() -> None:
    locked = Locked()
    await for_a_while(dispatcher(journal(waiting_jobs=locked)).run())
    assert locked.calls > 2


async def test_reconciling_outlives_the_journal() -> None:
    locked = Locked()
    await for_a_while(Reconciler(journal(active_jobs=locked), SETTINGS, cast("PrefectClient", None)).run())
    assert locked.calls > 2


async def test_late_delivery_outlives_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "_DELIVERY_INTERVAL_S", 0.01)
    locked = Locked()
    await for_a_while(conductor._deliver_late(journal(open_deliveries=locked), SETTINGS))
    assert locked.calls > 2


def _job(number: int, state: Any = "waiting", attempt: int = 1, age_s: float = 60) -> JobRecord:
    made = job(state, age_s, attempt)
    values = {name: getattr(made, name) for name in JobRecord.__dataclass_fields__}
    return JobRecord(**values | {"id": number, "idempotency_key": f"k{number}"})


class RefusingServer:
    """Takes every job but the first."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[int] = []

    async def create_flow_run_from_deployment(
        self, _deployment: object, *, parameters: dict[str, int], **_options: object
    ) -> object:
        self.asked.append(parameters["job_id"])
        if parameters["job_id"] == 1:
            request = httpx.Request("POST", "http://localhost")
            raise httpx.HTTPStatusError("no", request=request, response=httpx.Response(self.status))
        return SimpleNamespace(id=uuid4(), state=None)


async def test_a_job_that_the_server_refuses_does_not_keep_back_the_next() -> None:
    ends: list[tuple[int, str, str]] = []
    held = journal(
        waiting_jobs=lambda: [_job(1), _job(2)],
        mark_submitted=lambda number, _run: None,
        finish_job=lambda number, state, reason: ends.append((number, state, reason)),
    )
    server = RefusingServer(422)
    submitting = dispatcher(held, server)
    assert await submitting.submit_waiting() == 1
    assert await submitting.submit_waiting() == 1
    assert server.asked == [1, 2, 2], "the refused job is not held back"
    for key in submitting._refusals:
        submitting._refusals[key] = (2, 0.0)
    await submitting.submit_waiting()
    assert [end[:2] for end in ends] == [(1, "dead-letter")]
    assert "after 3 attempts" in ends[0][2]
    assert "422" in ends[0][2]


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_an_answer_about_the_server_is_no_fault_of_a_job(status: int) -> None:
    held = journal(waiting_jobs=lambda: [_job(1), _job(2)])
    with pytest.raises(httpx.HTTPStatusError):
        await dispatcher(held, RefusingServer(status)).submit_waiting()


def test_a_clock_that_was_set_back_does_not_hold_a_first_attempt() -> None:
    future = -(datetime.now(UTC) - datetime(2026, 1, 1, 12, tzinfo=UTC)).total_seconds() - 3600
    assert _is_due(_job(1, age_s=future))
    assert _is_due(_job(1, attempt=2, age_s=future))
    assert not _is_due(_job(1, attempt=3, age_s=future))
