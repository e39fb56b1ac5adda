"""Sending a job's kept objects to their destinations: only what is missing, as often as it takes."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from dicom_io.send import NodeAddress, SendError, SendResult, copy_files, send_files
from flows.journal import DeliveryRecord, JobRecord, Journal
from flows.loops import PassIncomplete
from flows.settings import DimseNode, Settings

__all__ = ["DeliveryReport", "deliver", "is_due", "retry_deliveries"]

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=5)
_GIVE_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of the deliveries of a job.

    Parameters
    ----------
    sent : int
        Objects that were sent now.
    problems : mapping of str to str
        Why something is still missing, by destination; without PHI.
    """

    sent: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every destination has everything."""
        return not self.problems


def deliver(journal: Journal, settings: Settings, job: JobRecord) -> DeliveryReport:
    """Send what a job's destinations miss, one association a destination, and note each end."""
    waiting: dict[str, list[DeliveryRecord]] = defaultdict(list)
    for delivery in journal.pending_deliveries(job.id):
        waiting[delivery.destination].append(delivery)
    sent = 0
    problems: dict[str, str] = {}
    for destination, deliveries in waiting.items():
        outcomes = _send(settings, job, destination, [delivery.path for delivery in deliveries])
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            if outcome.error is None:
                journal.mark_delivery(delivery.id, "sent")
                sent += 1
            else:
                journal.mark_delivery(delivery.id, "failed", outcome.error)
                problems[destination] = outcome.summary
    return DeliveryReport(sent, problems)


def is_due(delivery: DeliveryRecord, now: datetime, attempts_in_run: int) -> bool:
    """Return whether a delivery may be tried again: after seconds first, after minutes later."""
    later = min(max(delivery.attempts - attempts_in_run, 0), 10)
    pause = min(_FIRST_PAUSE * 2**later, _LONGEST_PAUSE)
    return bool(delivery.state_at + pause <= now)


def retry_deliveries(journal: Journal, settings: Settings, now: datetime) -> int:
    """Try again what completed jobs could not deliver within their run; return how much was sent.

    A delivery that has failed for three days is dead: it shows in the status, and `secondread reprocess`
    sends it again.

    Raises
    ------
    PassIncomplete
        Some jobs could not even be tried; all others were.
    """
    by_job: dict[int, list[DeliveryRecord]] = defaultdict(list)
    for delivery in journal.pending_deliveries():
        by_job[delivery.job_id].append(delivery)
    sent = failed = 0
    for job_id, deliveries in by_job.items():
        try:
            sent += _retry_job(journal, settings, job_id, deliveries, now)
        except Exception as error:
            # One job must not keep back the others. The text of an error may quote an object or a query.
            _LOG.error("job %d could not be delivered late: %s", job_id, type(error).__name__)
            failed += 1
    if failed:
        raise PassIncomplete(f"{failed} of {len(by_job)} jobs could not be delivered late")
    return sent


def _retry_job(
    journal: Journal, settings: Settings, job_id: int, deliveries: Sequence[DeliveryRecord], now: datetime
) -> int:
    job = journal.job(job_id)
    if job.state != "completed":
        return 0
    for delivery in deliveries:
        if delivery.attempts and now - (job.finished_at or delivery.created_at) > _GIVE_UP_AFTER:
            journal.mark_delivery(delivery.id, "dead", delivery.error)
    if not any(is_due(delivery, now, settings.outbox.delivery_attempts) for delivery in deliveries):
        return 0
    report = deliver(journal, settings, job)
    _LOG.warning(
        "study %s, job %d: %d objects delivered late%s",
        job.pseudonym,
        job.id,
        report.sent,
        "".join(f"; {name}: {problem}" for name, problem in report.problems.items()),
    )
    return report.sent


@dataclass(frozen=True, slots=True)
class _Outcome:
    """``error`` goes to the journal; ``summary`` is ours alone and quotes no peer."""

    error: str | None = None
    summary: str = ""


def _send(settings: Settings, job: JobRecord, destination: str, paths: Sequence[Path]) -> list[_Outcome]:
    node = settings.nodes.get(destination)
    if node is None:
        text = f"no node {destination!r} is configured any more"
        return [_Outcome(text, text)] * len(paths)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        text = f"{len(missing)} of {len(paths)} kept objects are gone"
        return [_Outcome(text, text)] * len(paths)
    try:
        if isinstance(node, DimseNode):
            address = NodeAddress(node.ae_title, node.host, node.port, node.timeout_s)
            results = send_files(paths, address, settings.listener.ae_title)
        else:
            results = copy_files(paths, node.path / job.pseudonym / paths[0].parent.name)
    except SendError as error:
        return [_Outcome(str(error), type(error).__name__)] * len(paths)
    return [_outcome(result) for result in results]


def _outcome(result: SendResult) -> _Outcome:
    if result.error is None:
        return _Outcome()
    status = "no answer" if result.status is None else f"status 0x{result.status:04X}"
    return _Outcome(result.error, status)
