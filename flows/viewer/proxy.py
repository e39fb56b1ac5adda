"""DICOMweb of the archive below the viewer's own address: reading only, streamed, nothing kept."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from dicom_io.send.nodes import TlsIdentity
from flows.viewer.requests import READ_METHODS, is_readable

__all__ = ["DicomwebProxy", "Upstream"]

_log = logging.getLogger(__name__)

_ASKED: Final = ("accept", "accept-encoding", "if-modified-since", "if-none-match", "range")
_ANSWERED: Final = (
    "accept-ranges",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "warning",
)
_CONNECTIONS: Final = 32
_INCLUDED: Final = re.compile(r"(?<![^&])includefield=[^&]*")


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where DICOMweb is.

    Parameters
    ----------
    url : str
        Root of QIDO-RS and WADO-RS, e.g. ``http://127.0.0.1:8042/dicom-web``.
    timeout_s : float
        Of connecting, and of every silence after it.
    tls : TlsIdentity
        Whom to trust where the address is https, and our certificate where the server asks for one.
    authorization : str, optional
        Value of the Authorization header; browsers never see it.
    """

    url: str
    timeout_s: float = 30.0
    tls: TlsIdentity = TlsIdentity()
    authorization: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"the DICOMweb root must look like http://HOST:PORT/dicom-web, not {self.url!r}")
        _ = parts.port  # raises where it is no number
        if parts.username or parts.password:
            raise ValueError("the DICOMweb root must hold no user and no password")

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc


class DicomwebProxy:
    """Hands read requests on and streams the answers back.

    Parameters
    ----------
    upstream : Upstream
        The archive. It is asked with the browser's own Host header, so that the addresses which it writes
        into its answers lead back here.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self._root = upstream.url.rstrip("/")
        self._client = httpx.AsyncClient(
            timeout=upstream.timeout_s,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
            verify=upstream.tls.client_context(),
        )

    async def close(self) -> None:
        """Close the connections to the archive."""
        await self._client.aclose()

    async def respond(self, path: str, request: Request) -> Response:
        """Answer a request for ``path`` below the DICOMweb root.

        Returns
        -------
        starlette.responses.Response
            405 for a method that writes, 404 for a path that is neither QIDO-RS nor WADO-RS, 502 where the
            archive is not there, otherwise what the archive answers.
        """
        refusal = _refusal(path, request.method)
        if refusal is not None:
            return refusal
        try:
            answer = await self._client.send(self._ask(path, request), stream=True)
        except httpx.TimeoutException:
            return self._down("did not answer in time.")
        except httpx.HTTPError as error:
            return self._down(f"cannot be reached ({type(error).__name__}): is it running?")
        if answer.is_redirect:
            await answer.aclose()
            return self._down("answered with a redirection: name its own address.")
        headers = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        return StreamingResponse(
            self._body(answer), answer.status_code, headers={**headers, "Cache-Control": "no-store"}
        )

    def _ask(self, path: str, request: Request) -> httpx.Request:
        headers: Mapping[str, str] = {
            name: request.headers[name] for name in _ASKED if name in request.headers
        }
        own = {
            "Host": request.headers.get("host", self.upstream.place),
            "Accept-Encoding": "identity",
            **headers,
        }
        if self.upstream.authorization:
            own["Authorization"] = self.upstream.authorization
        # Orthanc takes a list of attributes apart before it decodes it, and OHIF encodes the commas.
        query = _INCLUDED.sub(lambda found: re.sub("%2C", ",", found[0], flags=re.I), request.url.query)
        url = f"{self._root}/{path}" + (f"?{query}" if query else "")
        return self._client.build_request(request.method, url, headers=own)

    def _down(self, what: str) -> Response:
        _log.warning("the archive's DICOMweb at %s %s", self.upstream.place, what)
        return PlainTextResponse(f"The archive's DICOMweb at {self.upstream.place} {what}\n", 502)

    @staticmethod
    async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                yield chunk
        finally:
            await answer.aclose()


def _refusal(path: str, method: str) -> Response | None:
    allowed = {"Allow": ", ".join(READ_METHODS)}
    if method not in READ_METHODS:
        return PlainTextResponse("This viewer only reads: it takes GET, HEAD and OPTIONS.\n", 405, allowed)
    if method == "OPTIONS":
        return Response(status_code=204, headers=allowed)
    if not is_readable(path):
        return PlainTextResponse("There is nothing to read at this address.\n", 404)
    return None
