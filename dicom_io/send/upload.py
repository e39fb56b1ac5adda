"""The requests of one STOW-RS delivery: what each answer, or none, means for each file."""

from __future__ import annotations

import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from dicom_io.send.diagnosis import diagnose
from dicom_io.send.item import Item, Results, is_permanent
from dicom_io.send.multipart import Multipart, UnreadablePart
from dicom_io.send.nodes import NodeUnreachable, SendError, TlsIdentity
from dicom_io.send.store_response import StoreResponse, UnreadableResponse, parse_store_response

__all__ = ["Upload", "WebAddress", "refusal", "unreachable", "web_client"]

_MAXIMUM_OBJECTS = 50
_MAXIMUM_BYTES = 64 << 20
_MAXIMUM_ANSWER_BYTES = 16 << 20
_MAXIMUM_LOSSES = 3  # two neighbours that break the connection do not keep back the next

_REFUSALS = {
    401: "it wants other credentials: check authorization",
    403: "it forbids us to store: check authorization and our rights there",
    404: "there is no STOW-RS: correct the url",
    405: "it does not offer STOW-RS at this url: correct the url, or enable it there",
    407: "a proxy wants credentials: name the server itself",
    501: "it does not offer STOW-RS",
}
"""Statuses by which a server wants no request of ours at all."""

_WITH_RESPONSE = frozenset({200, 202, 409})
"""Statuses with which a server sends a Store Instances Response (PS3.18 10.5.3)."""

_BUSY = frozenset({429, 502, 503, 504, 507})
"""Statuses after which nothing more is sent in this call."""

_PERMANENT = {
    400: "it finds the object malformed",
    413: "the object is larger than it accepts: raise its limit",
    415: "it does not accept application/dicom, or not this transfer syntax",
    422: "it cannot process the object",
}


class WebAddress(Protocol):
    """Where to, and as whom."""

    @property
    def url(self) -> str:
        """Root of the services."""
        ...

    @property
    def timeout_s(self) -> float:
        """Limit of the connection and of each silence."""
        ...

    @property
    def authorization(self) -> str | None:
        """Value of the Authorization header."""
        ...

    @property
    def host_and_port(self) -> tuple[str, int]:
        """What is connected to."""
        ...

    @property
    def tls(self) -> TlsIdentity | None:
        """How, over HTTPS."""
        ...


def web_client(address: WebAddress) -> httpx.Client:
    """Return a client that talks to this server only, as the address says.

    Raises
    ------
    SendError
        A certificate cannot be used.
    """
    headers = {"Accept": "application/dicom+json", "Accept-Encoding": "identity"}
    if address.authorization is not None:
        headers["Authorization"] = address.authorization
    return httpx.Client(
        headers=headers,
        timeout=address.timeout_s,
        # plain HTTP needs no authorities, whose loading takes longer than a request
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if address.tls is None
        else address.tls.client_context(),
        # objects hold patient data: no proxy of the environment, no other server than the one named
        trust_env=False,
        follow_redirects=False,
    )


def refusal(address: WebAddress, status: int) -> SendError | None:
    """Return why a server wants no request of ours at all, if that is what a status says."""
    if status not in _REFUSALS and not httpx.codes.is_redirect(status):
        return None
    reason = _REFUSALS.get(status, "it redirects elsewhere: correct the url")
    return SendError(f"{address} answered HTTP {status}: {reason}")


def unreachable(address: WebAddress, error: httpx.HTTPError) -> NodeUnreachable:
    """Return in words why there was no answer."""
    host, port = address.host_and_port
    reason = diagnose(host, port, address.timeout_s, address.tls)
    return NodeUnreachable(f"{address}: {reason or _name(error, address.timeout_s)}")


@dataclass(frozen=True, slots=True)
class _Answer:
    """An HTTP answer; ``response`` is None when it is not what STOW-RS answers."""

    status: int
    response: StoreResponse | None


