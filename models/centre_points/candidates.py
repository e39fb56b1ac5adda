"""From the members' calibrated boxes to candidates in source pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.centre_points.fuse import fuse
from models.results import Box, Candidate

__all__ = ["candidates_of"]

_Floats = NDArray[np.float64]


def candidates_of(
    scored: Sequence[tuple[_Floats, _Floats]],
    to_source: Callable[[_Floats], _Floats],
    shape: tuple[int, int],
    overlap: float,
    keep: Callable[[_Floats], bool] = lambda box: True,
) -> tuple[Candidate, ...]:
    """Fuse the members' boxes and carry them to the source image.

    Parameters
    ----------
    scored : sequence of (boxes, scores)
        Per member float64 ``(n, 4)`` in network pixels and ``(n,)`` calibrated; empty for a silent one.
    to_source : callable
        Carries boxes ``(n, 4)`` from network to source pixels.
    shape : tuple of int
        ``(rows, columns)`` of the source; boxes are cut there, and dropped where less than a pixel is left.
    overlap : float
        IoU above which boxes are the same place.
    keep : callable
        Says of a fused box ``(4,)`` in network pixels whether it is a candidate.

    Returns
    -------
    tuple of Candidate
        By falling score.
    """
    candidates = []
    for place in fuse(scored, overlap):
        if not keep(place.box):
            continue
        top, left, bottom, right = to_source(place.box[None])[0]
        if min(bottom, shape[0]) - max(top, 0) < 1 or min(right, shape[1]) - max(left, 0) < 1:
            continue
        box = Box(float(top), float(left), float(bottom), float(right)).clipped(*shape)
        candidates.append(Candidate(box, place.score, place.member_scores, place.support, place.mean_iou))
    return tuple(candidates)
