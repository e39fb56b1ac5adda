"""Planes to one grid: sorted along the normal, with every gap, copy, tilt and mixture refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.volume.grid import FARTHEST_VOXELS, grid_of, off_grid, right_angled
from dicom_io.reading.volume.planes import Plane

__all__ = ["Stack", "stack_planes"]

# Direction cosines are rounded to four digits at worst: .06 degrees.
_PARALLEL = 2e-3
# Above this angle it is no rounding and no motion, but another stack: a localiser, a second orientation.
_OTHER_STACK_DEGREES = 20.0
# Positions closer than this are one position; the thinnest slices of any scanner are .2 mm.
_SAME_POSITION_MM = 0.01
# Share of the spacing by which a gap may differ, for scanners that round positions to .1 mm.
_IRREGULAR = 0.05
_ROUNDED_POSITION_MM = 0.06
# Sideways drift of a stack: below .2 degrees over its length it moves no voxel of a usual stack by a pixel.
_TILT = np.tan(np.radians(0.2))
_SPACING = 1e-3
# Small differences between gaps add up: no slice may lie further than this from its place on the grid.
_OFF_GRID_MM = 0.1
_OFF_GRID = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Planes in order, and their grid.

    Parameters
    ----------
    planes : tuple of Plane
        Along the first axis of the grid, by rising position along the normal of the slices.
    order : tuple of int
        Index of each of these planes in what was given.
    affine : numpy.ndarray
        4 x 4, from index ``(z, y, x)`` to patient coordinates (LPS, mm).
    """

    planes: tuple[Plane, ...]
    order: tuple[int, ...]
    affine: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(z, y, x)``."""
        return len(self.planes), *self.planes[0].shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distances of voxel centres ``(z, y, x)`` in mm."""
        z, y, x = (float(value) for value in np.linalg.norm(self.affine[:3, :3], axis=0))
        return z, y, x


def stack_planes(planes: Sequence[Plane], *, minimum: int = 3) -> Stack:
    """Sort planes along their normal and return their grid; spacing follows from all of them.

    Parameters
    ----------
    planes : sequence of Plane
        Of one series and one frame of reference, in any order.
    minimum : int
        Fewer planes are no volume.

    Raises
    ------
    UnsuitableImage
        ``few-slices``, ``mixed-sizes``, ``mixed-pixel-spacing``, ``mixed-orientation``,
        ``non-parallel-slices``, ``duplicate-slice``, ``gantry-tilt``, ``shifted-slice``, ``missing-slice`` or
        ``irregular-spacing``: also where no single difference is large, but a voxel at a corner of an image
        would lie more than half a voxel from its place on the grid.
    """
    if len(planes) < max(minimum, 2):
        raise UnsuitableImage(
            "few-slices", f"the series has {len(planes)} slices, at least {minimum} are read"
        )
    _check_uniform(planes)
    row, column = _directions(planes)
    normal = np.cross(row, column)
    positions = np.array([plane.position for plane in planes], dtype=np.float64)
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    _check_duplicates(along[order])
    _check_alignment(positions[order], along[order], normal)
    _check_gaps(along[order])
    ordered = tuple(planes[index] for index in order)
    affine = grid_of(ordered)
    _check_corners(ordered, affine)
    return Stack(ordered, tuple(int(index) for index in order), affine)


def _check_uniform(planes: Sequence[Plane]) -> None:
    shapes = {plane.shape for plane in planes}
    if len(shapes) > 1:
        sizes = ", ".join(f"{rows} x {columns}" for rows, columns in sorted(shapes))
        raise UnsuitableImage("mixed-sizes", f"the slices have different sizes: {sizes}")
    spacing = np.array([plane.pixel_spacing for plane in planes])
    if (np.ptp(spacing, axis=0) > _SPACING * spacing.min(axis=0)).any():
        raise UnsuitableImage("mixed-pixel-spacing", "the slices have different pixel spacings")


