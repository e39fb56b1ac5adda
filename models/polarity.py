"""Whether a chest film is shown the way its header says, or as its negative.

Some archives hold films whose Photometric Interpretation contradicts the pixels. A detector that is
shown a negative sees nothing that it knows, and says so with full agreement of its members. The check
compares the coarse layout of the film (dark lungs beside a bright mediastinum) with the mean layout of
the frontal films of NIH ChestX-ray14, both as ranks, so that no grey mapping matters. Collimation
borders are trimmed first, and the layout is turned in quarter steps, because an upside-down film
resembles a negative more than it resembles itself.

Cross-fitted in five blocks over 526 of those films, of which two are stored as negatives: both are
recognised, none of the 524 others is, and the negative of every one of these is. Turned by 90 or 180
degrees, none is taken for a negative.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.chest_nodule.preprocess import content_bounds

__all__ = ["INVERTED_BELOW", "chest_layout_correlation", "is_negative"]

_SIDE = 32
_SMALLEST_SIDE = 64
INVERTED_BELOW = -0.3
"""Correlation under which a film counts as a negative; the least of 524 correct films has +.38."""


@cache
def _mean_layouts() -> NDArray[np.float64]:
    """Return ``(4, 32 · 32)``: the mean layout, turned by 0, 90, 180 and 270 degrees, of unit length."""
    with as_file(files("models") / "polarity-chest.npy") as path:
        layout = np.load(path, allow_pickle=False).astype(np.float64)
    layout /= np.linalg.norm(layout)
    return np.stack([np.rot90(layout, quarter).ravel() for quarter in range(4)])


def chest_layout_correlation(pixels: NDArray[np.float32]) -> float:
    """Correlate a film's coarse layout with that of frontal chest films, in the orientation that fits most.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` float32, bone bright.

    Returns
    -------
    float
        In [-1, 1]: near 1 for a frontal film, near -1 for its negative, 0 for a constant image; of the
        four orientations the correlation with the largest magnitude.
    """
    if min(pixels.shape) >= _SMALLEST_SIDE:
        top, left, bottom, right = content_bounds(pixels)
        pixels = np.ascontiguousarray(pixels[top:bottom, left:right])
    coarse = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)).ravel()
    _, place, count = np.unique(coarse, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count + 1) / 2)[place]
    rank = rank - rank.mean()
    length = float(np.linalg.norm(rank))
    if not length:
        return 0.0
    correlations = _mean_layouts() @ rank / length
    return float(correlations[np.abs(correlations).argmax()])


def is_negative(pixels: NDArray[np.float32]) -> bool:
    """Return whether a frontal chest film is shown as its negative (air bright, bone dark)."""
    return chest_layout_correlation(pixels) < INVERTED_BELOW
