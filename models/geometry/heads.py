"""Heads at a coarse resolution: where they are, and how much two of them have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray
from scipy import ndimage

from models.geometry.grids import axial_view, regridded
from models.geometry.resampling import resample

__all__ = ["CoarseHead", "coarse_head", "overlap", "similarity"]

_Booleans = NDArray[np.bool_]

# A head is larger than this, and holds values this far above the air around it.
_SMALLEST_ML: Final = 150.0
_ABOVE_AIR: Final = 0.15
_BINS: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class CoarseHead:
    """A volume at a coarse resolution with the region of the head in it.

    Parameters
    ----------
    volume : highdicom.Volume
        Float32 ``(z, y, x)``, axial view; the highest half per cent of the values is cut off.
    region : numpy.ndarray
        Bool, same shape: the head without holes; empty where none is found.
    """

    volume: Volume
    region: _Booleans

    @property
    def geometry(self) -> VolumeGeometry:
        """Grid of the volume."""
        return self.volume.get_geometry()

    @property
    def centre(self) -> NDArray[np.float64]:
        """Middle of the head, ``(3,)`` in LPS mm."""
        return np.asarray(self.places.mean(axis=0))

    @property
    def places(self) -> NDArray[np.float64]:
        """Places of the voxels of the head, ``(n, 3)`` in LPS mm."""
        affine = self.volume.affine
        return np.asarray(np.argwhere(self.region) @ affine[:3, :3].T + affine[:3, 3])


def coarse_head(volume: Volume, spacing_mm: float) -> CoarseHead:
    """Return a volume at a coarse resolution, and its head.

    Parameters
    ----------
    volume : highdicom.Volume
        ``(z, y, x)``.
    spacing_mm : float
        No finer than this; what is coarser is kept.
    """
    view = axial_view(volume.get_geometry()).geometry
    grid = regridded(view, np.maximum(view.spacing, spacing_mm))
    values, _ = resample(volume, grid)
    np.minimum(values, np.percentile(values, 99.5), out=values)
    coarse = Volume(values, grid.affine, "PATIENT", frame_of_reference_uid=grid.frame_of_reference_uid)
    return CoarseHead(coarse, _region(values, grid))


def similarity(one: NDArray[np.floating], other: NDArray[np.floating], within: _Booleans) -> float:
    """Return the normalised mutual information of two images over a region.

    Parameters
    ----------
    one, other : numpy.ndarray
        Values on one grid.
    within : numpy.ndarray
        Bool, same shape.

    Returns
    -------
    float
        ``(H(one) + H(other)) / H(one, other)``: 1 where they have nothing in common, 2 where one follows
        from the other; 1 where the region is empty or an image is constant.

    References
    ----------
    Studholme et al., An overlap invariant entropy measure of 3D medical image alignment, Pattern
    Recognition 1999.
    """
    first, second = (np.asarray(array[within], dtype=np.float64) for array in (one, other))
    if not first.size or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 1.0
    joint, _, _ = np.histogram2d(first, second, bins=_BINS)
    joint /= joint.sum()
    return float((_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / _entropy(joint))


def overlap(one: _Booleans, other: _Booleans) -> float:
    """Return the Dice coefficient of two masks, 0 where both are empty."""
    sizes = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2 * int(np.count_nonzero(one & other)) / sizes if sizes else 0.0


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())


def _region(values: NDArray[np.float32], grid: VolumeGeometry) -> _Booleans:
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    above: _Booleans = values > low + _ABOVE_AIR * (high - low)
    labelled, count = ndimage.label(ndimage.binary_opening(above))
    if not count:
        return np.zeros(values.shape, dtype=bool)
    largest = labelled == int(np.argmax(np.bincount(labelled.ravel())[1:])) + 1
    solid = ndimage.binary_closing(np.pad(largest, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in solid])
    enough = np.count_nonzero(filled) * grid.voxel_volume >= _SMALLEST_ML * 1000
    return filled if enough else np.zeros(values.shape, dtype=bool)
