"""Agreement of an ensemble of segmenters, and what it is worth.

All scores are confidences: higher is surer. All members empty gives a pairwise Dice of 1, which is why an
absolute check must stand beside it.

References
----------
Zenk et al. 2024, Comparative benchmarking of failure detection methods in medical image segmentation:
pairwise Dice, predictive entropy, maximum probability, aggregation over the foreground.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.package import MAIN, Branch, PackageManifest
from models.results import Assessment, Decision
from models.volume_results import VolumeReading

__all__ = [
    "OverlapCounts",
    "assess_segmentation",
    "foreground_mean",
    "max_probability",
    "pairwise_dice",
    "predictive_entropy",
]

# Sums of this many ones are exact in float32.
_PIECE = 1 << 22
_NOT_FITTED = "Confidence has not been fitted for this package: the reading is not assessed."


class OverlapCounts:
    """Voxels that members mark alone and in pairs, summed over pieces of a volume.

    Parameters
    ----------
    members : int
        How many there are.
    """

    def __init__(self, members: int) -> None:
        if members < 1:
            raise ValueError("an ensemble has at least one member")
        self._both = np.zeros((members, members), dtype=np.int64)

    def add(self, masks: NDArray[np.bool_]) -> None:
        """Count a piece: bool ``(members, ...)``."""
        if len(masks) != len(self._both):
            raise ValueError(f"{len(self._both)} masks are needed, not {len(masks)}")
        flat = masks.reshape(len(masks), -1)
        for start in range(0, flat.shape[1], _PIECE):
            piece = flat[:, start : start + _PIECE].astype(np.float32)
            self._both += np.rint(piece @ piece.T).astype(np.int64)

    @property
    def marking(self) -> float:
        """Fraction of all members that mark anything."""
        return float(np.mean(self._both.diagonal() > 0))

    def dice(self) -> tuple[float, ...]:
        """Return the Dice of every pair in the order of ``itertools.combinations``; both empty is 1."""
        sizes = self._both.diagonal()
        return tuple(
            float(2 * self._both[one, other] / total) if (total := sizes[one] + sizes[other]) else 1.0
            for one, other in combinations(range(len(sizes)), 2)
        )


def pairwise_dice(members: Sequence[NDArray[np.bool_]]) -> float:
    """Return the mean Dice over all pairs of masks; 1 for a pair of empty ones and for one member alone.

    For several classes, the mean of this over the foreground classes is what Zenk et al. 2024 call
    pairwise Dice.
    """
    if not members:
        raise ValueError("an ensemble has at least one member")
    counts = OverlapCounts(len(members))
    counts.add(np.stack([np.asarray(member, dtype=bool) for member in members]))
    return float(np.mean(counts.dice())) if len(members) > 1 else 1.0


def predictive_entropy(probability: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return log 2 less the entropy of a probability of foreground, in nats; 0 log 0 is 0."""
    other = 1 - probability
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(share > 0, share * np.log(share), 0) for share in (probability, other)]
    return np.asarray(math.log(2) + terms[0] + terms[1])


def max_probability(probability: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the probability of the likelier of foreground and background."""
    return np.asarray(np.maximum(probability, 1 - probability))


def foreground_mean(confidence: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> float:
    """Return the mean of voxel confidences over a mask, over everything where the mask is empty."""
    inside = confidence[mask] if mask.any() else confidence
    return float(np.mean(inside, dtype=np.float64))


def assess_segmentation(
    reading: VolumeReading, branch: str, components: Mapping[str, float], manifest: PackageManifest
) -> Assessment:
    """Report how far the members agree on a study; no decision is fitted yet.

    What the main networks read is not assessed; what a branch reads is always for review.

    Parameters
    ----------
    reading : VolumeReading
        What was found.
    branch : str
        Name of the networks that read it.
    components : mapping of str to float
        What the detector counted:

        - ``pairwise_dice``: mean over pairs of members, absent for one member alone;
        - ``member_support``: fraction of all members that mark anything;
        - ``foreground_entropy``: log 2 less the entropy of the mean probability in nats, mean over the
          voxels above the operating point, over all voxels where there is none;
        - ``mean_max``: probability of the likelier class, mean over all voxels.
    manifest : PackageManifest
        Of the package.
    """
    decision: Decision = "not-assessed"
    reasons = [_NOT_FITTED]
    if branch != MAIN:
        decision, reasons = "review", [_why_review(manifest.network(branch), reading)]
    reasons.append(_agreement(reading, components))
    return Assessment(decision=decision, components=dict(components), reasons=tuple(reasons))


def _why_review(network: object, reading: VolumeReading) -> str:
    title = network.title if isinstance(network, Branch) else "another network"
    used = " and ".join(reading.series_used) or "less than the package needs"
    return f"Read with {used} alone by another network ({title}): every such result is to be reviewed."


def _agreement(reading: VolumeReading, components: Mapping[str, float]) -> str:
    members = reading.members
    if not components.get("member_support", 0.0):
        return f"None of {members} members marks anything; agreement on nothing is not confidence."
    if members == 1:
        return "One member read the study: how far members agree is not known."
    marking = round(components["member_support"] * members)
    words = f"{marking} of {members} members mark something; their mean pairwise Dice is "
    words += f"{components['pairwise_dice']:.2f}."
    return words if reading.findings else f"{words} Nothing of it is left after the package's rules."
