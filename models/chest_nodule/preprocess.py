"""Bring a frontal chest film to the network's input: trim, resample, three grey-mapping-robust channels.

Training and inference use this one module, so a film meets the same arithmetic in both places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

FloatImage = NDArray[np.float32]

LONG_SIDE = 640
STRIDE = 32
TRIM_LIMIT = 0.25
TRIM_SPREAD = 0.08
LOCAL_WINDOW = 49
QUANTILES = 257


@dataclass(frozen=True)
class Placement:
    """Where the network's grid lies in the source film.

    Attributes
    ----------
    top, left : int
        First source row and column kept by the trim (0-based).
    rows, columns : int
        Extent of the kept part in source pixels.
    scale_y, scale_x : float
        Network pixels for one source pixel.
    """

    top: int
    left: int
    rows: int
    columns: int
    scale_y: float
    scale_x: float

    def to_source(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Carry boxes ``(n, 4)`` of (top, left, bottom, right) from network to source pixels."""
        scale = np.array([self.scale_y, self.scale_x] * 2, dtype=np.float64)
        origin = np.array([self.top, self.left] * 2, dtype=np.float64)
        return np.asarray(boxes, dtype=np.float64).reshape(-1, 4) / scale + origin

    def to_network(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Carry boxes ``(n, 4)`` of (top, left, bottom, right) from source to network pixels."""
        scale = np.array([self.scale_y, self.scale_x] * 2, dtype=np.float64)
        origin = np.array([self.top, self.left] * 2, dtype=np.float64)
        return (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - origin) * scale


def _edge_run(spread: NDArray[np.float32], threshold: float, limit: int) -> int:
    """Count the lines from the start whose spread stays under the threshold, at most ``limit``."""
    informative = np.flatnonzero(spread[:limit] >= threshold)
    return int(informative[0]) if informative.size else 0


def content_bounds(pixels: FloatImage) -> tuple[int, int, int, int]:
    """Find the part of a film inside collimation borders and blank margins.

    A line belongs to the border when the range between its 10th and 90th percentile is small
    against the film's own, whatever its brightness; so black and white margins both go, and a
    burned-in marker in a margin does not save it. At most a quarter is cut from each side.

    Parameters
    ----------
    pixels : ndarray
        ``(rows, columns)``, bone bright.

    Returns
    -------
    tuple of int
        (top, left, bottom, right), 0-based, bottom and right exclusive.
    """
    rows, columns = pixels.shape
    step = max(1, max(rows, columns) // 512)
    small = pixels[::step, ::step]
    low, high = np.percentile(small, [5, 95])
    threshold = TRIM_SPREAD * float(high - low)
    if threshold <= 0:
        return 0, 0, rows, columns
    across = np.percentile(small, [10, 90], axis=1)
    vertical = (across[1] - across[0]).astype(np.float32)
    limit = int(small.shape[0] * TRIM_LIMIT)
    top = _edge_run(vertical, threshold, limit) * step
    bottom = rows - _edge_run(vertical[::-1], threshold, limit) * step
    kept = small[top // step : max(bottom // step, top // step + 1)]
    along = np.percentile(kept, [10, 90], axis=0)
    horizontal = (along[1] - along[0]).astype(np.float32)
    limit = int(small.shape[1] * TRIM_LIMIT)
    left = _edge_run(horizontal, threshold, limit) * step
    right = columns - _edge_run(horizontal[::-1], threshold, limit) * step
    return top, left, bottom, right


def _resampler(source: int, target: int) -> sparse.csr_matrix:
    """Build the ``(target, source)`` matrix of triangle weights, widened when shrinking."""
    ratio = source / target
    support = max(1.0, ratio)
    centres = (np.arange(target) + 0.5) * ratio - 0.5
    reach = int(np.ceil(support)) + 1
    offsets = np.arange(-reach, reach + 1)
    taps = np.floor(centres)[:, None].astype(np.int64) + offsets
    weights = np.clip(1.0 - np.abs(taps - centres[:, None]) / support, 0.0, None)
    weights[(taps < 0) | (taps >= source)] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    index = np.repeat(np.arange(target), offsets.size)
    keep = weights.ravel() > 0
    return sparse.csr_matrix(
        (weights.ravel()[keep].astype(np.float32), (index[keep], taps.ravel()[keep])), shape=(target, source)
    )


def resample(pixels: FloatImage, rows: int, columns: int) -> FloatImage:
    """Resample an image to ``(rows, columns)`` with an antialiased triangle filter."""
    shrunk = _resampler(pixels.shape[0], rows) @ np.asarray(pixels, dtype=np.float32)
    return np.ascontiguousarray((_resampler(pixels.shape[1], columns) @ shrunk.T).T, dtype=np.float32)


def _equalised(values: FloatImage) -> FloatImage:
    """Replace each value by its rank in the film, 0..1: the same for every monotone grey mapping."""
    sample = values[::2, ::2].ravel()
    ranks = np.linspace(0.0, 1.0, QUANTILES)
    knots = np.quantile(sample, ranks)
    knots, first = np.unique(knots, return_index=True)
    if knots.size < 2:
        return np.zeros_like(values)
    last = np.append(first[1:], QUANTILES) - 1
    return np.asarray(np.interp(values, knots, (ranks[first] + ranks[last]) / 2), dtype=np.float32)


def _smooth(values: FloatImage) -> FloatImage:
    """Blur with a box applied twice: close to a Gaussian, at a cost that does not grow with its width."""
    once = ndimage.uniform_filter(values, LOCAL_WINDOW, mode="nearest")
    return np.asarray(ndimage.uniform_filter(once, LOCAL_WINDOW, mode="nearest"), dtype=np.float32)


def channels(film: FloatImage) -> NDArray[np.float32]:
    """Compute the three input channels of a film already trimmed and resampled.

    Parameters
    ----------
    film : ndarray
        ``(rows, columns)``, bone bright, any grey scale.

    Returns
    -------
    ndarray
        float32 ``(3, rows, columns)``: percentile-scaled, rank-equalised and local-contrast-normalised,
        each roughly in -1..1.
    """
    low, high = np.percentile(film[::2, ::2], [1, 99])
    if not high > low:
        return np.zeros((3, *film.shape), dtype=np.float32)
    scaled = np.clip((film - low) / (high - low), 0.0, 1.0).astype(np.float32)
    equalised = _equalised(film)
    mixed = 0.5 * (scaled + equalised)
    residual = mixed - _smooth(mixed)
    deviation = np.sqrt(np.maximum(_smooth(residual * residual), 0.0))
    local = np.clip(residual / (deviation + 0.02), -3.0, 3.0) / 3.0
    return np.stack([2 * scaled - 1, 2 * equalised - 1, local]).astype(np.float32)


def trim_and_scale(pixels: FloatImage, long_side: int = LONG_SIDE) -> tuple[FloatImage, Placement]:
    """Trim a film's borders and bring its long side to ``long_side`` network pixels.

    Raises
    ------
    ValueError
        If the film is not two-dimensional or smaller than 64 pixels on a side.
    """
    if pixels.ndim != 2 or min(pixels.shape) < 64:
        raise ValueError(f"pixels: a film has two axes of at least 64 pixels, not {pixels.shape}")
    finite = np.nan_to_num(np.asarray(pixels, dtype=np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    top, left, bottom, right = content_bounds(finite)
    kept = finite[top:bottom, left:right]
    scale = long_side / max(kept.shape)
    rows, columns = (max(STRIDE, round(side * scale)) for side in kept.shape)
    placement = Placement(
        top, left, kept.shape[0], kept.shape[1], rows / kept.shape[0], columns / kept.shape[1]
    )
    return resample(kept, rows, columns), placement


def pad_to_stride(tensor: NDArray[np.float32], stride: int = STRIDE) -> NDArray[np.float32]:
    """Pad the last two axes at the bottom and right with edge values to multiples of ``stride``."""
    rows, columns = tensor.shape[-2:]
    lead = [(0, 0)] * (tensor.ndim - 2)
    return np.pad(tensor, [*lead, (0, -rows % stride), (0, -columns % stride)], mode="edge")


def prepare(pixels: FloatImage, long_side: int = LONG_SIDE) -> tuple[NDArray[np.float32], Placement]:
    """Turn film pixels into the network's input.

    Parameters
    ----------
    pixels : ndarray
        float32 ``(rows, columns)``, bone bright and air dark, VOI already applied.
    long_side : int
        Network pixels along the longer side of the trimmed film.

    Returns
    -------
    tensor : ndarray
        float32 ``(1, 3, H, W)``, H and W multiples of 32.
    placement : Placement
        The way back to source pixels.
    """
    film, placement = trim_and_scale(pixels, long_side)
    return pad_to_stride(channels(film))[None], placement
