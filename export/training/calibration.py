"""Logistic maps of scores to probabilities, and how good probabilities are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from export.training.statistics import Values

__all__ = ["brier", "expected_calibration_error", "fit_logistic"]


def fit_logistic(scores: Values, labels: NDArray[np.bool_], balanced: bool = False) -> tuple[float, float]:
    """Fit slope and offset of a logistic map on the logit of ``scores`` (Platt), lightly regularised.

    With ``balanced`` both classes weigh the same, so the map gives probabilities at a prevalence of one half.
    """
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logit = np.log(clipped) - np.log1p(-clipped)
    sign = np.where(labels, 1.0, -1.0)
    weight = np.ones(len(scores))
    if balanced:
        weight = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum()) * len(scores)

    def loss(pair: Values) -> float:
        margin = sign * (pair[0] * logit + pair[1])
        return float((weight * np.logaddexp(0, -margin)).sum() + 0.05 * (pair[0] - 1) ** 2)

    best = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"maxiter": 2000})
    return max(float(best.x[0]), 0.05), float(best.x[1])


def brier(probabilities: Values, labels: NDArray[np.bool_]) -> float:
    """Return the mean squared difference of probability and outcome."""
    return float(np.mean((probabilities - labels) ** 2))


def expected_calibration_error(probabilities: Values, labels: NDArray[np.bool_], bins: int = 15) -> float:
    """Return the ECE with equal-width bins."""
    index = np.minimum((probabilities * bins).astype(int), bins - 1)
    total = 0.0
    for value in range(bins):
        inside = index == value
        if inside.any():
            total += inside.mean() * abs(probabilities[inside].mean() - labels[inside].mean())
    return float(total)
