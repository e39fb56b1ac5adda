"""The little archive's storage commitment: it commits what lies in its folder.

References
----------
PS3.4 Annex J (Storage Commitment Push Model), as SCP.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from dicom_io.commitment import (
    COMMITMENT_INSTANCE,
    COMMITMENT_PUSH_MODEL,
    COMMITMENT_SYNTAXES,
    CommitmentReport,
    UnreadableReport,
    encode_report,
    parse_report,
)
from dicom_io.receive.head import is_uid

__all__ = ["CommitmentProvider", "CommitmentService"]

_LOGGER = logging.getLogger(__name__)

_SUCCESS = 0x0000
_NO_SUCH_OBJECT = 0x0112
_INVALID_ARGUMENT_VALUE = 0x0115
_CLASS_CONFLICT = 0x0119
_ALL_COMMITTED, _SOME_FAILED = 1, 2


@dataclass(frozen=True, slots=True)
class CommitmentService:
    """How an archive reports.

    Attributes
    ----------
    report_to : tuple of str and int, or None
        Host and port of the asker's listener, for a report on a new association; None reports on the
        association of the request, as long as the asker keeps it.
    delay_s : float
        Time between the answer to the request and the report.
    """

    report_to: tuple[str, int] | None = None
    delay_s: float = 0.05


class CommitmentProvider:
    """Answers N-ACTIONs, and reports from threads of its own.

    Parameters
    ----------
    ae_title : str
        Of the archive.
    service : CommitmentService
        How it reports.
    find : callable
        Returns the file of a SOP Instance UID, or None.
    """

    def __init__(self, ae_title: str, service: CommitmentService, find: Callable[[str], Path | None]) -> None:
        self._ae_title = ae_title
        self._service = service
        self._find = find

    def act(self, event: evt.Event) -> tuple[int, Dataset | None]:
        """Take a request."""
        try:
            # a request is built as a report in which nothing has failed
            wanted = parse_report(event.action_information)
        except UnreadableReport:
            return _INVALID_ARGUMENT_VALUE, None
        asker = str(event.assoc.requestor.ae_title).strip()
        threading.Thread(target=self._report, args=(event.assoc, asker, wanted), daemon=True).start()
        return _SUCCESS, None

    def _report(self, association: Association, asker: str, wanted: CommitmentReport) -> None:
        time.sleep(self._service.delay_s)
        report = self._look(wanted)
        try:
            if self._service.report_to is None:
                _send(association, report)
            else:
                self._call(asker, self._service.report_to, report)
        except (RuntimeError, ValueError) as error:  # the asker has gone, or does not want reports
            _LOGGER.warning("a commitment report could not be sent: %s", type(error).__name__)

    def _look(self, wanted: CommitmentReport) -> CommitmentReport:
        reasons = {}
        for reference in wanted.committed:
            path = self._find(reference.sop_instance_uid) if is_uid(reference.sop_instance_uid) else None
            if path is None:
                reasons[reference] = _NO_SUCH_OBJECT
            elif _class_of(path) != reference.sop_class_uid:
                reasons[reference] = _CLASS_CONFLICT
        kept = tuple(reference for reference in wanted.committed if reference not in reasons)
        return CommitmentReport(wanted.transaction_uid, kept, tuple(reasons.items()))

    def _call(self, asker: str, address: tuple[str, int], report: CommitmentReport) -> None:
        association = AE(self._ae_title).associate(
            *address,
            contexts=[build_context(COMMITMENT_PUSH_MODEL, list(COMMITMENT_SYNTAXES))],
            ae_title=asker,
            ext_neg=[build_role(COMMITMENT_PUSH_MODEL, scu_role=False, scp_role=True)],
        )
        try:
            _send(association, report)
        finally:
            if association.is_established:
                association.release()


def _send(association: Association, report: CommitmentReport) -> None:
    event_type = _SOME_FAILED if report.failed else _ALL_COMMITTED
    association.send_n_event_report(
        encode_report(report), event_type, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE
    )


def _class_of(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["SOPClassUID"], stop_before_pixels=True).SOPClassUID)
