"""Find the edge of the pectoral muscle on an oblique view as a straight line.

With the chest wall to the left, the muscle is the bright triangle in the upper left corner. Every line from
the upper border to the chest wall is scored by how steadily the image falls across it, away from the corner;
the best one is kept where it is plausible. The edge is often bent, so the line is an approximation; it is
meant for distances and for masking, not for measuring the muscle.

References
----------
Karssemeijer N. Automated classification of parenchymal patterns in mammograms. Phys Med Biol 1998;43:365-378
(the straight-line model of the muscle's edge).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.mammography.region import BreastRegion, reduced

__all__ = ["OBLIQUE_VIEWS", "find_pectoral"]

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Line = tuple[tuple[float, float], tuple[float, float]]

OBLIQUE_VIEWS: Final = frozenset({"MLO", "LMO", "ML", "LM"})
"""Views on which the muscle is looked for; on others it is seldom seen as a corner."""

_SIGMA: Final = 1.5
_SAMPLES: Final = 40
_SKIN: Final = 5
_TOP_STEPS, _WALL_STEPS = 56, 72
_LEAST_SCORE: Final = 0.22
_LEAST_STEADY: Final = 0.7
_LEAST_FALL: Final = 0.02
_AREA: Final = (0.01, 0.4)
_ANGLE: Final = (8.0, 65.0)


def find_pectoral(pixels: FloatImage, region: BreastRegion) -> Line | None:
    """Find the edge of the pectoral muscle.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` in [0, 1], tissue bright: the image that the region was found in.
    region : BreastRegion
        The breast.

    Returns
    -------
    tuple of points or None
        Two points ``(row, column)`` in source pixels: where the line enters at the upper border of the
        breast and where it meets the chest wall or the lower end of the breast's box. None where no
        plausible line is seen: its angle to the chest wall is not 8 to 65 degrees, the corner takes less
        than 1 or more than 40 per cent of the breast, or the fall across the line is weak or unsteady.
    """
    step = region.step
    rows, columns = np.flatnonzero(region.mask.any(axis=1)), np.flatnonzero(region.mask.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    grey, mask = reduced(pixels, step)[window], region.mask[window]
    if region.chest_wall == "right":
        grey, mask = grey[:, ::-1], mask[:, ::-1]
    found = _best_line(grey, mask)
    if found is None:
        return None
    across, down = found
    height, width = mask.shape
    # The line ends at the lower border where it would meet the chest wall below the image.
    end = (down, 0.0) if down <= height else (float(height), across * (1 - height / down))
    points = []
    for row, column in ((0.0, across), end):
        place = width - column if region.chest_wall == "right" else column
        points.append(((row + rows[0]) * step, (place + columns[0]) * step))
    (first, last) = points
    return (float(first[0]), float(first[1])), (float(last[0]), float(last[1]))


def _best_line(grey: FloatImage, mask: Mask) -> tuple[float, float] | None:
    """Return where the best line cuts the upper border and the chest wall, None where none is plausible."""
    height, width = mask.shape
    upper = mask[: max(2, height // 16)].mean(axis=0)
    reach = int(np.flatnonzero(upper > 0.5)[-1]) + 1 if (upper > 0.5).any() else 0
    if reach < 0.12 * width or height < 24:
        return None
    fall_y, fall_x, scale = _falls(grey, mask)
    across = np.linspace(0.1 * width, max(reach - _SKIN, 0.11 * width), _TOP_STEPS)
    down = np.linspace(0.15 * height, 1.6 * height, _WALL_STEPS)
    a, d = (part.ravel() for part in np.meshgrid(across, down))
    angle = np.degrees(np.arctan2(a, d))
    area = 0.5 * a * np.where(d > height, height * (2 - height / d), d) / mask.sum()
    allowed = (angle >= _ANGLE[0]) & (angle <= _ANGLE[1]) & (area >= _AREA[0]) & (area <= _AREA[1])
    a, d = a[allowed], d[allowed]
    if not a.size:
        return None
    score, steady, fall = _scores(a, d, fall_y, fall_x, scale)
    best = int(np.argmax(score))
    if score[best] < _LEAST_SCORE or steady[best] < _LEAST_STEADY or fall[best] < _LEAST_FALL:
        return None
    return float(a[best]), float(d[best])


def _falls(grey: FloatImage, mask: Mask) -> tuple[FloatImage, FloatImage, float]:
    """Return minus the gradient inside the breast, away from the skin, and its usual size."""
    low, high = np.percentile(grey[mask], [1, 99])
    unit = np.clip((grey - low) / max(float(high - low), 1e-6), 0, 1)
    # Values beyond the skin continue those inside, so that the skin is no edge.
    smooth = ndimage.gaussian_filter(unit, _SIGMA, mode="nearest")
    inner = ndimage.binary_erosion(mask, iterations=_SKIN, border_value=1)
    fall_y = -ndimage.sobel(smooth, axis=0, mode="nearest") / 8 * inner
    fall_x = -ndimage.sobel(smooth, axis=1, mode="nearest") / 8 * inner
    size = np.hypot(fall_y, fall_x)[inner] if inner.any() else np.zeros(1)
    return fall_y, fall_x, max(float(np.percentile(size, 75)), 1e-4)


def _scores(
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    fall_y: FloatImage,
    fall_x: FloatImage,
    scale: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return for each line its score, the share of it that falls, and the fall over six pixels."""
    height, width = fall_y.shape
    end = np.minimum(1.0, height / down)
    part = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * end[:, None]
    y = np.clip((part * down[:, None]).astype(np.int64), 0, height - 1)
    x = np.clip(((1 - part) * across[:, None]).astype(np.int64), 0, width - 1)
    length = np.hypot(across, down)
    fall = fall_x[y, x] * (down / length)[:, None] + fall_y[y, x] * (across / length)[:, None]
    # The upper part of the edge is seen most often; glandular tissue hides the lower part.
    weights = np.linspace(1.3, 0.7, _SAMPLES)
    steady = ((fall > 0) * weights).sum(axis=1) / weights.sum()
    score = (np.tanh(fall / (2 * scale)) * weights).sum(axis=1) / weights.sum()
    longer = np.minimum(1.0, length * end / (0.5 * height)) ** 0.5
    return score * longer, steady, 6 * fall.mean(axis=1)
