"""What can go wrong with the journal."""

from __future__ import annotations

__all__ = [
    "ConflictingInstance",
    "ConflictingResult",
    "IllegalTransition",
    "JournalError",
    "JournalSchemaError",
    "ReprocessRefused",
    "StaleRun",
    "UnknownRecord",
]


class JournalError(RuntimeError):
    """Base of all errors of the journal."""


class JournalSchemaError(JournalError):
    """The database does not have the tables that this version needs."""


class UnknownRecord(JournalError, LookupError):
    """There is no such study, job or delivery."""


class IllegalTransition(JournalError):
    """A step between two states that does not exist.

    Parameters
    ----------
    subject : str
        What would have changed, e.g. ``job 12``.
    old, new : str
        The state it is in and the one that was asked for.
    """

    def __init__(self, subject: str, old: str, new: str) -> None:
        super().__init__(f"{subject} is {old!r} and cannot become {new!r}")
        self.subject = subject
        self.old = old
        self.new = new


class ConflictingInstance(JournalError):
    """A SOP Instance UID is already held with other content."""


class ConflictingResult(JournalError):
    """A result object differs from the one that was kept under the same UID."""


class StaleRun(JournalError):
    """A run belongs to an attempt that was given up."""


class ReprocessRefused(JournalError):
    """A study or job cannot be read again; the text says why."""
