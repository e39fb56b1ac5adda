"""DICOM files (PS3.10): file meta information, where the data set starts, its digest, its header."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset

__all__ = [
    "IMPLEMENTATION_CLASS_UID",
    "IMPLEMENTATION_VERSION_NAME",
    "data_set_offset",
    "data_set_sha256",
    "encode_file_meta",
    "is_part10",
    "read_header",
    "transfer_syntax_uid",
]

IMPLEMENTATION_CLASS_UID = "2.25.124048602419313042054723359279097138356"
IMPLEMENTATION_VERSION_NAME = "SECONDREAD_0"

_PREAMBLE = bytes(128) + b"DICM"
_LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
_CHUNK = 1 << 20


def encode_file_meta(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, source_ae_title: str = ""
) -> bytes:
    """Return preamble, prefix and file meta information, ready to be followed by the data set."""
    elements = [
        struct.pack("<HH2sHL", 0x0002, 0x0001, b"OB", 0, 2) + b"\x00\x01",
        _element(0x0002, b"UI", sop_class_uid),
        _element(0x0003, b"UI", sop_instance_uid),
        _element(0x0010, b"UI", transfer_syntax_uid),
        _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
        _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
    ]
    if source_ae_title.strip():
        elements.append(_element(0x0016, b"AE", source_ae_title.strip()))
    group = b"".join(elements)
    return _PREAMBLE + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(group)) + group


def _element(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", errors="replace")
    if len(value) % 2:
        value += b"\x00" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def is_part10(path: Path) -> bool:
    """Return whether the file has the preamble and the prefix of PS3.10."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _read_meta(file: BinaryIO) -> tuple[int, dict[int, bytes]]:
    file.seek(0)
    if file.read(132)[128:] != b"DICM":
        return 0, {}
    elements: dict[int, bytes] = {}
    while True:
        start = file.tell()
        head = file.read(8)
        if len(head) < 8 or head[:2] != b"\x02\x00":
            return start, elements
        element, vr, length = struct.unpack("<2xH2sH", head)
        if vr in _LONG_VRS:
            extra = file.read(4)
            if len(extra) < 4:
                return start, elements
            (length,) = struct.unpack("<L", extra)
        elements[element] = file.read(length)


def data_set_offset(file: BinaryIO) -> int:
    """Return where the data set starts: after group 0002, or 0 in a file without preamble.

    The group length (0002,0000) is not trusted, as it is often wrong.
    """
    return _read_meta(file)[0]


def transfer_syntax_uid(path: Path) -> str | None:
    """Return (0002,0010), or None where the file does not say it."""
    with path.open("rb") as file:
        value = _read_meta(file)[1].get(0x0010)
    return value.rstrip(b"\x00 ").decode("ascii", errors="replace") if value else None


def data_set_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of the encoded data set, without preamble and file meta information.

    The same object received over the network and read from a file has the same digest.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(data_set_offset(file))
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_header(path: Path) -> Dataset:
    """Return everything before the pixel data, with file meta information.

    Raises
    ------
    pydicom.errors.InvalidDicomError
        The file has no DICOM prefix and does not parse as a data set.
    """
    return pydicom.dcmread(path, stop_before_pixels=True)
