"""Studies: looking them up, completeness and routing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from dicom_io.receive.records import StoredInstance
from flows.journal.errors import JournalError, UnknownRecord
from flows.journal.receiving import INSTANCE_COLUMNS, stored_instance
from flows.journal.records import EventRecord, ReceivingStudy, StudyRecord
from flows.journal.states import ACTIVE_JOB_STATES, StudyState, check_study_step
from flows.journal.store import Store
from flows.journal.tables import events, instances, jobs, series, studies

__all__ = ["StudiesJournal"]

_INPUTS = (
    (instances.c.study_id == studies.c.id)
    & instances.c.own_result.is_(False)
    & (instances.c.state == "stored")
)
_STUDY = select(
    studies,
    select(func.count()).where(_INPUTS).scalar_subquery().label("instances"),
    select(func.count(instances.c.series_id.distinct())).where(_INPUTS).scalar_subquery().label("series"),
)


# Built once: these run several times a second.
_RECEIVING = (
    select(studies.c.id, studies.c.study_instance_uid, studies.c.pseudonym, studies.c.last_instance_at)
    .where(studies.c.state == "receiving", studies.c.last_instance_at.is_not(None))
    .order_by(studies.c.last_instance_at)
)
_KINDS = (
    select(instances.c.modality, instances.c.sop_class_uid)
    .where(
        instances.c.study_id == bindparam("study"),
        instances.c.own_result.is_(False),
        instances.c.state == "stored",
    )
    .distinct()
)
_ANY_COMPLETE = select(studies.c.id).where(studies.c.state == "complete").limit(1)


def _study(row: Row[*tuple[Any, ...]]) -> StudyRecord:
    values = dict(row._mapping)
    values["explanation"] = tuple(values["explanation"])
    return StudyRecord(**values)


class StudiesJournal(Store):
    """What completeness, routing and people ask about studies."""

    def study(self, study_id: int) -> StudyRecord:
        """Return a study by its number; UnknownRecord if there is none."""
        with self._reading() as connection:
            row = connection.execute(_STUDY.where(studies.c.id == study_id)).one_or_none()
        if row is None:
            raise UnknownRecord(f"the journal has no study {study_id}")
        return _study(row)

    def find_study(self, reference: str) -> StudyRecord | None:
        """Return the study of a Study Instance UID or a pseudonym, or None."""
        reference = reference.strip()
        with self._reading() as connection:
            row = connection.execute(
                _STUDY.where(
                    (studies.c.study_instance_uid == reference)
                    | (studies.c.pseudonym == reference)
                    | (studies.c.pseudonym == reference.upper())
                )
            ).one_or_none()
        return None if row is None else _study(row)

    def studies(self, states: Collection[StudyState] = (), limit: int = 100) -> list[StudyRecord]:
        """Return the studies that changed last, newest first, of the given states or of all."""
        query = _STUDY.order_by(studies.c.state_at.desc(), studies.c.id.desc()).limit(limit)
        if states:
            query = query.where(studies.c.state.in_(states))
        with self._reading() as connection:
            return [_study(row) for row in connection.execute(query)]

    def study_instances(self, study_id: int, *, own_results: bool = False) -> list[StoredInstance]:
        """Return the kept inputs of a study by series and SOP Instance UID, or its returned own results."""
        with self._reading() as connection:
            rows = connection.execute(
                select(*INSTANCE_COLUMNS)
                .join(series, series.c.id == instances.c.series_id)
                .join(studies, studies.c.id == instances.c.study_id)
                .where(
                    instances.c.study_id == study_id,
                    instances.c.own_result.is_(own_results),
                    instances.c.state == "stored",
                )
                .order_by(series.c.series_instance_uid, instances.c.sop_instance_uid)
            ).all()
        return [stored_instance(row) for row in rows]

    def receiving_studies(self) -> list[ReceivingStudy]:
        """Return the studies that are not complete yet, oldest news first."""
        with self._reading() as connection:
            rows = connection.execute(_RECEIVING).all()
        return [ReceivingStudy(*row) for row in rows]

    def study_kinds(self, study_id: int) -> frozenset[tuple[str, str]]:
        """Return the (Modality, SOP Class UID) pairs of a study's inputs; no modality is an empty text."""
        with self._reading() as connection:
            rows = connection.execute(_KINDS, {"study": study_id}).all()
        return frozenset((row[0], row[1]) for row in rows)

    def mark_complete(self, study_id: int, last_instance_at: datetime) -> bool:
        """Declare a study complete, unless an instance came after ``last_instance_at``.

        Returns
        -------
        bool
            False where the study got news or is not being received, and nothing changed.
        """
        now = self._clock()
        with self._writing() as connection:
            changed = connection.execute(
                update(studies)
                .where(
                    studies.c.id == study_id,
                    studies.c.state == "receiving",
                    studies.c.last_instance_at == last_instance_at,
                )
                .values(state="complete", state_at=now, completed_at=now, tries=0, reason=None)
            ).rowcount
            if changed:
                self._note(connection, "study", "complete", study_id, at=now)
        return bool(changed)

    def complete_studies(self) -> list[StudyRecord]:
        """Return the studies that wait for routing, oldest first."""
        with self._reading() as connection:
            if connection.execute(_ANY_COMPLETE).one_or_none() is None:
                return []
            query = _STUDY.where(studies.c.state == "complete").order_by(studies.c.completed_at)
            return [_study(row) for row in connection.execute(query)]

    def mark_not_routed(self, study_id: int, reason: str, explanation: Sequence[str] = ()) -> bool:
        """Close a complete study that nothing reads; False where late instances opened it again."""
        with self._writing() as connection:
            if self._study_state(connection, study_id) != "complete":
                return False
            self._set_study(connection, study_id, "not-routed", reason, explanation)
        return True

    def note_intake_failure(self, study_id: int, reason: str, maximum_tries: int) -> StudyState:
        """Count a failed try to route a study; after ``maximum_tries`` it is failed, with the reason."""
        with self._writing() as connection:
            row = connection.execute(
                select(studies.c.state, studies.c.tries).where(studies.c.id == study_id).with_for_update()
            ).one()
            state: StudyState = row.state
            if state != "complete":
                return state
            connection.execute(
                update(studies).where(studies.c.id == study_id).values(tries=row.tries + 1, reason=reason)
            )
            if row.tries + 1 >= maximum_tries:
                self._set_study(connection, study_id, "failed", reason)
                return "failed"
        return "complete"

    def reopen_study(self, study_id: int) -> StudyRecord:
        """Have a failed study routed again."""
        with self._writing() as connection:
            self._set_study(connection, study_id, "complete", None, tries=0)
        return self.study(study_id)

    def purge_study(self, study_id: int, reason: str) -> StudyRecord:
        """Note that a study's files are gone; its history stays, and the same study may come again.

        Raises
        ------
        JournalError
            A job of the study is still on its way.
        """
        with self._writing() as connection:
            active = connection.execute(
                select(jobs.c.id).where(jobs.c.study_id == study_id, jobs.c.state.in_(ACTIVE_JOB_STATES))
            ).scalars()
            if first := next(iter(active), None):
                raise JournalError(f"study {study_id} is not purged: job {first} still needs its files")
            self._set_study(connection, study_id, "purged", reason)
            connection.execute(
                update(instances).where(instances.c.study_id == study_id).values(state="purged")
            )
        return self.study(study_id)

    def study_events(self, study_id: int) -> list[EventRecord]:
        """Return what happened to a study and its jobs, in order."""
        with self._reading() as connection:
            rows = connection.execute(
                select(events).where(events.c.study_id == study_id).order_by(events.c.id)
            ).all()
        return [EventRecord(**row._mapping) for row in rows]

    def _study_state(self, connection: Connection, study_id: int) -> StudyState:
        state: StudyState | None = connection.execute(
            select(studies.c.state).where(studies.c.id == study_id).with_for_update()
        ).scalar_one_or_none()
        if state is None:
            raise UnknownRecord(f"the journal has no study {study_id}")
        return state

    def _set_study(
        self,
        connection: Connection,
        study_id: int,
        state: StudyState,
        reason: str | None,
        explanation: Sequence[str] | None = None,
        **more: Any,
    ) -> None:
        check_study_step(f"study {study_id}", self._study_state(connection, study_id), state)
        now = self._clock()
        values = {"state": state, "state_at": now, "reason": reason, **more}
        if explanation is not None:
            values["explanation"] = list(explanation)
        connection.execute(update(studies).where(studies.c.id == study_id).values(values))
        self._note(connection, "study", state, study_id, at=now, reason=reason)

    def _completed_at(self, connection: Connection, study_id: int) -> datetime | None:
        at: datetime | None = connection.execute(
            select(studies.c.completed_at).where(studies.c.id == study_id)
        ).scalar_one()
        return at
