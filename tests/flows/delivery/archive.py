"""A scripted archive: it takes, refuses, breaks off, commits all, half or nothing, or never says."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt

from dicom_io.commitment import COMMITMENT_INSTANCE, COMMITMENT_PUSH_MODEL
from dicom_io.receive.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, VERIFICATION
from flows.settings import DimseNode

__all__ = ["ScriptedArchive"]


class ScriptedArchive:
    """Listens from ``with`` to its end; what it does may be changed meanwhile.

    Attributes
    ----------
    reports
        How commitment is answered: "none" (not offered), "same" or "new" association, "never".
    commits
        Whether an object, by SOP Instance UID, is committed.
    stores
        Status of a C-STORE, by SOP Instance UID.
    breaks_after
        The association is aborted after so many objects.
    taken, requests
        How often each object was taken, and what was asked for: (transaction UID, SOP Instance UIDs).
    """

    def __init__(
        self, reports: Literal["none", "same", "new", "never"] = "none", refused_classes: tuple[str, ...] = ()
    ) -> None:
        self.reports = reports
        self.commits: Callable[[str], bool] = lambda _uid: True
        self.stores: Callable[[str], int] = lambda _uid: 0x0000
        self.breaks_after: int | None = None
        self.before_store: Callable[[], None] = lambda: None
        self.before_answer: Callable[[], None] = lambda: None
        self.report_to = ("127.0.0.1", 0)
        self.taken: Counter[str] = Counter()
        self.requests: list[tuple[str, list[str]]] = []
        self.statuses: list[int | None] = []
        self._refused_classes = refused_classes
        self._port = 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> ScriptedArchive:
        entity = AE("ARCHIVE")
        entity.maximum_associations = 64
        contexts = [build_context(VERIFICATION)] + [
            build_context(uid, list(TRANSFER_SYNTAXES))
            for uid in sorted(STORAGE_CLASSES)
            if uid not in self._refused_classes
        ]
        if self.reports != "none":
            contexts.append(build_context(COMMITMENT_PUSH_MODEL))
        self._server = entity.start_server(
            ("127.0.0.1", self._port),
            block=False,
            contexts=contexts,
            evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_N_ACTION, self._asked)],
        )
        self._port = self._server.server_address[1]
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join(10)
        self._server.shutdown()

    def node(self, **values: Any) -> DimseNode:
        """Return the settings of this node."""
        return DimseNode(ae_title="ARCHIVE", port=self._port, **({"timeout_s": 5.0} | values))

    def _store(self, event: evt.Event) -> int:
        self.before_store()
        uid = str(event.request.AffectedSOPInstanceUID)
        if self.breaks_after is not None and sum(self.taken.values()) >= self.breaks_after:
            event.assoc.abort()
            return 0x0110
        status = self.stores(uid)
        if status == 0x0000:
            self.taken[uid] += 1
        return status

    def _asked(self, event: evt.Event) -> tuple[int, None]:
        information = event.action_information
        transaction = str(information.TransactionUID)
        references = [
            (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in information.ReferencedSOPSequence
        ]
        self.requests.append((transaction, [uid for _, uid in references]))
        self.before_answer()
        if self.reports in {"same", "new"}:
            report = self.report(transaction, references)
            work = (
                (lambda: self._send_here(event, report)) if self.reports == "same" else self._caller(report)
            )
            self._threads.append(threading.Thread(target=work, daemon=True))
            self._threads[-1].start()
        return 0x0000, None

    def report(self, transaction: str, references: list[tuple[str, str]]) -> tuple[Dataset, int]:
        """Return a report and its event type."""
        data = Dataset()
        data.TransactionUID = UID(transaction)
        good, bad = [], []
        for class_uid, uid in references:
            item = Dataset()
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = UID(class_uid), UID(uid)
            if self.commits(uid):
                good.append(item)
            else:
                item.FailureReason = 0x0112
                bad.append(item)
        if good:
            data.ReferencedSOPSequence = good
        if bad:
            data.FailedSOPSequence = bad
        return data, 2 if bad else 1

    def _send_here(self, event: evt.Event, report: tuple[Dataset, int]) -> None:
        time.sleep(0.05)  # the answer to the request goes first
        self._event_report(event.assoc, report)

    def _caller(self, report: tuple[Dataset, int]) -> Callable[[], None]:
        def call() -> None:
            time.sleep(0.05)
            self.call_back(report)

        return call

    def call_back(self, report: tuple[Dataset, int]) -> int | None:
        """Report on an association of our own, and return the answer."""
        entity = AE("ARCHIVE")
        entity.add_requested_context(COMMITMENT_PUSH_MODEL)
        association = entity.associate(
            *self.report_to,
            ae_title="SECONDREAD",
            ext_neg=[build_role(COMMITMENT_PUSH_MODEL, scp_role=True)],
        )
        if not association.is_established:
            return None
        status = self._event_report(association, report)
        association.release()
        return status

    def _event_report(self, association: Any, report: tuple[Dataset, int]) -> int | None:
        data, kind = report
        if not association.is_established:  # whoever asked is gone
            self.statuses.append(None)
            return None
        answer, _ = association.send_n_event_report(
            data, kind, COMMITMENT_PUSH_MODEL, COMMITMENT_INSTANCE, meta_uid=COMMITMENT_PUSH_MODEL
        )
        self.statuses.append(int(answer.Status) if "Status" in answer else None)
        return self.statuses[-1]
