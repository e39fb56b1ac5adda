"""Grids in the patient: axial views without interpolation, working grids, and when two grids are the same."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import VolumeGeometry
from numpy.typing import ArrayLike, NDArray

from models.geometry.study import Matrix

__all__ = ["AxialView", "axial_view", "is_same_grid", "regridded", "view_between", "working_grid"]

# Towards the head, the back and the patient's left, in LPS.
_AXIAL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
# Spacings within this are left alone: interpolation would cost more than the scale that it puts right.
_SAME_SPACING = 0.03
# Two grids whose voxels are no further apart than this, in voxels, are the same.
_SAME_VOXELS = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class AxialView:
    """A grid seen with other axes: exact, every voxel keeps its value and its place in the patient.

    Parameters
    ----------
    order : tuple of int
        Axis of the given grid that becomes axis 0, 1 and 2 of the view.
    flipped : tuple of bool
        Whether axis 0, 1 and 2 of the view run against those of the given grid.
    geometry : highdicom.VolumeGeometry
        Grid of the view.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    geometry: VolumeGeometry

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of the given grid as the view shows it; further axes stay behind."""
        rest = range(3, array.ndim)
        return np.asarray(array.transpose(*self.order, *rest)[self._steps])

    def undo(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of the view on the given grid again."""
        back = [self.order.index(axis) for axis in range(3)]
        return np.asarray(array[self._steps].transpose(*back, *range(3, array.ndim)))

    @property
    def _steps(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)


def axial_view(geometry: VolumeGeometry) -> AxialView:
    """Return the order and the directions of axes that are nearest to axial.

    Parameters
    ----------
    geometry : highdicom.VolumeGeometry
        Or a volume; of any orientation, also oblique.

    Returns
    -------
    AxialView
        Axis 0 runs towards the head, axis 1 towards the back, axis 2 towards the patient's left, each as
        nearly as a permutation with flips can bring them. Nothing is interpolated.
    """
    cosines = _AXIAL @ _directions(geometry.affine)
    order = max(itertools.permutations(range(3)), key=lambda p: sum(abs(cosines[k, p[k]]) for k in range(3)))
    flipped = tuple(bool(cosines[axis, order[axis]] < 0) for axis in range(3))
    return _view(geometry, order, flipped)


def working_grid(reference: VolumeGeometry, spacing_mm: float) -> VolumeGeometry:
    """Return the grid on which the sequences of a study are read together.

    Parameters
    ----------
    reference : highdicom.VolumeGeometry
        Grid of the reference series.
    spacing_mm : float
        Wanted distance of rows and of columns.

    Returns
    -------
    highdicom.VolumeGeometry
        The axial view of the reference with its own slices. Rows and columns are ``spacing_mm`` apart where
        one of them was more than 3 % off, around the same centre and over at least the same field of view.

    Raises
    ------
    ValueError
        ``spacing_mm`` is no length.
    """
    if not (math.isfinite(spacing_mm) and spacing_mm > 0):
        raise ValueError(f"spacing_mm is a positive length, not {spacing_mm}")
    view = axial_view(reference).geometry
    spacing = np.array(view.spacing, dtype=np.float64)
    if np.all(np.abs(spacing[1:] / spacing_mm - 1) <= _SAME_SPACING):
        return view
    return regridded(view, (float(spacing[0]), spacing_mm, spacing_mm))


def regridded(geometry: VolumeGeometry, spacing_mm: ArrayLike) -> VolumeGeometry:
    """Return a grid with other spacings ``(3,)`` around the same centre, over at least the same extent."""
    wanted = np.asarray(spacing_mm, dtype=np.float64)
    shape, spacing = np.array(geometry.spatial_shape), np.array(geometry.spacing, dtype=np.float64)
    # Lengths that are equal but for rounding take no voxel more.
    counts = np.maximum(np.ceil(shape * spacing / wanted - 1e-3), 1).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = _directions(geometry.affine) * wanted
    centre = geometry.affine @ np.append((shape - 1) / 2, 1)
    affine[:3, 3] = centre[:3] - affine[:3, :3] @ ((counts - 1) / 2)
    return _geometry(affine, tuple(int(count) for count in counts), geometry)


def view_between(given: VolumeGeometry, wanted: VolumeGeometry) -> AxialView | None:
    """Return the view of one grid that is another one, or None where their voxels are not the same."""
    relation = np.linalg.inv(given.affine) @ wanted.affine
    signed = np.rint(relation[:3, :3])
    if not (np.abs(signed).sum(axis=0) == 1).all() or not (np.abs(signed).sum(axis=1) == 1).all():
        return None
    first, second, third = (int(axis) for axis in np.argmax(np.abs(signed), axis=0))
    order = (first, second, third)
    flipped = tuple(bool(signed[order[axis], axis] < 0) for axis in range(3))
    view = _view(given, order, flipped)
    return view if is_same_grid(view.geometry, wanted) else None


def is_same_grid(one: VolumeGeometry, other: VolumeGeometry) -> bool:
    """Return whether two grids have the same axes and voxels, to a hundredth of a voxel at every corner."""
    if tuple(one.spatial_shape) != tuple(other.spatial_shape):
        return False
    ends = np.array(list(itertools.product(*((0, size - 1) for size in one.spatial_shape))))
    corners = np.column_stack([ends, np.ones(8)])
    apart = (np.linalg.inv(one.affine) @ other.affine @ corners.T).T - corners
    return bool(np.abs(apart).max() <= _SAME_VOXELS)


def _view(geometry: VolumeGeometry, order: tuple[int, ...], flipped: tuple[bool, ...]) -> AxialView:
    shape = tuple(int(geometry.spatial_shape[axis]) for axis in order)
    affine = np.eye(4)
    affine[:3, 3] = geometry.affine[:3, 3]
    for axis, (old, flip) in enumerate(zip(order, flipped, strict=True)):
        step = geometry.affine[:3, old]
        affine[:3, axis] = -step if flip else step
        if flip:
            affine[:3, 3] += step * (shape[axis] - 1)
    first, second, third = order
    one, two, three = flipped
    return AxialView((first, second, third), (one, two, three), _geometry(affine, shape, geometry))


def _directions(affine: Matrix) -> Matrix:
    steps = np.asarray(affine, dtype=np.float64)[:3, :3]
    return np.asarray(steps / np.linalg.norm(steps, axis=0))


def _geometry(affine: Matrix, shape: tuple[int, ...], like: VolumeGeometry) -> VolumeGeometry:
    return VolumeGeometry(
        affine, shape, like.coordinate_system, frame_of_reference_uid=like.frame_of_reference_uid
    )
