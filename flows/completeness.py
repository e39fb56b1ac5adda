"""When a study is complete: quiet for long enough, and no association open for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from flows.journal import Journal, ReceivingStudy
from flows.journal.store import utc_now
from flows.routing.conditions import candidate_routes
from flows.routing.rules import Route

__all__ = ["Completeness"]


class Completeness:
    """Declares studies complete; all it knows is in the journal, so a restart loses nothing.

    Parameters
    ----------
    journal : Journal
        Where studies are received and completed.
    routes : sequence of Route
        A study waits for the longest quiet time among the routes that may read it, judged by its
        modalities and SOP classes, and among all routes where none may.
    open_study_uids : callable
        Gives the Study Instance UIDs that open associations have sent instances of.
    clock : callable
        Wall clock, aware.
    monotonic : callable
        Steady clock in seconds; a wall clock set back does not hold a study for ever.
    """

    def __init__(
        self,
        journal: Journal,
        routes: Sequence[Route],
        open_study_uids: Callable[[], Collection[str]] = frozenset,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._routes = tuple(routes)
        self._open_study_uids = open_study_uids
        self._clock = clock
        self._monotonic = monotonic
        self._shortest = timedelta(seconds=min((route.quiet_time_s for route in self._routes), default=0.0))
        self._seen: dict[int, tuple[datetime, float]] = {}
        self._next: float | None = None

    @property
    def next_due_s(self) -> float | None:
        """Seconds from the last sweep to the next study that could be complete; None if there is none."""
        return self._next

    def quiet_time(self, study: ReceivingStudy) -> timedelta:
        """Return how long a study must have been quiet."""
        routes = candidate_routes(self._journal.study_kinds(study.id), self._routes) or self._routes
        return timedelta(seconds=max((route.quiet_time_s for route in routes), default=0.0))

    def sweep(self) -> list[ReceivingStudy]:
        """Declare every study complete that is, and return these.

        A study that gets an instance meanwhile stays open: the journal compares the time of the last one.
        """
        receiving = self._journal.receiving_studies()
        # Asked after the journal: an association that opened since then has news, which mark_complete sees.
        open_uids = self._open_study_uids() if receiving else frozenset()
        now, steady = self._clock(), self._monotonic()
        seen: dict[int, tuple[datetime, float]] = {}
        complete: list[ReceivingStudy] = []
        waits: list[float] = []
        for study in receiving:
            last, since = self._seen.get(study.id, (None, steady))
            since = since if last == study.last_instance_at else steady
            seen[study.id] = (study.last_instance_at, since)
            if study.study_instance_uid in open_uids:
                continue
            quiet = max(now - study.last_instance_at, timedelta(seconds=steady - since))
            needed = self._shortest
            if quiet >= needed:
                # What a study is made of is asked only now, not while instances stream in.
                needed = self.quiet_time(study)
            if quiet < needed:
                waits.append((needed - quiet).total_seconds())
            elif self._journal.mark_complete(study.id, study.last_instance_at):
                complete.append(study)
                del seen[study.id]
        self._seen = seen
        self._next = min(waits, default=None)
        return complete
