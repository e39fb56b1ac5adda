"""STOW-RS: objects go to a DICOMweb server as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.send.nodes import SendResult

__all__ = ["DicomwebAddress", "store_over_web"]


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
    """

    url: str
    timeout_s: float = 30.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    authorization: str | None = field(default=None, repr=False)


def store_over_web(
    paths: Iterable[Path],
    address: DicomwebAddress,
    on_progress: Callable[[SendResult], None] | None = None,
) -> list[SendResult]:
    """Send files by STOW-RS; see the module."""
    raise NotImplementedError
