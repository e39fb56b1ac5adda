"""Opens an association as requestor, and says in words why there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from dicom_io.receive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.send.diagnosis import diagnose, words
from dicom_io.send.nodes import AssociationRefused, NodeAddress, NodeUnreachable

__all__ = ["associated"]

_LOOP_S = 0.0001

_REJECTIONS = {
    (1, 3): "it does not know our AE title {calling!r}: register it there, with this machine's address",
    (1, 7): "it does not go by the AE title {called!r}: correct the node's ae_title",
    (1, 2): "it does not support the DICOM application context",
    (2, 2): "it does not support our protocol version",
    (3, 1): "it is congested: try again later",
    (3, 2): "it has reached its limit of associations: try again later",
}


@contextmanager
def associated(
    node: NodeAddress,
    calling_ae_title: str,
    contexts: Sequence[PresentationContext],
    handlers: Sequence[tuple[Any, Any]] = (),
) -> Iterator[Association]:
    """Give an association with ``node``, over TLS where it says so, and release it afterwards.

    The association is also given when the node accepted none of the contexts; it is then not established.
    ``handlers`` are pynetdicom's pairs of event and function.

    Raises
    ------
    NodeUnreachable
        No connection, or it was closed before the negotiation ended.
    AssociationRefused
        The node rejected the association.
    SendError
        A file of the TLS identity cannot be used.
    """
    secure = None if node.tls is None else (node.tls.client_context(), node.host)
    connected: list[bool] = []

    def opened(event: evt.Event) -> None:
        connected.append(True)
        _hurry(event.assoc)

    entity = AE(calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = node.timeout_s
    entity.network_timeout = max(60.0, 2 * node.timeout_s)
    try:
        association = entity.associate(
            node.host,
            node.port,
            contexts=list(contexts),
            ae_title=node.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, opened), *handlers],
            tls_args=secure,
        )
    except OSError as error:
        raise NodeUnreachable(f"{node}: {words(error)}") from error
    try:
        if not association.is_established:
            _explain(association, node, calling_ae_title, bool(connected))
        yield association
    finally:
        if association.is_established:
            association.release()
        elif association.is_alive():
            association.abort()


def _hurry(association: Association) -> None:
    """Send small PDUs at once and look for answers often; else each object waits 40 ms for an ACK."""
    association.dul._run_loop_delay = _LOOP_S
    wrapper = association.dul.socket
    if wrapper is not None and wrapper.socket is not None:
        wrapper.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _explain(association: Association, node: NodeAddress, calling: str, connected: bool) -> None:
    answer = association.acceptor.primitive
    if association.is_rejected and answer is not None:
        key = (answer.result_source or 0, answer.diagnostic or 0)
        reason = _REJECTIONS.get(key, "it gave no reason").format(calling=calling, called=node.ae_title)
        raise AssociationRefused(f"{node} refused the association: {reason}", transient=answer.result == 2)
    if not connected:
        raise NodeUnreachable(f"{node}: {_reason(node) or 'no connection at first, though now: send again'}")
    if not association.rejected_contexts:
        problem = _reason(node) if node.tls is not None else None
        kind = "without TLS" if node.tls is None else "with TLS"
        raise NodeUnreachable(
            f"{node}: {problem}"
            if problem
            else f"{node} closed the connection during negotiation: is it a DICOM node, {kind}, at this port?"
        )


def _reason(node: NodeAddress) -> str | None:
    return diagnose(node.host, node.port, node.timeout_s, node.tls)
