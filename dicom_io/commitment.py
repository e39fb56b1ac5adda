"""Storage commitment as plain values: what is asked for, and what the archive says.

References
----------
PS3.4 Annex J (Storage Commitment Push Model), Tables J.3-1 and J.3-2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_io.receive.head import is_uid

__all__ = [
    "COMMITMENT_INSTANCE",
    "COMMITMENT_PUSH_MODEL",
    "COMMITMENT_SYNTAXES",
    "CommitmentReference",
    "CommitmentReport",
    "CommitmentRequest",
    "UnknownTransaction",
    "UnreadableReport",
    "encode_report",
    "encode_request",
    "parse_report",
]

COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"
"""SOP Class UID of the Storage Commitment Push Model."""

COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Its one well-known SOP Instance UID."""

COMMITMENT_SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")

_PROCESSING_FAILURE = 0x0110


class UnreadableReport(ValueError):
    """A report lacks what every report has; the text says what, without values."""


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


def encode_request(references: Iterable[CommitmentReference], transaction_uid: str) -> Dataset:
    """Return the Action Information of a request.

    Raises
    ------
    ValueError
        There is nothing to ask for, or the transaction's UID is not one.
    """
    if not is_uid(transaction_uid):
        raise ValueError("a transaction needs a UID of its own")
    request = Dataset()
    request.TransactionUID = transaction_uid
    request.ReferencedSOPSequence = [_encode_reference(reference) for reference in references]
    if not request.ReferencedSOPSequence:
        raise ValueError("a commitment is asked for at least one object")
    return request


def encode_report(report: CommitmentReport) -> Dataset:
    """Return the Event Information of a report."""
    information = Dataset()
    information.TransactionUID = report.transaction_uid
    if report.committed:
        information.ReferencedSOPSequence = [_encode_reference(reference) for reference in report.committed]
    if report.failed:
        information.FailedSOPSequence = [_encode_reference(reference) for reference, _ in report.failed]
        for item, (_, reason) in zip(information.FailedSOPSequence, report.failed, strict=True):
            item.FailureReason = reason
    return information


def parse_report(information: Dataset) -> CommitmentReport:
    """Return the Event Information of a report as values.

    The two sequences count, not the event type; an object in both has failed.

    Raises
    ------
    UnreadableReport
        The transaction or an object goes without a UID, or nothing is reported.
    """
    try:
        transaction_uid = _uid(information, "TransactionUID")
        failed = {
            _parse_reference(item): _failure_reason(item)
            for item in information.get("FailedSOPSequence") or ()
        }
        named = [_parse_reference(item) for item in information.get("ReferencedSOPSequence") or ()]
    except UnreadableReport:
        raise
    except Exception as error:  # pydicom decodes values late and raises anything over broken ones
        raise UnreadableReport(f"the report cannot be parsed ({type(error).__name__})") from error
    if not failed and not named:
        raise UnreadableReport("the report names no object")
    committed = tuple(reference for reference in dict.fromkeys(named) if reference not in failed)
    return CommitmentReport(transaction_uid, committed, tuple(failed.items()))


def _encode_reference(reference: CommitmentReference) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.sop_class_uid
    item.ReferencedSOPInstanceUID = reference.sop_instance_uid
    return item


def _parse_reference(item: Dataset) -> CommitmentReference:
    return CommitmentReference(_uid(item, "ReferencedSOPClassUID"), _uid(item, "ReferencedSOPInstanceUID"))


def _failure_reason(item: Dataset) -> int:
    reason = item.get("FailureReason")
    return reason if isinstance(reason, int) else _PROCESSING_FAILURE


def _uid(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    if not isinstance(value, str) or not is_uid(value):
        raise UnreadableReport(f"the report has a {keyword} that is missing or is not a UID")
    return str(value)
