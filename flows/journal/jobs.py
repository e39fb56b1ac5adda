"""Jobs: making them, their way through the states, attempts and stage times."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, insert, select, update

from dicom_io.receive.records import StoredInstance
from flows.journal.errors import IllegalTransition, JournalError, ReprocessRefused, StaleRun, UnknownRecord
from flows.journal.receiving import INSTANCE_COLUMNS, stored_instance
from flows.journal.records import AttemptRecord, EventRecord, JobDraft, JobRecord
from flows.journal.states import ACTIVE_JOB_STATES, FINAL_JOB_STATES, JobState, check_job_step
from flows.journal.studies import StudiesJournal
from flows.journal.tables import attempts, events, instances, job_instances, jobs, series, studies

__all__ = ["JobsJournal", "idempotency_key"]

_URGENCY = case({"stat": 0, "urgent": 1, "routine": 2}, value=jobs.c.urgency, else_=3)


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


def _job_query() -> Select[Any]:
    return select(jobs, studies.c.study_instance_uid, studies.c.pseudonym).join(
        studies, studies.c.id == jobs.c.study_id
    )


def _job(row: Row[*tuple[Any, ...]]) -> JobRecord:
    return JobRecord(**row._mapping)


class JobsJournal(StudiesJournal):
    """What the intake, the outbox, the reconciler and the flow write about jobs."""

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

    # Making jobs

    def create_job(self, study_id: int, draft: JobDraft, reason: str | None = None) -> JobRecord | None:
        """Make the job of a draft, as the next revision if the route read other instances before.

        Returns
        -------
        JobRecord or None
            None where the route's last revision has the same package name and fingerprint.
        """
        with self._writing() as connection:
            self._study_state(connection, study_id)
            job_id = self._create_unless_same(connection, study_id, draft, reason)
            return None if job_id is None else self._job(connection, job_id)

    def create_revision(self, study_id: int, draft: JobDraft, reason: str) -> JobRecord:
        """Make a new revision even of the same instances; it names the last one as its predecessor.

        Raises
        ------
        ReprocessRefused
            The study is purged.
        """
        with self._writing() as connection:
            state = self._study_state(connection, study_id)
            if state == "purged":
                raise ReprocessRefused(f"study {study_id} is purged: its files are gone")
            if state in {"not-routed", "failed"}:
                self._set_study(connection, study_id, "routed", reason)
            last = self._last_job(connection, study_id, draft.route)
            return self._job(connection, self._create(connection, study_id, draft, last, reason))

    def record_routing(
        self, study_id: int, drafts: Sequence[JobDraft], reason: str, explanation: Sequence[str] = ()
    ) -> list[JobRecord] | None:
        """Make the jobs of a complete study and call it routed, in one transaction.

        Returns
        -------
        list of JobRecord or None
            The new jobs; None where late instances opened the study again and nothing was done.
        """
        with self._writing() as connection:
            if self._study_state(connection, study_id) != "complete":
                return None
            made = [self._create_unless_same(connection, study_id, draft) for draft in drafts]
            self._set_study(connection, study_id, "routed", reason, explanation)
            return [self._job(connection, job_id) for job_id in made if job_id is not None]

    # The way of a job

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
                return job
            values: dict[str, Any] = {"started_at": self._clock()}
            if flow_run_id is not None:
                values["flow_run_id"] = flow_run_id
            self._set_job(connection, job, "running", **values)
            return self._job(connection, job_id)

    def finish_job(
        self,
        job_id: int,
        state: JobState,
        reason: str | None = None,
        outcome: Mapping[str, Any] | None = None,
    ) -> JobRecord:
        """End an attempt; the same end a second time changes nothing.

        Parameters
        ----------
        state : {"completed", "refused", "failed", "dead-letter", "cancelled"}
            How it ended: read, bad input, an error, given up, or called off.
        outcome : mapping, optional
            A JSON summary without protected health information.
        """
        if state not in FINAL_JOB_STATES:
            raise ValueError(f"a job ends as one of {', '.join(sorted(FINAL_JOB_STATES))}, not {state!r}")
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
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

    def requeue_job(self, job_id: int, reason: str) -> JobRecord:
        """Give up the run of a submitted, running or failed job and have it wait as the next attempt."""
        with self._writing() as connection:
            job = self._job(connection, job_id, lock=True)
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

    # Inside a transaction

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

    def _create_unless_same(
        self, connection: Connection, study_id: int, draft: JobDraft, reason: str | None = None
    ) -> int | None:
        last = self._last_job(connection, study_id, draft.route)
        if last is not None and (last.fingerprint, last.package_name) == (
            draft.fingerprint,
            draft.package_name,
        ):
            return None
        return self._create(connection, study_id, draft, last, reason)

    def _create(
        self,
        connection: Connection,
        study_id: int,
        draft: JobDraft,
        last: JobRecord | None,
        reason: str | None,
    ) -> int:
        now: datetime = self._clock()
        revision = 1 if last is None else last.revision + 1
        if last is not None and last.state == "waiting":
            self._set_job(
                connection,
                last,
                "cancelled",
                reason=f"superseded by revision {revision} before it was submitted",
                finished_at=now,
            )
        values = {
            "study_id": study_id,
            "route": draft.route,
            "package_name": draft.package_name,
            "package_version": draft.package_version,
            "package_hash": draft.package_hash,
            "configuration_hash": draft.configuration_hash,
            "revision": revision,
            "attempt": 1,
            "fingerprint": draft.fingerprint,
            "idempotency_key": idempotency_key(draft, revision, 1, now),
            "state": "waiting",
            "reason": reason,
            "predecessor_id": None if last is None else last.id,
            "urgency": draft.urgency,
            "content_time": now,
            "created_at": now,
            "state_at": now,
            "outcome": {},
        }
        job_id = int(connection.execute(insert(jobs).returning(jobs.c.id), values).scalar_one())
        selected = (
            connection.execute(
                select(instances.c.id).where(
                    instances.c.study_id == study_id,
                    instances.c.sop_instance_uid.in_(draft.sop_instance_uids),
                )
            )
            .scalars()
            .all()
        )
        if len(selected) != len(set(draft.sop_instance_uids)):
            raise JournalError(
                f"route {draft.route!r} selected {len(set(draft.sop_instance_uids))} instances of "
                f"study {study_id}, but the journal holds {len(selected)} of them"
            )
        connection.execute(
            insert(job_instances), [{"job_id": job_id, "instance_id": one} for one in selected]
        )
        self._new_attempt(connection, job_id, 1, reason, now)
        self._note(connection, "job", "waiting", study_id, at=now, job_id=job_id, attempt=1, reason=reason)
        return job_id

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
        if job.state in ACTIVE_JOB_STATES:
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

    def _set_job(self, connection: Connection, job: JobRecord, state: JobState, **values: Any) -> None:
        check_job_step(f"job {job.id}", job.state, state)
        now = self._clock()
        shared = {"state": state, "reason": values.pop("reason", None)}
        outcome = {"outcome": values.pop("outcome")} if "outcome" in values else {}
        self._update(connection, job, shared | values | outcome | {"state_at": now}, shared | values)
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
