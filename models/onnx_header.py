"""The versions that an ONNX file states, read without a runtime.

ONNX Runtime tells neither, and its own error for a file that is too new names no remedy. Only the
outermost message is walked: field 1 is the IR version, field 8 an operator set (onnx.proto3, ModelProto
and OperatorSetIdProto).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["OnnxVersions", "read_onnx_versions"]

_IR_VERSION, _OPSET_IMPORT = 1, 8
_DOMAIN, _VERSION = 1, 2
_VARINT, _FIXED_64, _DELIMITED, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


@dataclass(frozen=True, slots=True)
class OnnxVersions:
    """IR version, and the opset of the default domain."""

    ir_version: int
    opset: int


def read_onnx_versions(content: bytes) -> OnnxVersions:
    """Return the versions of a serialised ``ModelProto``.

    Raises
    ------
    ValueError
        The bytes are no ONNX model.
    """
    ir_version = opset = 0
    for field, value in _fields(content):
        if field == _IR_VERSION and isinstance(value, int):
            ir_version = value
        elif field == _OPSET_IMPORT and isinstance(value, bytes):
            parts = dict(_fields(value))
            version = parts.get(_VERSION, 0)
            if parts.get(_DOMAIN, b"") in (b"", b"ai.onnx") and isinstance(version, int):
                opset = version
    if not ir_version or not opset:
        raise ValueError("the file states no IR version or no opset")
    return OnnxVersions(ir_version, opset)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if kind == _DELIMITED:
            length, place = _varint(message, place)
        elif kind in (_FIXED_32, _FIXED_64):
            length = 4 if kind == _FIXED_32 else 8
        else:
            raise ValueError("the file is not a serialised message")
        if place + length > len(message):
            raise ValueError("the file ends inside a field")
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(message[place : place + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, place + count + 1
    raise ValueError("the file ends inside a number")
