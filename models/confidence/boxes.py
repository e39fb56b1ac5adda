"""Agreement of an ensemble of box detectors.

Fusion and support count all members, also the silent ones: a place that one of five members sees has
support .2 however sure that member is (Behrendt et al. 2023 fuse the same way).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from models.results import Box

__all__ = ["HIT_OVERLAP", "box_f1", "member_support", "pairwise_box_f1", "score_spread"]

HIT_OVERLAP = 0.2
"""Two boxes hit each other above this Jaccard index (NODE21, Behrendt et al. 2023)."""


def member_support(scores: Sequence[float]) -> float:
    """Return the fraction of all members that have a hit, from one score per member (0 = silent)."""
    if not scores:
        raise ValueError("an ensemble has at least one member")
    return sum(score > 0 for score in scores) / len(scores)


def score_spread(scores: Sequence[float]) -> float:
    """Return the population standard deviation of the members' scores, zeros for the silent ones."""
    if not scores:
        raise ValueError("an ensemble has at least one member")
    return float(np.std(np.asarray(scores, dtype=np.float64)))


def box_f1(first: Sequence[Box], second: Sequence[Box], overlap: float = HIT_OVERLAP) -> float:
    """Return the F1 score of two sets of boxes, matched one to one by falling overlap; both empty is 1."""
    if not first and not second:
        return 1.0
    pairs = sorted(
        (
            (a.intersection_over_union(b), i, j)
            for i, a in enumerate(first)
            for j, b in enumerate(second)
            if a.intersection_over_union(b) > overlap
        ),
        reverse=True,
    )
    used_first: set[int] = set()
    used_second: set[int] = set()
    for _, i, j in pairs:
        if i not in used_first and j not in used_second:
            used_first.add(i)
            used_second.add(j)
    return 2 * len(used_first) / (len(first) + len(second))


def pairwise_box_f1(members: Sequence[Sequence[Box]], overlap: float = HIT_OVERLAP) -> float:
    """Return the mean F1 over all pairs of members, the box counterpart of pairwise Dice (Zenk et al. 2024).

    One member alone agrees with itself: 1. All members empty is also 1, which is why an absolute check
    must stand beside this score.
    """
    if not members:
        raise ValueError("an ensemble has at least one member")
    scores = [box_f1(a, b, overlap) for a, b in combinations(members, 2)]
    return float(np.mean(scores)) if scores else 1.0
