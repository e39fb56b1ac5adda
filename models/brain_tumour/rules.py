"""From a probability on the source grid to what is reported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["CASE_ML", "case_score", "reported"]

_CONNECTED = np.ones((3, 3, 3), dtype=bool)
_MM3_PER_ML = 1000.0

CASE_ML = 0.5
"""The score of a study is the mean probability of this much of it, where it is highest."""


def reported(
    probability: NDArray[np.float32],
    voxel_mm3: float,
    operating_point: float,
    *,
    minimum_volume_ml: float = 0.0,
    largest_component: bool = False,
) -> NDArray[np.bool_]:
    """Return the mask that the package reports.

    Parameters
    ----------
    probability : numpy.ndarray
        ``(z, y, x)``.
    voxel_mm3 : float
        Volume of a voxel.
    operating_point : float
        Probability from which a voxel is marked.
    minimum_volume_ml : float
        Regions below it are dropped; voxels that share a corner are one region.
    largest_component : bool
        Whether only the largest region is kept.
    """
    mask = np.asarray(probability >= operating_point)
    if not largest_component and minimum_volume_ml <= 0:
        return mask
    labelled, count = ndimage.label(mask, structure=_CONNECTED)
    if not count:
        return mask
    sizes = np.bincount(labelled.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes * voxel_mm3 / _MM3_PER_ML >= minimum_volume_ml
    if largest_component:
        keep &= np.arange(count + 1) == int(np.argmax(sizes))
    keep[0] = False
    return np.asarray(keep[labelled])


def case_score(probability: NDArray[np.float32], voxel_mm3: float) -> float:
    """Return the mean probability of the half millilitre where it is highest; no calibration is fitted."""
    flat = probability.ravel()
    count = min(max(1, round(CASE_ML * _MM3_PER_ML / voxel_mm3)), flat.size)
    highest = np.partition(flat, flat.size - count)[flat.size - count :]
    return float(np.clip(np.mean(highest, dtype=np.float64), 0, 1))
