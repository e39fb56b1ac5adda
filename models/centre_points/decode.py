"""From a member's maps to scored boxes in network pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["calibrated", "decode", "intersection_over_union", "suppress"]

CELL = 4
MAXIMUM = 60


def calibrated(score: NDArray[np.float64], slope: float, offset: float) -> NDArray[np.float64]:
    """Map probabilities to calibrated ones: logistic of ``slope`` times the logit plus ``offset``."""
    clipped = np.clip(np.asarray(score, dtype=np.float64), 1e-6, 1 - 1e-6)
    logit = np.log(clipped) - np.log1p(-clipped)
    return np.asarray(1.0 / (1.0 + np.exp(-(slope * logit + offset))), dtype=np.float64)


def decode(
    centre: NDArray[np.float32], extent: NDArray[np.float32], floor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the peaks of a centre map.

    Parameters
    ----------
    centre : ndarray
        ``(h, w)`` probability that the centre of a finding lies in a cell of 4 network pixels.
    extent : ndarray
        ``(2, h, w)`` height and width in network pixels.
    floor : float
        Peaks below it are dropped.

    Returns
    -------
    boxes : ndarray
        float64 ``(n, 4)`` of (top, left, bottom, right) in network pixels, by falling score.
    scores : ndarray
        float64 ``(n,)``.
    """
    peaks = (centre == ndimage.maximum_filter(centre, 3, mode="constant")) & (centre >= floor)
    rows, columns = np.nonzero(peaks)
    scores = centre[rows, columns].astype(np.float64)
    order = np.argsort(-scores, kind="stable")[:MAXIMUM]
    rows, columns = rows[order], columns[order]
    middle = np.stack([rows + 0.5, columns + 0.5], axis=1) * CELL
    half = extent[:, rows, columns].T.astype(np.float64) / 2
    return np.concatenate([middle - half, middle + half], axis=1), scores[order]


def intersection_over_union(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jaccard index of one box ``(4,)`` with each of ``(n, 4)``."""
    corner_low = np.maximum(box[:2], others[:, :2])
    corner_high = np.minimum(box[2:], others[:, 2:])
    overlap = np.prod(np.clip(corner_high - corner_low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    return np.asarray(overlap / (areas + np.prod(box[2:] - box[:2]) - overlap), dtype=np.float64)


def suppress(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], limit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Greedy non-maximum suppression of boxes that come by falling score."""
    kept: list[int] = []
    for index in range(len(boxes)):
        if not kept or intersection_over_union(boxes[index], boxes[kept]).max() <= limit:
            kept.append(index)
    return boxes[kept], scores[kept]
