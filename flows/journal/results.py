"""Result objects, and having the same ones made or sent again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, select, update

from flows.journal.deliveries import FRESH, DeliveriesJournal, supersede, with_path
from flows.journal.errors import ConflictingResult, ReprocessRefused
from flows.journal.job_states import ended_text
from flows.journal.records import DeliveryRecord, JobRecord, ResultObject, ResultRecord
from flows.journal.states import DELIVERABLE_JOB_STATES, FINAL_JOB_STATES
from flows.journal.tables import deliveries, jobs, results

__all__ = ["ResultsJournal"]


class ResultsJournal(DeliveriesJournal):
    """What encoding writes, and what a repeat may rely on."""

    def record_results(
        self, job_id: int, objects: Sequence[ResultObject], destinations: Sequence[str]
    ) -> list[DeliveryRecord]:
        """Record encoded objects and one delivery per object and destination; a repeat adds nothing.

        Returns
        -------
        list of DeliveryRecord
            All deliveries of the job, sent ones too.

        Raises
        ------
        ConflictingResult
            A UID was already used with other content, or by another job.
        """
        now = self._clock()
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            ended = job.state in FINAL_JOB_STATES - DELIVERABLE_JOB_STATES
            for one in objects:
                held = connection.execute(
                    select(results.c.id, results.c.job_id, results.c.sha256).where(
                        results.c.sop_instance_uid == one.sop_instance_uid
                    )
                ).one_or_none()
                if held is not None and (held.job_id, held.sha256) != (job_id, one.sha256):
                    raise ConflictingResult(
                        f"{one.kind} {one.sop_instance_uid} of job {job_id} is already kept for "
                        f"job {held.job_id} with other content: a new reading needs a new revision"
                        if held.sha256 != one.sha256
                        else f"{one.kind} {one.sop_instance_uid} of job {job_id} belongs to job {held.job_id}"
                    )
                values = {
                    "job_id": job_id,
                    "kind": one.kind,
                    "sop_class_uid": one.sop_class_uid,
                    "sop_instance_uid": one.sop_instance_uid,
                    "series_instance_uid": one.series_instance_uid,
                    "path": str(one.path),
                    "sha256": one.sha256,
                    "size_bytes": one.size_bytes,
                    "created_at": now,
                }
                if held is None:
                    result_id = connection.execute(
                        insert(results).returning(results.c.id), values
                    ).scalar_one()
                else:
                    result_id = held.id
                for destination in dict.fromkeys(destinations):
                    connection.execute(
                        self._insert_if_absent(deliveries),
                        {
                            "job_id": job_id,
                            "result_id": result_id,
                            "destination": destination,
                            "state": "dead" if ended else "pending",
                            "dead_reason": "job-ended" if ended else None,
                            "error": ended_text(job.state) if ended else None,
                            "attempts": 0,
                            "commitment_requests": 0,
                            "created_at": now,
                            "state_at": now,
                        },
                    )
        return self.deliveries(job_id)

    def job_results(self, job_id: int) -> list[ResultRecord]:
        """Return the kept objects of a job in the order they were recorded."""
        with self._reading() as connection:
            rows = connection.execute(
                select(results).where(results.c.job_id == job_id).order_by(results.c.id)
            ).all()
        return [ResultRecord(**with_path(row)) for row in rows]

    def predecessor_results(self, job_id: int) -> list[ResultRecord]:
        """Return the objects of the nearest earlier revision that has any."""
        job = self.job(job_id)
        while job.predecessor_id is not None:
            found = self.job_results(job.predecessor_id)
            if found:
                return found
            job = self.job(job.predecessor_id)
        return []

    def create_attempt(self, job_id: int, reason: str, *, redeliver: bool = True) -> JobRecord:
        """Have an ended job run again: same revision, same objects, next attempt, another key.

        Parameters
        ----------
        redeliver : bool
            Send the kept objects again, also those that were sent.

        Raises
        ------
        ReprocessRefused
            The job is still on its way, a later revision took its place, or the files are gone.
        """
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
            if self._study_state(connection, job.study_id) == "purged":
                raise ReprocessRefused(f"study {job.pseudonym} is purged: its files are gone")
            if job.state not in FINAL_JOB_STATES:
                raise ReprocessRefused(f"job {job_id} is {job.state}: wait for its end or cancel it")
            later = connection.execute(
                select(jobs.c.revision).where(jobs.c.predecessor_id == job_id)
            ).scalar()
            if later is not None:
                raise ReprocessRefused(f"job {job_id} was replaced by revision {later}: reprocess that one")
            self._next_attempt(connection, job, reason, allowed=tuple(FINAL_JOB_STATES))
            if redeliver:
                now = self._clock()
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.job_id == job_id)
                    .values(**FRESH, state="pending", state_at=now, created_at=now)
                )
                supersede(connection, deliveries.c.job_id == job_id)
            return self._job(connection, job_id)
