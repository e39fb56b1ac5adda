"""Estimate where the nipple is: the point of the skin farthest from the chest.

On an oblique view with a pectoral line that is the point farthest from the line, measured at right angles to
it; on other views the point farthest from the chest wall. This is where the posterior nipple line of
mammographic positioning ends; a nipple that is not in profile lies elsewhere, and nothing here says so.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from models.mammography.region import BreastRegion

__all__ = ["find_nipple"]

_FARTHEST: Final = 0.015
_ENDS: Final = 0.12

Point = tuple[float, float]


def find_nipple(region: BreastRegion, pectoral: tuple[Point, Point] | None = None) -> Point:
    """Estimate the place of the nipple.

    Parameters
    ----------
    region : BreastRegion
        The breast.
    pectoral : tuple of points or None
        Two points of the edge of the pectoral muscle as :func:`~models.mammography.pectoral.find_pectoral`
        finds it.

    Returns
    -------
    tuple of float
        ``(row, column)`` in source pixels: the middle of the skin points whose distance is within 1.5 per
        cent of the farthest. The upper and lower eighth of the breast are left out, where a fold of skin
        or the armpit may reach far.
    """
    skin = _skin(region)
    if pectoral is None:
        wall = 0.0 if region.chest_wall == "left" else float(region.mask.shape[1] * region.step)
        distance = np.abs(skin[:, 1] - wall)
    else:
        (y0, x0), (y1, x1) = pectoral
        length = float(np.hypot(y1 - y0, x1 - x0))
        distance = ((skin[:, 1] - x0) * (y1 - y0) - (skin[:, 0] - y0) * (x1 - x0)) / length
        if region.chest_wall == "right":
            distance = -distance
    reach = float(np.ptp(distance)) or 1.0
    row, column = skin[distance >= distance.max() - _FARTHEST * reach].mean(axis=0)
    return float(row), float(column)


def _skin(region: BreastRegion) -> NDArray[np.float64]:
    """Return the points ``(n, 2)`` of the outline that face away from the chest wall, in source pixels."""
    mask = region.mask if region.chest_wall == "left" else region.mask[:, ::-1]
    rows = np.flatnonzero(mask.any(axis=1))
    cut = int(_ENDS * rows.size)
    rows = rows[cut : rows.size - cut] if rows.size > 2 * cut + 2 else rows
    last = (mask.shape[1] - mask[rows, ::-1].argmax(axis=1)).astype(np.float64)
    last = ndimage.median_filter(last, 5, mode="nearest")
    if region.chest_wall == "right":
        last = mask.shape[1] - last
    return np.stack([(rows + 0.5) * region.step, last * region.step], axis=1)
