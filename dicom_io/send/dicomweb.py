"""STOW-RS: objects go to a DICOMweb server as they are.

References
----------
PS3.18 10.5 (Store Transaction), 10.6 (Search Transaction).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from dicom_io.send.item import Results
from dicom_io.send.nodes import SendError, SendResult, TlsIdentity
from dicom_io.send.upload import Upload, refusal, unreachable, web_client

__all__ = ["DicomwebAddress", "echo_web", "store_over_web"]


@dataclass(frozen=True, slots=True)
class DicomwebAddress:
    """A DICOMweb server.

    Attributes
    ----------
    url : str
        Root of its services, e.g. ``https://pacs.example/dicom-web``.
    timeout_s : float
        Limit of the connection and of each silence.
    ca_file : Path or None
        PEM certificates to trust instead of the system's.
    certificate_file, key_file : Path or None
        Our certificate and its key, where the server asks for one.
    authorization : str or None
        Value of the Authorization header; never shown.

    Raises
    ------
    ValueError
        The URL is no root of a service, holds a password, or does not fit the certificates; or the
        header's value is none.
    """

    url: str
    timeout_s: float = 30.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    authorization: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the DICOMweb url must begin with http:// or https:// and a host")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the DICOMweb url must not hold a user or password: use authorization")
        if parts.query or parts.fragment:
            raise ValueError("the DICOMweb url must be the root of the services, without query or fragment")
        if parts.scheme == "http" and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError("certificates need a DICOMweb url that begins with https://")
        if self.authorization is not None and not (
            self.authorization.isascii() and self.authorization.isprintable() and self.authorization.strip()
        ):
            raise ValueError("authorization must be the value of an HTTP header, in printable ASCII")
        TlsIdentity(self.ca_file, self.certificate_file, self.key_file)

    def __str__(self) -> str:
        return f"the DICOMweb server at {self.url}"

    @property
    def host_and_port(self) -> tuple[str, int]:
        """What we connect to."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def tls(self) -> TlsIdentity | None:
        """How we connect over HTTPS; None for plain HTTP."""
        if not self.url.startswith("https:"):
            return None
        return TlsIdentity(self.ca_file, self.certificate_file, self.key_file)


def echo_web(address: DicomwebAddress) -> None:
    """Ask a server whether it answers: QIDO-RS for one study, whose answer is not read.

    Raises
    ------
    NodeUnreachable
        There was no connection or no answer; the text says what to do.
    SendError
        The server answered something else than DICOMweb does.
    """
    try:
        with web_client(address) as client:
            url = f"{address.url.rstrip('/')}/studies"
            with client.stream("GET", url, params={"limit": "1"}) as answer:
                status = answer.status_code
                kind = answer.headers.get("Content-Type", "")
    except httpx.HTTPError as error:
        raise unreachable(address, error) from error
    if (unwanted := refusal(address, status)) is not None:
        raise unwanted
    if not httpx.codes.is_success(status):
        raise SendError(f"{address} answered HTTP {status} to a search for one study")
    if status != httpx.codes.NO_CONTENT and "json" not in kind:
        raise SendError(
            f"{address} does not answer in DICOM JSON: is the url the root of its DICOMweb services?"
        )


def store_over_web(
    paths: Iterable[Path],
    address: DicomwebAddress,
    on_progress: Callable[[SendResult], None] | None = None,
) -> list[SendResult]:
    """Send files by STOW-RS in the transfer syntaxes they have.

    Many files go in one request. Where a server refuses a request as a whole, or breaks it off, each of
    its files is sent once more by itself, so that one object does not keep back the others; an object that
    was answered is not sent again.

    Parameters
    ----------
    paths : iterable of Path
        DICOM files; streamed, never in memory as a whole.
    address : DicomwebAddress
        Where to.
    on_progress : callable, optional
        Told every result as soon as it is known.

    Returns
    -------
    list of SendResult
        One per file, in the order of ``paths``. The ``status`` is the server's Warning or Failure Reason
        (PS3.18 Annex I), 0x0000 for an object stored without one, and None where the server says nothing
        about the object.

    Raises
    ------
    NodeUnreachable
        There was no connection for any file.
    SendError
        The server wants none of our requests (credentials, URL), or a certificate cannot be used.
    """
    results = Results(on_progress)
    items = results.examine_all(paths)
    if items:
        with Upload(address, results) as upload:
            upload.send(items)
    return results.in_order()
