"""How often a job is tried."""

from __future__ import annotations

from flows.journal import JobRecord, Journal

__all__ = ["requeue_or_give_up"]


def requeue_or_give_up(journal: Journal, job: JobRecord, reason: str, maximum_attempts: int) -> JobRecord:
    """Have a job wait as its next attempt, or dead-letter it when it had its attempts."""
    if job.attempt < maximum_attempts:
        return journal.requeue_job(job.id, reason)
    return journal.finish_job(job.id, "dead-letter", f"given up after {job.attempt} attempts: {reason}")
