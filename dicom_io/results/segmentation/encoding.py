"""Long sequences, encoded by hand in Explicit VR Little Endian.

highdicom builds a data set of a dozen elements for every frame, which pydicom then encodes one by one; with
thousands of frames this takes longer than their pixels. What is made here is read and written by pydicom as
if it came from a file, and is encoded anew where another transfer syntax is asked for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag

__all__ = [
    "encoded_element",
    "instance_reference",
    "sequence_element",
    "sequence_of",
    "short_element",
    "text_value",
]

_ITEM = b"\xfe\xff\x00\xe0"


def encoded_element(item: Dataset, keyword: str) -> bytes:
    """Return one element of ``item`` as pydicom encodes it."""
    part = Dataset()
    part[keyword] = item[keyword]
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, part)
    return buffer.getvalue()


def text_value(value: str, padding: bytes) -> bytes:
    """Return an ASCII value of even length."""
    encoded = value.encode("ascii")
    return encoded + padding * (len(encoded) % 2)


def short_element(group: int, element: int, representation: bytes, value: bytes) -> bytes:
    """Return an element whose length has two bytes (PS3.5 7.1.2)."""
    return struct.pack("<HH2sH", group, element, representation, len(value)) + value


def sequence_of(group: int, element: int, *items: bytes) -> bytes:
    """Return a sequence of defined length."""
    value = _joined(items)
    return struct.pack("<HH2sHI", group, element, b"SQ", 0, len(value)) + value


def sequence_element(tag: BaseTag, items: Iterable[bytes]) -> RawDataElement:
    """Return a sequence for a data set."""
    value = _joined(items)
    return RawDataElement(tag, "SQ", len(value), value, 0, False, True)


def instance_reference(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Return Referenced SOP Class UID and Referenced SOP Instance UID."""
    return short_element(0x0008, 0x1150, b"UI", text_value(sop_class_uid, b"\0")) + short_element(
        0x0008, 0x1155, b"UI", text_value(sop_instance_uid, b"\0")
    )


def _joined(items: Iterable[bytes]) -> bytes:
    return b"".join(_ITEM + struct.pack("<I", len(item)) + item for item in items)
