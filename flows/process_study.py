"""The flow ``process-study``: one job from its files to delivered results, as coarse tasks.

It runs in a warm process of the resident worker, or under any standard Prefect worker. The journal is
the truth; what Prefect holds is a view without protected health information: tasks exchange paths and
small summaries, and nothing of what they return is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from httpx import HTTPError
from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.states import Completed, Failed
from prefect.tasks import Task

from flows.attempts import requeue_or_give_up
from flows.delivery import DeliveryReport, attempts_in_run, deliver
from flows.detectors import DetectorCache
from flows.journal import IllegalTransition, Journal, StaleRun, UnknownRecord, open_journal
from flows.reading import Gathered, Refused
from flows.settings import Settings, load_settings
from flows.study_run import StepFailed, StudyRun, without_quotes
from flows.summary import delivered, not_read_of, summary_markdown
from models.results import Assessment

__all__ = ["process_study", "warm_up"]

_T = TypeVar("_T")

_FIRST_DELIVERY_PAUSE_S = 0.5


class DeliveryIncomplete(StepFailed):
    """A destination has not taken everything yet, and this run may try again.

    Attributes
    ----------
    report : DeliveryReport or None
        How far the deliveries came.
    """

    def __init__(self, text: str, report: DeliveryReport | None = None) -> None:
        super().__init__(text)
        self.report = report


@cache
def _settings() -> Settings:
    return load_settings()


@cache
def _journal() -> Journal:
    return open_journal(_settings())


@cache
def _detectors() -> DetectorCache:
    return DetectorCache(_settings().runtime)


def warm_up() -> None:
    """Open the journal and the networks of all routes, before the first study needs them."""
    _journal()
    for reference, members in dict.fromkeys((route.package, route.members) for route in _settings().routes):
        _detectors().warm_up(reference, members)


def _raised(state: State[Any]) -> Any:
    return state.data


async def _transport_failed(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    return isinstance(_raised(state), DeliveryIncomplete)


async def _memory_ran_out(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    error = _raised(state)
    return isinstance(error, StepFailed) and error.out_of_memory


async def _in_thread(run: StudyRun, stage: str, work: Callable[[], _T]) -> _T:
    """Do a step on a thread, so that the process stays in touch with worker and server."""
    return await asyncio.to_thread(run.do, stage, work)


_PLAIN: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False}


@task(name="gather", **_PLAIN)
async def gather(run: StudyRun) -> Gathered | State[Any]:
    """Select the instances of the job by their headers, and check that they are those of the journal."""
    return await _refusable(run, "gather", run.gather)


@task(name="prepare", **_PLAIN)
async def prepare(run: StudyRun, gathered: Gathered) -> Any:
    """Decode what was selected into the scratch folder."""
    return await _refusable(run, "prepare", lambda: run.reader().prepare(gathered, run.scratch))


@task(name="gate", **_PLAIN)
async def gate(run: StudyRun, prepared: Any) -> Any:
    """Pass on what the package may read."""
    return await _refusable(run, "gate", lambda: run.reader().gate(prepared))


@task(name="infer", retries=1, retry_condition_fn=_memory_ran_out, **_PLAIN)
async def infer(run: StudyRun, prepared: Any) -> Any:
    """Run all members; once more with the least memory when memory ran out."""
    context = TaskRunContext.get()
    is_retry = context is not None and context.task_run.run_count > 1

    def work() -> Any:
        return run.reader().infer(prepared, run.detector(least_memory=is_retry), run.scratch)

    reading = await _in_thread(run, "infer", work)
    get_run_logger().info("%s", run.reader().told(reading))
    return reading


@task(name="assess", **_PLAIN)
async def assess(run: StudyRun, reading: Any) -> Assessment:
    """Judge how far the reading can be trusted."""
    assessment = await _in_thread(run, "assess", lambda: run.reader().assess(reading))
    get_run_logger().info("decision %s", assessment.decision)
    return assessment


@task(name="encode", **_PLAIN)
async def encode(run: StudyRun, prepared: Any, reading: Any, assessment: Assessment) -> int:
    """Write the result objects and record them with their destinations; return how many there are."""

    def work() -> int:
        reader = run.reader()
        compared = reader.compared(reading, run.prior())
        objects = reader.encode(run.basis(), prepared, compared, assessment)
        run.keep_reading(reader.outcome(prepared, compared, assessment))
        run.keep(objects)
        return len(objects)

    count = await _in_thread(run, "encode", work)
    get_run_logger().info("%d objects encoded", count)
    return count


@task(name="encode-refusal", **_PLAIN)
async def encode_refused(run: StudyRun, refusal: Refused, outcome: dict[str, Any]) -> int:
    """Write the report of a study that could not be read and record it; return how many objects it has."""

    def work() -> int:
        objects = run.reader().refused(run.basis(), refusal.not_read)
        if objects:
            run.keep_reading(outcome)
            run.keep(objects)
        return len(objects)

    return await _in_thread(run, "encode", work)


@task(name="deliver", retry_condition_fn=_transport_failed, **_PLAIN)
async def send(run: StudyRun) -> DeliveryReport:
    """Send what the destinations miss; repeated with growing pauses while one does not take it."""
    context = TaskRunContext.get()
    attempt = 1 if context is None else context.task_run.run_count

    def work() -> DeliveryReport:
        return deliver(run.journal, run.settings, run.job, attempt)

    report = await _in_thread(run, "deliver", work)
    if report.worth_another:
        raise DeliveryIncomplete(report.problem or "", report)
    get_run_logger().info("%d objects delivered", report.sent)
    return report


@task(name="notify", **_PLAIN)
async def notify(run: StudyRun, title: str, outcome: dict[str, Any]) -> None:
    """Show the summary of the run in Prefect."""
    times = await asyncio.to_thread(run.journal.stage_times, run.job.id)
    await acreate_markdown_artifact(
        markdown=summary_markdown(run.job, title, outcome, times),
        key=f"study-{run.job.pseudonym.lower()}",
        description=f"{run.job.package}, route {run.job.route}, revision {run.job.revision}",
    )


async def _refusable(run: StudyRun, stage: str, work: Callable[[], _T]) -> _T | State[Any]:
    try:
        return await _in_thread(run, stage, work)
    except Refused as refusal:
        get_run_logger().info("refused: %s", refusal)
        run.refusal = refusal
        return Completed(name="Refused", message=str(refusal))


def _unless_refused(run: StudyRun, result: _T | State[Any]) -> _T:
    if isinstance(result, State):
        raise run.refusal or StepFailed(f"a step ended as {result.name}")
    return result


@flow(name="process-study", persist_result=False, validate_parameters=True)
async def process_study(job_id: int) -> State[Any]:
    """Read one study.

    Parameters
    ----------
    job_id : int
        A job of the journal.

    Returns
    -------
    State
        Completed; Completed as "Refused" for bad input, as "Undelivered" where a destination has not
        taken everything, as "AwaitingCommitment" where one has and has not committed it yet, as
        "NothingToDo" where the job is not this run's; or Failed.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("process_study runs as a flow run of Prefect; `secondread run` needs none")
    flow_run_id = str(context.flow_run.id)
    settings, journal = _settings(), _journal()
    try:
        job = await asyncio.to_thread(journal.start_job, job_id, flow_run_id)
    except (StaleRun, IllegalTransition, UnknownRecord) as error:
        return Completed(name="NothingToDo", message=f"{error}; `secondread reprocess` reads a study again")
    run = StudyRun(job, journal, settings, _detectors(), settings.scratch / flow_run_id)
    try:
        return await _read_or_refuse(run)
    except Exception as error:
        # Whatever leaves a flow as an exception is stored by Prefect as a pickle, with its text.
        return await _fail(run, without_quotes(f"study {job.pseudonym}", error))
    finally:
        await asyncio.to_thread(run.clean)


