"""Jobs: their way through the states, attempt after attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, select, update

from flows.journal.errors import IllegalTransition, StaleRun
from flows.journal.job_queries import JobQueries
from flows.journal.records import JobDraft, JobRecord
from flows.journal.states import (
    ACTIVE_JOB_STATES,
    DELIVERABLE_JOB_STATES,
    FINAL_JOB_STATES,
    JobState,
    check_job_step,
)
from flows.journal.tables import attempts, deliveries, jobs

__all__ = ["JobStates", "ended_text", "idempotency_key"]


def idempotency_key(draft: JobDraft | JobRecord, revision: int, attempt: int, made_at: datetime) -> str:
    """Return the key under which an attempt is submitted, once and for ever.

    The time of making keeps it apart from a job of another route, or of a journal that is gone: whoever
    takes the key may remember it longer than the journal lives.
    """
    text = "|".join(
        (
            draft.fingerprint,
            f"{draft.package_name}@{draft.package_version}",
            draft.package_hash,
            draft.configuration_hash,
            str(revision),
            str(attempt),
            draft.route,
            made_at.isoformat(),
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()


def ended_text(state: JobState) -> str:
    """Return why what an ended job left behind is not delivered, and what brings it on."""
    return (
        f"the job ended as {state} before this was delivered: `secondread deliver --retry` delivers the kept "
        "object as it is, `secondread reprocess` has the study read again"
    )


def _check_attempt(job: JobRecord, attempt: int | None) -> None:
    if attempt is not None and attempt != job.attempt:
        raise StaleRun(f"job {job.id} is at attempt {job.attempt}, not {attempt}")


class JobStates(JobQueries):
    """What the outbox, the reconciler and the flow write about jobs."""

    def mark_submitted(self, job_id: int, flow_run_id: str) -> JobRecord:
        """Note the flow run of a waiting job; where the run already started, only the run is noted."""
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            if job.flow_run_id not in {None, flow_run_id}:
                raise StaleRun(f"job {job_id} already has run {job.flow_run_id}, not {flow_run_id}")
            now = self._clock()
            if job.state == "waiting":
                self._set_job(connection, job, "submitted", flow_run_id=flow_run_id, submitted_at=now)
            elif job.submitted_at is None:
                values = {"flow_run_id": flow_run_id, "submitted_at": now}
                self._update(connection, job, values, values)
            return self._job(connection, job_id)

    def start_job(self, job_id: int, flow_run_id: str | None = None) -> JobRecord:
        """Note that a run has started; the same run may say so again after a retry.

        Raises
        ------
        StaleRun
            The run belongs to an earlier attempt, or another run has the job.
        IllegalTransition
            The job has ended.
        """
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            if flow_run_id is not None:
                self._check_run(connection, job, flow_run_id)
            if job.state == "running":
                # The try before this one is over, and may have been killed.
                self._release_job(connection, job_id)
                return job
            now = self._clock()
            values: dict[str, Any] = {"started_at": now}
            if flow_run_id is not None:
                values["flow_run_id"] = flow_run_id
            self._set_job(connection, job, "running", **values)
            since = self._attempt_made(connection, job)
            self._note_wait(connection, "job-to-run", job, since, now)
            return self._job(connection, job_id)

    def finish_job(
        self,
        job_id: int,
        state: JobState,
        reason: str | None = None,
        outcome: Mapping[str, Any] | None = None,
        *,
        attempt: int | None = None,
    ) -> JobRecord:
        """End an attempt; the same end a second time changes nothing.

        What a failed, given up or cancelled job has not delivered is a dead letter from then on.

        Parameters
        ----------
        state : {"completed", "refused", "failed", "dead-letter", "cancelled"}
            How it ended: read, bad input, an error, given up, or called off.
        outcome : mapping, optional
            A JSON summary without protected health information.
        attempt : int, optional
            The attempt that ended; StaleRun where the job is at another one.
        """
        if state not in FINAL_JOB_STATES:
            raise ValueError(f"a job ends as one of {', '.join(sorted(FINAL_JOB_STATES))}, not {state!r}")
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            _check_attempt(job, attempt)
            if job.state == state:
                return job
            self._set_job(
                connection,
                job,
                state,
                reason=reason,
                finished_at=self._clock(),
                outcome=dict(outcome or {}),
            )
            return self._job(connection, job_id)

    def cancel_job(self, job_id: int, reason: str) -> JobRecord:
        """Call an active job off."""
        return self.finish_job(job_id, "cancelled", reason)

    def requeue_job(self, job_id: int, reason: str, *, attempt: int | None = None) -> JobRecord:
        """Give up the run of a submitted, running or failed job and have it wait as the next attempt.

        Where ``attempt`` is named and the job is at another one, StaleRun is raised instead.
        """
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            _check_attempt(job, attempt)
            self._next_attempt(connection, job, reason, allowed=("submitted", "running", "failed"))
            return self._job(connection, job_id)

    def stage_time(self, job_id: int, stage: str, seconds: float) -> None:
        """Note how long a stage of the present attempt took."""
        with self._writing() as connection:
            job = self._job(connection, job_id)
            self._note(
                connection,
                "stage",
                stage,
                job.study_id,
                at=self._clock(),
                job_id=job_id,
                attempt=job.attempt,
                seconds=seconds,
            )

    def _new_attempt(
        self, connection: Connection, job_id: int, attempt: int, reason: str | None, now: datetime
    ) -> None:
        connection.execute(
            insert(attempts),
            {"job_id": job_id, "attempt": attempt, "state": "waiting", "reason": reason, "created_at": now},
        )

    def _next_attempt(
        self, connection: Connection, job: JobRecord, reason: str, allowed: Sequence[JobState]
    ) -> None:
        if job.state not in allowed:
            raise IllegalTransition(f"job {job.id}", job.state, "waiting")
        now = self._clock()
        attempt = job.attempt + 1
        given_up = {"state": "failed", "reason": reason, "finished_at": now}
        self._reopen_deliveries(connection, job.id, now)
        if job.state in ACTIVE_JOB_STATES:
            self._release_job(connection, job.id)
            connection.execute(
                update(attempts)
                .where(attempts.c.job_id == job.id, attempts.c.attempt == job.attempt)
                .values(given_up)
            )
        values = {
            "state": "waiting",
            "state_at": now,
            "reason": reason,
            "attempt": attempt,
            "idempotency_key": idempotency_key(job, job.revision, attempt, job.content_time),
            "flow_run_id": None,
            "submitted_at": None,
            "started_at": None,
            "finished_at": None,
            "outcome": {},
        }
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(values))
        self._new_attempt(connection, job.id, attempt, reason, now)
        self._note(
            connection,
            "job",
            "waiting",
            job.study_id,
            at=now,
            job_id=job.id,
            attempt=attempt,
            reason=reason,
        )

    def _check_run(self, connection: Connection, job: JobRecord, flow_run_id: str) -> None:
        if job.flow_run_id not in {None, flow_run_id}:
            raise StaleRun(f"job {job.id} has run {job.flow_run_id}, not {flow_run_id}")
        earlier = connection.execute(
            select(attempts.c.attempt).where(
                attempts.c.job_id == job.id,
                attempts.c.flow_run_id == flow_run_id,
                attempts.c.attempt < job.attempt,
            )
        ).scalar()
        if earlier is not None:
            raise StaleRun(
                f"run {flow_run_id} was attempt {earlier} of job {job.id}, which is at attempt {job.attempt}"
            )

    def _attempt_made(self, connection: Connection, job: JobRecord) -> datetime:
        made: datetime = connection.execute(
            select(attempts.c.created_at).where(
                attempts.c.job_id == job.id, attempts.c.attempt == job.attempt
            )
        ).scalar_one()
        return made

    def _note_wait(
        self, connection: Connection, name: str, job: JobRecord, since: datetime, until: datetime
    ) -> None:
        self._note(
            connection,
            "wait",
            name,
            job.study_id,
            at=until,
            job_id=job.id,
            attempt=job.attempt,
            seconds=max(0.0, (until - since).total_seconds()),
        )

    def _set_job(self, connection: Connection, job: JobRecord, state: JobState, **values: Any) -> None:
        check_job_step(f"job {job.id}", job.state, state)
        now = self._clock()
        shared = {"state": state, "reason": values.pop("reason", None)}
        outcome = {"outcome": values.pop("outcome")} if "outcome" in values else {}
        self._update(connection, job, shared | values | outcome | {"state_at": now}, shared | values)
        if state in FINAL_JOB_STATES - DELIVERABLE_JOB_STATES:
            self._end_deliveries(connection, job.id, state, now)
        self._note(
            connection,
            "job",
            state,
            job.study_id,
            at=now,
            job_id=job.id,
            attempt=job.attempt,
            reason=shared["reason"],
        )

    def _end_deliveries(self, connection: Connection, job_id: int, state: JobState, now: datetime) -> None:
        """Have nobody wait for what nothing will send; what was stored still awaits its commitment."""
        self._lock_deliveries(connection, deliveries.c.job_id == job_id)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.job_id == job_id, deliveries.c.state.in_(("pending", "failed")))
            .values(state="dead", dead_reason="job-ended", error=ended_text(state), state_at=now)
        )

    def _reopen_deliveries(self, connection: Connection, job_id: int, now: datetime) -> None:
        self._lock_deliveries(connection, deliveries.c.job_id == job_id)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.job_id == job_id, deliveries.c.dead_reason == "job-ended")
            .values(state="pending", dead_reason=None, error=None, attempts=0, state_at=now, created_at=now)
        )

    def _lock_deliveries(self, connection: Connection, *which: ColumnElement[bool]) -> None:
        """Lock rows in the order in which everybody does, so that nobody waits for each other."""
        connection.execute(
            select(deliveries.c.id).where(*which).order_by(deliveries.c.id).with_for_update()
        ).all()

    def _release_job(self, connection: Connection, job_id: int) -> None:
        self._lock_deliveries(connection, deliveries.c.job_id == job_id)
        connection.execute(
            update(deliveries)
            .where(deliveries.c.job_id == job_id, deliveries.c.claimed_by.is_not(None))
            .values(claimed_by=None, claimed_until=None)
        )

    def _update(
        self,
        connection: Connection,
        job: JobRecord,
        job_values: Mapping[str, Any],
        attempt_values: Mapping[str, Any],
    ) -> None:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(dict(job_values)))
        connection.execute(
            update(attempts)
            .where(attempts.c.job_id == job.id, attempts.c.attempt == job.attempt)
            .values(dict(attempt_values))
        )
