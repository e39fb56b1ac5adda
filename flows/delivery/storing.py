"""Storing kept objects at one destination, each object's end written down as soon as it is known."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from dicom_io.send import SendError, SendResult, copy_files, send_files, store_over_web
from flows.addresses import dimse_address, web_address
from flows.journal import DeliveryOutcome, DeliveryRecord, DeliveryState, Journal
from flows.nodes import DicomwebNode, DimseNode, FolderNode
from flows.settings import Settings

__all__ = ["not_configured", "store"]

_BLOCK = 1 << 20


def not_configured(destination: str) -> str:
    """Return why nothing can be done for a destination that left the settings."""
    return f"no node {destination!r} is configured any more"


def store(
    journal: Journal, settings: Settings, destination: str, missing: Sequence[DeliveryRecord]
) -> tuple[int, str]:
    """Send objects to a destination, after a look whether they are still what was encoded.

    Returns
    -------
    int
        Objects that the destination has taken now.
    str
        Why others were not taken, in words that quote no peer; empty where all were.
    """
    kept = [delivery for delivery in missing if _is_kept(journal, delivery)]
    problem = "" if len(kept) == len(missing) else f"{len(missing) - len(kept)} kept objects gone or changed"
    node = settings.nodes.get(destination)
    if node is None:
        text = not_configured(destination)
        journal.mark_deliveries([DeliveryOutcome(delivery.id, "failed", text) for delivery in kept])
        return 0, problem or text
    storing = _Storing(journal, kept, _state_after(node))
    try:
        _send(settings, node, kept, storing.note)
    except SendError as error:
        storing.note_rest(str(error))
        return storing.taken, type(error).__name__
    return storing.taken, storing.problem or problem


def _state_after(node: DimseNode | DicomwebNode | FolderNode) -> DeliveryState:
    return "awaiting" if isinstance(node, DimseNode) and node.commitment != "off" else "sent"


def _is_kept(journal: Journal, delivery: DeliveryRecord) -> bool:
    """Return whether the kept file has the bytes of the journal; without them the delivery is dead."""
    try:
        digest = _sha256(delivery.path)
    except FileNotFoundError:
        error = "the kept object is gone: it was not sent; `secondread reprocess` makes it again"
    except OSError as problem:
        # It may be readable later, e.g. when the volume is mounted again.
        text = f"the kept object cannot be read: {problem.strerror}"
        journal.mark_deliveries([DeliveryOutcome(delivery.id, "failed", text)])
        return False
    else:
        if digest == delivery.sha256:
            return True
        error = "the kept object was changed since it was encoded: it was not sent; restore it from a backup"
    journal.mark_deliveries([DeliveryOutcome(delivery.id, "dead", error, "kept-object")])
    return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _send(
    settings: Settings,
    node: DimseNode | DicomwebNode | FolderNode,
    deliveries: Sequence[DeliveryRecord],
    note: Callable[[SendResult], None],
) -> None:
    if not deliveries:
        return
    paths = [delivery.path for delivery in deliveries]
    if isinstance(node, DimseNode):
        send_files(paths, dimse_address(node), settings.listener.ae_title, on_progress=note)
    elif isinstance(node, DicomwebNode):
        store_over_web(paths, web_address(node), on_progress=note)
    else:
        folders: dict[Path, list[Path]] = defaultdict(list)
        for delivery in deliveries:
            folders[node.path / delivery.pseudonym / delivery.path.parent.name].append(delivery.path)
        for folder, files in folders.items():
            copy_files(files, folder, on_progress=note)


class _Storing:
    """Turns results into ends of deliveries."""

    def __init__(
        self, journal: Journal, deliveries: Sequence[DeliveryRecord], state_after: DeliveryState
    ) -> None:
        self._journal = journal
        self._open = {delivery.path: delivery for delivery in deliveries}
        self._state_after = state_after
        self.taken = 0
        self.problem = ""

    def note(self, result: SendResult) -> None:
        """Write down one end: what is killed after this knows of it."""
        delivery = self._open.pop(result.path)
        self._journal.mark_deliveries([self._outcome(delivery, result)])

    def note_rest(self, error: str) -> None:
        """Write down that nothing became of the others."""
        rest, self._open = list(self._open.values()), {}
        self._journal.mark_deliveries([DeliveryOutcome(one.id, "failed", error) for one in rest])

    def _outcome(self, delivery: DeliveryRecord, result: SendResult) -> DeliveryOutcome:
        if result.error is None:
            self.taken += 1
            return DeliveryOutcome(delivery.id, self._state_after)
        self.problem = "no answer" if result.status is None else f"status 0x{result.status:04X}"
        if result.permanent:
            self.problem = "refused" if result.status is None else f"refused with 0x{result.status:04X}"
            return DeliveryOutcome(delivery.id, "dead", result.error, "refused")
        return DeliveryOutcome(delivery.id, "failed", result.error)