async def _read_or_refuse(run: StudyRun) -> State[Any]:
    try:
        kept = await asyncio.to_thread(run.kept_objects)
        if kept:
            await asyncio.to_thread(run.add_destinations, kept)
        else:
            await _read(run)
    except Refused as refusal:
        outcome = {"not_read": not_read_of(refusal.not_read), "refusal": str(refusal)}
        if not await _report_refusal(run, refusal, outcome):
            return await _finish_refused(run, outcome)
    return await _deliver_and_finish(run)


async def _read(run: StudyRun) -> None:
    gathered = _unless_refused(run, await gather(run))
    decoded = _unless_refused(run, await prepare(run, gathered))
    prepared = _unless_refused(run, await gate(run, decoded))
    reading = await infer(run, prepared)
    await encode(run, prepared, reading, await assess(run, reading))


async def _report_refusal(run: StudyRun, refusal: Refused, outcome: dict[str, Any]) -> int:
    """Write the report that nothing was read; return how many objects that is."""
    try:
        return await encode_refused(run, refusal, outcome)
    except StepFailed as failure:
        get_run_logger().warning("the refusal could not be reported: %s", failure)
        return 0


async def _deliver_and_finish(run: StudyRun) -> State[Any]:
    report = await _send(run)
    outcome = run.kept_reading() | delivered(
        run.journal.job_results(run.job.id), run.journal.deliveries(run.job.id)
    )
    await asyncio.to_thread(run.complete_manifest)
    if "refusal" in outcome:
        return await _finish_refused(run, outcome)
    await asyncio.to_thread(run.finish, "completed", report.problem, outcome)
    title, message = _delivery_title(report)
    await _show(run, title, outcome)
    return Completed(name=title, message=message)


