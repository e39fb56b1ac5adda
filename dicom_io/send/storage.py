"""C-STORE and C-ECHO as SCU. Files are sent as they are: never decoded, never converted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.status import code_to_category

from dicom_io.receive.contexts import VERIFICATION
from dicom_io.send.association import associated
from dicom_io.send.folder import copy_files
from dicom_io.send.item import Item, Results, is_permanent
from dicom_io.send.nodes import (
    AssociationRefused,
    EchoResult,
    NodeAddress,
    NodeUnreachable,
    SendError,
    SendResult,
)

__all__ = [
    "AssociationRefused",
    "EchoResult",
    "NodeAddress",
    "NodeUnreachable",
    "SendError",
    "SendResult",
    "copy_files",
    "echo",
    "send_files",
]

_MAXIMUM_CONTEXTS = 128
_POLL_S = 0.001
_FRUITLESS_ASSOCIATIONS = 3  # two neighbours that break the connection do not keep back the next


def echo(node: NodeAddress, calling_ae_title: str = "SECONDREAD") -> EchoResult:
    """Ask a node whether it answers.

    Raises
    ------
    NodeUnreachable, AssociationRefused
        There is no association; the text says what to do.
    SendError
        The association was made and the C-ECHO was not answered.
    """
    started = time.perf_counter()
    with associated(node, calling_ae_title, [build_context(VERIFICATION)]) as association:
        if not association.is_established:
            raise SendError(f"{node} does not offer Verification")
        status = association.send_c_echo()
    if "Status" not in status:
        raise SendError(f"{node} did not answer the C-ECHO within {node.timeout_s:g} s")
    return EchoResult(node, int(status.Status), time.perf_counter() - started)


def send_files(
    paths: Iterable[Path],
    node: NodeAddress,
    calling_ae_title: str = "SECONDREAD",
    on_progress: Callable[[SendResult], None] | None = None,
) -> list[SendResult]:
    """Send files by C-STORE in the transfer syntaxes they have.

    One presentation context is proposed per pair of SOP class and transfer syntax; more than 128 pairs
    are spread over several associations. After the loss of a connection, a new association takes the
    files not tried yet, until three associations in a row bring no answer. The file under way when a
    connection was lost is left to a later call, and none that was answered is sent again.

    Parameters
    ----------
    paths : iterable of Path
        DICOM files.
    node : NodeAddress
        Where to.
    calling_ae_title : str
        Our AE title.
    on_progress : callable, optional
        Told every result as soon as it is known.

    Returns
    -------
    list of SendResult
        One per file, in the order of ``paths``. A file that cannot be read, is not accepted in its
        syntax, gets a failure status, or was left when the connection was lost for good has an ``error``.

    Raises
    ------
    NodeUnreachable, AssociationRefused
        There was no association for any file.
    """
    results = Results(on_progress)
    items = results.examine_all(paths)
    delivery = _Delivery(node, calling_ae_title, results)
    for batch in _batches(items):
        delivery.send(batch)
    return results.in_order()


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    pairs = sorted({item.pair for item in items})
    for start in range(0, len(pairs), _MAXIMUM_CONTEXTS):
        wanted = set(pairs[start : start + _MAXIMUM_CONTEXTS])
        yield [item for item in items if item.pair in wanted]


class _Delivery:
    """One call's associations with a node; a lost one is replaced until three in a row bring no answer."""

    def __init__(self, node: NodeAddress, calling_ae_title: str, results: Results) -> None:
        self._node = node
        self._calling = calling_ae_title
        self._results = results
        self._reached = False
        self._fruitless = 0

    def send(self, batch: Sequence[Item]) -> None:
        """Send files that fit one association."""
        untried = list(batch)
        while untried:
            try:
                untried = self._associate(untried)
            except SendError as error:
                if not self._reached:
                    raise
                self._give_up(untried, f"not sent: {error}")
                return
            if untried and self._fruitless >= _FRUITLESS_ASSOCIATIONS:
                self._give_up(untried, f"not sent: the connection to {self._node} was lost before")
                return

    def _give_up(self, items: Sequence[Item], error: str) -> None:
        for item in items:
            self._results.note(item.index, item.result(None, error))

    def _associate(self, batch: Sequence[Item]) -> list[Item]:
        """Send over one association, and return what was not tried when it was lost."""
        pairs = sorted({item.pair for item in batch})
        contexts = [build_context(class_uid, syntax) for class_uid, syntax in pairs]
        with associated(self._node, self._calling, contexts) as association:
            self._reached = True
            accepted = {
                (str(context.abstract_syntax), str(context.transfer_syntax[0])): context
                for context in association.accepted_contexts
            }
            for item in batch:
                if item.pair not in accepted:
                    error = _not_accepted(item, self._node)
                    self._results.note(item.index, item.result(None, error, permanent=True))
            wanted = [item for item in batch if item.pair in accepted]
            if association.is_established:
                _limit_socket(association, self._node.timeout_s)
            self._fruitless += 1
            for number, item in enumerate(wanted):
                if not association.is_established:
                    return wanted[number:]
                context = accepted[item.pair]
                result = _store(association, context, item, number % 65535 + 1, self._node)
                self._results.note(item.index, result)
                if result.status is not None:
                    self._fruitless = 0
        return []


def _not_accepted(item: Item, node: NodeAddress) -> str:
    class_uid, syntax = UID(item.sop_class_uid), UID(item.syntax_uid)
    return (
        f"{node} does not accept {class_uid.name} in {syntax.name} ({syntax}): "
        "enable it there, or send a copy in another transfer syntax"
    )


def _limit_socket(association: Association, timeout_s: float) -> None:
    wrapper = association.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        wrapper.socket.settimeout(timeout_s)


def _store(
    association: Association, context: PresentationContext, item: Item, message_id: int, node: NodeAddress
) -> SendResult:
    """Send the bytes of one file as ``Association.send_c_store`` does, without decoding them."""
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 2
    request.AffectedSOPClassUID = item.sop_class_uid
    request.AffectedSOPInstanceUID = item.sop_instance_uid
    request._dataset_path = (item.path, item.offset)
    unreadable: SendResult | None = None
    association._reactor_checkpoint.clear()
    try:
        while not association._is_paused and association.is_alive():
            time.sleep(_POLL_S / 10)
        association.dimse.send_msg(request, cast(int, context.context_id))
        # the time limit is that of the answer, not of the transfer
        queue = association.dul.to_provider_queue
        while not queue.empty() and association.dul.is_alive() and not association.acse.is_aborted():
            time.sleep(_POLL_S)
        answer = None
        if not association.acse.is_aborted():
            _, answer = association.dimse.get_msg(block=True)
    except OSError as error:
        unreadable = item.result(None, f"cannot be read: {error.strerror}", permanent=True)
    finally:
        association._reactor_checkpoint.set()
    if unreadable is not None:
        association.abort()  # the command set is on its way and its data set will not come
        return unreadable
    if answer is None:
        lost = association.acse.is_aborted() or not association.is_established
        if not lost:
            association.abort()
        association.is_established = False
        reason = "the connection was lost" if lost else f"no answer within {node.timeout_s:g} s"
        return item.result(None, f"{node}: {reason}; it may have the object")
    status = cast(int, answer.Status)
    if code_to_category(status) in ("Success", "Warning"):
        return item.result(status)
    # The peer's Error Comment may quote the patient and is not repeated.
    return item.result(status, f"{node} answered 0x{status:04X}", permanent=is_permanent(status))
