"""Storage commitment: what was asked of whom, and what the archives answered.

References
----------
PS3.4 Annex J; Failure Reason (0008,1197): PS3.3 C.14.1.1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from dicom_io.commitment import CommitmentReport, UnknownTransaction
from flows.journal.deliveries import DeliveriesJournal
from flows.journal.records import CommitmentOutcome, DeliveryRecord
from flows.journal.tables import commitments, deliveries, results

__all__ = ["CommitmentsJournal", "failure_in_words"]

_OTHER_CLASS: Final = 0x0119
_FAILURE_REASONS: Final = {
    0x0110: "processing failure",
    0x0112: "it does not have the object",
    _OTHER_CLASS: "it has the object under another SOP class",
    0x0122: "it does not support the SOP class",
    0x0131: "the transaction UID was used before",
    0x0213: "resource limitation",
}
# Sending the same bytes again cannot mend these.
_PERMANENT: Final = frozenset({_OTHER_CLASS, 0x0122})


def failure_in_words(reason: int) -> str:
    """Return what a Failure Reason (0008,1197) means."""
    return f"{_FAILURE_REASONS.get(reason, 'no reason that the standard names')} (0x{reason:04X})"


class CommitmentsJournal(DeliveriesJournal):
    """What asking for commitment writes before and after, and what reports write whenever they come."""

    def begin_commitment(
        self, waiting: Iterable[DeliveryRecord], transaction_uid: str
    ) -> list[DeliveryRecord]:
        """Note a request before it is made: its report may come before the request has returned.

        Returns
        -------
        list of DeliveryRecord
            Those that still await; the others were committed meanwhile and are not to be asked for.
        """
        asked = []
        with self._writing() as connection:
            now = self._clock()
            for delivery in sorted(waiting, key=lambda one: one.id):
                if self._locked(connection, delivery.id).state != "awaiting":
                    continue
                connection.execute(
                    insert(commitments),
                    {"transaction_uid": transaction_uid, "delivery_id": delivery.id, "asked_at": now},
                )
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id == delivery.id)
                    .values(
                        transaction_uid=transaction_uid,
                        asked_at=now,
                        commitment_requests=deliveries.c.commitment_requests + 1,
                        error=None,
                    )
                )
                asked.append(delivery)
        return asked

    def commitment_not_taken(self, transaction_uid: str, error: str) -> None:
        """Note that the destination did not take a request; a report is heard all the same."""
        with self._writing() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.transaction_uid == transaction_uid, deliveries.c.state == "awaiting")
                .values(transaction_uid=None, error=error)
            )

    def commitment_answered(self, transaction_uid: str) -> bool:
        """Return whether nothing of a transaction is open any more."""
        with self._reading() as connection:
            return not self._open(connection, transaction_uid)

    def record_commitment(
        self, report: CommitmentReport, destinations: Collection[str] | None = None
    ) -> CommitmentOutcome:
        """Note an archive's report: what it committed is done, what it did not is sent again.

        Objects that the report does not name go on waiting; an object is named by its class and its
        instance. A report that comes again changes nothing, and neither does one on objects that were sent
        anew since it was asked for. Of a dead letter it is noted that it is not even stored.

        Parameters
        ----------
        destinations : collection of str, optional
            Those that the report may be of; any if not given.

        Raises
        ------
        dicom_io.commitment.UnknownTransaction
            Nothing was asked for under this transaction UID, or not of these destinations, or nothing of
            what the report names.
        """
        with self._writing() as connection:
            rows = self._asked_for(connection, report.transaction_uid)
            if not rows or (
                destinations is not None and any(r.destination not in destinations for r in rows)
            ):
                raise UnknownTransaction(
                    f"no storage commitment was asked for as transaction {report.transaction_uid} there"
                )
            kept, reasons, unmatched = _matched(report, rows)
            if unmatched and unmatched == len(report.committed) + len(report.failed):
                raise UnknownTransaction("a report names nothing of what its transaction asked for")
            fresh = [row for row in rows if row.outcome is None]
            now = self._clock()
            committed = [row for row in fresh if row.id in kept]
            self._commit(connection, report.transaction_uid, committed, now)
            resent = 0
            for row in fresh:
                if row.id in reasons:
                    resent += self._fail(connection, report.transaction_uid, row, reasons[row.id], now)
            still_open = self._open(connection, report.transaction_uid)
            return CommitmentOutcome(len(committed), resent, still_open, unmatched)

    def _asked_for(self, connection: Connection, transaction_uid: str) -> Sequence[Row[*tuple[Any, ...]]]:
        """Lock the deliveries of a transaction, and only then look: a report may come twice at once."""
        of_transaction = commitments.c.transaction_uid == transaction_uid
        connection.execute(
            select(deliveries.c.id)
            .where(deliveries.c.id.in_(select(commitments.c.delivery_id).where(of_transaction)))
            .order_by(deliveries.c.id)
            .with_for_update()
        ).all()
        return connection.execute(
            select(
                commitments.c.outcome,
                deliveries.c.id,
                deliveries.c.state,
                deliveries.c.dead_reason,
                deliveries.c.destination,
                deliveries.c.uncommitted_at,
                results.c.sop_class_uid,
                results.c.sop_instance_uid,
            )
            .join(deliveries, deliveries.c.id == commitments.c.delivery_id)
            .join(results, results.c.id == deliveries.c.result_id)
            .where(of_transaction)
            .order_by(deliveries.c.id)
        ).all()

    def _commit(
        self,
        connection: Connection,
        transaction_uid: str,
        rows: Sequence[Row[*tuple[Any, ...]]],
        now: datetime,
    ) -> None:
        for row in rows:
            self._settle(connection, transaction_uid, row.id, "committed", now)
            if row.state != "committed":
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id == row.id)
                    .values(state="committed", state_at=now, committed_at=now, error=None, dead_reason=None)
                )

    def _fail(
        self,
        connection: Connection,
        transaction_uid: str,
        row: Row[*tuple[Any, ...]],
        reason: int,
        now: datetime,
    ) -> int:
        self._settle(connection, transaction_uid, row.id, "failed", now)
        if row.state not in {"awaiting", "dead"}:
            return 0
        permanent = reason in _PERMANENT
        dead = permanent or row.state == "dead"
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id == row.id)
            .values(
                state="dead" if dead else "failed",
                dead_reason="refused" if permanent else row.dead_reason,
                state_at=now,
                stored_at=None,
                transaction_uid=None,
                # Patience begins anew, once: who takes and never commits is given up all the same.
                uncommitted_at=row.uncommitted_at or now,
                error=f"not committed: {failure_in_words(reason)}",
            )
        )
        return 0 if dead else 1

    def _settle(
        self, connection: Connection, transaction_uid: str, delivery_id: int, outcome: str, now: datetime
    ) -> None:
        connection.execute(
            update(commitments)
            .where(commitments.c.transaction_uid == transaction_uid, commitments.c.delivery_id == delivery_id)
            .values(outcome=outcome, reported_at=now)
        )

    def _open(self, connection: Connection, transaction_uid: str) -> int:
        return int(
            connection.execute(
                select(func.count())
                .select_from(commitments.join(deliveries, deliveries.c.id == commitments.c.delivery_id))
                .where(
                    commitments.c.transaction_uid == transaction_uid,
                    commitments.c.outcome.is_(None),
                    deliveries.c.state == "awaiting",
                )
            ).scalar_one()
        )


def _matched(
    report: CommitmentReport, rows: Sequence[Row[*tuple[Any, ...]]]
) -> tuple[set[int], dict[int, int], int]:
    """Return the deliveries that a report commits, those that it does not with why, and what is no match.

    An object that is named in both lists, under whatever class, is not committed.
    """
    by_reference = {(row.sop_class_uid, row.sop_instance_uid): row.id for row in rows}
    by_instance = {row.sop_instance_uid: row.id for row in rows}
    reasons, unmatched = {}, 0
    for reference, reason in report.failed:
        found = by_reference.get((reference.sop_class_uid, reference.sop_instance_uid))
        if found is None and reason == _OTHER_CLASS:  # it may name the class that it has
            found = by_instance.get(reference.sop_instance_uid)
        if found is None:
            unmatched += 1
        else:
            reasons[found] = reason
    spoken_against = {reference.sop_instance_uid for reference, _ in report.failed}
    kept = set()
    for reference in report.committed:
        found = by_reference.get((reference.sop_class_uid, reference.sop_instance_uid))
        if found is None:
            unmatched += 1
        elif reference.sop_instance_uid not in spoken_against:
            kept.add(found)
    return kept, reasons, unmatched
