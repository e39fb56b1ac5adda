"""Retries by cause, and what the flow is to Prefect; whole runs are tested in tests/integration."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Failed

from flows import process_study as flow_module
from flows.delivery import DeliveryReport
from flows.deployment import ENTRYPOINT
from flows.process_study import (
    DeliveryIncomplete,
    _delivery_title,
    _memory_ran_out,
    _transport_failed,
    infer,
    process_study,
    send,
)
from flows.study_run import StepFailed

NOTHING: Any = SimpleNamespace()


@pytest.mark.parametrize(
    ("error", "deliver_again", "infer_again"),
    [
        (DeliveryIncomplete("pacs: NodeUnreachable"), True, False),
        (StepFailed("infer failed", passing=True, out_of_memory=True), False, True),
        (StepFailed("encode failed", passing=True), False, False),
        (StepFailed("the input changed"), False, False),
        (ValueError("anything else"), False, False),
    ],
)
async def test_steps_are_repeated_by_cause(error: Exception, deliver_again: bool, infer_again: bool) -> None:
    state = Failed(data=error)
    assert await _transport_failed(NOTHING, NOTHING, state) is deliver_again
    assert await _memory_ran_out(NOTHING, NOTHING, state) is infer_again


@pytest.mark.parametrize(
    ("report", "title", "message"),
    [
        (DeliveryReport(3), "Completed", None),
        (DeliveryReport(awaiting={"pacs": 2}), "AwaitingCommitment", "not committed yet: pacs: 2 objects"),
        (DeliveryReport(dead={"pacs": 1}, awaiting={"web": 2}), "Undelivered", "given up, see `secondread"),
        (
            DeliveryReport(problems={"pacs": "2 objects missing (no answer)"}, dead={"web": 1}),
            "Undelivered",
            "in the background: pacs: 2 objects missing (no answer); web: 1 dead letters",
        ),
    ],
)
def test_how_a_run_ends_by_its_deliveries(report: DeliveryReport, title: str, message: str | None) -> None:
    told, why = _delivery_title(report)
    assert told == title
    assert (why is None) if message is None else (message in str(why))


def test_inference_is_repeated_once_and_nothing_is_stored() -> None:
    assert infer.retries == 1
    for name in ("gather", "prepare", "gate", "infer", "assess", "encode", "send", "notify"):
        task = getattr(flow_module, name)
        assert task.persist_result is False, name
        assert task.isasync, name
    assert process_study.persist_result is False
    assert send.name == "deliver"


def test_the_deployment_names_the_flow() -> None:
    module, _, name = ENTRYPOINT.rpartition(".")
    assert (module, name) == (flow_module.__name__, "process_study")
    assert process_study.name == "process-study"
    assert list(process_study.parameters.properties) == ["job_id"]


async def test_the_flow_runs_under_prefect_only() -> None:
    with pytest.raises(RuntimeError, match="flow run"):
        await process_study.fn(1)
