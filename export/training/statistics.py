"""Figures with patient-level bootstrap intervals that every detector's report uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Values = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval and the number of cases behind it."""

    value: float
    low: float
    high: float
    n: int


def auroc(positive: Values, negative: Values) -> float:
    """Return the area under the ROC curve, ties counted half."""
    ranks = rankdata(np.concatenate([positive, negative]))
    count = len(positive)
    return float((ranks[:count].sum() - count * (count + 1) / 2) / (count * len(negative)))


def mean_figure(values: Sequence[float] | Values, seed: int = 0) -> Figure:
    """Return a mean over patients with the percentile interval of ``DRAWS`` bootstrap draws of patients."""
    cases = np.asarray(values, dtype=np.float64)
    if not len(cases):
        raise ValueError("a mean of no patients")
    picks = np.random.default_rng(seed).integers(len(cases), size=(DRAWS, len(cases)))
    low, high = np.percentile(cases[picks].mean(axis=1), [2.5, 97.5])
    return Figure(float(cases.mean()), float(low), float(high), len(cases))
