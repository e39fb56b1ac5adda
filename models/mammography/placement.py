"""Where the network's grid lies in the source image: crop, flip, scale and padding, exactly invertible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Placement"]

Coordinates = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """The way between source pixels and network pixels.

    Coordinates are continuous and measured at edges: the first pixel covers 0 to 1. The crop is cut out,
    mirrored where ``flipped`` is true (so that the chest wall comes to lie on the left), scaled, and padded
    at the bottom and on the right only, which moves nothing.

    Parameters
    ----------
    top, left : int
        First source row and column of the crop.
    rows, columns : int
        Extent of the crop in source pixels.
    flipped : bool
        Whether left and right are swapped.
    scale_y, scale_x : float
        Network pixels along one source pixel.
    padding : tuple of int
        Rows added at the bottom and columns added on the right of the network's grid.

    Raises
    ------
    ValueError
        The crop is empty, a scale is not positive or a padding negative.
    """

    top: int
    left: int
    rows: int
    columns: int
    flipped: bool
    scale_y: float
    scale_x: float
    padding: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ValueError(f"a crop has rows and columns, not {self.rows} x {self.columns}")
        if not (0 < self.scale_y < np.inf and 0 < self.scale_x < np.inf):
            raise ValueError(f"scales must be positive, not {self.scale_y} and {self.scale_x}")
        if min(self.padding) < 0:
            raise ValueError(f"padding must not be negative: {self.padding}")

    @property
    def content(self) -> tuple[int, int]:
        """``(rows, columns)`` of the crop on the network's grid, without the padding."""
        return round(self.rows * self.scale_y), round(self.columns * self.scale_x)

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)`` of the network's grid, padding included."""
        rows, columns = self.content
        return rows + self.padding[0], columns + self.padding[1]

    def to_network(self, boxes: NDArray[np.floating]) -> Coordinates:
        """Carry boxes ``(n, 4)`` of (top, left, bottom, right) from source to network pixels."""
        top, left, bottom, right = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
        left, right = self._columns_in(left), self._columns_in(right)
        if self.flipped:
            left, right = right, left
        top, bottom = (top - self.top) * self.scale_y, (bottom - self.top) * self.scale_y
        return np.stack([top, left, bottom, right], axis=1)

    def to_source(self, boxes: NDArray[np.floating]) -> Coordinates:
        """Carry boxes ``(n, 4)`` of (top, left, bottom, right) from network to source pixels."""
        top, left, bottom, right = np.asarray(boxes, dtype=np.float64).reshape(-1, 4).T
        left, right = self._columns_out(left), self._columns_out(right)
        if self.flipped:
            left, right = right, left
        top, bottom = top / self.scale_y + self.top, bottom / self.scale_y + self.top
        return np.stack([top, left, bottom, right], axis=1)

    def points_to_network(self, points: NDArray[np.floating]) -> Coordinates:
        """Carry points ``(n, 2)`` of (row, column) from source to network pixels."""
        row, column = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        return np.stack([(row - self.top) * self.scale_y, self._columns_in(column)], axis=1)

    def points_to_source(self, points: NDArray[np.floating]) -> Coordinates:
        """Carry points ``(n, 2)`` of (row, column) from network to source pixels."""
        row, column = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        return np.stack([row / self.scale_y + self.top, self._columns_out(column)], axis=1)

    def _columns_in(self, column: Coordinates) -> Coordinates:
        offset = column - self.left
        return (self.columns - offset if self.flipped else offset) * self.scale_x

    def _columns_out(self, column: Coordinates) -> Coordinates:
        offset = column / self.scale_x
        return (self.columns - offset if self.flipped else offset) + self.left
