"""Delivering within the run of a job: all destinations at the same time, none in another's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from flows.delivery.claims import claimed
from flows.delivery.commitment import ask_for_commitment
from flows.delivery.schedule import attempts_in_run
from flows.delivery.storing import store
from flows.journal import DeliveryRecord, JobRecord, Journal
from flows.settings import Settings

__all__ = ["MOST_THREADS", "DeliveryReport", "deliver"]

MOST_THREADS = 8
"""Destinations that are served at the same time."""


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What became of the deliveries of a job.

    Parameters
    ----------
    sent : int
        Objects that destinations took now.
    problems : mapping of str to str
        Why something is still missing, by destination; without PHI.
    dead : mapping of str to int
        Dead letters by destination.
    awaiting : mapping of str to int
        Objects that were taken and await their commitment, by destination.
    worth_another : bool
        Whether this run may try something again.
    """

    sent: int = 0
    problems: Mapping[str, str] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    awaiting: Mapping[str, int] = field(default_factory=dict)
    worth_another: bool = False

    @property
    def complete(self) -> bool:
        """Whether every destination has everything, committed or not yet."""
        return not self.problems and not self.dead

    @property
    def problem(self) -> str | None:
        """What is missing where, in one line; None where nothing is."""
        parts = [f"{name}: {why}" for name, why in self.problems.items()]
        parts += [f"{name}: {number} dead letters" for name, number in self.dead.items()]
        return "; ".join(parts) or None


def deliver(journal: Journal, settings: Settings, job: JobRecord, attempt: int = 1) -> DeliveryReport:
    """Send what a job's destinations miss, and ask them to commit what they took.

    Parameters
    ----------
    attempt : int
        Which pass of the run this is. Destinations whose attempts are used up are left alone; the first
        pass asks again for every commitment that is open, as a run before it may have been killed.
    """
    waiting: dict[str, list[DeliveryRecord]] = {}
    for delivery in journal.open_deliveries(job.id):
        if attempt <= attempts_in_run(settings, delivery.destination):
            waiting.setdefault(delivery.destination, []).append(delivery)
    served = {name: found for name, found in waiting.items() if attempt == 1 or _to_send(found)}
    sent, why = 0, {}
    if served:
        with ThreadPoolExecutor(min(len(served), MOST_THREADS), "deliver") as threads:
            serving = {
                name: threads.submit(_serve, journal, settings, name, found, attempt)
                for name, found in served.items()
            }
        # Every destination has had its turn before the error of one ends the pass.
        for name, one in serving.items():
            taken, why[name] = one.result()
            sent += taken
    return _report(journal.deliveries(job.id), settings, attempt, sent, why)


def _to_send(deliveries: Sequence[DeliveryRecord]) -> list[DeliveryRecord]:
    return [one for one in deliveries if one.state in {"pending", "failed"}]


def _serve(
    journal: Journal, settings: Settings, destination: str, found: Sequence[DeliveryRecord], attempt: int
) -> tuple[int, str]:
    with claimed(journal, settings, destination, [one.id for one in found]) as held:
        taken, problem = store(journal, settings, destination, _to_send(held))
        ours = {one.id for one in held}
        stored = [
            one
            for one in journal.open_deliveries(found[0].job_id)
            if one.id in ours and one.state == "awaiting" and (attempt == 1 or one.asked_at is None)
        ]
        ask_for_commitment(journal, settings, destination, stored)
    return taken, problem


def _report(
    deliveries: Sequence[DeliveryRecord],
    settings: Settings,
    attempt: int,
    sent: int,
    why: Mapping[str, str],
) -> DeliveryReport:
    missing = Counter(one.destination for one in _to_send(deliveries))
    uncommitted = {one.destination for one in _to_send(deliveries) if one.attempts and one.sent_at}
    reasons = {name: why.get(name) or ("not committed" if name in uncommitted else "") for name in missing}
    return DeliveryReport(
        sent=sent,
        problems={
            name: f"{number} objects missing" + (f" ({reasons[name]})" if reasons[name] else "")
            for name, number in missing.items()
        },
        dead=Counter(one.destination for one in deliveries if one.state == "dead"),
        awaiting=Counter(one.destination for one in deliveries if one.state == "awaiting"),
        worth_another=any(attempt < attempts_in_run(settings, name) for name in missing),
    )
