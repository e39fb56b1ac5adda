"""Deliveries: each result object on its way to each destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, select, update

from flows.journal.errors import UnknownRecord
from flows.journal.jobs import JobsJournal
from flows.journal.records import DeliveryOutcome, DeliveryRecord
from flows.journal.states import (
    DELIVERED_STATES,
    OPEN_DELIVERY_STATES,
    DeadReason,
    DeliveryState,
    check_delivery_step,
)
from flows.journal.tables import commitments, deliveries, jobs, results, studies

__all__ = ["FRESH", "DeliveriesJournal", "delivery_query", "supersede", "with_path"]

FRESH: Final[Mapping[str, Any]] = {
    "attempts": 0,
    "error": None,
    "dead_reason": None,
    "stored_at": None,
    "committed_at": None,
    "asked_at": None,
    "transaction_uid": None,
    "commitment_requests": 0,
    "uncommitted_at": None,
}
"""Columns of a delivery that begins from the beginning."""

# Two processes may have sent it: the first end of a kind is told.
_NO_NEWS: Final = frozenset({("sent", "sent"), ("dead", "dead"), ("dead", "failed")})


def delivery_query() -> Select[Any]:
    """Return the query whose rows are the values of delivery records."""
    return (
        select(
            deliveries,
            results.c.kind,
            results.c.sop_class_uid,
            results.c.sop_instance_uid,
            results.c.path,
            results.c.sha256,
            studies.c.pseudonym,
            jobs.c.route,
            jobs.c.revision,
            jobs.c.state.label("job_state"),
        )
        .join(results, results.c.id == deliveries.c.result_id)
        .join(jobs, jobs.c.id == deliveries.c.job_id)
        .join(studies, studies.c.id == jobs.c.study_id)
    )


def _is_better(present: DeliveryState, news: DeliveryState) -> bool:
    return present in DELIVERED_STATES or (present, news) == ("awaiting", "failed")


def with_path(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    """Return a row's values, its path as a Path."""
    values = dict(row._mapping)
    values["path"] = Path(values["path"])
    return values


def supersede(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Have reports on earlier requests ignored: the objects are sent anew, or were."""
    chosen = select(deliveries.c.id).where(*which)
    connection.execute(
        update(commitments)
        .where(commitments.c.outcome.is_(None), commitments.c.delivery_id.in_(chosen))
        .values(outcome="superseded")
    )


class DeliveriesJournal(JobsJournal):
    """What delivering asks and writes."""

    def deliveries(self, job_id: int) -> list[DeliveryRecord]:
        """Return all deliveries of a job."""
        return self._deliveries(delivery_query().where(deliveries.c.job_id == job_id))

    def pending_deliveries(self, job_id: int | None = None) -> list[DeliveryRecord]:
        """Return what is still to be sent, failed attempts included, of one job or of all."""
        query = delivery_query().where(deliveries.c.state.in_(("pending", "failed")))
        return self._deliveries(query if job_id is None else query.where(deliveries.c.job_id == job_id))

    def open_deliveries(self, job_id: int | None = None) -> list[DeliveryRecord]:
        """Return what is still to be sent or to be committed, of one job or of all."""
        query = delivery_query().where(deliveries.c.state.in_(sorted(OPEN_DELIVERY_STATES)))
        return self._deliveries(query if job_id is None else query.where(deliveries.c.job_id == job_id))

    def find_deliveries(
        self,
        *,
        study_id: int | None = None,
        states: Sequence[DeliveryState] = (),
        destination: str | None = None,
        limit: int | None = None,
    ) -> list[DeliveryRecord]:
        """Return deliveries in the order of their making, the last ``limit`` of those that are asked for."""
        query = delivery_query()
        if study_id is not None:
            query = query.where(jobs.c.study_id == study_id)
        if states:
            query = query.where(deliveries.c.state.in_(states))
        if destination is not None:
            query = query.where(deliveries.c.destination == destination)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(deliveries.c.id.desc()).limit(limit)).all()
        return [DeliveryRecord(**with_path(row)) for row in reversed(rows)]

    def mark_delivery(
        self,
        delivery_id: int,
        state: DeliveryState,
        error: str | None = None,
        dead_reason: DeadReason | None = None,
    ) -> DeliveryRecord:
        """Note the end of a sending attempt; a second "sent", or a failure of what is dead, changes nothing.

        Raises
        ------
        IllegalTransition
            The delivery had a good end before.
        """
        with self._writing() as connection:
            self._mark(connection, DeliveryOutcome(delivery_id, state, error, dead_reason))
            after = connection.execute(delivery_query().where(deliveries.c.id == delivery_id)).one()
        return DeliveryRecord(**with_path(after))

    def mark_deliveries(self, outcomes: Sequence[DeliveryOutcome]) -> None:
        """Note the ends of several tries in one transaction.

        Where another process has brought a delivery to an end meanwhile, or had it stored, that stays.
        """
        with self._writing() as connection:
            for outcome in sorted(outcomes, key=lambda one: one.delivery_id):
                self._mark(connection, outcome, keep_good_end=True)

    def revive_deliveries(self, delivery_ids: Sequence[int]) -> int:
        """Have dead and failed deliveries tried again from the beginning; return how many there were.

        What the destination took, and nobody says is missing there, is not sent again: its commitment is
        asked for again.
        """
        revived = 0
        with self._writing() as connection:
            for delivery_id in sorted(set(delivery_ids)):
                row = self._locked(connection, delivery_id)
                if row.state not in {"dead", "failed"}:
                    continue
                now = self._clock()
                values = {**FRESH, "state": "pending", "state_at": now, "created_at": now}
                if row.stored_at is not None:
                    values |= {"state": "awaiting", "stored_at": row.stored_at}
                connection.execute(update(deliveries).where(deliveries.c.id == delivery_id).values(values))
                revived += 1
        return revived

    def _mark(self, connection: Connection, outcome: DeliveryOutcome, *, keep_good_end: bool = False) -> None:
        row = self._locked(connection, outcome.delivery_id)
        state = outcome.state
        if (row.state, state) in _NO_NEWS or (keep_good_end and _is_better(row.state, state)):
            return
        check_delivery_step(f"delivery {outcome.delivery_id}", row.state, state)
        now = self._clock()
        values: dict[str, Any] = {
            "state": state,
            "state_at": now,
            "error": outcome.error,
            "dead_reason": outcome.dead_reason,
        }
        settled = row.state == "awaiting" and state in {"sent", "dead"}
        if not settled and (state != "dead" or outcome.dead_reason == "refused"):
            values["attempts"] = row.attempts + 1
        if state in {"sent", "awaiting"} and not settled:
            values |= {"sent_at": now, "stored_at": now}
            values |= {"asked_at": None, "transaction_uid": None, "commitment_requests": 0}
            supersede(connection, deliveries.c.id == outcome.delivery_id)
        connection.execute(update(deliveries).where(deliveries.c.id == outcome.delivery_id).values(values))

    def _locked(self, connection: Connection, delivery_id: int) -> Row[*tuple[Any, ...]]:
        row = connection.execute(
            select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
        ).one_or_none()
        if row is None:
            raise UnknownRecord(f"the journal has no delivery {delivery_id}")
        return row

    def _deliveries(self, query: Select[Any]) -> list[DeliveryRecord]:
        with self._reading() as connection:
            rows = connection.execute(query.order_by(deliveries.c.id)).all()
        return [DeliveryRecord(**with_path(row)) for row in rows]
