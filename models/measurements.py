"""Measurements of a mask: volume, slice of largest extent, outlining box, diameters, centre, parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist, squareform

from models.results import Box
from models.volume_results import Diameters

__all__ = ["box_on_slice", "centre_mm", "diameters_on_slice", "largest_slice", "parts", "volume_ml"]

_MM3_PER_ML = 1000.0


def volume_ml(mask: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> float:
    """Return the volume of ``mask`` in millilitres.

    Parameters
    ----------
    mask : numpy.ndarray
        ``(z, y, x)``.
    spacing_mm : tuple of float
        Distances of voxel centres ``(z, y, x)`` in millimetres.
    """
    return float(np.count_nonzero(mask)) * float(np.prod(spacing_mm)) / _MM3_PER_ML


def largest_slice(mask: NDArray[np.bool_]) -> int:
    """Return the slice with most voxels of ``mask`` ``(z, y, x)``, the first of equals.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    counts = np.count_nonzero(mask, axis=(1, 2))
    if not counts.any():
        raise ValueError("the mask is empty")
    return int(np.argmax(counts))


def centre_mm(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the centre of mass of ``mask`` in patient coordinates ``(x, y, z)``, in millimetres (LPS).

    Parameters
    ----------
    mask : numpy.ndarray
        ``(z, y, x)``.
    affine : numpy.ndarray
        ``(4, 4)`` from indices ``(z, y, x)`` to patient coordinates, centre of voxel to centre of voxel.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    indices = np.argwhere(mask)
    if not indices.size:
        raise ValueError("the mask is empty")
    x, y, z = (affine[:3, :3] @ indices.mean(axis=0) + affine[:3, 3]).tolist()
    return x, y, z


def parts(mask: NDArray[np.bool_]) -> int:
    """Return how many separate regions a mask ``(z, y, x)`` has; voxels that share a corner are one."""
    _, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim, dtype=int))
    return int(count)


def box_on_slice(mask: NDArray[np.bool_]) -> Box:
    """Return the outlining box of a mask ``(y, x)``, in edges of pixels.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("the mask is empty")
    return Box(float(rows[0]), float(columns[0]), float(rows[-1] + 1), float(columns[-1] + 1))


def diameters_on_slice(
    mask: NDArray[np.bool_], spacing_mm: tuple[float, float], slice_index: int
) -> Diameters:
    """Measure the largest component of a slice: longest diameter and the longest one across it.

    Lengths run from outer edge to outer edge of the pixels at both ends. The perpendicular is the longest
    chord of the component's convex hull at a right angle to the longest diameter.

    Parameters
    ----------
    mask : numpy.ndarray
        ``(y, x)``.
    spacing_mm : tuple of float
        Distances of pixel centres ``(y, x)`` in millimetres.
    slice_index : int
        Of the slice in its grid.

    Raises
    ------
    ValueError
        The mask is empty.

    References
    ----------
    Wen et al., RANO 2.0, J Clin Oncol 2023: largest diameter and its perpendicular on the slice of
    largest extent.
    """
    component = _largest_component(mask)
    corners = _corners(component)
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    millimetres = corners * spacing
    hull = _hull(millimetres)
    distances = squareform(pdist(hull))
    one, other = np.unravel_index(int(np.argmax(distances)), distances.shape)
    start, end = hull[one], hull[other]
    along = (end - start) / np.linalg.norm(end - start)
    feet = _widest_chord(hull, along)
    return Diameters(
        slice_index=slice_index,
        longest=(_pixel(start, spacing), _pixel(end, spacing)),
        perpendicular=(_pixel(feet[0], spacing), _pixel(feet[1], spacing)),
        longest_mm=float(distances.max()),
        perpendicular_mm=float(np.linalg.norm(feet[1] - feet[0])),
    )


def _largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labelled, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=int))
    if not count:
        raise ValueError("the mask is empty")
    sizes = np.bincount(labelled.ravel())[1:]
    return np.asarray(labelled == int(np.argmax(sizes)) + 1)


def _corners(component: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the corners of the border pixels, in coordinates of pixel centres ``(row, column)``."""
    border = component & ~ndimage.binary_erosion(component, border_value=0)
    rows, columns = np.nonzero(border)
    centres = np.stack([rows, columns], axis=1).astype(np.float64)
    offsets = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    return np.unique((centres[:, None, :] + offsets[None]).reshape(-1, 2), axis=0)


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return np.asarray(points[ConvexHull(points).vertices])
    except QhullError:
        return points


def _widest_chord(
    hull: NDArray[np.float64], along: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the longest chord of a convex polygon at a right angle to ``along``."""
    across = np.array([-along[1], along[0]])
    position, height = hull @ along, hull @ across
    best = (0.0, hull[0], hull[0])
    # The length of the chord is concave between neighbouring corners, so its maximum lies at a corner.
    for place in np.unique(position):
        heights = [height[np.isclose(position, place, atol=1e-9)]]
        for one in range(len(hull)):
            other = (one + 1) % len(hull)
            low, high = sorted((position[one], position[other]))
            if low < place < high:
                share = (place - position[one]) / (position[other] - position[one])
                heights.append(np.array([height[one] + share * (height[other] - height[one])]))
        crossing = np.concatenate(heights)
        if crossing.max() - crossing.min() > best[0]:
            ends = [along * place + across * value for value in (crossing.min(), crossing.max())]
            best = (float(crossing.max() - crossing.min()), ends[0], ends[1])
    return best[1], best[2]


def _pixel(point: NDArray[np.float64], spacing: NDArray[np.float64]) -> tuple[float, float]:
    row, column = point / spacing
    return float(row), float(column)
