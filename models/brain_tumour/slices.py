"""An aligned study as tensors: which slices and which part of them a network sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.preprocessing.brain import MULTIPLE, contrast_input, head_mask, member_input, normalised, padded

__all__ = ["SIDE", "Window", "context_tensors", "contrast_tensor", "contrast_tensors", "window_of"]

_Floats = NDArray[np.float32]

SIDE = 256
"""Slices up to this many rows and columns are read whole, as in training; of larger ones the head is."""

_MARGIN = 8
_LEAST_HEAD = 0.01
_LEAST_LINE = 0.02


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a grid that is read: half-open ranges of slices, rows and columns."""

    slices: slice
    rows: slice
    columns: slice

    @property
    def count(self) -> int:
        """Number of slices."""
        return int(self.slices.stop - self.slices.start)

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """The part as an index of the grid."""
        return self.slices, self.rows, self.columns

    def pieces(self, batch: int) -> Iterator[slice]:
        """Yield ranges of at most ``batch`` slices."""
        for start in range(self.slices.start, self.slices.stop, batch):
            yield slice(start, min(start + batch, self.slices.stop))


def window_of(reference: _Floats) -> Window:
    """Return the part of a grid that shows the head; no slice at all where there is none.

    Parameters
    ----------
    reference : numpy.ndarray
        ``(z, y, x)``, raw values of one sequence.
    """
    mask = head_mask(reference)
    counts = np.count_nonzero(mask, axis=(1, 2))
    filled = np.flatnonzero(counts > _LEAST_HEAD * counts.max(initial=0))
    slices = slice(int(filled[0]), int(filled[-1]) + 1) if filled.size else slice(0, 0)
    rows, columns = (_side(np.count_nonzero(mask, axis=(0, 3 - axis))) for axis in (1, 2))
    return Window(slices, rows, columns)


def _side(counts: NDArray[np.intp]) -> slice:
    size = len(counts)
    filled = np.flatnonzero(counts > _LEAST_LINE * counts.max(initial=0))
    if size <= SIDE or not filled.size:
        return slice(0, size)
    first, last = int(filled[0]) - _MARGIN, int(filled[-1]) + 1 + _MARGIN
    wanted = max(SIDE, last - first)
    wanted = min(size, wanted + -wanted % MULTIPLE)
    start = min(max(0, (first + last - wanted) // 2), size - wanted)
    return slice(start, start + wanted)


def context_tensors(
    sequences: Mapping[str, _Floats], window: Window, batch: int, step: int
) -> Iterator[tuple[slice, _Floats]]:
    """Yield ranges of slices and their tensors ``(n, 12, H, W)``, H and W multiples of 32.

    Sequences are normalised over the whole grid, then cut to the window.
    """
    prepared = {
        name: padded(normalised(volume)[:, window.rows, window.columns]) for name, volume in sequences.items()
    }
    for piece in window.pieces(batch):
        yield piece, member_input({**prepared}, piece, step=step)


def contrast_tensors(volume: _Floats, window: Window, batch: int) -> Iterator[tuple[slice, _Floats]]:
    """Yield ranges of slices and their tensors ``(n, 1, H, W)``, every slice normalised by itself."""
    for piece in window.pieces(batch):
        yield piece, contrast_tensor(volume[piece], window)


def contrast_tensor(slices: _Floats, window: Window) -> _Floats:
    """Return the tensor ``(n, 1, H, W)`` of chosen slices ``(n, y, x)``, each normalised by itself."""
    return padded(contrast_input(slices)[:, 0, window.rows, window.columns])[:, None]
