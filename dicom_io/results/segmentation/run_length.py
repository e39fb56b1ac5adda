"""RLE Lossless frames (PS3.5 Annex G), row by row, without a loop over pixels."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["run_length_encoded"]

_LONGEST_PACKET = 128
_SHORTEST_RUN = 3


def run_length_encoded(frame: NDArray[Any]) -> bytes:
    """Return one frame ``(y, x)`` of unsigned integers as RLE Lossless.

    The same frame always gives the same bytes, whatever codecs are installed.

    References
    ----------
    PS3.5 G.3: one segment a byte of the sample, the most significant first; packets end with their row.
    """
    size = frame.dtype.itemsize
    rows, columns = frame.shape
    planes = frame.astype(frame.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, columns, size)
    segments = [_packets(np.ascontiguousarray(planes[:, :, part])) for part in range(size)]
    offsets, end = [], 64
    for segment in segments:
        offsets.append(end)
        end += len(segment)
    header = struct.pack("<16I", size, *offsets, *([0] * (15 - size)))
    return header + b"".join(segments)


def _packets(plane: NDArray[np.uint8]) -> bytes:
    values, columns = plane.ravel(), plane.shape[1]
    starts = np.empty(values.size, dtype=bool)
    starts[0] = True
    np.not_equal(values[1:], values[:-1], out=starts[1:])
    starts[::columns] = True
    first = np.flatnonzero(starts)
    lengths = np.diff(first, append=values.size)
    repeated = lengths >= _SHORTEST_RUN
    # Neighbouring short runs of a row become one literal.
    opens = repeated.copy()
    opens[0] = True
    opens[1:] |= repeated[:-1] | (first[1:] % columns == 0)
    first, repeated = first[opens], repeated[opens]
    lengths = np.diff(first, append=values.size)
    pieces = -(-lengths // _LONGEST_PACKET)
    index = np.arange(int(pieces.sum())) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = np.repeat(first, pieces) + index * _LONGEST_PACKET
    length = np.minimum(np.repeat(lengths, pieces) - index * _LONGEST_PACKET, _LONGEST_PACKET)
    # A run of one left over cannot be a replicate packet.
    run = np.repeat(repeated, pieces) & (length > 1)
    payload = np.where(run, 1, length)
    offset = np.cumsum(payload + 1) - (payload + 1)
    total = int((payload + 1).sum())
    out = np.zeros(total + total % 2, dtype=np.uint8)
    out[offset] = np.where(run, 257 - length, length - 1).astype(np.uint8)
    within = np.arange(int(payload.sum())) - np.repeat(np.cumsum(payload) - payload, payload)
    out[np.repeat(offset + 1, payload) + within] = values[np.repeat(start, payload) + within]
    return out.tobytes()
