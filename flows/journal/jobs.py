"""Jobs: making them, as the first or the next revision of a route's reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select

from flows.journal.errors import JournalError, ReprocessRefused
from flows.journal.job_states import JobStates, idempotency_key
from flows.journal.records import JobDraft, JobRecord
from flows.journal.tables import instances, job_instances, jobs

__all__ = ["JobsJournal"]


class JobsJournal(JobStates):
    """What the intake and reprocessing write about jobs."""

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
            numbers = [self._create_unless_same(connection, study_id, draft) for draft in drafts]
            made = [self._job(connection, number) for number in numbers if number is not None]
            completed = self._completed_at(connection, study_id)
            for job in made:
                self._note_wait(
                    connection, "complete-to-job", job, completed or job.created_at, job.created_at
                )
            self._set_study(connection, study_id, "routed", reason, explanation)
            return made

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
