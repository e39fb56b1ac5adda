"""Answers the N-EVENT-REPORTs by which archives say what they have committed.

We are the user of the service and the archive its provider, also where the archive asks for the
association: it proposes the role of SCP for itself (PS3.7 D.3.3.4), or just reports.

References
----------
PS3.4 J.3.3 (N-EVENT-REPORT of the Storage Commitment Push Model), PS3.7 10.1.1.1.8 (statuses).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.dsutils import decode
from pynetdicom.presentation import PresentationContext, build_context

from dicom_io.commitment import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    COMMITMENT_SYNTAXES,
    CommitmentReport,
    UnknownTransaction,
    UnreadableReport,
    parse_report,
)
from dicom_io.receive.reception import describe_error
from dicom_io.receive.spool import MEMORY_BYTES, Spool

__all__ = ["CommitmentReported", "commitment_context", "serve_report"]

_LOGGER = logging.getLogger(__name__)

CommitmentReported = Callable[[CommitmentReport, str], None]
"""Takes a report and the calling AE title of who reports; returns when the report is kept."""

_SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110
_NO_SUCH_INSTANCE = 0x0112
_NO_SUCH_EVENT_TYPE = 0x0113
_INVALID_ARGUMENT_VALUE = 0x0115
_NO_SUCH_CLASS = 0x0118
_RESOURCE_LIMITATION = 0x0213
_EVENT_TYPES = (1, 2)


def commitment_context() -> PresentationContext:
    """Return the context under which an archive reports: it is the SCP, we are the SCU."""
    context = build_context(COMMITMENT_PUSH_MODEL, list(COMMITMENT_SYNTAXES))
    # of the requestor, and only answered where it proposes roles
    context.scu_role, context.scp_role = False, True
    return context


def serve_report(
    request: N_EVENT_REPORT, context: PresentationContext, peer: str, reported: CommitmentReported
) -> N_EVENT_REPORT:
    """Hand a report on, and return the answer: success only after ``reported`` has returned.

    A transaction nobody asked for is answered with 0x0115, Invalid Argument Value: the well-known instance
    exists (so not 0x0112), nothing went wrong here (so not 0x0110, after which the archive may well repeat
    it for ever), and the Transaction UID is the argument that is inappropriate.
    """
    answer = N_EVENT_REPORT()
    answer.MessageIDBeingRespondedTo = request.MessageID
    answer.AffectedSOPClassUID = request.AffectedSOPClassUID
    answer.AffectedSOPInstanceUID = request.AffectedSOPInstanceUID
    answer.EventTypeID = request.EventTypeID
    try:
        answer.Status = _status(request, context, peer, reported)
    finally:
        if isinstance(request.EventInformation, Spool):
            request.EventInformation.discard()
    return answer


def _status(
    request: N_EVENT_REPORT, context: PresentationContext, peer: str, reported: CommitmentReported
) -> int:
    wrong = _wrong(request)
    if wrong is not None:
        return wrong
    try:
        reported(parse_report(_information(request, context)), peer)
    except UnreadableReport as error:
        _LOGGER.warning("a commitment report cannot be used: %s", error)
        return _INVALID_ARGUMENT_VALUE
    except UnknownTransaction:
        _LOGGER.warning("a commitment report names a transaction that was not asked for")
        return _INVALID_ARGUMENT_VALUE
    except Exception as error:  # the archive may report again, and the journal may be there then
        _LOGGER.error("a commitment report could not be kept: %s", describe_error(error))
        return _PROCESSING_FAILURE
    return _SUCCESS


def _wrong(request: N_EVENT_REPORT) -> int | None:
    """Return the status for what is wrong with a request before its contents are read."""
    information = request.EventInformation
    checks = (
        (str(request.AffectedSOPClassUID) != COMMITMENT_PUSH_MODEL, _NO_SUCH_CLASS),
        (str(request.AffectedSOPInstanceUID) != COMMITMENT_INSTANCE, _NO_SUCH_INSTANCE),
        (request.EventTypeID not in _EVENT_TYPES, _NO_SUCH_EVENT_TYPE),
        (information is None, _INVALID_ARGUMENT_VALUE),
        (isinstance(information, Spool) and information.size > MEMORY_BYTES, _RESOURCE_LIMITATION),
    )
    return next((status for applies, status in checks if applies), None)


def _information(request: N_EVENT_REPORT, context: PresentationContext) -> Dataset:
    syntax: Any = context.transfer_syntax[0]
    encoded = request.EventInformation or BytesIO()
    encoded.seek(0)
    try:
        information: Dataset = decode(encoded, syntax.is_implicit_VR, syntax.is_little_endian)
    except Exception as error:  # whatever pydicom raises over broken bytes
        raise UnreadableReport(f"the report cannot be parsed ({type(error).__name__})") from error
    return information
