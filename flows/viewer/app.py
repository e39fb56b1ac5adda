"""One origin: the viewer's site at ``/``, the archive's DICOMweb at ``/dicom-web``.

There is no login: whoever reaches the port reads what the archive holds. So it binds the loopback interface
unless told otherwise, and it answers only to the names it was given, or a page from elsewhere could have its
own name point here and read along (DNS rebinding).
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.viewer.configuration import CONFIGURATION_NAME, SILENCED, configuration
from flows.viewer.proxy import DicomwebProxy, Upstream
from flows.viewer.requests import shape_of
from flows.viewer.site import Site

__all__ = ["LOOPBACK_NAMES", "create_app"]

_log = logging.getLogger(__name__)

LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "::1")
_SCRIPT: Final = "text/javascript; charset=utf-8"
_CLEAN_UP: Final = (
    "'serviceWorker' in navigator && navigator.serviceWorker.getRegistrations()"
    ".then(all => all.forEach(one => one.unregister()));\n"
)
# eval: the viewer's schema checks and codecs make code at run time. Everything else stays on this origin.
_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final[Mapping[str, str]] = {
    # SharedArrayBuffer, which the volumes live in, wants the first two.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(folder: Path, upstream: Upstream, names: Iterable[str] = LOOPBACK_NAMES) -> ASGIApp:
    """Return the application.

    Parameters
    ----------
    folder : pathlib.Path
        The site.
    upstream : Upstream
        The archive.
    names : iterable of str
        Host names and addresses, without ports, under which it answers.

    Raises
    ------
    SiteMissing
        ``folder`` holds no site.
    """
    site, proxy = Site.of(folder), DicomwebProxy(upstream)

    async def dicomweb(request: Request) -> Response:
        return await proxy.respond(request.path_params["path"], request)

    async def page(request: Request) -> Response:
        name = request.path_params["path"]
        if name == CONFIGURATION_NAME:
            return Response(configuration(), media_type=_SCRIPT, headers={"Cache-Control": "no-cache"})
        if name in SILENCED:
            return Response(_CLEAN_UP, media_type=_SCRIPT, headers={"Cache-Control": "no-cache"})
        return site.respond(name)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await proxy.close()

    every = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
    routes = [
        Route("/dicom-web/{path:path}", dicomweb, methods=every),
        Route("/{path:path}", page, methods=["GET", "HEAD"]),
    ]
    inner = Starlette(routes=routes, lifespan=lifespan)
    return _Guard(inner, frozenset(name.lower() for name in names), frozenset(site.files))


class _Guard:
    """Refuses strange names, sets the headers of every answer and writes the access log."""

    def __init__(self, app: ASGIApp, names: frozenset[str], files: frozenset[str]) -> None:
        self._app, self._names, self._files = app, names, files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = [(name, value) for name, value in message["headers"] if name != b"server"]
                own = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*given, *own]}
            await send(message)

        try:
            if self._is_known(Request(scope).headers.get("host", "")):
                await self._app(scope, receive, answer)
            else:
                refusal = PlainTextResponse("This viewer does not answer to that name.\n", 421)
                await refusal(scope, receive, answer)
        finally:
            shape = shape_of(scope["path"], self._files)
            _log.info("%s %s %s %.3f s", scope["method"], shape, status or "-", time.monotonic() - started)

    def _is_known(self, host: str) -> bool:
        try:
            return (urlsplit(f"//{host}").hostname or "") in self._names
        except ValueError:
            return False
