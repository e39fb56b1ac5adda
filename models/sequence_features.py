"""What the intensities of a head say about its contrast, as numbers that no scanner's units enter.

All are taken from at most a dozen axial slices through the middle of the head, averaged to pixels of about
2 mm. Lengths are measured from the outline of the head in the plane: the scalp is the first millimetres,
the brain begins at about 16.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["FEATURES", "features_of"]

_PIXEL_MM: Final = 2.0
_SLICES: Final = 12
_COARSER: Final = 1.3
_FEWEST_PIXELS: Final = 24
_LARGE: Final = 0.7
_SCALP_MM: Final = (2.0, 9.0)
_SHELL_MM: Final = (16.0, 28.0)
_DEEP_MM: Final = 36.0
_SMALLEST: Final = 400
_QUANTILES: Final = (0.5, 2.0, 5.0, 10.0, 25.0, 75.0, 90.0, 95.0, 98.0, 99.0, 99.7)

FEATURES: Final[tuple[str, ...]] = (
    *(f"brain quantile {quantile:g} %" for quantile in _QUANTILES),
    "scalp, median",
    "scalp, 90 %",
    "deep brain, median",
    "deep brain, 2 %",
    "deep brain, 98 %",
    "beside dark clefts against further away",
    "beside bright clefts against further away",
    "small bright structures, 98 %",
    "small bright structures, 99 %",
    "small bright structures, 99.5 %",
    "small bright structures, 99.9 %",
    "small dark structures, 98 %",
    "small bright structures near the middle line, 99 %",
    "texture",
    "spread of the brain",
)
"""Names, in the order of the numbers: differences from the median of the brain in quartile distances of the
brain, as inverse hyperbolic sines; last the logarithm of that distance, relative to the median."""

_Plane = NDArray[np.float32]


def features_of(volume: NDArray[np.generic], pixel_mm: tuple[float, float]) -> NDArray[np.float64] | None:
    """Return the features of a head, None where there is no head to see.

    Parameters
    ----------
    volume : numpy.ndarray
        ``(z, y, x)``, axial slices with rows from front to back, any unit and any offset.
    pixel_mm : tuple of float
        Distance of rows and of columns.

    Returns
    -------
    numpy.ndarray or None
        As many numbers as :data:`FEATURES`; None for a constant volume, one with values that are not finite,
        or one whose slices are too small to hold a head.
    """
    planes = _coarse(volume, pixel_mm)
    if planes is None or not np.isfinite(planes).all():
        return None
    planes = planes - _background(planes)
    top = float(np.percentile(planes, 99))
    if not top > 0:
        return None
    heads = np.stack([_filled(plane > 0.12 * top) for plane in planes])
    areas = heads.sum(axis=(1, 2))
    large = np.flatnonzero(areas >= _LARGE * areas.max())
    chosen = large[np.unique(np.linspace(0, len(large) - 1, min(_SLICES, len(large))).astype(int))]
    planes, heads = planes[chosen], heads[chosen]
    depth = np.stack([_depth(head) for head in heads])
    brain = depth > _SHELL_MM[0]
    if brain.sum() < _SMALLEST:
        return None
    return _measured(planes, depth, brain)


def _coarse(volume: NDArray[np.generic], pixel_mm: tuple[float, float]) -> _Plane | None:
    """Bring pixels to about 2 mm: finer ones are averaged in blocks, coarser ones interpolated."""
    if volume.ndim != 3 or not all(0 < size < 20 for size in pixel_mm):
        raise ValueError("a volume (z, y, x) and two pixel sizes in mm are needed")
    down, right = (max(round(_PIXEL_MM / size), 1) for size in pixel_mm)
    rows, columns = volume.shape[1] // down, volume.shape[2] // right
    if min(volume.shape[0], rows, columns) < 1:
        return None
    # Slices at the very ends are neck or vertex; some dozens of the rest find the largest heads.
    picked = volume[:: max(volume.shape[0] // 36, 1), : rows * down, : columns * right].astype(np.float32)
    planes = picked.reshape(-1, rows, down, columns, right).mean(axis=(2, 4))
    zoom = (pixel_mm[0] * down / _PIXEL_MM, pixel_mm[1] * right / _PIXEL_MM)
    if max(zoom) > _COARSER:
        wanted = tuple(factor if factor > _COARSER else 1.0 for factor in zoom)
        planes = ndimage.zoom(planes, (1.0, *wanted), order=1)
    return np.asarray(planes, dtype=np.float32) if min(planes.shape[1:]) >= _FEWEST_PIXELS else None


def _background(planes: _Plane) -> float:
    """Return the value of air: the middle of the image borders; signed images have it far from zero."""
    edge = np.concatenate([planes[:, 0], planes[:, -1], planes[:, :, 0].reshape(len(planes), -1)], axis=1)
    return float(min(np.median(edge), np.percentile(planes, 20)))


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close the outline of a head and fill it; the largest part only."""
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(mask, 4), iterations=3))[4:-4, 4:-4]
    labels, count = ndimage.label(ndimage.binary_opening(closed, iterations=1))
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _depth(head: NDArray[np.bool_]) -> _Plane:
    """Return the distance from the outline in mm; a head that fills the image has no outline there."""
    padded = np.pad(head, 1)
    return np.asarray(ndimage.distance_transform_edt(padded)[1:-1, 1:-1] * _PIXEL_MM, dtype=np.float32)


