"""Figures of merit of marks on films: LLF at NLF and JAFROC, with patient-level bootstrap intervals.

References
----------
Chakraborty D. Analysis of location specific observer performance data: validated extensions of the
jackknife free-response (JAFROC) method. Academic Radiology 2006;13:1187-1193.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.training.statistics import DRAWS, Figure, Values, auroc

__all__ = [
    "RATES",
    "UNMARKED",
    "FilmMarks",
    "auroc_by_patient",
    "bootstrap",
    "fraction_at",
    "jafroc",
    "match",
    "threshold_at",
]

RATES = (0.25, 0.5, 1.0)
"""Non-lesion marks an image (NLF)."""
UNMARKED = float("-inf")


@dataclass(frozen=True)
class FilmMarks:
    """One film's marks against its lesions.

    Parameters
    ----------
    patient : str
        Whose film it is; the bootstrap draws patients.
    normal : bool
        Whether the film shows no lesion at all.
    hits : tuple of float
        Per lesion with coordinates the highest score of a mark on it, ``UNMARKED`` where there is none.
    others : tuple of float
        Scores of the marks on no lesion.
    kinds : tuple of str
        Kind of each of these lesions.
    """

    patient: str
    normal: bool
    hits: tuple[float, ...]
    others: tuple[float, ...]
    kinds: tuple[str, ...] = ()


def match(
    centres: Values, scores: Values, circles: Sequence[tuple[float, float, float]], least_radius: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Match marks to lesions: a mark hits when its centre lies in the lesion's circle.

    A lesion takes the best mark that no better lesion-mark pair has taken; further marks in any circle are
    ignored, neither hits nor false.

    Parameters
    ----------
    centres, scores : ndarray
        ``(n, 2)`` of (row, column) and ``(n,)`` by falling score, in the pixels of ``circles``.
    circles : sequence of tuple
        (row, column, radius); a smaller radius counts as ``least_radius``.

    Returns
    -------
    hits, others : tuple of float
        See :class:`FilmMarks`.
    """
    hits = [UNMARKED] * len(circles)
    others = []
    for (row, column), score in zip(centres, scores, strict=True):
        distances = [np.hypot(row - y, column - x) / max(radius, least_radius) for y, x, radius in circles]
        inside = [index for index, distance in enumerate(distances) if distance <= 1]
        free = [index for index in inside if hits[index] == UNMARKED]
        if free:
            hits[min(free, key=lambda index: distances[index])] = float(score)
        elif not inside:
            others.append(float(score))
    return tuple(hits), tuple(others)


def threshold_at(films: Sequence[FilmMarks], rate: float) -> float:
    """Return the score above which at most ``rate`` non-lesion marks an image remain."""
    scores = np.sort(np.array([score for film in films for score in film.others]))[::-1]
    allowed = int(np.floor(rate * len(films)))
    return float(scores[allowed]) if allowed < len(scores) else UNMARKED


def fraction_at(films: Sequence[FilmMarks], rate: float, kinds: Sequence[str] = ()) -> float:
    """Return LLF at an NLF: the fraction of lesions (of these kinds) marked above the threshold.

    The non-lesion marks and the images of all films count, whatever the kinds.
    """
    limit = threshold_at(films, rate)
    hits = [
        score > limit
        for film in films
        for score, kind in zip(film.hits, film.kinds or [""] * len(film.hits), strict=True)
        if not kinds or kind in kinds
    ]
    return float(np.mean(hits)) if hits else float("nan")


def jafroc(films: Sequence[FilmMarks]) -> float:
    """Return the JAFROC figure of merit.

    The chance that a lesion's mark scores higher than the highest mark of a normal film, equal scores
    counted half; a lesion or film without a mark has minus infinity.
    """
    normal = np.array([max(film.others, default=UNMARKED) for film in films if film.normal])
    lesions = np.array([score for film in films for score in film.hits])
    if not len(normal) or not len(lesions):
        return float("nan")
    return auroc(lesions, normal)


def bootstrap(
    patients: Sequence[str],
    figure: Callable[[NDArray[np.int64]], float],
    count: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Figure:
    """Return a figure with its percentile interval over draws of patients, all films of one together.

    Parameters
    ----------
    patients : sequence of str
        Patient of each item.
    figure : callable
        Computes the figure from indices of items; not-a-number where a draw does not allow it.
    count : int
        What the figure is said to rest on.
    """
    names = sorted(set(patients))
    where = {name: index for index, name in enumerate(names)}
    owners = np.array([where[name] for name in patients])
    items = [np.flatnonzero(owners == index) for index in range(len(names))]
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        picked = rng.integers(len(names), size=len(names))
        values.append(figure(np.concatenate([items[index] for index in picked])))
    kept = np.array(values)[np.isfinite(values)]
    low, high = np.percentile(kept, [2.5, 97.5]) if len(kept) else (np.nan, np.nan)
    return Figure(figure(np.arange(len(patients))), float(low), float(high), count)


def auroc_by_patient(
    scores: Values, labels: NDArray[np.bool_], patients: Sequence[str], draws: int = DRAWS
) -> Figure:
    """Return AUROC of breasts with an interval over draws of patients."""

    def figure(index: NDArray[np.int64]) -> float:
        positive = labels[index]
        if positive.all() or not positive.any():
            return float("nan")
        return auroc(scores[index][positive], scores[index][~positive])

    return bootstrap(patients, figure, len(scores), draws=draws)
