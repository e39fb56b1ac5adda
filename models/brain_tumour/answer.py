"""What the members of a brain tumour package say of one study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.package import Plan
from models.study_results import Classification

__all__ = ["BrainAnswer"]


@dataclass(frozen=True, slots=True, eq=False)
class BrainAnswer:
    """Probabilities, the mask, and how far the members agree.

    Parameters
    ----------
    probability : numpy.ndarray
        Float32 ``(z, y, x)`` on the grid of the source series: mean over the members.
    mask : numpy.ndarray
        Bool, on the same grid: what the package reports.
    member_paths : tuple of pathlib.Path
        One ``.npy`` per member: float16 ``(z, y, x)`` on the working grid.
    plan : Plan
        Which networks read which sequences.
    case_score : float
        In [0, 1], see :func:`models.brain_tumour.detector.case_score`.
    pairwise_dice : tuple of float
        Dice of the thresholded answers of each pair of members on the working grid, in the order of
        ``itertools.combinations``; empty for one member.
    components : mapping of str to float
        Raw components of the confidence.
    classifications : tuple of Classification
        What else the networks say of the study; empty where nothing was marked.
    """

    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    member_paths: tuple[Path, ...]
    plan: Plan
    case_score: float
    pairwise_dice: tuple[float, ...]
    components: Mapping[str, float]
    classifications: tuple[Classification, ...] = ()

    def __post_init__(self) -> None:
        if self.probability.ndim != 3 or self.probability.dtype != np.float32:
            raise ValueError("probability is float32 (z, y, x)")
        if self.mask.shape != self.probability.shape or self.mask.dtype != np.bool_:
            raise ValueError("mask is bool on the grid of probability")
        members = len(self.member_paths)
        if not members or len(self.pairwise_dice) != members * (members - 1) // 2:
            raise ValueError("there is at least one member, and one Dice per pair of members")
        if not 0.0 <= self.case_score <= 1.0:
            raise ValueError(f"case_score must lie in [0, 1], not {self.case_score}")

    @property
    def branch(self) -> str:
        """Name of the networks that answered."""
        return self.plan.branch

    @property
    def members(self) -> int:
        """How many members took part."""
        return len(self.member_paths)