class Upload:
    """Sends files to one server over one client; a context manager.

    Parameters
    ----------
    address : WebAddress
        Where to; ``str`` of it names the server in errors.
    results : Results
        Where each file's result goes.

    Raises
    ------
    SendError
        A certificate cannot be used.
    """

    def __init__(self, address: WebAddress, results: Results) -> None:
        self._address = address
        self._results = results
        self._reached = False
        self._losses = 0
        self._queue: deque[list[Item]] = deque()
        self._client = web_client(address)

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, items: Sequence[Item]) -> None:
        """Send files and note every result.

        Raises
        ------
        SendError
            The server could not be reached at all, or wants nothing of ours.
        """
        self._queue.extend(_batches(items))
        while self._queue:
            batch = self._queue.popleft()
            try:
                self._judge(batch, self._post(batch))
            except UnreadablePart as error:
                result = error.item.result(None, f"cannot be read: {error.reason}", permanent=True)
                self._results.note(error.item.index, result)
                self._again([item for item in batch if item is not error.item])
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                self._stop(batch, unreachable(self._address, error))
            except httpx.HTTPError as error:
                self._lost(batch, error)

    def _post(self, batch: Sequence[Item]) -> _Answer:
        body = Multipart(batch)
        url = f"{self._address.url.rstrip('/')}/studies"
        with self._client.stream("POST", url, content=iter(body), headers=body.headers) as answer:
            content = self._read(answer)
        try:
            return _Answer(answer.status_code, parse_store_response(content))
        except UnreadableResponse:
            return _Answer(answer.status_code, None)

    def _read(self, answer: httpx.Response) -> bytes:
        deadline = time.monotonic() + self._address.timeout_s
        content = bytearray()
        for piece in answer.iter_raw():
            content += piece
            if len(content) > _MAXIMUM_ANSWER_BYTES:
                return b""  # no answer to a request of this size
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer does not end")
        return bytes(content)

    # -- what an answer means -------------------------------------------------------------------------

    def _judge(self, batch: list[Item], answer: _Answer) -> None:
        status = answer.status
        named = answer.response is not None and (answer.response.stored or answer.response.failed)
        if (unwanted := refusal(self._address, status)) is not None:
            self._stop(batch, unwanted)
            return
        self._reached = True
        self._losses = 0
        if named and answer.response is not None and status in _WITH_RESPONSE:
            for item in batch:
                self._note_named(item, status, answer.response)
        elif status in _BUSY:
            error = SendError(f"{self._address} answered HTTP {status}: it is busy or full; send again later")
            self._stop(batch, error)
        elif httpx.codes.is_error(status) and len(batch) > 1:
            self._one_by_one(batch)
        elif answer.response is not None and answer.response.stored:
            for item in batch:
                self._note_doubtful(item, status)
        else:
            for item in batch:
                self._note_unnamed(item, status)

    def _note_named(self, item: Item, status: int, response: StoreResponse) -> None:
        uid = item.sop_instance_uid
        if uid in response.failed:
            reason = response.failed[uid]
            error = f"{self._address} could not store it: failure reason 0x{reason:04X}"
            self._results.note(item.index, item.result(reason, error, permanent=is_permanent(reason)))
        elif uid in response.stored:
            self._results.note(item.index, item.result(response.stored[uid]))
        else:
            error = f"{self._address} answered HTTP {status} and says nothing about it; it may have it"
            self._results.note(item.index, item.result(None, error))

    def _note_doubtful(self, item: Item, status: int) -> None:
        error = f"{self._address} answered HTTP {status} and yet lists stored objects; it may have the object"
        self._results.note(item.index, item.result(None, error))

    def _note_unnamed(self, item: Item, status: int) -> None:
        if httpx.codes.is_error(status):
            reason = _PERMANENT.get(status, "it gives no reason that can be read")
            error = f"{self._address} answered HTTP {status}: {reason}"
            self._results.note(item.index, item.result(None, error, permanent=status in _PERMANENT))
        else:
            error = (
                f"{self._address} answered HTTP {status} without a Store Instances Response in DICOM JSON; "
                "it may have the object"
            )
            self._results.note(item.index, item.result(None, error))

    # -- what no answer means -------------------------------------------------------------------------

    def _lost(self, batch: list[Item], error: httpx.HTTPError) -> None:
        if not self._reached and self._address.tls is not None:
            # over TLS 1.3 a server refuses our certificate only now
            host, port = self._address.host_and_port
            reason = diagnose(host, port, self._address.timeout_s, self._address.tls)
            if reason is not None:
                raise NodeUnreachable(f"{self._address}: {reason}")
        self._reached = True
        if len(batch) > 1:
            self._one_by_one(batch)
            return
        (item,) = batch
        text = f"{self._address}: {_name(error, self._address.timeout_s)}; it may have the object"
        self._results.note(item.index, item.result(None, text))
        self._losses += 1
        if self._losses >= _MAXIMUM_LOSSES:
            self._stop([], SendError(f"{self._address} broke off {_MAXIMUM_LOSSES} requests in a row"))

    def _one_by_one(self, batch: Sequence[Item]) -> None:
        self._queue.extendleft([item] for item in reversed(batch))

    def _again(self, batch: list[Item]) -> None:
        if batch:
            self._queue.appendleft(batch)

    def _stop(self, batch: Sequence[Item], error: SendError) -> None:
        """Give up what is left; without any success so far, raise."""
        if not self._reached:
            raise error
        for item in [*batch, *(item for other in self._queue for item in other)]:
            self._results.note(item.index, item.result(None, f"not sent: {error}"))
        self._queue.clear()


def _name(error: httpx.HTTPError, timeout_s: float) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection was lost, or what came is not HTTP"
    return "the connection was lost"


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        try:
            more = item.path.stat().st_size
        except OSError:
            more = 0  # said when its turn comes
        if batch and (len(batch) >= _MAXIMUM_OBJECTS or size + more > _MAXIMUM_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += more
    if batch:
        yield batch
