"""Weighted-boxes fusion over an ensemble, its score divided by all members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.centre_points.decode import intersection_over_union

__all__ = ["FusedBox", "fuse"]

Boxes = NDArray[np.float64]


@dataclass(frozen=True)
class FusedBox:
    """One fused place: box ``(4,)``, score, one score per member (0 where silent), support, mean IoU."""

    box: Boxes
    score: float
    member_scores: tuple[float, ...]
    support: float
    mean_iou: float


def fuse(members: Sequence[tuple[Boxes, NDArray[np.float64]]], limit: float) -> list[FusedBox]:
    """Fuse the members' boxes.

    Boxes are taken by falling score; each joins the cluster whose weighted box it overlaps most, if by
    more than ``limit``. A member counts once in a cluster, with its best box. The score is the sum of
    the member scores over the number of ALL members, so a place that one of five sees keeps a fifth.

    Parameters
    ----------
    members : sequence of (boxes, scores)
        Per member float64 ``(n, 4)`` and ``(n,)``; an empty pair for a silent one.
    limit : float
        IoU above which boxes are the same place.

    References
    ----------
    Solovyev et al. 2021, weighted boxes fusion; Behrendt et al. 2023 for the denominator.
    """
    if not members:
        raise ValueError("members: fusion needs at least one member")
    entries = [
        (float(score), index, box)
        for index, (boxes, scores) in enumerate(members)
        for box, score in zip(boxes, scores, strict=True)
    ]
    entries.sort(key=lambda entry: (-entry[0], entry[1]))
    clusters: list[dict[int, tuple[Boxes, float]]] = []
    means = np.zeros((len(entries), 4))
    for score, index, box in entries:
        overlaps = intersection_over_union(box, means[: len(clusters)])
        if overlaps.size and overlaps.max() > limit:
            best = int(overlaps.argmax())
            if index not in clusters[best]:
                clusters[best][index] = (box, score)
                means[best] = _mean(clusters[best])
        else:
            means[len(clusters)] = box
            clusters.append({index: (box, score)})
    fused = [_summary(cluster, len(members), limit) for cluster in clusters]
    return sorted(fused, key=lambda place: -place.score)


def _mean(cluster: dict[int, tuple[Boxes, float]]) -> Boxes:
    boxes = np.stack([box for box, _ in cluster.values()])
    weights = np.array([[max(score, 1e-9)] for _, score in cluster.values()])
    return np.asarray((boxes * weights).sum(axis=0) / weights.sum(), dtype=np.float64)


def _summary(cluster: dict[int, tuple[Boxes, float]], count: int, limit: float) -> FusedBox:
    box = _mean(cluster)
    scores = tuple(cluster[index][1] if index in cluster else 0.0 for index in range(count))
    overlaps = intersection_over_union(box, np.stack([b for b, _ in cluster.values()]))
    support = float((overlaps > limit).sum()) / count
    return FusedBox(box, sum(scores) / count, scores, support, float(overlaps.mean()))
