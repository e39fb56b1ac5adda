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
    box = _bounding_box(mask)
    if box is None:
        return mask
    labelled, count = ndimage.label(mask[box], structure=_CONNECTED)
    sizes = np.bincount(labelled.ravel(), minlength=count + 1)
    sizes[0] = 0
    keep = sizes * voxel_mm3 / _MM3_PER_ML >= minimum_volume_ml
    if largest_component:
        keep &= np.arange(count + 1) == int(np.argmax(sizes))
    keep[0] = False
    mask[box] = keep[labelled]
    return mask


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """Return the part of a mask outside of which nothing is marked; None for an empty one."""
    filled = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not filled[0].size:
        return None
    z, y, x = (slice(int(one[0]), int(one[-1]) + 1) for one in filled)
    return z, y, x


def case_score(probability: NDArray[np.float32], voxel_mm3: float) -> float:
    """Return the mean probability of the half millilitre where it is highest; no calibration is fitted."""
    count = min(max(1, round(CASE_ML * _MM3_PER_ML / voxel_mm3)), probability.size)
    # Of a large grid nearly all voxels are far from any tumour: the highest are among the few above a bound.
    for bound in (0.5, 0.05):
        above = probability[probability > bound]
        if above.size >= count:
            break
    else:
        above = probability.ravel()
    highest = np.partition(above, above.size - count)[above.size - count :]
    return float(np.clip(np.mean(highest, dtype=np.float64), 0, 1))
