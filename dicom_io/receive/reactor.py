"""pynetdicom's acceptor threads made to wait instead of to poll.

pynetdicom 3 sleeps a millisecond in two loops per association; ``select`` and a queue in their place halve
the time per object, and idle associations cost nothing. This module and ``acceptor`` are the only
places that lean on pynetdicom's internals.
"""

from __future__ import annotations

import queue
import select
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dul import DULServiceProvider
from pynetdicom.transport import AssociationSocket

__all__ = ["WaitingAssociation", "WaitingSocket"]

_WAIT_S = 0.25
_STOP_S = 5.0
_RECEIVE_BYTES = 1 << 18


class WaitingSocket(AssociationSocket):
    """Reads large pieces, within a deadline, and refuses absurd lengths.

    Parameters
    ----------
    assoc, client_socket
        As of the base class.
    timeout_s : float
        One PDU must arrive within this time.
    maximum_pdu_bytes : int
        A PDU that says it is longer ends the connection.
    """

    def __init__(
        self, assoc: Association, client_socket: socket.socket, timeout_s: float, maximum_pdu_bytes: int
    ) -> None:
        super().__init__(assoc, client_socket=client_socket)
        self._timeout_s = timeout_s
        self._maximum_pdu_bytes = maximum_pdu_bytes
        client_socket.settimeout(timeout_s)
        client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def recv(self, nr_bytes: int) -> bytearray:
        """Return ``nr_bytes``, or fewer when the peer closed the connection."""
        if nr_bytes > self._maximum_pdu_bytes:
            raise ConnectionError(f"a PDU of {nr_bytes} bytes is longer than was negotiated")
        sock = self.socket
        if sock is None:
            raise ConnectionError("the connection is closed")
        buffer = bytearray(nr_bytes)
        view = memoryview(buffer)
        position = 0
        deadline = time.monotonic() + self._timeout_s
        while position < nr_bytes:
            count = sock.recv_into(view[position : position + _RECEIVE_BYTES])
            if count == 0:
                break
            position += count
            if position < nr_bytes and time.monotonic() > deadline:
                raise TimeoutError("the peer sends a PDU too slowly")
        view.release()
        del buffer[position:]
        return buffer


class _WaitingDUL(DULServiceProvider):
    """Waits for bytes from the peer or a primitive from the association."""

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._run_loop_delay = 0
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self.daemon = True

    def send_pdu(self, primitive: Any) -> None:
        super().send_pdu(primitive)
        self.ring()

    def kill_dul(self) -> None:
        super().kill_dul()
        self.ring()

    def stop_dul(self) -> bool:
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join(_STOP_S)
        return True

    def ring(self) -> None:
        """Wake the reactor."""
        try:
            self._button.send(b"\x00")
        except (BlockingIOError, OSError):
            # full: it rings already; closed: nobody waits any more
            return

    def _is_transport_event(self) -> bool:
        state = self.state_machine.current_state
        if state == "Sta1" and self.event_queue.empty():
            # over: the association's thread notices and ends this one
            time.sleep(0.001)
            return False
        wrapper = self.socket
        sock = wrapper.socket if wrapper is not None else None
        pending = isinstance(sock, ssl.SSLSocket) and sock.pending()
        if sock is not None and state != "Sta13" and self.event_queue.empty() and not pending:
            self._wait(sock)
        found: bool = super()._is_transport_event()
        return found

    def _let_go(self) -> None:
        """End the association's wait for a request when the peer has gone without one."""
        if self.assoc.requestor.primitive is None:
            self.to_user_queue.put(None)

    def _wait(self, sock: socket.socket) -> None:
        remaining = _WAIT_S
        if self.artim_timer.timeout is not None:
            remaining = min(remaining, max(self.artim_timer.remaining, 0.001))
        poll = select.poll()
        try:
            poll.register(sock, select.POLLIN)
            poll.register(self._bell, select.POLLIN)
            ready = poll.poll(remaining * 1000)
        except (OSError, ValueError):
            # closed by another thread: the base class finds out by itself
            return
        if any(number == self._bell.fileno() for number, _ in ready):
            try:
                self._bell.recv(4096)
            except BlockingIOError:
                return

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        finally:
            self._let_go()
            if isinstance(self.assoc.dimse, WaitingDIMSE):
                self.assoc.dimse.wake()
            self._bell.close()
            self._button.close()


class _WakingQueue(queue.Queue[Any]):
    """A queue whose items end the wait for a DIMSE message."""

    def __init__(self, dimse: WaitingDIMSE) -> None:
        super().__init__()
        self._dimse = dimse

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._dimse.wake()


class WaitingDIMSE(DIMSEServiceProvider):
    """Hands out a message as soon as it is complete."""

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message; without ``block``, wait for a moment or until :meth:`wake`."""
        if block:
            return super().get_msg(block=True)
        try:
            return self.msg_queue.get(timeout=_WAIT_S)
        except queue.Empty:
            return None, None

    def wake(self) -> None:
        """End a wait."""
        self.msg_queue.put((None, None))


class WaitingAssociation(Association):
    """An acceptor association whose threads wait."""

    def __init__(self, ae: Any, mode: str) -> None:
        super().__init__(ae, mode)
        self.dimse = self._make_dimse()
        dul = _WaitingDUL(self)
        dul.artim_timer = self.dul.artim_timer
        dul._idle_timer = self.dul._idle_timer
        self.dul = dul
        self.dul.to_user_queue = _WakingQueue(self.dimse)

    def cut(self) -> None:
        """Close the connection under whatever waits for it."""
        wrapper = self.dul.socket
        sock = wrapper.socket if wrapper is not None else None
        if sock is not None:
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)

    def _make_dimse(self) -> WaitingDIMSE:
        return WaitingDIMSE(self)

    def _bind_defaults(self) -> None:
        """Bind what answers services, not what logs: its messages cost time and hold values."""
        for event in evt._INTERVENTION_EVENTS:
            self.bind(event, evt.get_default_handler(event))
