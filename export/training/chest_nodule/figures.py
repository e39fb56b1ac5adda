"""Figures of merit with patient-level bootstrap intervals: AUROC and FROC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from export.training.statistics import DRAWS, Figure, Values, auroc

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class FilmMarks:
    """One film's marks against its known nodules.

    ``hits`` has per nodule the highest score of a mark on it (0 if none); ``others`` the scores of all
    further marks, second marks on the same nodule included.
    """

    hits: tuple[float, ...]
    others: tuple[float, ...]


def auroc_figure(positive: Sequence[float], negative: Sequence[float], seed: int = 0) -> Figure:
    """Return AUROC with a percentile bootstrap that draws positive and negative patients separately."""
    first, second = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = [auroc(rng.choice(first, len(first)), rng.choice(second, len(second))) for _ in range(DRAWS)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return Figure(auroc(first, second), float(low), float(high), len(first) + len(second))


def match(
    boxes: Values, scores: Values, truth: Sequence[tuple[float, float, float, float]], least_radius: float
) -> FilmMarks:
    """Match marks to nodules: a hit is IoU > .2, or a centre inside the nodule's circle.

    Parameters
    ----------
    boxes, scores : ndarray
        Marks ``(n, 4)`` and ``(n,)`` by falling score, in the same pixels as ``truth``.
    truth : sequence of tuple
        Boxes (top, left, bottom, right); the circle has half their mean side as radius, at least
        ``least_radius`` pixels.
    """
    free = np.ones(len(boxes), dtype=bool)
    hits = []
    for top, left, bottom, right in truth:
        if not len(boxes):
            hits.append(0.0)
            continue
        overlap_y = np.clip(np.minimum(boxes[:, 2], bottom) - np.maximum(boxes[:, 0], top), 0, None)
        overlap_x = np.clip(np.minimum(boxes[:, 3], right) - np.maximum(boxes[:, 1], left), 0, None)
        overlap = overlap_y * overlap_x
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        ratio = overlap / (areas + (bottom - top) * (right - left) - overlap)
        distance = np.hypot(
            (boxes[:, 0] + boxes[:, 2] - top - bottom) / 2, (boxes[:, 1] + boxes[:, 3] - left - right) / 2
        )
        radius = max(least_radius, (bottom - top + right - left) / 4)
        touching = np.flatnonzero(free & ((ratio > 0.2) | (distance <= radius)))
        if touching.size:
            free[touching[0]] = False
        hits.append(float(scores[touching[0]]) if touching.size else 0.0)
    return FilmMarks(tuple(hits), tuple(float(s) for s in scores[free]))


def threshold_at(films: Sequence[FilmMarks], rate: float) -> float:
    """Return the score above which ``rate`` false marks a film remain, on average."""
    scores = np.sort(np.array([s for film in films for s in film.others]))[::-1]
    allowed = int(np.floor(rate * len(films)))
    return float(scores[allowed]) if allowed < len(scores) else 0.0


def sensitivity_at(films: Sequence[FilmMarks], rate: float) -> float:
    """Return the fraction of nodules hit where ``rate`` false marks a film remain."""
    limit = threshold_at(films, rate)
    hits = [score > limit for film in films for score in film.hits]
    return float(np.mean(hits)) if hits else float("nan")


def froc(
    films: Sequence[FilmMarks],
    groups: dict[str, Sequence[bool]],
    rates: Sequence[float] = RATES,
    draws: int = 1000,
) -> dict[str, dict[str, Figure]]:
    """Return sensitivity at each rate of false marks, with percentile bootstrap intervals over films.

    Parameters
    ----------
    films : sequence of FilmMarks
        One a patient.
    groups : dict
        Per group, which films' nodules count; the false marks of all films count for every group.
    rates : sequence of float
        False marks a film.
    draws : int
        Bootstrap draws.
    """
    others = [np.asarray(film.others) for film in films]
    hits = np.array([score for film in films for score in film.hits])
    owner = np.array([i for i, film in enumerate(films) for _ in film.hits], dtype=np.int64)
    member = {name: np.array([keep[i] for i in owner], dtype=bool) for name, keep in groups.items()}
    rng = np.random.default_rng(1)
    table = np.full((draws + 1, len(groups), len(rates)), np.nan)
    for draw in range(draws + 1):
        index = rng.integers(0, len(films), len(films)) if draw else np.arange(len(films))
        weight = np.bincount(index, minlength=len(films))[owner]
        scores = np.sort(np.concatenate([others[i] for i in index]))[::-1]
        for column, rate in enumerate(rates):
            allowed = int(np.floor(rate * len(films)))
            found = hits > (scores[allowed] if allowed < len(scores) else 0.0)
            for row, keep in enumerate(member.values()):
                total = weight[keep].sum()
                table[draw, row, column] = (weight * found)[keep].sum() / total if total else np.nan
    low, high = np.nanpercentile(table[1:], [2.5, 97.5], axis=0) if draws else (table[0], table[0])
    return {
        name: {
            f"{rate:g}": Figure(
                float(table[0, row, column]),
                float(low[row, column]),
                float(high[row, column]),
                int(keep.sum()),
            )
            for column, rate in enumerate(rates)
        }
        for row, (name, keep) in enumerate(member.items())
    }