def _measured(planes: _Plane, depth: _Plane, brain: NDArray[np.bool_]) -> NDArray[np.float64]:
    inside = planes[brain]
    middle = float(np.median(inside))
    scale = max(abs(middle), 1e-6)
    relative = (planes - middle) / scale
    shell = brain & (depth < _SHELL_MM[1])
    deep = relative[depth > _DEEP_MM] if (depth > _DEEP_MM).sum() > 50 else relative[brain]
    scalp = relative[(depth > _SCALP_MM[0]) & (depth < _SCALP_MM[1])]
    smooth = np.stack([ndimage.median_filter(plane, size=7) for plane in relative])
    fine = (relative - smooth)[brain]
    line = np.zeros_like(brain)
    for index, inner in enumerate(brain):
        columns = np.flatnonzero(inner.any(axis=0))
        if columns.size:
            centre = int(columns.mean())
            line[index, :, max(centre - 5, 0) : centre + 6] = True
    middle_line = (relative - smooth)[brain & line]
    values = [
        *np.percentile(relative[brain], _QUANTILES),
        float(np.median(scalp)) if scalp.size else 0.0,
        float(np.percentile(scalp, 90)) if scalp.size else 0.0,
        float(np.median(deep)),
        float(np.percentile(deep, 2)),
        float(np.percentile(deep, 98)),
        _beside(relative, brain, shell, dark=True),
        _beside(relative, brain, shell, dark=False),
        *np.percentile(fine, (98, 99, 99.5, 99.9)),
        float(-np.percentile(fine, 2)),
        float(np.percentile(middle_line, 99)) if middle_line.size else 0.0,
        float(np.median(np.abs(fine))),
    ]
    spread = max(float(np.subtract(*np.percentile(relative[brain], (75, 25)))), 1e-3)
    return np.append(np.arcsinh(np.array(values, dtype=np.float64) / spread), np.log(spread))


def _beside(relative: _Plane, brain: NDArray[np.bool_], shell: NDArray[np.bool_], *, dark: bool) -> float:
    """Return how much brighter tissue right beside clefts is than tissue some millimetres away from them.

    The cortex lines the clefts, white matter lies behind it: negative where white matter is the brighter.
    """
    limit = np.percentile(relative[brain], 4 if dark else 96)
    clefts = brain & ((relative < limit) if dark else (relative > limit))
    away = np.stack([ndimage.distance_transform_edt(~plane) for plane in clefts]) * _PIXEL_MM
    near = relative[shell & (away > 2.5) & (away < 5.5)]
    far = relative[brain & (away > 8) & (away < 16)]
    if near.size < 20 or far.size < 20:
        return 0.0
    return float(np.median(near) - np.median(far))
