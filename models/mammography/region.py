"""Find the breast in a mammogram: film labels, frames, stripes and padding stay outside.

The search runs on a reduced copy. A threshold between the background and the tissue comes from the histogram
of the square root of the grey values (the skin is only a little brighter than the air beside it); what is
left after an opening is one compact region with one straight side, that of the chest wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

__all__ = ["BreastRegion", "InvertedImage", "NoBreast", "find_breast", "reduced"]

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORKING_SIDE: Final = 256
_SMALLEST_SIDE: Final = 64
_BINS: Final = 128
_LEAST_RANGE: Final = 0.02
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.93
_DARKEST_TISSUE: Final = 0.3
_RIM: Final = 0.4
_RIM_WIDTH: Final = 4
_BAND: Final = 0.12
_PADDING: Final = 0.012
_CONTENT: Final = 0.15
_TRIES: Final = 3
_SATURATED: Final = 0.97
_FRAME_RING: Final = 0.75
_EVEN: Final = 0.01
_SYMMETRIC: Final = 0.22
_BROAD: Final = 0.8
_LEAST_SOLIDITY: Final = 0.72
_SECOND_SHARE: Final = 0.4
_STRAIGHT: Final = 0.09
_CURVED: Final = 0.07
_CLOSE: Final = 0.08
_WIDEST: Final = 1.4
_LEVELS: Final = 32
_BRIGHT_MODE: Final = 0.9
_DARK_AROUND: Final = 0.2
_MOST_WHITE: Final = 0.5


class NoBreast(ValueError):
    """The image shows no single breast with its chest wall at one side; the text says why."""


class InvertedImage(NoBreast):
    """The image is a negative: its air is bright, and the breast is dark."""


@dataclass(frozen=True, slots=True, eq=False)
class BreastRegion:
    """The breast in an image.

    Parameters
    ----------
    mask : numpy.ndarray
        Bool ``(rows, columns)`` of the reduced grid: true inside the breast, the pectoral muscle included.
    step : int
        Source pixels along one pixel of the reduced grid: pixel ``i`` covers ``i * step`` to
        ``(i + 1) * step``, less at the last row and column.
    box : tuple of int
        ``(top, left, bottom, right)`` of the breast in source pixels, bottom and right exclusive.
    chest_wall : {"left", "right"}
        On which side of the stored image the chest wall lies.
    """

    mask: Mask
    step: int
    box: tuple[int, int, int, int]
    chest_wall: Literal["left", "right"]

    @property
    def area(self) -> float:
        """Area of the breast in square source pixels."""
        return float(self.mask.sum()) * self.step**2


def reduced(pixels: FloatImage, step: int) -> FloatImage:
    """Return the means of blocks of ``step`` by ``step`` pixels; the last ones may be smaller."""
    if step == 1:
        return np.asarray(pixels, dtype=np.float32)
    rows, columns = pixels.shape
    row_starts, column_starts = np.arange(0, rows, step), np.arange(0, columns, step)
    sums = np.add.reduceat(np.add.reduceat(pixels, row_starts, axis=0), column_starts, axis=1)
    heights = np.diff(np.append(row_starts, rows))[:, None]
    widths = np.diff(np.append(column_starts, columns))[None]
    return np.asarray(sums / (heights * widths), dtype=np.float32)


def find_breast(pixels: FloatImage) -> BreastRegion:
    """Find the breast in a mammogram.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` in [0, 1], tissue bright and air dark.

    Returns
    -------
    BreastRegion
        Mask on a reduced grid of at most 256 pixels, box and side of the chest wall.

    Raises
    ------
    NoBreast
        The image is constant or nearly so, or shows no single region of the shape of a breast.
    InvertedImage
        What is found is the bright air of a negative; many negatives show no such region in the first place.
    """
    if pixels.ndim != 2 or min(pixels.shape) < _SMALLEST_SIDE:
        raise NoBreast(f"a mammogram has two axes of at least {_SMALLEST_SIDE} pixels, not {pixels.shape}")
    step = max(1, -(-max(pixels.shape) // WORKING_SIDE))
    small = np.nan_to_num(reduced(pixels, step))
    low, high = np.percentile(small, [0.5, 99.5])
    if high - low < _LEAST_RANGE:
        raise NoBreast("the image has no contrast")
    unit = np.clip((small - low) / (high - low), 0.0, 1.0)
    mask, chest_wall = _search(unit)
    _refuse_negative(unit, mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (
        int(rows[0]) * step,
        int(columns[0]) * step,
        min(int(rows[-1] + 1) * step, pixels.shape[0]),
        min(int(columns[-1] + 1) * step, pixels.shape[1]),
    )
    return BreastRegion(mask, step, box, chest_wall)


def _search(unit: FloatImage) -> tuple[Mask, Literal["left", "right"]]:
    """Return the breast and its straight side at the first threshold that shows one."""
    frame = _white_frame(unit)
    sharp = np.sqrt(unit)
    grey = ndimage.gaussian_filter(sharp, 1.0)
    reason = NoBreast("nothing but background is seen")
    for number, (air, threshold) in enumerate(_thresholds(unit, grey, frame)):
        try:
            mask = _breast_component((grey > threshold) & (unit > _PADDING) & ~frame)
            if np.subtract(*np.percentile(unit[mask], [75, 25])) < _EVEN:
                raise NoBreast("what is seen is evenly bright: no tissue is told apart")
            chest_wall = _chest_wall(mask)
        except NoBreast as error:
            reason = error if number == 0 else reason
            continue
        _refuse_symmetry(grey, mask)
        mask = _without_band(sharp, mask)
        brighter = (grey > air + _RIM * (threshold - air)) & (unit > _PADDING) & ~frame
        return _with_rim(mask, brighter), chest_wall
    raise reason


def _refuse_symmetry(grey: FloatImage, mask: Mask) -> None:
    """Refuse what is broad and alike on both sides, as a chest film is and a breast is not."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if columns.size <= _BROAD * rows.size:
        return
    inside = np.where(mask[window], grey[window], grey[mask].min())
    if np.corrcoef(inside.ravel(), inside[:, ::-1].ravel())[0, 1] > _SYMMETRIC:
        raise NoBreast("the left and right halves are alike, as on a chest film: this is no single breast")


def _refuse_negative(unit: FloatImage, mask: Mask) -> None:
    """Refuse air that is taken for a breast: most of the image is white, and so is what is found.

    Of a breast most is grey, and what lies around it is dark.
    """
    counts = np.histogram(unit, _LEVELS, (0.0, 1.0))[0]
    mode = (int(np.argmax(counts)) + 0.5) / _LEVELS
    if mode <= _BRIGHT_MODE:
        return
    around = float(unit[~mask].mean()) if not mask.all() else 0.0
    if around > _DARK_AROUND or float((unit[mask] > _BRIGHT_MODE).mean()) > _MOST_WHITE:
        raise InvertedImage("most of the image is white: it is a negative, or clipped to white")


def _without_band(sharp: FloatImage, mask: Mask) -> Mask:
    """Cut off a band above the breast that ends at a straight horizontal edge: tape, or the film's end."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = rows[0]
    for row in range(rows[0] + 1, rows[0] + max(2, int(_BAND * rows.size))):
        both = mask[row - 1] & mask[row + 1]
        rise = sharp[row + 1, both] - sharp[row - 1, both]
        if rise.size >= 8 and np.mean(rise > 0.03) > 0.85 and np.median(rise) > 0.1:
            first = row + 1
    kept = mask.copy()
    kept[:first] = False
    return kept


def _with_rim(mask: Mask, brighter: Mask) -> Mask:
    """Grow the breast by a few pixels into what is still brighter than air: the skin is thin and dark."""
    rim = ndimage.binary_dilation(mask, iterations=_RIM_WIDTH, mask=brighter | mask)
    rows = np.flatnonzero(mask.any(axis=1))
    rim[: rows[0]] = False
    smooth = ndimage.binary_opening(np.pad(rim, 2, mode="edge"), iterations=2)[2:-2, 2:-2]
    return np.asarray(ndimage.binary_fill_holes(smooth | mask), dtype=np.bool_)


def _thresholds(unit: FloatImage, grey: FloatImage, frame: Mask) -> list[tuple[float, float]]:
    """Return levels of air and thresholds, rising: a film's fog may lie well above the padding around it."""
    candidates = ~frame
    content = (unit > _PADDING) & candidates
    rows = np.flatnonzero(content.mean(axis=1) > _CONTENT)
    columns = np.flatnonzero(content.mean(axis=0) > _CONTENT)
    if not rows.size or not columns.size:
        raise NoBreast("nothing but background is seen")
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    values = grey[window][candidates[window]]
    thresholds: list[tuple[float, float]] = []
    for _ in range(_TRIES):
        if values.size < _LEAST_SHARE * unit.size:
            break
        counts = np.histogram(values, _BINS, (0.0, 1.0))[0].astype(np.float64)
        thresholds.append(_threshold(counts))
        values = values[values > thresholds[-1][1]]
    # A second level that is as dark as this is fog beside padding, not tissue: the padding's comes last.
    if len(thresholds) > 1 and thresholds[1][0] < _DARKEST_TISSUE:
        thresholds.append(thresholds.pop(0))
    return thresholds


def _white_frame(unit: FloatImage) -> Mask:
    """Mark saturated parts at the image's border that are frames: long, and box-like or thin."""
    labels, count = ndimage.label(unit >= _SATURATED)
    frame = np.zeros(unit.shape, dtype=np.bool_)
    rows, columns = unit.shape
    for index, window in enumerate(ndimage.find_objects(labels, count), start=1):
        part = labels[window] == index
        height, width = part.shape
        at_border = (
            window[0].start == 0
            or window[1].start == 0
            or window[0].stop == rows
            or window[1].stop == columns
        )
        long = height > 0.6 * rows or width > 0.6 * columns
        thin = part.sum() < 0.25 * max(height, width) ** 2
        filled = part.mean() > 0.85
        if at_border and long and (filled or (thin and _is_abrupt(unit, labels == index))):
            frame[window] |= part
    return np.asarray(ndimage.binary_dilation(frame, iterations=2) if frame.any() else frame)


def _is_abrupt(unit: FloatImage, part: Mask) -> bool:
    """Tell a frame from a saturated muscle, around which the image is bright as well."""
    near = ndimage.binary_dilation(part, iterations=2)
    ring = ndimage.binary_dilation(near, iterations=2) & ~near
    return bool(ring.any() and np.median(unit[ring]) < _FRAME_RING)


def _threshold(counts: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mode of the background, and the valley between it and Otsu's threshold.

    References
    ----------
    Otsu N. A threshold selection method from gray-level histograms. IEEE Trans SMC 1979;9:62-66.
    """
    levels = (np.arange(_BINS) + 0.5) / _BINS
    below = np.cumsum(counts)
    sums = np.cumsum(counts * levels)
    total, mean = below[-1], sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.nan_to_num((mean * below / total - sums) ** 2 / (below * (total - below)), posinf=0.0)
    otsu = int(np.argmax(between))
    smooth = ndimage.gaussian_filter1d(counts, 2.0, mode="nearest")
    mode = int(np.argmax(smooth[: otsu + 1]))
    first = min(mode + 3, otsu)
    valley = first + int(np.argmin(smooth[first : otsu + 1]))
    return float(levels[mode]), float(levels[valley])


def _breast_component(foreground: Mask) -> Mask:
    """Return the region of the breast without stripes and labels, or say why there is none."""
    radius = 4
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = (y * y + x * x) <= radius * radius
    # The border repeats outwards, so that the opening does not round off a breast cut by the film's edge.
    padded = np.pad(foreground, radius, mode="edge")
    opened = ndimage.binary_opening(padded, disc)[radius:-radius, radius:-radius]
    labels, count = ndimage.label(opened)
    if count == 0:
        raise NoBreast("no region of the size of a breast is seen")
    areas = np.bincount(labels.ravel())[1:]
    order = np.argsort(areas)[::-1]
    share = float(areas[order[0]]) / foreground.size
    if share < _LEAST_SHARE:
        raise NoBreast("no region of the size of a breast is seen")
    if count > 1 and areas[order[1]] > _SECOND_SHARE * areas[order[0]]:
        raise NoBreast("more than one region of the size of a breast is seen")
    core = labels == order[0] + 1
    grown = ndimage.binary_dilation(core, disc) & foreground
    mask = ndimage.binary_fill_holes(ndimage.binary_opening(grown, iterations=2) | core)
    if mask.mean() > _MOST_SHARE:
        raise NoBreast("the image is filled to all sides: no air is seen beside a breast")
    if _solidity(mask) < _LEAST_SOLIDITY:
        raise NoBreast("what is seen does not have the shape of a breast")
    return np.asarray(mask, dtype=np.bool_)


def _solidity(mask: Mask) -> float:
    """Return the share of the convex hull that the region fills."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    corners = [(row + d, column) for row, column in zip(rows, first, strict=True) for d in (0, 1)]
    corners += [(row + d, column) for row, column in zip(rows, last, strict=True) for d in (0, 1)]
    try:
        hull = ConvexHull(np.array(corners, dtype=np.float64)).volume
    except QhullError:
        return 0.0
    return float(mask.sum() / hull)


def _chest_wall(mask: Mask) -> Literal["left", "right"]:
    """Return the straight side of the breast: there, the rows end close to the edge of its box."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    width = columns[-1] + 1 - columns[0]
    if width > _WIDEST * rows.size:
        raise NoBreast("the breast is much wider than high: its chest wall is not at the left or right")
    first = mask[rows].argmax(axis=1) - columns[0]
    last = columns[-1] - (mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1))
    left, right = float(np.mean(first)) / width, float(np.mean(last)) / width
    if min(left, right) > _STRAIGHT:
        raise NoBreast("no straight side is seen where the chest wall would be")
    if max(left, right) < _CURVED:
        raise NoBreast("both sides are straight: the outline of a breast is not seen")
    if abs(left - right) < _CLOSE:
        # A breast cut by the film on the far side: its upper end still lies at the chest wall.
        upper = max(1, rows.size // 4)
        left, right = float(np.mean(first[:upper])), float(np.mean(last[:upper]))
    return "left" if left < right else "right"
