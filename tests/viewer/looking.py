"""What is on the screen: pixels, not what the viewer says of itself."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_fill_holes, label, uniform_filter, zoom
from scipy.signal import fftconvolve

__all__ = [
    "Extent",
    "bright_rings",
    "centroid",
    "coloured",
    "extent_of",
    "find_pattern",
    "grey",
    "overlap",
    "pixels",
]

Picture = NDArray[np.uint8]
"""``(rows, columns, 3)``."""


@dataclass(frozen=True)
class Extent:
    """A box on the screen, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def centre(self) -> tuple[float, float]:
        """``(x, y)``."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def deviation(self, other: Extent) -> float:
        """Return by how many pixels the edge that differs most differs."""
        mine, its = self.edges, other.edges
        return max(abs(a - b) for a, b in zip(mine, its, strict=True))

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        return self.left, self.top, self.right, self.bottom


def pixels(png: bytes) -> Picture:
    """Return a screenshot as an array."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def grey(picture: Picture) -> NDArray[np.float32]:
    """Return the brightness."""
    return picture.astype(np.float32).mean(axis=2)


def coloured(picture: Picture, least: int = 48) -> NDArray[np.bool_]:
    """Return where colours are: the images themselves are grey."""
    values = picture.astype(np.int16)
    return np.asarray(values.max(axis=2) - values.min(axis=2) >= least)


def extent_of(mask: NDArray[np.bool_]) -> Extent:
    """Return the box round what is set; pixel n reaches from n to n + 1."""
    rows, columns = np.nonzero(mask)
    assert rows.size, "there is nothing to see"
    return Extent(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))


def find_pattern(picture: Picture, pattern: NDArray[np.float32], scale: float) -> tuple[float, float, float]:
    """Find where an image's part is on the screen, by normalised correlation everywhere.

    Parameters
    ----------
    pattern : numpy.ndarray
        ``(rows, columns)`` part of the image as it is stored.
    scale : float
        Screen pixels per image pixel.

    Returns
    -------
    tuple of float
        ``(x, y)`` of the pattern's centre on the screen, and the correlation there.
    """
    shown = zoom(pattern, scale, order=1, grid_mode=True, mode="nearest").astype(np.float64)
    shown -= shown.mean()
    screen = grey(picture).astype(np.float64)
    products = fftconvolve(screen, shown[::-1, ::-1], mode="same")
    mean = uniform_filter(screen, shown.shape)
    spread = np.sqrt(np.maximum(uniform_filter(screen**2, shown.shape) - mean**2, 1.0))
    match = products / (spread * shown.std() * shown.size)
    inside = np.zeros_like(match)
    high, wide = (side // 2 + 1 for side in shown.shape)
    inside[high:-high, wide:-wide] = match[high:-high, wide:-wide]
    y, x = np.unravel_index(int(inside.argmax()), match.shape)
    odd = [0.5 if side % 2 else 0.0 for side in shown.shape]
    return float(x + odd[1]), float(y + odd[0]), float(match[y, x])


def bright_rings(picture: Picture, least: float, hole: int = 30) -> list[NDArray[np.bool_]]:
    """Return the bright rings on the screen, filled, largest first: lesions with a core, not the scalp."""
    parts, count = label(grey(picture) >= least)
    rings = []
    for number in range(1, count + 1):
        part = parts == number
        filled = binary_fill_holes(part)
        across = np.ptp(np.nonzero(part)[1])
        if filled.sum() - part.sum() >= hole and across < picture.shape[1] / 3:
            rings.append(filled)
    return sorted(rings, key=lambda ring: -int(ring.sum()))


def centroid(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return ``(x, y)`` of the middle of what is set."""
    rows, columns = np.nonzero(mask)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return Dice's coefficient."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))