def _directions(planes: Sequence[Plane]) -> NDArray[np.float64]:
    stated = [plane.orientation for plane in planes]
    orientations = np.array(stated, dtype=np.float64).reshape(-1, 2, 3)
    normals = np.cross(orientations[:, 0], orientations[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    widest = float(np.degrees(np.arccos(np.clip((normals @ normals[0]).min(), -1, 1))))
    if widest > _OTHER_STACK_DEGREES:
        raise UnsuitableImage(
            "mixed-orientation",
            f"the series holds slices of several orientations, up to {widest:.0f} degrees apart",
        )
    if np.abs(orientations - orientations[0]).max() > _PARALLEL:
        raise UnsuitableImage(
            "non-parallel-slices", f"the slices are not parallel: up to {widest:.2f} degrees apart, or turned"
        )
    return right_angled(orientations.mean(axis=0).ravel())


def _check_duplicates(along: NDArray[np.float64]) -> None:
    places, counts = np.unique(
        np.concatenate([[0], np.cumsum(np.diff(along) > _SAME_POSITION_MM)]), return_counts=True
    )
    if counts.max() == 1:
        return
    if len(places) > 1 and (counts == counts[0]).all():
        raise UnsuitableImage(
            "duplicate-slice",
            f"every one of {len(places)} positions has {counts[0]} slices: several time points or contrasts "
            "in one series",
        )
    copies = int((counts > 1).sum())
    raise UnsuitableImage("duplicate-slice", f"{copies} of {len(places)} positions have more than one slice")


def _check_alignment(
    positions: NDArray[np.float64], along: NDArray[np.float64], normal: NDArray[np.float64]
) -> None:
    sideways = positions - np.outer(along, normal)
    sideways -= sideways[0]
    length = along[-1] - along[0]
    allowed = max(_ROUNDED_POSITION_MM, _TILT * length)
    drift = float(np.linalg.norm(sideways[-1]))
    expected = np.outer((along - along[0]) / length, sideways[-1])
    if np.linalg.norm(sideways - expected, axis=1).max() > allowed:
        raise UnsuitableImage(
            "shifted-slice", "the slices do not lie straight behind one another: some are shifted sideways"
        )
    if drift > allowed:
        angle = float(np.degrees(np.arctan2(drift, length)))
        raise UnsuitableImage(
            "gantry-tilt",
            f"the slices are stacked at {angle:.1f} degrees to their normal (gantry tilt): no regular grid",
        )


def _check_gaps(along: NDArray[np.float64]) -> None:
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    step = (along[-1] - along[0]) / len(gaps)
    off = float(np.abs(along - along[0] - step * np.arange(len(along))).max())
    allowed = max(_IRREGULAR * usual, 2 * _ROUNDED_POSITION_MM if usual > 0.5 else _SAME_POSITION_MM)
    wide = gaps > usual + allowed
    regular = not wide.any() and (gaps >= usual - allowed).all()
    if regular and off <= _OFF_GRID_MM + _OFF_GRID * step:
        return
    if regular:
        raise UnsuitableImage(
            "irregular-spacing", f"the gaps between slices drift: one lies {off:.2f} mm from a regular grid"
        )
    counts = np.rint(gaps / usual)
    if wide.any() and (np.abs(gaps - counts * usual) <= allowed * np.maximum(counts, 1)).all():
        index = int(np.argmax(wide))
        missing = int((counts[wide] - 1).sum())
        raise UnsuitableImage(
            "missing-slice",
            f"{missing} {'slice is' if missing == 1 else 'slices are'} missing: the first gap of "
            f"{gaps[index]:.2f} mm instead of {usual:.2f} mm comes after slice {index + 1} of {len(along)}",
        )
    raise UnsuitableImage(
        "irregular-spacing", f"the slices are {gaps.min():.2f} to {gaps.max():.2f} mm apart: no regular grid"
    )


def _check_corners(planes: Sequence[Plane], affine: NDArray[np.float64]) -> None:
    """Refuse what the bounds above let pass and large or fine images show: half a voxel at a corner.

    The reason named is what moves a voxel furthest: spacing, direction or position.
    """
    furthest = float(off_grid(planes, affine).max())
    if furthest <= FARTHEST_VOXELS:
        return
    rows, columns = planes[0].shape
    spacing = np.array([plane.pixel_spacing for plane in planes])
    stretched = float((np.ptp(spacing, axis=0) / spacing[0] * [rows - 1, columns - 1]).max())
    away = np.array([plane.position for plane in planes]) - affine[:3, 3]
    away -= np.outer(np.arange(len(planes)), affine[:3, 0])
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    along, down, right = (np.abs(away @ (affine[:3, :3] / sizes)) / sizes).max(axis=0)
    drift = float((np.abs((away[-1] - away[0]) @ (affine[:3, 1:3] / sizes[1:])) / sizes[1:]).max()) / 2
    sideways = float(max(down, right))
    turned = furthest - max(stretched, along, sideways)
    words = f"a voxel lies up to {furthest:.2f} voxels from its place"
    if stretched >= max(along, sideways, turned):
        raise UnsuitableImage("mixed-pixel-spacing", f"the slices have different pixel spacings: {words}")
    if turned >= max(along, sideways):
        raise UnsuitableImage("non-parallel-slices", f"the slices are not parallel: {words}")
    if along >= sideways:
        raise UnsuitableImage("irregular-spacing", f"the gaps between slices drift: {words}")
    if drift >= FARTHEST_VOXELS / 2:
        raise UnsuitableImage("gantry-tilt", f"the slices are stacked askew (gantry tilt): {words}")
    raise UnsuitableImage("shifted-slice", f"some slices are shifted sideways: {words}")
