"""Storage commitment as plain values: what is asked for, and what the archive says.

References
----------
PS3.4 Annex J (Storage Commitment Push Model), Tables J.3-1 and J.3-2.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CommitmentReference",
    "CommitmentReport",
    "CommitmentRequest",
    "UnknownTransaction",
]


class UnknownTransaction(KeyError):
    """A report names a transaction that was never asked for, or by another node."""


@dataclass(frozen=True, slots=True)
class CommitmentReference:
    """One object whose safekeeping is asked for."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What an archive says about one transaction (N-EVENT-REPORT).

    Attributes
    ----------
    transaction_uid : str
        Transaction UID (0008,1195) of the request.
    committed : tuple of CommitmentReference
        Objects the archive has taken responsibility for.
    failed : tuple of (CommitmentReference, int)
        Objects it has not, each with the Failure Reason (0008,1197).
    """

    transaction_uid: str
    committed: tuple[CommitmentReference, ...]
    failed: tuple[tuple[CommitmentReference, int], ...]


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """What became of a request for commitment.

    Attributes
    ----------
    offered : bool
        False when the node does not offer the Storage Commitment Push Model.
    status : int or None
        DIMSE status of the N-ACTION, or None when it was not answered.
    report : CommitmentReport or None
        The report, when it came on the same association; otherwise it comes to our listener.
    error : str or None
        Why the request was not taken, in words.
    """

    offered: bool
    status: int | None
    report: CommitmentReport | None
    error: str | None
