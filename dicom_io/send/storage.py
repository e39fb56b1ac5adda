"""C-STORE and C-ECHO as SCU. Files are sent as they are: never decoded, never converted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.status import code_to_category

from dicom_io.receive.contexts import VERIFICATION
from dicom_io.receive.part10 import data_set_offset, transfer_syntax_uid
from dicom_io.send.association import associated
from dicom_io.send.folder import copy_files
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


@dataclass(frozen=True, slots=True)
class _Item:
    """A file that can be proposed."""

    index: int
    path: Path
    offset: int
    sop_class_uid: str
    sop_instance_uid: str
    syntax_uid: str

    @property
    def pair(self) -> tuple[str, str]:
        return self.sop_class_uid, self.syntax_uid


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
    are spread over several associations.

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
        syntax, gets a failure status, or came after the loss of the connection has an ``error``.

    Raises
    ------
    NodeUnreachable, AssociationRefused
        There was no association for any file.
    """
    results: dict[int, SendResult] = {}

    def note(index: int, result: SendResult) -> None:
        results[index] = result
        if on_progress is not None:
            on_progress(result)

    items: list[_Item] = []
    for index, path in enumerate(paths):
        item = _examine(index, path)
        if isinstance(item, SendResult):
            note(index, item)
        else:
            items.append(item)
    reached = False
    for batch in _batches(items):
        try:
            for index, result in _send_batch(batch, node, calling_ae_title):
                reached = True
                note(index, result)
        except SendError as error:
            if not reached:
                raise
            for item in batch:
                if item.index not in results:
                    note(item.index, SendResult(item.path, item.sop_instance_uid, None, str(error)))
    return [results[index] for index in sorted(results)]


def _examine(index: int, path: Path) -> _Item | SendResult:
    try:
        header = pydicom.dcmread(
            path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True
        )
        syntax = transfer_syntax_uid(path)
        with path.open("rb") as file:
            offset = data_set_offset(file)
        class_uid, instance_uid = str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))
    except InvalidDicomError:
        return SendResult(path, None, None, "not a DICOM file (no DICM prefix)")
    except OSError as error:
        return SendResult(path, None, None, f"cannot be read: {error.strerror or type(error).__name__}")
    except Exception as error:  # whatever pydicom raises over a broken file concerns this file only
        return SendResult(path, None, None, f"cannot be parsed ({type(error).__name__})")
    if not syntax:
        return SendResult(path, instance_uid or None, None, "names no transfer syntax (0002,0010)")
    if not class_uid or not instance_uid:
        return SendResult(path, instance_uid or None, None, "has no SOP Class UID or no SOP Instance UID")
    return _Item(index, path, offset, class_uid, instance_uid, syntax)


def _batches(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    pairs = sorted({item.pair for item in items})
    for start in range(0, len(pairs), _MAXIMUM_CONTEXTS):
        wanted = set(pairs[start : start + _MAXIMUM_CONTEXTS])
        yield [item for item in items if item.pair in wanted]


def _send_batch(
    batch: Sequence[_Item], node: NodeAddress, calling_ae_title: str
) -> Iterator[tuple[int, SendResult]]:
    pairs = sorted({item.pair for item in batch})
    contexts = [build_context(class_uid, syntax) for class_uid, syntax in pairs]
    with associated(node, calling_ae_title, contexts) as association:
        if association.is_established:
            _limit_socket(association, node.timeout_s)
        accepted = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])): context
            for context in association.accepted_contexts
        }
        alive = association.is_established
        for number, item in enumerate(batch):
            context = accepted.get(item.pair)
            if context is None:
                error = _not_accepted(item, node)
                yield item.index, SendResult(item.path, item.sop_instance_uid, None, error)
            elif not alive:
                error = f"not sent: the connection to {node} was lost before"
                yield item.index, SendResult(item.path, item.sop_instance_uid, None, error)
            else:
                result = _store(association, context, item, number % 65535 + 1, node)
                alive = result.status is not None
                yield item.index, result


def _not_accepted(item: _Item, node: NodeAddress) -> str:
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
    association: Association, context: PresentationContext, item: _Item, message_id: int, node: NodeAddress
) -> SendResult:
    """Send the bytes of one file as ``Association.send_c_store`` does, without decoding them."""
    request = C_STORE()
    request.MessageID = message_id
    request.Priority = 2
    request.AffectedSOPClassUID = item.sop_class_uid
    request.AffectedSOPInstanceUID = item.sop_instance_uid
    request._dataset_path = (item.path, item.offset)
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
        return SendResult(item.path, item.sop_instance_uid, None, f"cannot be read: {error.strerror}")
    finally:
        association._reactor_checkpoint.set()
    if answer is None:
        lost = association.acse.is_aborted() or not association.is_established
        if not lost:
            association.abort()
        reason = "the connection was lost" if lost else f"no answer within {node.timeout_s:g} s"
        return SendResult(item.path, item.sop_instance_uid, None, f"{node}: {reason}; it may have the object")
    status = cast(int, answer.Status)
    if code_to_category(status) in ("Success", "Warning"):
        return SendResult(item.path, item.sop_instance_uid, status)
    # The peer's Error Comment may quote the patient and is not repeated.
    return SendResult(item.path, item.sop_instance_uid, status, f"{node} answered 0x{status:04X}")
