"""What the listener writes: associations, instances, and what was set aside or refused."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from dicom_io.receive.records import (
    AssociationRecord,
    QuarantinedInstance,
    RefusedInstance,
    StoredInstance,
)
from flows.journal import tables
from flows.journal.errors import ConflictingInstance, JournalError
from flows.journal.states import StudyState
from flows.journal.store import Store
from flows.journal.tables import associations, instances, series, studies

__all__ = ["INSTANCE_COLUMNS", "ReceivingJournal", "stored_instance"]

INSTANCE_COLUMNS = (
    studies.c.study_instance_uid,
    series.c.series_instance_uid,
    instances.c.sop_instance_uid,
    instances.c.sop_class_uid,
    instances.c.transfer_syntax_uid,
    instances.c.sha256,
    instances.c.size_bytes,
    instances.c.path,
    instances.c.modality,
    instances.c.received_at,
    instances.c.association_id,
    instances.c.own_result,
)

# Built once: these run for every instance that is received.
_FIND_INSTANCE = (
    select(*INSTANCE_COLUMNS)
    .join(series, series.c.id == instances.c.series_id)
    .join(studies, studies.c.id == instances.c.study_id)
    .where(instances.c.sop_instance_uid == bindparam("uid"), instances.c.state == "stored")
)
_HELD = (
    select(instances.c.id, instances.c.sha256, instances.c.state, studies.c.study_instance_uid)
    .join(studies, studies.c.id == instances.c.study_id)
    .where(instances.c.sop_instance_uid == bindparam("uid"))
)
_STUDY = (
    select(studies.c.id, studies.c.state, studies.c.last_instance_at)
    .where(studies.c.study_instance_uid == bindparam("uid"))
    .with_for_update()
)
_SERIES = select(series.c.id).where(
    series.c.study_id == bindparam("study"), series.c.series_instance_uid == bindparam("uid")
)
_NEWS = update(studies).where(studies.c.id == bindparam("study"))
_INSERT_INSTANCE = insert(instances)


def stored_instance(row: Row[*tuple[Any, ...]]) -> StoredInstance:
    """Return the row of INSTANCE_COLUMNS as the listener's record."""
    values = dict(row._mapping)
    values["path"] = Path(values["path"])
    return StoredInstance(**values)


