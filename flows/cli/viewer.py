"""``secondread viewer``: the OHIF viewer beside an archive's DICOMweb."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn

from dicom_io.send import SendError
from dicom_io.send.nodes import TlsIdentity
from flows.cli.console import output
from flows.cli.context import node
from flows.cli.errors import CommandError, failing_on
from flows.nodes import DicomwebNode
from flows.viewer.app import LOOPBACK_NAMES, create_app
from flows.viewer.proxy import Upstream
from flows.viewer.site import SiteMissing, find_site

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_ORTHANC: Final = "http://127.0.0.1:8042/dicom-web"


def _upstream(name: str) -> Upstream:
    found = node(name)
    if not isinstance(found, DicomwebNode):
        raise CommandError(f'the node {name!r} speaks no DICOMweb: the viewer needs kind = "dicomweb"', 2)
    identity = TlsIdentity(found.ca_file, found.certificate_file, found.key_file)
    return Upstream(found.url, found.timeout_s, identity, found.authorization())


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise CommandError(f"cannot listen at {host} port {port}: {error.strerror}") from error
    return listening


@app.command()
def command(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port of the viewer.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to bind; there is no login.")] = "127.0.0.1",
    dicomweb: Annotated[
        str | None, typer.Option(metavar="URL", help=f"DICOMweb root of the archive [default: {_ORTHANC}].")
    ] = None,
    node_name: Annotated[
        str | None, typer.Option("--node", metavar="NAME", help="A DICOMweb node of the settings, instead.")
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the site lies; `make viewer` puts it in .viewer."),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(metavar="HOST", help="A further host name that browsers may use.")
    ] = None,
) -> None:
    """Serve the viewer and, read-only on the same origin, the archive's DICOMweb, until Ctrl-C."""
    if dicomweb is not None and node_name is not None:
        raise CommandError("--dicomweb and --node exclude each other", 2)
    names = {*LOOPBACK_NAMES, *(name or ())} | ({host} if host not in {"0.0.0.0", "::"} else set())  # noqa: S104
    with failing_on(ValueError, exit_code=2):
        upstream = _upstream(node_name) if node_name else Upstream(dicomweb or _ORTHANC)
    with failing_on(SiteMissing, SendError):
        served = create_app(find_site(site), upstream, names)
    listening = _listen(host, port)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold whole addresses
    shown = f"[{host}]" if ":" in host else host
    output.print(f"viewer at http://{shown}:{port}, DICOMweb from {upstream.place}", markup=False)
    config = uvicorn.Config(served, access_log=False, log_level="warning", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
