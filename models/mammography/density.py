"""Class of the background tissue of an examination, in the words of the mini-MIAS data set."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.mammography_results import DENSITY_CLASSES, DensityReading

__all__ = ["density_reading"]


def density_reading(shares: Sequence[Sequence[float]]) -> DensityReading:
    """Average the members' shares over the images.

    Parameters
    ----------
    shares : sequence of sequences
        Per image the mean of the members' shares, in the order of
        :data:`models.mammography_results.DENSITY_CLASSES`.

    Returns
    -------
    DensityReading
        The class with the highest mean share; of equal ones the less dense.

    Raises
    ------
    ValueError
        There is no image, or the shares of one are no shares.
    """
    if not shares:
        raise ValueError("density is read from one image at least")
    for one in shares:
        if len(one) != len(DENSITY_CLASSES) or not all(0 <= value <= 1 for value in one):
            raise ValueError(f"an image has {len(DENSITY_CLASSES)} shares in [0, 1]")
    sums = [math.fsum(column) for column in zip(*shares, strict=True)]
    total = math.fsum(sums)
    if total <= 0:
        raise ValueError("the shares of the density classes are all nought")
    probabilities = {name: value / total for name, value in zip(DENSITY_CLASSES, sums, strict=True)}
    label = max(DENSITY_CLASSES, key=lambda name: probabilities[name])
    return DensityReading(label, probabilities)
