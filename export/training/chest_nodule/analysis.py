"""From raw out-of-bag answers to calibration, operating point and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.training.calibration import brier, expected_calibration_error, fit_logistic
from export.training.chest_nodule.data import BLOCKS
from export.training.chest_nodule.evaluation import OVERLAP, Answered
from export.training.chest_nodule.figures import (
    FilmMarks,
    auroc_figure,
    froc,
    match,
    threshold_at,
)
from export.training.statistics import Figure
from models.centre_points.decode import calibrated
from models.chest_nodule.detector import read_candidates
from models.results import Candidate

LEAST_RADIUS_MM = 5.0
LARGE_MM = 10.0
TARGET_RATE = 0.5
Map = tuple[float, float]


@dataclass(frozen=True)
class Fitted:
    """Calibration maps and operating point, all fitted on out-of-bag answers."""

    members: dict[int, Map]
    case: Map
    operating_point: float


@dataclass(frozen=True)
class FusedFilm:
    """A film's answers fused once: candidates in source pixels, and their match with known nodules."""

    film: Answered
    candidates: tuple[Candidate, ...]
    marks: FilmMarks

    @property
    def highest(self) -> float:
        """The highest fused candidate score, 0 where there is none."""
        return self.candidates[0].score if self.candidates else 0.0

    @property
    def head(self) -> float:
        """The mean probability of the members' film heads."""
        return float(np.mean([answer.film for answer in self.film.answers.values()]))

    @property
    def both(self) -> float:
        """The mean logit of the two."""
        pair = np.clip([self.highest, self.head], 1e-6, 1 - 1e-6)
        return float(np.mean(np.log(pair / (1 - pair))))


def fuse_film(film: Answered, maps: dict[int, Map]) -> FusedFilm:
    """Fuse a film's answers in source pixels and match them."""
    chosen = sorted(film.answers)
    found = read_candidates(
        [film.answers[m] for m in chosen], [maps[m] for m in chosen], film.placement, film.shape, OVERLAP
    )
    boxes = np.array([[c.box.top, c.box.left, c.box.bottom, c.box.right] for c in found]).reshape(-1, 4)
    scores = np.array([c.score for c in found])
    return FusedFilm(film, found, match(boxes, scores, film.truth, LEAST_RADIUS_MM / film.mm_per_pixel))


def fit_members(simulated: Sequence[Answered]) -> dict[int, Map]:
    """Fit each member's map on its own unseen films: the chance that a mark is on the nodule."""
    collected: dict[int, tuple[list[float], list[bool]]] = {}
    for film in simulated:
        for member, answer in film.answers.items():
            scores, labels = collected.setdefault(member, ([], []))
            boxes = film.placement.to_source(answer.boxes)
            for box, score in zip(boxes, answer.scores, strict=True):
                one = match(box[None], np.array([score]), film.truth, LEAST_RADIUS_MM / film.mm_per_pixel)
                scores.append(float(score))
                labels.append(bool(one.hits[0] > 0))
    return {m: fit_logistic(np.array(s), np.array(y)) for m, (s, y) in sorted(collected.items())}


def _weak(plain: Sequence[FusedFilm]) -> tuple[list[FusedFilm], NDArray[np.bool_]]:
    """Pick films labelled Nodule or Mass, and No Finding."""
    clear = ("No Finding",)
    chosen = [f for f in plain if {"Nodule", "Mass"} & set(f.film.labels) or f.film.labels == clear]
    return chosen, np.array([f.film.labels != clear for f in chosen])


