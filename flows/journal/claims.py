"""Claims: which pass of which process is delivering what, so that nothing is sent twice at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from sqlalchemy import or_, select, update

from flows.journal.deliveries import DeliveriesJournal, delivery_query, with_path
from flows.journal.records import DeliveryRecord
from flows.journal.states import OPEN_DELIVERY_STATES
from flows.journal.tables import deliveries

__all__ = ["ClaimsJournal"]

_AT_A_TIME = 500  # a statement takes only so many parameters


class ClaimsJournal(DeliveriesJournal):
    """What a pass writes before and after it delivers."""

    def claim_deliveries(
        self, delivery_ids: Sequence[int], owner: str, seconds: float
    ) -> list[DeliveryRecord]:
        """Claim what is open and nobody else is delivering, until released or for so long.

        Parameters
        ----------
        owner : str
            A name that no other pass has.
        seconds : float
            When the claim ends by itself, as the process may be killed.

        Returns
        -------
        list of DeliveryRecord
            What was claimed, as it is now.
        """
        claimed = []
        with self._writing() as connection:
            now = self._clock()
            for some in _portions(delivery_ids):
                free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until < now)
                ours = (
                    connection.execute(
                        select(deliveries.c.id)
                        .where(
                            deliveries.c.id.in_(some),
                            deliveries.c.state.in_(sorted(OPEN_DELIVERY_STATES)),
                            free,
                        )
                        .order_by(deliveries.c.id)
                        .with_for_update()
                    )
                    .scalars()
                    .all()
                )
                if not ours:
                    continue
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id.in_(ours))
                    .values(claimed_by=owner, claimed_until=now + timedelta(seconds=seconds))
                )
                rows = connection.execute(
                    delivery_query().where(deliveries.c.id.in_(ours)).order_by(deliveries.c.id)
                ).all()
                claimed += [DeliveryRecord(**with_path(row)) for row in rows]
        return claimed

    def renew_claims(self, owner: str, seconds: float) -> None:
        """Have the claims of a pass last for so long from now."""
        with self._writing() as connection:
            self._lock_deliveries(connection, deliveries.c.claimed_by == owner)
            connection.execute(
                update(deliveries)
                .where(deliveries.c.claimed_by == owner)
                .values(claimed_until=self._clock() + timedelta(seconds=seconds))
            )

    def release_claims(self, owner: str) -> None:
        """End the claims of a pass."""
        with self._writing() as connection:
            self._lock_deliveries(connection, deliveries.c.claimed_by == owner)
            connection.execute(
                update(deliveries)
                .where(deliveries.c.claimed_by == owner)
                .values(claimed_by=None, claimed_until=None)
            )


def _portions(delivery_ids: Sequence[int]) -> Iterator[list[int]]:
    ordered = sorted(set(delivery_ids))
    for start in range(0, len(ordered), _AT_A_TIME):
        yield ordered[start : start + _AT_A_TIME]
