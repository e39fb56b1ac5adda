"""Which side of the patient a mask lies on: a mid-sagittal plane found in the image, and shares of voxels.

The plane is the one in which the head mirrors best, looked for around the middle of the head: the patient's
axes need not be those of the scanner, and a head lies seldom in the middle of the field. Which half is the
left one is what the header says: no image of a head tells that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from models.volume_results import Side

if TYPE_CHECKING:
    from highdicom import Volume

__all__ = ["Midplane", "midsagittal_plane"]

_PARTS_OF_A_SIDE = 10
_COARSE_MM = 4.0
_POINTS, _COARSE_POINTS = 12_000, 2_500
_ANGLES = np.arange(-24.0, 25.0, 8.0)  # degrees about the axis head to feet, and about front to back
_SHIFTS_MM = np.arange(-24.0, 25.0, 8.0)
_STEEPEST = 32.0
_LEAST_SYMMETRY = 0.6
_LEAST_HALF_MM = 35.0
_LEAST_IMAGED = 0.5
_HALF = 0.5
_HEAD_FROM = 0.12  # of the range between background and bright tissue
_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Midplane:
    """The mid-sagittal plane of a head.

    Parameters
    ----------
    point : tuple of float
        On the plane, patient coordinates ``(x, y, z)`` in millimetres (LPS).
    normal : tuple of float
        Of length 1, towards the patient's left.
    symmetry : float
        How well the image mirrors in it: correlation of both halves, at most 1.
    """

    point: tuple[float, float, float]
    normal: tuple[float, float, float]
    symmetry: float = 1.0

    def __post_init__(self) -> None:
        if not np.isclose(np.linalg.norm(self.normal), 1.0):
            raise ValueError(f"the normal of a midplane has length 1, not {self.normal}")
        if self.normal[0] <= 0:
            raise ValueError("the normal of a midplane points to the patient's left")

    def distance_mm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far points ``(n, 3)`` in millimetres lie to the patient's left of the plane."""
        return np.asarray((points - np.asarray(self.point)) @ np.asarray(self.normal))

    def side(self, mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Side:
        """Return the side of a mask: "both" where each has at least a tenth of the voxels.

        Parameters
        ----------
        mask : numpy.ndarray
            ``(z, y, x)``.
        affine : numpy.ndarray
            ``(4, 4)`` from indices ``(z, y, x)`` to patient coordinates in millimetres.

        Raises
        ------
        ValueError
            The mask is empty.
        """
        indices = np.argwhere(mask)
        if not indices.size:
            raise ValueError("the mask is empty")
        distances = self.distance_mm(indices @ affine[:3, :3].T + affine[:3, 3])
        left = int(np.count_nonzero(distances > 0))
        right = len(indices) - left
        if min(left, right) * _PARTS_OF_A_SIDE >= len(indices):
            return "both"
        return "left" if left > right else "right"


def midsagittal_plane(image: Volume) -> Midplane | None:
    """Return the plane in which the head of an image mirrors best.

    The image is smoothed and reduced to about 4 mm, its head told from the background, and every voxel of
    the head correlated with the one at its mirror image. A lesion makes every plane worse and moves the best
    one little, as the skull around it stays where it is.

    Parameters
    ----------
    image : highdicom.Volume
        ``(z, y, x)`` of a head, with patient geometry, any orientation and contrast.

    Returns
    -------
    Midplane or None
        None where the image has no two halves of a head that mirror (correlation of at least 0.6, at least
        35 mm to either side, the plane within 32 degrees of the patient's own).
    """
    values, affine = _reduced(image)
    head = _head(values)
    if np.count_nonzero(head) < _COARSE_POINTS // 10:
        return None
    low, high = np.percentile(values[head], (0.0, 98.0))
    shown = np.clip((values - low) / max(high - low, 1e-9), 0, 1) * head
    around = np.argwhere(ndimage.binary_dilation(head, iterations=2))
    places = around[np.linspace(0, len(around) - 1, min(_POINTS, len(around))).astype(int)]
    search = _Search(shown, affine, places, np.argwhere(head).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3])
    found, symmetry = search.best()
    plane = search.plane(found, symmetry)
    distances = plane.distance_mm(np.argwhere(head) @ affine[:3, :3].T + affine[:3, 3])
    halves = np.percentile(distances, (1, 99))
    whole = -halves[0] >= _LEAST_HALF_MM and halves[1] >= _LEAST_HALF_MM
    steep = max(abs(found[0]), abs(found[1])) > _STEEPEST
    return plane if whole and not steep and symmetry >= _LEAST_SYMMETRY else None


