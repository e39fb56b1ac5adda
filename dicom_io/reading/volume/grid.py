"""The grid of a stack of planes, and how far planes may lie from it: one bound for all who read or write.

Scanners round positions and directions, so no series is exactly its grid. What is read as a volume can be
written as a segmentation of its images too, because both ask here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dicom_io.reading.volume.planes import Plane

__all__ = ["FARTHEST_VOXELS", "common_orientation", "displacements", "grid_of", "off_grid", "right_angled"]

# Nowhere on a plane may a voxel lie further from its place: it would be nearer to that of its neighbour.
FARTHEST_VOXELS = 0.5
# Readers of results want right angles to 1e-4; directions within this are kept as they are stated.
_RIGHT_ANGLE = 5e-5


def grid_of(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Return the affine of the grid that planes are closest to.

    Parameters
    ----------
    planes : sequence of Plane
        In the order of the grid, along the normal or against it.

    Returns
    -------
    numpy.ndarray
        4 x 4, from index ``(z, y, x)`` to patient coordinates (LPS, mm). Directions are the mean ones, the
        distances within slices those of the first, the distance between them follows from both ends. The
        first axis of a single plane has length 0.
    """
    orientations = np.array([plane.orientation for plane in planes], dtype=np.float64)
    row, column = right_angled(orientations.mean(axis=0))
    normal = np.cross(row, column)
    first, last = np.array(planes[0].position), np.array(planes[-1].position)
    through = normal * (normal @ (last - first))
    affine = np.eye(4)
    affine[:3, 0] = through / max(len(planes) - 1, 1)
    affine[:3, 1] = column * planes[0].pixel_spacing[0]
    affine[:3, 2] = row * planes[0].pixel_spacing[1]
    # The drift that rounding leaves is shared between both ends.
    affine[:3, 3] = (first + last - through) / 2
    return affine


def right_angled(orientation: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the directions of a row and of a column, ``(2, 3)``, as unit vectors at a right angle."""
    row, column = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def common_orientation(plane: Plane) -> tuple[float, ...]:
    """Return the orientation that can stand for all planes: as stated, or put right where it is skewed."""
    row, column = np.array(plane.orientation, dtype=np.float64).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if (
        abs(row @ column) <= _RIGHT_ANGLE
        and max(abs(length**2 - 1) for length in lengths) <= 2 * _RIGHT_ANGLE
    ):
        return plane.orientation
    return tuple(float(value) for value in right_angled(plane.orientation).ravel())


def displacements(planes: Sequence[Plane], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the corners of each plane lie from their places on a grid, ``(planes, 4, 3)`` in mm."""
    places = np.array([plane.position for plane in planes], dtype=np.float64)[:, np.newaxis] + _extents(
        planes
    )
    rows, columns = planes[0].shape
    corners = np.array([[0, 0], [rows - 1, 0], [0, columns - 1], [rows - 1, columns - 1]])
    slices = affine[:3, 3] + np.outer(np.arange(len(planes)), affine[:3, 0])
    wanted: NDArray[np.float64] = slices[:, np.newaxis] + corners @ affine[:3, 1:3].T
    return np.asarray(places - wanted)


def off_grid(planes: Sequence[Plane], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far the voxels of each plane lie from their places, at its worst corner, in voxels.

    Two things are measured, and the larger counts: where the plane lies against the grid; and where it lies
    by its own directions and distances against those of the first plane, which a segmentation states for all.
    What is above :data:`FARTHEST_VOXELS` is off the grid: not read, and not written.

    Parameters
    ----------
    planes : sequence of Plane
        In the order of the grid.
    affine : numpy.ndarray
        Of the grid.
    """
    to_voxels = np.linalg.inv(affine[:3, :3]).T
    against_grid = np.abs(displacements(planes, affine) @ to_voxels).max(axis=(1, 2))
    first = replace(planes[0], orientation=common_orientation(planes[0]))
    against_first = np.abs((_extents(planes) - _extents([first])) @ to_voxels).max(axis=(1, 2))
    return np.asarray(np.maximum(against_grid, against_first))


def _extents(planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Return the ways from the first pixel to the four corners of each plane, ``(planes, 4, 3)`` in mm."""
    directions = np.array([plane.orientation for plane in planes], dtype=np.float64).reshape(-1, 2, 3)
    spacing = np.array([plane.pixel_spacing for plane in planes], dtype=np.float64)
    rows, columns = planes[0].shape
    down = directions[:, 1] * spacing[:, :1] * (rows - 1)
    right = directions[:, 0] * spacing[:, 1:] * (columns - 1)
    return np.stack([np.zeros_like(down), down, right, down + right], axis=1)
