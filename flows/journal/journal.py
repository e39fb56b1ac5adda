"""The journal as one object, and how the service opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows.journal.claims import ClaimsJournal
from flows.journal.commitments import CommitmentsJournal
from flows.journal.overview import OverviewJournal
from flows.journal.priors import PriorsJournal
from flows.journal.receiving import ReceivingJournal

if TYPE_CHECKING:
    from flows.settings import Settings

__all__ = ["Journal", "open_journal"]


class Journal(ReceivingJournal, OverviewJournal, PriorsJournal, CommitmentsJournal, ClaimsJournal):
    """Every study, series, instance, job, result object and delivery, with states and times.

    It is the truth that everything restarts from. All methods are safe from several threads and
    processes at once, and have committed to disk when they return.
    """


def open_journal(settings: Settings, *, upgrade: bool = False) -> Journal:
    """Open the journal of a configuration, with the pseudonym key in the state folder.

    Parameters
    ----------
    upgrade : bool
        Create or upgrade the tables first; otherwise they must be there in the present form.
    """
    from flows.installation import Installation  # noqa: PLC0415

    journal = Journal(settings.journal_url, pseudonym=Installation(settings.state_dir).pseudonymiser.study)
    if upgrade:
        journal.upgrade()
    else:
        journal.require_current()
    return journal