class _Search:
    """Looks for the plane, told by two angles in degrees and a shift in mm from the middle of the head."""

    def __init__(self, shown: _Array, affine: _Array, places: NDArray[np.int_], middle: _Array) -> None:
        self._shown = shown
        self._inverse = np.linalg.inv(affine)
        self._points = affine @ np.vstack([places.T, np.ones(len(places))])
        self._values = shown[tuple(places.T)]
        self._middle = middle

    def best(self) -> tuple[_Array, float]:
        """Return the parameters of the best plane, and the correlation in it."""
        step = max(1, self._points.shape[1] // _COARSE_POINTS)
        starts = [np.array([a, b, d]) for a in _ANGLES for b in _ANGLES for d in _SHIFTS_MM]
        start = min(starts, key=lambda one: self._cost(one, step))
        simplex = start + np.vstack([np.zeros(3), np.diag([5.0, 5.0, 5.0])])
        options = {"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-5, "maxiter": 200}
        found = minimize(self._cost, start, args=(1,), method="Nelder-Mead", options=options)
        return np.asarray(found.x), self._symmetry(found.x, 1)

    def plane(self, parameters: _Array, symmetry: float) -> Midplane:
        """Return the plane of parameters."""
        normal = _normal(parameters)
        point = self._middle + parameters[2] * normal
        x, y, z = (float(value) for value in normal / np.linalg.norm(normal))
        return Midplane((float(point[0]), float(point[1]), float(point[2])), (x, y, z), symmetry)

    def _cost(self, parameters: _Array, step: int) -> float:
        # Of planes that mirror alike, as in a single slice, the one that leans least.
        leaning = 1e-5 * float(np.abs(parameters).sum())
        return leaning - self._symmetry(parameters, step)

    def _symmetry(self, parameters: _Array, step: int) -> float:
        normal = _normal(parameters)
        reflection = np.eye(4)
        reflection[:3, :3] -= 2 * np.multiply.outer(normal, normal)
        reflection[:3, 3] = 2 * (float(self._middle @ normal) + parameters[2]) * normal
        # Without BLAS, whose threads wait for each other on products this small.
        indices = np.einsum("ij,jn->in", self._inverse @ reflection, self._points[:, ::step])[:3]
        limits = np.asarray(self._shown.shape)[:, None] - _HALF
        imaged = ((indices > -_HALF) & (indices < limits)).all(axis=0)
        if np.count_nonzero(imaged) < _LEAST_IMAGED * imaged.size:
            return 0.0
        others = ndimage.map_coordinates(self._shown, indices[:, imaged], order=1, mode="nearest")
        return _correlation(self._values[::step][imaged], others)


def _normal(parameters: _Array) -> _Array:
    turned = Rotation.from_euler("zy", parameters[:2], degrees=True)
    return np.asarray(turned.apply([1.0, 0.0, 0.0]))


def _correlation(one: _Array, other: _Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / scale if scale > 0 else 0.0


def _reduced(image: Volume) -> tuple[_Array, _Array]:
    """Return means of blocks of about 4 mm, and their affine."""
    array = np.asarray(image.array)
    blocks = [max(1, round(_COARSE_MM / step)) for step in image.spacing]
    blocks = [min(block, size) for block, size in zip(blocks, array.shape, strict=True)]
    shape = [size // block for size, block in zip(array.shape, blocks, strict=True)]
    kept = array[tuple(slice(0, size * block) for size, block in zip(shape, blocks, strict=True))]
    split = kept.reshape([length for pair in zip(shape, blocks, strict=True) for length in pair])
    affine = np.asarray(image.affine, dtype=np.float64).copy()
    affine[:3, 3] += affine[:3, :3] @ ((np.asarray(blocks) - 1) / 2)
    affine[:3, :3] *= np.asarray(blocks)
    return split.mean(axis=(1, 3, 5), dtype=np.float64), affine


def _head(values: _Array) -> NDArray[np.bool_]:
    """Return the largest region that is brighter than the background, without holes in its slices."""
    low, high = np.percentile(values, (1, 99))
    labelled, count = ndimage.label(values > low + _HEAD_FROM * (high - low))
    if not count:
        return np.zeros(values.shape, dtype=bool)
    largest = labelled == int(np.argmax(np.bincount(labelled.ravel())[1:])) + 1
    return np.stack([ndimage.binary_fill_holes(one) for one in largest])
