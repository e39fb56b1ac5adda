"""Result objects and their way to each destination; reading a study again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, insert, select, update

from flows.journal.errors import ConflictingResult, ReprocessRefused, UnknownRecord
from flows.journal.jobs import JobsJournal
from flows.journal.records import DeliveryRecord, JobRecord, ResultObject, ResultRecord
from flows.journal.states import FINAL_JOB_STATES, DeliveryState, check_delivery_step
from flows.journal.tables import deliveries, jobs, results

__all__ = ["DeliveriesJournal"]


def _delivery_query() -> Select[Any]:
    return select(
        deliveries,
        results.c.kind,
        results.c.sop_class_uid,
        results.c.sop_instance_uid,
        results.c.path,
        results.c.sha256,
    ).join(results, results.c.id == deliveries.c.result_id)


def _with_path(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    values = dict(row._mapping)
    values["path"] = Path(values["path"])
    return values


class DeliveriesJournal(JobsJournal):
    """What encoding and delivering write, and what a repeat may rely on."""

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
            self._job(connection, job_id, lock=True)
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
                            "state": "pending",
                            "attempts": 0,
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
        return [ResultRecord(**_with_path(row)) for row in rows]

    def predecessor_results(self, job_id: int) -> list[ResultRecord]:
        """Return the objects of the nearest earlier revision that has any."""
        job = self.job(job_id)
        while job.predecessor_id is not None:
            found = self.job_results(job.predecessor_id)
            if found:
                return found
            job = self.job(job.predecessor_id)
        return []

    def deliveries(self, job_id: int) -> list[DeliveryRecord]:
        """Return all deliveries of a job."""
        return self._deliveries(_delivery_query().where(deliveries.c.job_id == job_id))

    def pending_deliveries(self, job_id: int | None = None) -> list[DeliveryRecord]:
        """Return what is still to be sent, failed attempts included, of one job or of all."""
        query = _delivery_query().where(deliveries.c.state.in_(("pending", "failed")))
        return self._deliveries(query if job_id is None else query.where(deliveries.c.job_id == job_id))

    def mark_delivery(
        self, delivery_id: int, state: DeliveryState, error: str | None = None
    ) -> DeliveryRecord:
        """Note the end of a sending attempt; a second "sent" changes nothing."""
        with self._writing() as connection:
            row = connection.execute(
                select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
            ).one_or_none()
            if row is None:
                raise UnknownRecord(f"the journal has no delivery {delivery_id}")
            if not (row.state == state == "sent"):
                check_delivery_step(f"delivery {delivery_id}", row.state, state)
                now = self._clock()
                values = {
                    "state": state,
                    "state_at": now,
                    "error": error,
                    "attempts": row.attempts + (state != "pending"),
                }
                if state == "sent":
                    values["sent_at"] = now
                connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
            after = connection.execute(_delivery_query().where(deliveries.c.id == delivery_id)).one()
        return DeliveryRecord(**_with_path(after))

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
                    .values(state="pending", state_at=now, created_at=now, error=None, attempts=0)
                )
            return self._job(connection, job_id)

    def _deliveries(self, query: Select[Any]) -> list[DeliveryRecord]:
        with self._reading() as connection:
            rows = connection.execute(query.order_by(deliveries.c.id)).all()
        return [DeliveryRecord(**_with_path(row)) for row in rows]
