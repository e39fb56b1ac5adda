"""What a compressed frame says of itself, checked before a native decoder sees it.

Native decoders trust their headers: GDCM brings the process down with some malformed ones, and a size far
beyond the image's would exhaust the memory. A frame is decoded only where its own header is well formed
and agrees with the data set.

References
----------
ITU-T T.81 (JPEG) B.2, H.1; T.87 (JPEG-LS) C.1; T.800 (JPEG 2000) A.5.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["FrameSize", "MalformedCodestream", "Process", "jpeg_2000_size", "jpeg_size"]

Process = Literal["lossy", "lossless", "ls"]

_SOI, _SOS, _DHT = 0xD8, 0xDA, 0xC4
_TABLES = frozenset({_DHT, 0xDB, 0xDD, 0xF8, 0xFE, *range(0xE0, 0xF0)})
_FRAMES: dict[Process, frozenset[int]] = {
    "lossy": frozenset({0xC0, 0xC1, 0xC2}),
    "lossless": frozenset({0xC3}),
    "ls": frozenset({0xF7}),
}
_MOST_SYMBOLS = 17
_FURTHEST_SIZ = 4096


class MalformedCodestream(ValueError):
    """A compressed frame whose header is not what the standard says."""


@dataclass(frozen=True, slots=True)
class FrameSize:
    """What a codestream says of its image."""

    rows: int
    columns: int
    components: int
    precision: int


def jpeg_size(frame: bytes, process: Process) -> FrameSize:
    """Return what the header of a JPEG or JPEG-LS frame says.

    Raises
    ------
    MalformedCodestream
        A segment before the entropy-coded data is malformed or is of another process; of lossless JPEG
        the Huffman tables and the scan header are checked too.
    """
    size: FrameSize | None = None
    tables: set[int] = set()
    for marker, segment in _segments(frame):
        if marker in _FRAMES[process]:
            if size is not None:
                raise MalformedCodestream("a second frame header")
            size = _frame_header(segment)
        elif marker == _SOS:
            if size is None:
                raise MalformedCodestream("a scan before the frame header")
            if process == "lossless":
                _lossless_scan(segment, size, tables)
            return size
        elif marker not in _TABLES:
            raise MalformedCodestream("a marker that does not belong before the scan")
        elif marker == _DHT and process == "lossless":
            tables |= _huffman_tables(segment)
    raise MalformedCodestream("no scan")


def _segments(frame: bytes) -> Iterator[tuple[int, bytes]]:
    if frame[:2] != bytes((0xFF, _SOI)):
        raise MalformedCodestream("no start of image")
    place = 2
    while True:
        while place + 1 < len(frame) and frame[place] == 0xFF and frame[place + 1] == 0xFF:
            place += 1
        if place + 4 > len(frame) or frame[place] != 0xFF:
            raise MalformedCodestream("no marker where one must be")
        marker = frame[place + 1]
        (length,) = struct.unpack_from(">H", frame, place + 2)
        if length < 2 or place + 2 + length > len(frame):
            raise MalformedCodestream("a segment that does not fit")
        yield marker, frame[place + 4 : place + 2 + length]
        place += 2 + length


def _frame_header(segment: bytes) -> FrameSize:
    if len(segment) < 6:
        raise MalformedCodestream("a frame header that is too short")
    precision, rows, columns, components = struct.unpack_from(">BHHB", segment)
    if len(segment) != 6 + 3 * components or not 2 <= precision <= 16:
        raise MalformedCodestream("a frame header that contradicts itself")
    for number in range(components):
        sampling = segment[7 + 3 * number]
        if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4):
            raise MalformedCodestream("a sampling factor out of range")
    return FrameSize(rows, columns, components, precision)


def _huffman_tables(segment: bytes) -> set[int]:
    found = set()
    place = 0
    while place < len(segment):
        counts = segment[place + 1 : place + 17]
        symbols = segment[place + 17 : place + 17 + sum(counts)]
        if len(counts) < 16 or len(symbols) < sum(counts):
            raise MalformedCodestream("a Huffman table that does not fit")
        kind, number = segment[place] >> 4, segment[place] & 15
        room = sum(count << (16 - bits) for bits, count in enumerate(counts, start=1))
        if kind > 1 or number > 3 or room > 1 << 16 or not symbols:
            raise MalformedCodestream("a Huffman table that is no code")
        if kind == 0 and len(symbols) <= _MOST_SYMBOLS and max(symbols) < _MOST_SYMBOLS:
            found.add(number)
        place += 17 + len(symbols)
    return found


def _lossless_scan(segment: bytes, size: FrameSize, tables: set[int]) -> None:
    components = segment[0] if segment else 0
    if components != size.components or len(segment) != 4 + 2 * components:
        raise MalformedCodestream("a scan header that contradicts the frame")
    used = {segment[2 + 2 * number] >> 4 for number in range(components)}
    predictor, end, shift = segment[-3], segment[-2], segment[-1] & 15
    if not used <= tables:
        raise MalformedCodestream("a scan without its Huffman table")
    if not 1 <= predictor <= 7 or end != 0 or shift >= size.precision:
        raise MalformedCodestream("a scan header out of range")


def jpeg_2000_size(frame: bytes) -> FrameSize:
    """Return what the SIZ segment of a JPEG 2000 codestream says, bare or in its file format.

    Raises
    ------
    MalformedCodestream
        There is none, or it is malformed.
    """
    start = frame.find(b"\xff\x4f\xff\x51", 0, _FURTHEST_SIZ)
    if start < 0 or len(frame) < start + 45:
        raise MalformedCodestream("no SIZ segment")
    fields = struct.unpack_from(">HH8LH", frame, start + 4)
    length, _, right, lower, left, upper, tile_columns, tile_rows, _, _, components = fields
    if length != 38 + 3 * components or not components or not tile_columns or not tile_rows:
        raise MalformedCodestream("a SIZ segment that contradicts itself")
    if left >= right or upper >= lower:
        raise MalformedCodestream("an image without extent")
    tiles = -(-right // tile_columns) * -(-lower // tile_rows)
    if tiles > 65535:
        raise MalformedCodestream("more tiles than there can be")
    return FrameSize(lower - upper, right - left, components, (frame[start + 42] & 0x7F) + 1)
