"""How much more conspicuous one breast is than the other one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["ViewFeatures", "asymmetry", "density_index"]


@dataclass(frozen=True, slots=True)
class ViewFeatures:
    """What is compared of one view of one breast.

    Parameters
    ----------
    score : float
        Highest image score, in [0, 1].
    density : float
        Mean density index of its images, in [0, 1].
    """

    score: float
    density: float


def density_index(shares: NDArray[np.floating] | Sequence[float]) -> float:
    """Return the expected class on a scale from 0 (fatty) over 0.5 to 1 (dense-glandular)."""
    values = np.asarray(shares, dtype=np.float64)
    return float(np.clip(values @ np.array([0.0, 0.5, 1.0]) / max(float(values.sum()), 1e-9), 0.0, 1.0))


def asymmetry(
    own: Mapping[str, ViewFeatures], other: Mapping[str, ViewFeatures], density_share: float = 0.0
) -> float | None:
    """Compare a breast with the other one, view by view.

    Parameters
    ----------
    own, other : mapping of str to ViewFeatures
        By view; only views that both breasts have are compared, CC with CC and MLO with MLO.
    density_share : float
        Part of the difference of density indices, in [0, 1]; the rest is the difference of the scores.

    Returns
    -------
    float or None
        Mean difference in [-1, 1], above nought where the own breast is the more conspicuous one; the
        other breast has the same with the other sign. None where no view is common.
    """
    common = sorted(set(own) & set(other))
    if not common:
        return None
    differences = [
        (1 - density_share) * (own[view].score - other[view].score)
        + density_share * (own[view].density - other[view].density)
        for view in common
    ]
    return math.fsum(differences) / len(differences)
