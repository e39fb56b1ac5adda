"""Whether a chest film is shown the way its header says, or as its negative.

Some archives hold films whose Photometric Interpretation contradicts the pixels. A detector that is
shown a negative sees nothing that it knows, and says so with full agreement of its members. The check
compares the coarse layout of the film (dark lungs beside a bright mediastinum) with the mean layout of
the frontal films of NIH ChestX-ray14, both as ranks, so that no grey mapping matters.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["INVERTED_BELOW", "chest_layout_correlation", "is_negative"]

_SIDE = 32
INVERTED_BELOW = -0.15
"""Correlation under which a film counts as a negative; `docs/chest-nodule.md` gives what was measured."""


@cache
def _mean_layout() -> NDArray[np.float64]:
    with as_file(files("models") / "polarity-chest.npy") as path:
        layout = np.load(path, allow_pickle=False).astype(np.float64)
    return np.asarray(layout / np.linalg.norm(layout))


def chest_layout_correlation(pixels: NDArray[np.float32]) -> float:
    """Correlate a film's coarse layout with that of frontal chest films.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` float32, bone bright.

    Returns
    -------
    float
        In [-1, 1]: near 1 for an upright frontal film, near -1 for its negative, 0 for a constant image.
    """
    coarse = np.asarray(Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)).ravel()
    _, place, count = np.unique(coarse, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count + 1) / 2)[place]
    rank = rank - rank.mean()
    length = float(np.linalg.norm(rank))
    return float(rank @ _mean_layout().ravel() / length) if length else 0.0


def is_negative(pixels: NDArray[np.float32]) -> bool:
    """Return whether a frontal chest film is shown as its negative (air bright, bone dark)."""
    return chest_layout_correlation(pixels) < INVERTED_BELOW
