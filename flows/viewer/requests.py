"""What the viewer may ask of the archive: reading studies, and nothing that writes or administers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["READ_METHODS", "is_readable", "shape_of"]

READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")

_UID: Final = r"[0-9][0-9.]{0,63}"
_SHOWN: Final = r"(?:/rendered|/thumbnail)?"
_READABLE: Final = re.compile(
    # QIDO-RS, PS3.18 10.6
    rf"studies(?:/{_UID}/(?:series|instances)(?:/{_UID}/instances)?)?"
    r"|series|instances"
    # WADO-RS, PS3.18 10.4
    rf"|studies/{_UID}(?:/series/{_UID}(?:/instances/{_UID}(?:/frames/[0-9]+(?:,[0-9]+)*)?)?)?"
    rf"(?:/metadata|{_SHOWN})"
    # bulk data, at the addresses that Orthanc and others give in their metadata
    rf"|studies/{_UID}/series/{_UID}/instances/{_UID}/bulk(?:data)?(?:/[0-9A-Za-z]+)+"
)


def is_readable(path: str) -> bool:
    """Return whether a decoded path below the root of DICOMweb is one of QIDO-RS or WADO-RS."""
    return _READABLE.fullmatch(path) is not None


def shape_of(path: str, known: Iterable[str] = ()) -> str:
    """Return a path without what could identify anybody, for a log.

    Parameters
    ----------
    path : str
        Path of a URL; the query is never passed here.
    known : iterable of str
        Names of files, which are logged as they are.
    """
    if path.lstrip("/") in known:
        return path
    head, _, rest = path.lstrip("/").partition("/")
    if head == "dicom-web" and is_readable(rest):
        return "/dicom-web/" + re.sub(r"[0-9][0-9.,]*", "*", rest)
    return "/dicom-web/…" if head == "dicom-web" else "/…"