async def _finish_refused(run: StudyRun, outcome: dict[str, Any]) -> State[Any]:
    reason = str(outcome["refusal"])
    await asyncio.to_thread(run.finish, "refused", reason, outcome)
    await _show(run, "Refused", outcome)
    return Completed(name="Refused", message=reason)


def _delivery_title(report: DeliveryReport) -> tuple[str, str | None]:
    if report.problems:
        return "Undelivered", f"delivery goes on in the background: {report.problem}"
    if report.dead:
        return "Undelivered", f"given up, see `secondread deliveries`: {report.problem}"
    if report.awaiting:
        parts = [f"{name}: {number} objects" for name, number in report.awaiting.items()]
        return "AwaitingCommitment", f"stored and not committed yet: {'; '.join(parts)}"
    return "Completed", None


async def _send(run: StudyRun) -> DeliveryReport:
    """Deliver within the run as often as the destinations allow; return how far that went."""
    still_open = await asyncio.to_thread(run.journal.open_deliveries, run.job.id)
    destinations = {one.destination for one in still_open}
    attempts = max((attempts_in_run(run.settings, name) for name in destinations), default=1)
    pauses = [_FIRST_DELIVERY_PAUSE_S * 2**number for number in range(attempts - 1)]
    try:
        report: DeliveryReport = await send.with_options(
            retries=attempts - 1, retry_delay_seconds=pauses or 0
        )(run)
    except DeliveryIncomplete as incomplete:
        if incomplete.report is None:
            raise
        return incomplete.report
    return report


async def _fail(run: StudyRun, failure: StepFailed) -> State[Any]:
    """Tell the journal; what may pass gets another attempt, what will not is over."""
    reason = str(failure)
    try:
        if not await asyncio.to_thread(lambda: run.is_current):
            return Completed(name="NothingToDo", message="the job was given to another run meanwhile")
        if failure.passing:
            limit = run.settings.outbox.maximum_attempts
            await asyncio.to_thread(requeue_or_give_up, run.journal, run.job, reason, limit)
        else:
            await asyncio.to_thread(run.finish, "failed", reason, {"reasons": [reason]})
    except Exception as error:
        # The reconciler finds a job without an end behind a failed run, and has it run again.
        return Failed(message=f"{reason}; {without_quotes('the journal', error)}")
    await _show(run, "Failed", {"reasons": [reason]})
    return Failed(message=reason)


async def _show(run: StudyRun, title: str, outcome: dict[str, Any]) -> None:
    """Show the summary, if the server is there: the job has ended in the journal either way."""
    try:
        await notify(run, title, outcome)
    except HTTPError as error:
        get_run_logger().warning("the summary could not be shown: %s", type(error).__name__)