class ReceivingJournal(Store):
    """The listener's Recorder: every method has committed when it returns."""

    def find_instance(self, sop_instance_uid: str) -> StoredInstance | None:
        """Return the kept instance of this UID, own results included."""
        with self._reading() as connection:
            row = connection.execute(_FIND_INSTANCE, {"uid": sop_instance_uid}).one_or_none()
        return None if row is None else stored_instance(row)

    def record_instance(self, instance: StoredInstance) -> None:
        """Record a file that lies in the inbox; the study is open again.

        A repeat with the same SHA-256 changes nothing. Own results never open a study.

        Raises
        ------
        ConflictingInstance
            The SOP Instance UID is held with other content.
        """
        try:
            self._record_instance(instance)
        except IntegrityError:
            # Another association won the race for the same study, series or instance.
            self._record_instance(instance)

    def record_quarantined(self, instance: QuarantinedInstance) -> None:
        """Record an object that was kept and will not be processed."""
        self._insert_record(tables.quarantined, instance)

    def record_refused(self, refused: RefusedInstance) -> None:
        """Record an object that was answered with a failure; nothing of it was kept."""
        self._insert_record(tables.refused, refused)

    def association_opened(self, record: AssociationRecord) -> None:
        """Record an association at its start."""
        self._write_association(record)

    def association_closed(self, record: AssociationRecord) -> None:
        """Record an association at its end, or a rejected one."""
        self._write_association(record)

    def close_open_associations(self, reason: str = "listener stopped") -> int:
        """Close what a listener that died left open; call before the listener starts."""
        with self._writing() as connection:
            closed = connection.execute(
                update(associations)
                .where(associations.c.state == "open")
                .values(state="closed", ended_at=self._clock(), end_reason=reason)
            )
            return closed.rowcount

    def _insert_record(self, table: Any, record: Any) -> None:
        values = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in ((f.name, getattr(record, f.name)) for f in dataclasses.fields(record))
            if name in table.c
        }
        with self._writing() as connection:
            connection.execute(insert(table), values)

    def _write_association(self, record: AssociationRecord) -> None:
        values = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
        values = {name: value for name, value in values.items() if name in associations.c}
        values["end_reason"] = values.get("end_reason") or ""
        values["state"] = "open" if record.ended_at is None else "closed"
        with self._writing() as connection:
            known = connection.execute(
                update(associations)
                .where(associations.c.association_id == record.association_id)
                .values(values)
            )
            if known.rowcount == 0:
                connection.execute(insert(associations), values)

    def _record_instance(self, instance: StoredInstance) -> None:
        with self._writing() as connection:
            held = connection.execute(_HELD, {"uid": instance.sop_instance_uid}).one_or_none()
            if held is not None and held.state == "stored":
                if (held.sha256, held.study_instance_uid) == (instance.sha256, instance.study_instance_uid):
                    return
                raise ConflictingInstance(
                    f"SOP Instance UID {instance.sop_instance_uid} is already held with other content"
                )
            study_id = self._study_id(connection, instance)
            values = {
                "study_id": study_id,
                "series_id": self._series_id(connection, study_id, instance),
                "sop_instance_uid": instance.sop_instance_uid,
                "sop_class_uid": instance.sop_class_uid,
                "transfer_syntax_uid": instance.transfer_syntax_uid,
                "modality": instance.modality or "",
                "sha256": instance.sha256,
                "size_bytes": instance.size_bytes,
                "path": str(instance.path),
                "own_result": instance.own_result,
                "state": "stored",
                "received_at": instance.received_at,
                "association_id": instance.association_id,
            }
            if held is None:
                connection.execute(_INSERT_INSTANCE, values)
            else:
                connection.execute(update(instances).where(instances.c.id == held.id).values(values))

    def _study_id(self, connection: Connection, instance: StoredInstance) -> int:
        known = connection.execute(_STUDY, {"uid": instance.study_instance_uid}).one_or_none()
        received = instance.received_at
        if known is None:
            return self._new_study(connection, instance)
        if instance.own_result:
            return int(known.id)
        last = known.last_instance_at
        values: dict[str, Any] = {"last_instance_at": received if last is None else max(last, received)}
        if known.state != "receiving":
            values |= {"state": "receiving", "state_at": self._clock(), "reason": None, "tries": 0}
            self._note(connection, "study", "receiving", known.id, at=values["state_at"])
        connection.execute(_NEWS, {"study": known.id, **values})
        return int(known.id)

    def _new_study(self, connection: Connection, instance: StoredInstance) -> int:
        if self._pseudonym is None:
            raise JournalError("this journal was opened without a pseudonym key and takes no new studies")
        now: datetime = self._clock()
        state: StudyState = "not-routed" if instance.own_result else "receiving"
        inserted = connection.execute(
            insert(studies).returning(studies.c.id),
            {
                "study_instance_uid": instance.study_instance_uid,
                "pseudonym": self._pseudonym(instance.study_instance_uid),
                "state": state,
                "reason": "only own results were received" if instance.own_result else None,
                "explanation": [],
                "tries": 0,
                "created_at": now,
                "state_at": now,
                "last_instance_at": None if instance.own_result else instance.received_at,
            },
        )
        study_id = int(inserted.scalar_one())
        self._note(connection, "study", state, study_id, at=now)
        return study_id

    def _series_id(self, connection: Connection, study_id: int, instance: StoredInstance) -> int:
        known = connection.execute(
            _SERIES, {"study": study_id, "uid": instance.series_instance_uid}
        ).scalar_one_or_none()
        if known is not None:
            return int(known)
        values = {
            "study_id": study_id,
            "series_instance_uid": instance.series_instance_uid,
            "modality": instance.modality or "",
            "created_at": self._clock(),
        }
        return int(connection.execute(insert(series).returning(series.c.id), values).scalar_one())