def cross_fitted(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], blocks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Calibrate each block of patients with a map fitted on the others, at a prevalence of one half."""
    result = np.zeros(len(scores))
    for block in range(BLOCKS):
        inside = blocks == block
        if inside.any():
            pair = fit_logistic(scores[~inside], labels[~inside], balanced=True)
            result[inside] = calibrated(scores[inside], *pair)
    return result


def image_figures(plain: Sequence[FusedFilm], simulated: Sequence[FusedFilm]) -> dict[str, Any]:
    """AUROC of the weak labels by candidate maximum, film head and their mean logit; and of simulation."""
    known = {f.film.name for f in simulated}
    rows: dict[str, Any] = {}
    for name, attribute in (("candidate maximum", "highest"), ("film head", "head"), ("mean logit", "both")):
        score = attrgetter(attribute)

        def of(*labels: str, score: Callable[[FusedFilm], float] = score) -> list[float]:
            return [score(f) for f in plain if set(labels) & set(f.film.labels)]

        clear = of("No Finding")
        others = [score(f) for f in plain if not {"Nodule", "Mass", "No Finding"} & set(f.film.labels)]
        with_nodule = [score(f) for f in simulated]
        large = [score(f) for f in simulated if f.film.nodule and f.film.nodule.diameter_mm >= LARGE_MM]
        pairs = {
            "Nodule vs No Finding": (of("Nodule"), clear),
            "Mass vs No Finding": (of("Mass"), clear),
            "Nodule or Mass vs No Finding": (of("Nodule", "Mass"), clear),
            "Nodule vs other findings": (of("Nodule"), others),
            "simulated nodule vs the same films without": (
                with_nodule,
                [score(f) for f in plain if f.film.name in known],
            ),
            "simulated nodule >= 10 mm vs No Finding": (large, clear),
        }
        rows[name] = {key: asdict(auroc_figure(*pair)) for key, pair in pairs.items()}
    return rows


def _rows(figures: dict[str, dict[str, Figure]]) -> dict[str, Any]:
    return {name: {rate: asdict(figure) for rate, figure in row.items()} for name, row in figures.items()}


def detection_figures(simulated: Sequence[FusedFilm]) -> dict[str, Any]:
    """FROC of simulated nodules in unseen films, whole and by size, site and visibility."""
    nodules = [f.film.nodule for f in simulated if f.film.nodule is not None]
    cut = np.percentile([n.visibility for n in nodules], [100 / 3, 200 / 3])
    groups: dict[str, Sequence[bool]] = {
        "all": [True] * len(nodules),
        ">= 10 mm": [n.diameter_mm >= LARGE_MM for n in nodules],
        "5 to 10 mm": [n.diameter_mm < LARGE_MM for n in nodules],
        "10 to 20 mm": [LARGE_MM <= n.diameter_mm < 2 * LARGE_MM for n in nodules],
        "20 to 40 mm": [n.diameter_mm >= 2 * LARGE_MM for n in nodules],
        "in clear lung": [n.site == "lung" for n in nodules],
        "behind heart, mediastinum or diaphragm": [n.site == "hidden" for n in nodules],
        "least visible third": [n.visibility < cut[0] for n in nodules],
        "middle third": [cut[0] <= n.visibility < cut[1] for n in nodules],
        "most visible third": [n.visibility >= cut[1] for n in nodules],
    }
    return _rows(froc([f.marks for f in simulated], groups))


def lidc_figures(films: Sequence[FusedFilm]) -> dict[str, Any]:
    """FROC and AUROC on the held-out projections: nodules with a mask of at least 10 mm."""
    sized = []
    for fused in films:
        large = [
            max(b[2] - b[0], b[3] - b[1]) * fused.film.mm_per_pixel >= LARGE_MM for b in fused.film.truth
        ]
        hits = tuple(h for h, keep in zip(fused.marks.hits, large, strict=True) if keep)
        sized.append(FilmMarks(hits, fused.marks.others))
    result: dict[str, Any] = {"FROC": _rows(froc(sized, {"all": [True] * len(sized)}))["all"]}
    for key, attribute in (("AUROC", "highest"), ("AUROC film head", "head"), ("AUROC mean logit", "both")):
        score = attrgetter(attribute)
        positive = [score(f) for f, m in zip(films, sized, strict=True) if m.hits]
        negative = [score(f) for f, m in zip(films, sized, strict=True) if not m.hits]
        result[key] = asdict(auroc_figure(positive, negative))
    return result


def failure_figures(simulated: Sequence[FusedFilm], limit: float) -> dict[str, Any]:
    """How well agreement tells true from false findings above the operating point."""
    right: list[tuple[float, ...]] = []
    wrong: list[tuple[float, ...]] = []
    for fused in simulated:
        hit_scores = set(fused.marks.hits)
        for candidate in fused.candidates:
            if candidate.score >= limit:
                row = (candidate.score, candidate.support, -candidate.score_spread, candidate.mean_iou)
                (right if candidate.score in hit_scores else wrong).append(row)
    first, second = np.array(right), np.array(wrong)
    names = ("score", "support", "low score spread", "mean IoU")
    figures = {n: asdict(auroc_figure(list(first[:, i]), list(second[:, i]))) for i, n in enumerate(names)}
    return figures | {"true findings": len(right), "false findings": len(wrong)}


def analyse(answers: dict[str, list[Answered]]) -> tuple[Fitted, dict[str, Any]]:
    """Fit what is fitted and compute every figure of the report."""
    maps = fit_members(answers["simulated"])
    plain, simulated, lidc = (
        [fuse_film(f, maps) for f in answers[k]] for k in ("plain", "simulated", "lidc")
    )
    chosen, labels = _weak(plain)
    scores = np.array([f.highest for f in chosen])
    marks = [f.marks for f in simulated]
    limit = round(threshold_at(marks, TARGET_RATE), 4)
    fitted = Fitted(maps, fit_logistic(scores, labels, balanced=True), limit)
    crossed = cross_fitted(scores, labels, np.array([f.film.block for f in chosen]))
    clear = [f for f in plain if f.film.labels == ("No Finding",)]
    report = {
        "members": sorted(maps),
        "image level": image_figures(plain, simulated),
        "FROC, simulated nodules": detection_figures(simulated),
        "LIDC projections held out of pre-training, nodules >= 10 mm": lidc_figures(lidc),
        "failure detection (AUROC of true against false findings)": failure_figures(simulated, limit),
        "case calibration, cross-fitted, Nodule or Mass vs No Finding": {
            "brier": brier(crossed, labels),
            "ece_15_bins": expected_calibration_error(crossed, labels),
            "n": len(labels),
            "positive": int(labels.sum()),
        },
        "operating point": {
            "score": limit,
            "sensitivity": float(np.mean([h >= limit for m in marks for h in m.hits])),
            "false marks a film": float(np.mean([sum(s >= limit for s in m.others) for m in marks])),
            "marks a No Finding film": float(
                np.mean([sum(c.score >= limit for c in f.candidates) for f in clear])
            ),
        },
    }
    return fitted, report
