"""Volumes on other grids, with SimpleITK: linear, smoothed where the grid is coarser, never made up."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import numpy as np
import SimpleITK as sitk
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray
from scipy import ndimage

from models.geometry.grids import view_between
from models.geometry.study import Matrix

__all__ = ["Interpolation", "as_image", "as_motion", "covered", "resample", "to_source"]

Interpolation = Literal["linear", "nearest"]
_Floats = NDArray[np.float32]
_Booleans = NDArray[np.bool_]

_INTERPOLATORS: Final[dict[str, int]] = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}
_RIGHT_ANGLE: Final = 1e-3
# A voxel of the grid is sampled finer where it is longer than this many voxels of the volume.
_COARSER: Final = 1.1
_FINEST: Final = 8
# Standard deviation of a Gaussian by its full width at half maximum.
_SIGMA: Final = 1 / (2 * math.sqrt(2 * math.log(2)))
_LARGEST_PIECE: Final = 1 << 25


def as_image(array: NDArray[Any], affine: Matrix) -> sitk.Image:
    """Return an array ``(z, y, x)`` with its affine (LPS, mm) as an image of SimpleITK, which is LPS too."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    spacing, direction = _frame(affine)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    image.SetOrigin([float(value) for value in affine[:3, 3]])
    return image


def as_motion(matrix: Matrix) -> sitk.AffineTransform:
    """Return a matrix of 4 x 4 in LPS mm as a transformation of SimpleITK."""
    motion = sitk.AffineTransform(3)
    motion.SetMatrix([float(value) for value in matrix[:3, :3].ravel()])
    motion.SetTranslation([float(value) for value in matrix[:3, 3]])
    return motion


