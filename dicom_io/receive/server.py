"""The listening socket: a thread and an association for each connection, within a limit."""

from __future__ import annotations

import logging
import threading
from typing import Any

from pynetdicom import AE
from pynetdicom.presentation import build_context
from pynetdicom.transport import AddressInformation, RequestHandler, ThreadedAssociationServer

from dicom_io.receive.acceptor import MAXIMUM_PDU_BYTES, Host, StorageAssociation
from dicom_io.receive.contexts import VERIFICATION
from dicom_io.receive.reactor import WaitingSocket
from dicom_io.receive.reception import describe_error

__all__ = ["AssociationServer"]

_LOGGER = logging.getLogger(__name__)
_SILENT_CONNECTIONS = 16


class _Handler(RequestHandler):
    """Makes our association of a connection."""

    server: AssociationServer

    def _create_association(self) -> StorageAssociation:
        server = self.server
        association = StorageAssociation(server.ae, server.host)
        association._server = server
        association.name = f"AcceptorThread@{association.association_id}"
        association.set_socket(
            WaitingSocket(association, self.request, server.host.network_timeout_s, MAXIMUM_PDU_BYTES)
        )
        association.acceptor.maximum_length = server.ae.maximum_pdu_size
        association.acceptor.ae_title = server.ae_title
        association.acceptor.address_info = self.local
        association.acceptor.implementation_class_uid = server.ae.implementation_class_uid
        association.acceptor.implementation_version_name = server.ae.implementation_version_name
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        return association


class AssociationServer(ThreadedAssociationServer):
    """Accepts connections, and closes those beyond any that could become associations.

    Parameters
    ----------
    ae : AE
        Timeouts and names.
    address : tuple
        Host and port to bind.
    host : Host
        The listener.
    maximum_associations : int
        Associations at one time; some silent connections more are held.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, ae: AE, address: tuple[str, int], host: Host, maximum_associations: int) -> None:
        self.host = host
        self._slots = threading.BoundedSemaphore(2 * maximum_associations + _SILENT_CONNECTIONS)
        super().__init__(ae, address, ae.ae_title, [build_context(VERIFICATION)], request_handler=_Handler)

    def _bind_defaults(self) -> None:
        """Leave the handlers to the association."""

    @property
    def associations(self) -> list[StorageAssociation]:
        """The associations whose threads run."""
        return [item for item in self.active_associations if isinstance(item, StorageAssociation)]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection its thread, or close it when there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Start the association of a connection; a connection that is gone already leaves nothing."""
        try:
            self.finish_request(request, client_address)
        except Exception as error:  # the listener goes on whatever one connection does
            _LOGGER.warning("a connection could not be served: %s", describe_error(error))
            self.shutdown_request(request)
            self.release_slot()

    def stop_accepting(self) -> None:
        """Close the port; associations go on."""
        self.ae._servers.append(self)
        self.shutdown()

    def release_slot(self) -> None:
        """Note that a connection is over."""
        self._slots.release()
