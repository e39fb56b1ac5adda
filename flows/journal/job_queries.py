"""Jobs: looking them up, with their instances, attempts and stage times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, case, select

from dicom_io.receive.records import StoredInstance
from flows.journal.errors import UnknownRecord
from flows.journal.receiving import INSTANCE_COLUMNS, stored_instance
from flows.journal.records import AttemptRecord, EventRecord, JobRecord
from flows.journal.states import ACTIVE_JOB_STATES, JobState
from flows.journal.studies import StudiesJournal
from flows.journal.tables import attempts, events, instances, job_instances, jobs, series, studies

__all__ = ["JobQueries"]

_URGENCY = case({"stat": 0, "urgent": 1, "routine": 2}, value=jobs.c.urgency, else_=3)


def _job_query() -> Select[Any]:
    return select(jobs, studies.c.study_instance_uid, studies.c.pseudonym).join(
        studies, studies.c.id == jobs.c.study_id
    )


def _job(row: Row[*tuple[Any, ...]]) -> JobRecord:
    return JobRecord(**row._mapping)


class JobQueries(StudiesJournal):
    """What the outbox, the reconciler, the flow and people ask about jobs."""

    def job(self, job_id: int) -> JobRecord:
        """Return a job; UnknownRecord if there is none."""
        with self._reading() as connection:
            return self._job(connection, job_id)

    def jobs(
        self,
        *,
        study_id: int | None = None,
        states: Sequence[JobState] = (),
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[JobRecord]:
        """Return jobs in the order of their making, of one study or of all, in the given states or in any."""
        query = _job_query().order_by(jobs.c.id.desc() if newest_first else jobs.c.id)
        if study_id is not None:
            query = query.where(jobs.c.study_id == study_id)
        if states:
            query = query.where(jobs.c.state.in_(states))
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(query.limit(limit))]

    def waiting_jobs(self, limit: int = 100) -> list[JobRecord]:
        """Return the jobs to submit, by urgency, then age.

        A job whose predecessor is still on its way is held back, so that it can name that one's results.
        """
        predecessor = jobs.alias("predecessor")
        query = (
            _job_query()
            .outerjoin(predecessor, predecessor.c.id == jobs.c.predecessor_id)
            .where(
                jobs.c.state == "waiting",
                predecessor.c.id.is_(None) | predecessor.c.state.not_in(ACTIVE_JOB_STATES),
            )
            .order_by(_URGENCY, jobs.c.id)
            .limit(limit)
        )
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(query)]

    def active_jobs(self) -> list[JobRecord]:
        """Return the jobs that are submitted or running: what a reconciler compares with runs."""
        return self.jobs(states=("submitted", "running"))

    def job_instances(self, job_id: int) -> list[StoredInstance]:
        """Return the instances that were selected when the job was made, by series and SOP Instance UID."""
        with self._reading() as connection:
            rows = connection.execute(
                select(*INSTANCE_COLUMNS)
                .join(job_instances, job_instances.c.instance_id == instances.c.id)
                .join(series, series.c.id == instances.c.series_id)
                .join(studies, studies.c.id == instances.c.study_id)
                .where(job_instances.c.job_id == job_id)
                .order_by(series.c.series_instance_uid, instances.c.sop_instance_uid)
            ).all()
        return [stored_instance(row) for row in rows]

    def job_attempts(self, job_id: int) -> list[AttemptRecord]:
        """Return all attempts of a job, first to last."""
        with self._reading() as connection:
            rows = connection.execute(
                select(attempts).where(attempts.c.job_id == job_id).order_by(attempts.c.attempt)
            ).all()
        return [AttemptRecord(**row._mapping) for row in rows]

    def stage_times(self, job_id: int, attempt: int | None = None) -> dict[str, float]:
        """Return seconds by stage of an attempt, the last one unless another is named."""
        with self._reading() as connection:
            number = self._job(connection, job_id).attempt if attempt is None else attempt
            rows = connection.execute(
                select(events.c.name, events.c.seconds)
                .where(events.c.job_id == job_id, events.c.kind == "stage", events.c.attempt == number)
                .order_by(events.c.id)
            ).all()
        return {row.name: row.seconds for row in rows}

    def job_events(self, job_id: int) -> list[EventRecord]:
        """Return what happened to a job, in order."""
        with self._reading() as connection:
            rows = connection.execute(
                select(events).where(events.c.job_id == job_id).order_by(events.c.id)
            ).all()
        return [EventRecord(**row._mapping) for row in rows]

    def _job(self, connection: Connection, job_id: int, *, lock: bool = False) -> JobRecord:
        query = _job_query().where(jobs.c.id == job_id)
        row = connection.execute(query.with_for_update(of=jobs) if lock else query).one_or_none()
        if row is None:
            raise UnknownRecord(f"the journal has no job {job_id}")
        return _job(row)

    def _last_job(self, connection: Connection, study_id: int, route: str) -> JobRecord | None:
        row = connection.execute(
            _job_query()
            .where(jobs.c.study_id == study_id, jobs.c.route == route)
            .order_by(jobs.c.revision.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _job(row)