def resample(
    volume: Volume,
    grid: VolumeGeometry,
    transform: Matrix | None = None,
    interpolation: Interpolation = "linear",
) -> tuple[_Floats, _Booleans]:
    """Return a volume on another grid, and where it shows anything.

    Parameters
    ----------
    volume : highdicom.Volume
        ``(z, y, x)``.
    grid : highdicom.VolumeGeometry
        Where values are wanted. A grid of the same voxels, whatever the order of its axes, gets them
        unchanged.
    transform : numpy.ndarray or None
        4 x 4: a place of the grid in LPS mm to the same anatomy in the volume; None where both are told in
        one frame.
    interpolation : {"linear", "nearest"}
        Linear values are weighted with a Gaussian as wide as a voxel of the grid along each axis on which
        the grid is coarser than the volume: fine structures are averaged and not skipped.

    Returns
    -------
    values : numpy.ndarray
        Float32 ``(z, y, x)``; the minimum of the volume outside its field of view.
    coverage : numpy.ndarray
        Bool ``(z, y, x)``: within the field of view.

    Raises
    ------
    ValueError
        The volume has further axes, or the interpolation is unknown.
    """
    if volume.array.ndim != 3:
        raise ValueError(f"a volume (z, y, x) is resampled, not an array of {volume.array.ndim} axes")
    if interpolation not in _INTERPOLATORS:
        raise ValueError(f"interpolation is linear or nearest, not {interpolation!r}")
    moved = np.eye(4) if transform is None else np.asarray(transform, dtype=np.float64)
    if np.array_equal(moved, np.eye(4)):
        view = view_between(volume.get_geometry(), grid)
        if view is not None:
            same = np.array(view.apply(volume.array), dtype=np.float32, order="C")
            return same, np.ones(same.shape, dtype=bool)
    image = as_image(np.asarray(volume.array, dtype=np.float32), np.asarray(volume.affine))
    motion = as_motion(moved)
    to_index = np.linalg.inv(volume.affine) @ moved @ grid.affine
    finer = (1, 1, 1) if interpolation == "nearest" else _finer(volume, grid, moved)
    shape = tuple(int(size) for size in grid.spatial_shape)
    values, coverage = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=bool)
    thick = max(1, _LARGEST_PIECE // (finer[0] * finer[1] * finer[2] * shape[1] * shape[2]))
    for start in range(0, shape[0], thick):
        piece = slice(start, min(start + thick, shape[0]))
        affine = grid.affine.copy()
        affine[:3, 3] += affine[:3, 0] * start
        size = (piece.stop - piece.start, shape[1], shape[2])
        coverage[piece] = covered(volume.spatial_shape, size, to_index @ _shifted(start))
        values[piece] = _sampled(
            image, affine, size, motion, finer, interpolator=_INTERPOLATORS[interpolation]
        )
    values[~coverage] = np.float32(volume.array.min())
    return values, coverage


def to_source(
    probability: NDArray[np.floating[Any]], working: VolumeGeometry, source: VolumeGeometry
) -> _Floats:
    """Return probabilities of the working grid on the grid of the source series.

    Parameters
    ----------
    probability : numpy.ndarray
        ``(z, y, x)`` in [0, 1], on ``working``.
    working : highdicom.VolumeGeometry
        See :func:`models.geometry.grids.working_grid`.
    source : highdicom.VolumeGeometry
        Grid of the series that the result is told on.

    Returns
    -------
    numpy.ndarray
        Float32 ``(z, y, x)`` in [0, 1]: exactly the given values where both grids have the same voxels, else
        interpolated linearly; 0 outside the working grid.
    """
    if probability.shape != tuple(working.spatial_shape):
        raise ValueError(f"probabilities {probability.shape} do not lie on a grid of {working.spatial_shape}")
    volume = Volume(np.asarray(probability, dtype=np.float32), working.affine, working.coordinate_system)
    values, coverage = resample(volume, source)
    values[~coverage] = 0
    return np.clip(values, 0, 1, out=values)


def covered(given: tuple[int, ...], shape: tuple[int, int, int], to_index: Matrix) -> _Booleans:
    """Return which voxels ``(z, y, x)`` lie within a volume, up to the outer borders of its voxels.

    Parameters
    ----------
    given : tuple of int
        Shape of the volume.
    shape : tuple of int
        Shape of the result.
    to_index : numpy.ndarray
        4 x 4: index of the result to index of the volume.
    """
    inside = np.ones(shape, dtype=bool)
    z, y, x = (np.arange(size, dtype=np.float32) for size in shape)
    for axis, size in enumerate(given):
        dz, dy, dx, first = (float(value) for value in to_index[axis])
        place = (
            np.float32(dz) * z[:, None, None]
            + np.float32(dy) * y[None, :, None]
            + (np.float32(dx) * x + np.float32(first))[None, None, :]
        )
        inside &= (place >= -0.501) & (place <= size - 0.499)
    return inside


def _frame(affine: Matrix) -> tuple[list[float], list[float]]:
    """Return spacing and direction in the order of SimpleITK, which counts the fastest axis first."""
    steps = np.asarray(affine, dtype=np.float64)[:3, 2::-1]
    spacing = np.linalg.norm(steps, axis=0)
    directions = steps / spacing
    if np.abs(directions.T @ directions - np.eye(3)).max() > _RIGHT_ANGLE:
        raise ValueError("a grid has axes at right angles")
    return [float(value) for value in spacing], [float(value) for value in directions.ravel()]


def _finer(volume: Volume, grid: VolumeGeometry, moved: Matrix) -> tuple[int, int, int]:
    """Return how many samples a voxel of the grid needs along each axis to miss nothing of the volume."""
    # Length of one voxel of the grid in voxels of the volume, along each of its axes.
    steps = np.linalg.inv(volume.affine[:3, :3]) @ moved[:3, :3] @ grid.affine[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    z, y, x = (min(math.ceil(length), _FINEST) if length > _COARSER else 1 for length in lengths)
    return z, y, x


def _sampled(
    image: sitk.Image,
    affine: Matrix,
    shape: tuple[int, int, int],
    motion: sitk.AffineTransform,
    finer: tuple[int, int, int],
    *,
    interpolator: int,
) -> _Floats:
    # One voxel more on either side, so that the Gaussian has what it weighs at the border.
    margin = [factor if factor > 1 else 0 for factor in finer]
    fine = affine @ np.diag([1 / finer[0], 1 / finer[1], 1 / finer[2], 1.0])
    fine[:3, 3] -= fine[:3, :3] @ margin
    sizes = [
        (size - 1) * factor + 1 + 2 * more for size, factor, more in zip(shape, finer, margin, strict=True)
    ]
    spacing, direction = _frame(fine)
    sampler = sitk.ResampleImageFilter()
    sampler.SetSize([int(size) for size in reversed(sizes)])
    sampler.SetOutputSpacing(spacing)
    sampler.SetOutputDirection(direction)
    sampler.SetOutputOrigin([float(value) for value in fine[:3, 3]])
    sampler.SetTransform(motion)
    sampler.SetInterpolator(interpolator)
    # Nothing outside is made up: these values give way to those of the caller, but for the outer half voxel.
    sampler.UseNearestNeighborExtrapolatorOn()
    values: _Floats = sitk.GetArrayFromImage(sampler.Execute(image))
    for axis, (factor, more) in enumerate(zip(finer, margin, strict=True)):
        if factor > 1:
            # Neighbouring samples are already interpolated over the length of one.
            sigma = _SIGMA * math.sqrt(factor**2 - 1)
            values = ndimage.gaussian_filter1d(values, sigma, axis=axis, mode="nearest", radius=factor)
            values = values[(slice(None),) * axis + (slice(more, values.shape[axis] - more, factor),)]
    return values


def _shifted(start: int) -> Matrix:
    matrix = np.eye(4)
    matrix[0, 3] = start
    return matrix
