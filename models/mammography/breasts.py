"""From images to breasts and to the examination: logistic combinations that never fall.

Every step rises with every image's score: a more suspicious image makes no breast and no examination less
suspicious, as long as the asymmetry has no weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from models.exam_tables import ExamRules, ImageRules
from models.package_tables import Platt

__all__ = ["LEAST_SCORE", "breast_score", "highest_of_each_view", "image_score", "logit", "sigmoid"]

LEAST_SCORE: Final = 1e-3
"""Scores are held to this distance from 0 and 1 before their logit: silence is no proof."""


def logit(score: float) -> float:
    """Return the log odds of a probability held inside [0.001, 0.999]; maps are fitted on these too."""
    held = min(max(score, LEAST_SCORE), 1 - LEAST_SCORE)
    return math.log(held) - math.log1p(-held)


def sigmoid(value: float) -> float:
    """Return the probability of log odds."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    power = math.exp(max(value, -700.0))
    return power / (1.0 + power)


def image_score(candidate: float, abnormal: float, malignant: float, rules: ImageRules, case: Platt) -> float:
    """Return the probability that an image is abnormal.

    Parameters
    ----------
    candidate : float
        Fused score of the highest candidate, 0 where there is none.
    abnormal, malignant : float
        Means of the members' outputs, calibrated where the package has maps.
    rules : ImageRules
        The weights of the three.
    case : Platt
        The map of their weighted logits.
    """
    total = 0.0
    for weight, value in (
        (rules.candidate, candidate),
        (rules.abnormal, abnormal),
        (rules.malignant, malignant),
    ):
        if weight:
            total += weight * logit(value)
    return sigmoid(case.slope * total + case.offset)


def highest_of_each_view(scores: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return one score for each view: the highest where several images show the same view."""
    highest: dict[str, float] = {}
    for view, score in scores:
        highest[view] = max(score, highest.get(view, score))
    return highest


def breast_score(views: Mapping[str, float], rules: ExamRules, asymmetry: float | None = None) -> float:
    """Return the probability that a breast is abnormal.

    Parameters
    ----------
    views : mapping of str to float
        One image score for each view, at least one.
    rules : ExamRules
        Maps for one view and for several, and the weight of the asymmetry.
    asymmetry : float or None
        In [-1, 1], see :mod:`models.mammography.asymmetry`; None where there is nothing to compare with.

    Raises
    ------
    ValueError
        There is no view.
    """
    if not views:
        raise ValueError("a breast is read from one view at least")
    logits = sorted(logit(score) for score in views.values())
    if len(logits) == 1:
        value = rules.single.slope * logits[0] + rules.single.offset
    else:
        value = rules.several.maximum * logits[-1] + rules.several.mean * _mean(logits) + rules.several.offset
    uses = rules.asymmetry
    if uses.weight and asymmetry is not None:
        value = uses.platt.slope * (value + uses.weight * asymmetry) + uses.platt.offset
    return sigmoid(value)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
