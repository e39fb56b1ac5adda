"""What a person or a monitor sees: figures by state, the latest studies, what was refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, case, func, select

from flows.journal.deliveries import DeliveriesJournal
from flows.journal.records import JobRecord, StudyRecord
from flows.journal.tables import (
    associations,
    deliveries,
    events,
    instances,
    jobs,
    quarantined,
    refused,
    results,
    studies,
)

__all__ = ["AssociationOverview", "Overview", "OverviewJournal", "SetAside", "StudyOverview"]

_SETTLING = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class StudyOverview:
    """A study with its last job and the state of that job's deliveries."""

    study: StudyRecord
    job: JobRecord | None
    deliveries: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetAside:
    """An object that was quarantined or refused, and why."""

    at: datetime
    reason_code: str
    reason: str
    association_id: str
    pseudonym: str | None = None
    path: str | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class AssociationOverview:
    """The last associations, as the listener recorded them."""

    association_id: str
    calling_ae_title: str
    peer_address: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    instances: int
    bytes: int
    end_reason: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The journal at one moment; counts are by state, lists are newest first.

    ``dead_letters`` counts by destination and reason.
    """

    at: datetime
    studies_by_state: Mapping[str, int]
    jobs_by_state: Mapping[str, int]
    deliveries_by_state: Mapping[str, int]
    deliveries_by_destination: Mapping[str, Mapping[str, int]]
    dead_letters: Mapping[str, Mapping[str, int]]
    queue_depth: int
    oldest_waiting_s: float | None
    instances: int
    bytes: int
    results: int
    quarantined: int
    refused: int
    associations: int
    open_associations: int
    studies: tuple[StudyOverview, ...]
    last_quarantined: tuple[SetAside, ...]
    last_refused: tuple[SetAside, ...]
    last_associations: tuple[AssociationOverview, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, times in ISO 8601."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


class OverviewJournal(DeliveriesJournal):
    """Figures for `status` and for the metrics endpoint."""

    def overview(self, limit: int = 20) -> Overview:
        """Return figures over everything and the last ``limit`` studies and refusals."""
        latest = tuple(self._study_overview(study) for study in self.studies(limit=limit))
        with self._reading() as connection:
            depth, oldest = self._queue(connection)
            stored = connection.execute(
                select(func.count(), func.coalesce(func.sum(instances.c.size_bytes), 0)).select_from(
                    instances
                )
            ).one()
            now = self._clock()
            return Overview(
                at=now,
                studies_by_state=_by_state(connection, studies),
                jobs_by_state=_by_state(connection, jobs),
                deliveries_by_state=_by_state(connection, deliveries),
                deliveries_by_destination=_by_destination(connection, deliveries.c.state),
                dead_letters=_dead_letters(connection),
                queue_depth=depth,
                oldest_waiting_s=None if oldest is None else max(0.0, (now - oldest).total_seconds()),
                instances=int(stored[0]),
                bytes=int(stored[1]),
                results=_count(connection, results),
                quarantined=_count(connection, quarantined),
                refused=_count(connection, refused),
                associations=_count(connection, associations),
                open_associations=_count(connection, associations, associations.c.state == "open"),
                studies=latest,
                last_quarantined=self._last_quarantined(connection, limit),
                last_refused=self._last_refused(connection, limit),
                last_associations=self._last_associations(connection, limit),
            )

    def counts(self) -> dict[str, dict[str, int]]:
        """Return studies, jobs and deliveries by state."""
        with self._reading() as connection:
            return {
                "studies": _by_state(connection, studies),
                "jobs": _by_state(connection, jobs),
                "deliveries": _by_state(connection, deliveries),
            }

    def delivery_counts(self) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]], float]:
        """Return deliveries by destination and state, dead letters by destination and reason, and an age.

        The age is that of the object that awaits its commitment longest, in seconds.
        """
        with self._reading() as connection:
            oldest = connection.execute(
                select(func.min(deliveries.c.stored_at)).where(deliveries.c.state == "awaiting")
            ).scalar_one()
            age = 0.0 if oldest is None else max(0.0, (self._clock() - oldest).total_seconds())
            return _by_destination(connection, deliveries.c.state), _dead_letters(connection), age

    def queue_age(self) -> tuple[int, float]:
        """Return how many jobs wait and for how many seconds the oldest does."""
        with self._reading() as connection:
            depth, oldest = self._queue(connection)
        return depth, 0.0 if oldest is None else max(0.0, (self._clock() - oldest).total_seconds())

    def histogram(
        self, kind: str, after_event: int, bounds: Sequence[float]
    ) -> tuple[int, dict[str, list[float]]]:
        """Sum up the seconds noted after an event, of stages (``stage``) or of waiting (``wait``).

        Returns
        -------
        tuple
            The last event's number, and per name the cumulative counts up to each bound, the count of
            all and the sum of seconds.
        """
        with self._reading() as connection:
            last = self._last_settled_event(connection)
            rows = connection.execute(
                select(
                    events.c.name,
                    *(func.sum(case((events.c.seconds <= bound, 1), else_=0)) for bound in bounds),
                    func.count(),
                    func.sum(events.c.seconds),
                )
                .where(events.c.kind == kind, events.c.id > after_event, events.c.id <= last)
                .group_by(events.c.name)
            ).all()
        return last, {row[0]: [float(figure) for figure in row[1:]] for row in rows}

    def _last_settled_event(self, connection: Connection) -> int:
        last = connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
        if self.dialect.name == "sqlite":
            return int(last)
        # Numbers are drawn before they are committed: a smaller one may still appear for a moment.
        unsettled = connection.execute(
            select(func.min(events.c.id)).where(events.c.at > self._clock() - _SETTLING)
        ).scalar_one()
        return int(last if unsettled is None else unsettled - 1)

    def _queue(self, connection: Connection) -> tuple[int, datetime | None]:
        row = connection.execute(
            select(func.count(), func.min(jobs.c.state_at)).where(jobs.c.state == "waiting")
        ).one()
        return int(row[0]), row[1]

    def _study_overview(self, study: StudyRecord) -> StudyOverview:
        last = self.jobs(study_id=study.id, limit=1, newest_first=True)
        if not last:
            return StudyOverview(study, None)
        with self._reading() as connection:
            sent = connection.execute(
                select(deliveries.c.state, func.count())
                .where(deliveries.c.job_id == last[0].id)
                .group_by(deliveries.c.state)
            ).all()
        return StudyOverview(study, last[0], {row[0]: int(row[1]) for row in sent})

    def _last_quarantined(self, connection: Connection, limit: int) -> tuple[SetAside, ...]:
        rows = connection.execute(
            select(quarantined, studies.c.pseudonym)
            .outerjoin(studies, studies.c.study_instance_uid == quarantined.c.study_instance_uid)
            .order_by(quarantined.c.id.desc())
            .limit(limit)
        )
        return tuple(
            SetAside(
                at=row.received_at,
                reason_code=row.reason_code,
                reason=row.reason,
                association_id=row.association_id,
                pseudonym=row.pseudonym,
                path=row.path,
            )
            for row in rows
        )

    def _last_refused(self, connection: Connection, limit: int) -> tuple[SetAside, ...]:
        rows = connection.execute(select(refused).order_by(refused.c.id.desc()).limit(limit))
        return tuple(
            SetAside(
                at=row.received_at,
                reason_code=row.reason_code,
                reason=row.reason,
                association_id=row.association_id,
                status=row.status,
            )
            for row in rows
        )

    def _last_associations(self, connection: Connection, limit: int) -> tuple[AssociationOverview, ...]:
        columns = [associations.c[f.name] for f in dataclasses.fields(AssociationOverview)]
        rows = connection.execute(select(*columns).order_by(associations.c.id.desc()).limit(limit))
        return tuple(AssociationOverview(**row._mapping) for row in rows)


def _by_state(connection: Connection, table: Any) -> dict[str, int]:
    rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
    return {row[0]: int(row[1]) for row in rows}


def _by_destination(connection: Connection, column: Any, *conditions: Any) -> dict[str, dict[str, int]]:
    query = select(deliveries.c.destination, column, func.count()).where(*conditions)
    rows = connection.execute(
        query.group_by(deliveries.c.destination, column).order_by(deliveries.c.destination, column)
    )
    counts: dict[str, dict[str, int]] = {}
    for destination, name, number in rows:
        counts.setdefault(destination, {})[name or "unknown"] = int(number)
    return counts


def _dead_letters(connection: Connection) -> dict[str, dict[str, int]]:
    return _by_destination(connection, deliveries.c.dead_reason, deliveries.c.state == "dead")


def _count(connection: Connection, table: Any, *conditions: Any) -> int:
    query = select(func.count()).select_from(table).where(*conditions)
    return int(connection.execute(query).scalar_one())
