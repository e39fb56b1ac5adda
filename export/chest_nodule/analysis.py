"""From raw out-of-bag answers to calibration, operating point and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.chest_nodule.data import BLOCKS
from export.chest_nodule.evaluation import OVERLAP, Answered
from export.chest_nodule.figures import (
    RATES,
    FilmMarks,
    auroc_figure,
    bootstrap,
    brier,
    expected_calibration_error,
    fit_logistic,
    match,
    sensitivity_at,
    threshold_at,
)
from models.chest_nodule.decode import calibrated
from models.chest_nodule.detector import read_candidates
from models.results import Candidate

LEAST_RADIUS_MM = 5.0
TARGET_RATE = 0.5
Map = tuple[float, float]


@dataclass(frozen=True)
class Fitted:
    """Calibration maps and operating point, all fitted on out-of-bag answers."""

    members: dict[int, Map]
    case: Map
    operating_point: float


def candidates_of(film: Answered, maps: dict[int, Map]) -> tuple[Candidate, ...]:
    """Fuse a film's answers in source pixels."""
    chosen = sorted(film.answers)
    return read_candidates(
        [film.answers[m] for m in chosen], [maps[m] for m in chosen], film.placement, film.shape, OVERLAP
    )


def marks_of(film: Answered, maps: dict[int, Map]) -> FilmMarks:
    """Match a film's fused candidates to its known nodules."""
    found = candidates_of(film, maps)
    boxes = np.array([[c.box.top, c.box.left, c.box.bottom, c.box.right] for c in found]).reshape(-1, 4)
    scores = np.array([c.score for c in found])
    return match(boxes, scores, film.truth, LEAST_RADIUS_MM / film.mm_per_pixel)


def highest(film: Answered, maps: dict[int, Map]) -> float:
    """Return the highest fused candidate score of a film, 0 where there is none."""
    found = candidates_of(film, maps)
    return found[0].score if found else 0.0


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


def _weak(plain: Sequence[Answered]) -> tuple[list[Answered], NDArray[np.bool_]]:
    """Pick films labelled Nodule or Mass, and No Finding."""
    chosen = [f for f in plain if {"Nodule", "Mass"} & set(f.labels) or f.labels == ("No Finding",)]
    return chosen, np.array([f.labels != ("No Finding",) for f in chosen])


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


def fit(answers: dict[str, list[Answered]]) -> Fitted:
    """Fit member maps, the case map and the operating point."""
    maps = fit_members(answers["simulated"])
    chosen, labels = _weak(answers["plain"])
    case = fit_logistic(np.array([highest(f, maps) for f in chosen]), labels, balanced=True)
    marks = [marks_of(f, maps) for f in answers["simulated"]]
    return Fitted(maps, case, round(threshold_at(marks, TARGET_RATE), 4))


def _labelled(plain: Sequence[Answered], label: str, score: Callable[[Answered], float]) -> list[float]:
    return [score(f) for f in plain if label in f.labels]


def image_figures(answers: dict[str, list[Answered]], maps: dict[int, Map]) -> dict[str, Any]:
    """AUROC of the weak labels by candidate maximum, film head and their mean logit; and of simulation."""

    def film_head(film: Answered) -> float:
        return float(np.mean([a.film for a in film.answers.values()]))

    def both(film: Answered) -> float:
        pair = np.clip([highest(film, maps), film_head(film)], 1e-6, 1 - 1e-6)
        return float(np.mean(np.log(pair / (1 - pair))))

    plain = answers["plain"]
    rows: dict[str, Any] = {}
    for name, score in (
        ("candidate maximum", lambda f: highest(f, maps)),
        ("film head", film_head),
        ("mean logit", both),
    ):
        clear = _labelled(plain, "No Finding", score)
        nodule, mass = _labelled(plain, "Nodule", score), _labelled(plain, "Mass", score)
        either = [score(f) for f in plain if {"Nodule", "Mass"} & set(f.labels)]
        others = [score(f) for f in plain if not {"Nodule", "Mass", "No Finding"} & set(f.labels)]
        rows[name] = {
            "Nodule vs No Finding": asdict(auroc_figure(nodule, clear)),
            "Mass vs No Finding": asdict(auroc_figure(mass, clear)),
            "Nodule or Mass vs No Finding": asdict(auroc_figure(either, clear)),
            "Nodule vs other findings": asdict(auroc_figure(nodule, others)),
        }
        known = {f.name for f in answers["simulated"]}
        rows[name]["simulated nodule vs the same films without"] = asdict(
            auroc_figure(
                [score(f) for f in answers["simulated"]], [score(f) for f in plain if f.name in known]
            )
        )
        large = {f.name for f in answers["simulated"] if f.nodule and f.nodule.diameter_mm >= 10}
        rows[name]["simulated nodule >= 10 mm vs No Finding"] = asdict(
            auroc_figure([score(f) for f in answers["simulated"] if f.name in large], clear)
        )
    return rows


def _only(marks: Sequence[FilmMarks], keep: Sequence[bool]) -> list[FilmMarks]:
    """Keep the nodules of some films and the other marks of all."""
    return [m if k else FilmMarks((), m.others) for m, k in zip(marks, keep, strict=True)]


def froc(marks: Sequence[FilmMarks]) -> dict[str, Any]:
    """Sensitivity at 1/8 to 8 false marks a film, with intervals."""
    return {f"{rate:g}": asdict(bootstrap(marks, partial(sensitivity_at, rate=rate))) for rate in RATES}


def detection_figures(simulated: Sequence[Answered], maps: dict[int, Map]) -> dict[str, Any]:
    """FROC of simulated nodules in unseen films, whole and by size, site and visibility."""
    marks = [marks_of(f, maps) for f in simulated]
    nodules = [f.nodule for f in simulated]
    cut = np.percentile([n.visibility for n in nodules if n], [100 / 3, 200 / 3])
    groups = {
        "all": [True] * len(marks),
        ">= 10 mm": [n is not None and n.diameter_mm >= 10 for n in nodules],
        "5 to 10 mm": [n is not None and n.diameter_mm < 10 for n in nodules],
        "10 to 20 mm": [n is not None and 10 <= n.diameter_mm < 20 for n in nodules],
        "20 to 40 mm": [n is not None and n.diameter_mm >= 20 for n in nodules],
        "in clear lung": [n is not None and n.site == "lung" for n in nodules],
        "behind heart, mediastinum or diaphragm": [n is not None and n.site == "hidden" for n in nodules],
        "least visible third": [n is not None and n.visibility < cut[0] for n in nodules],
        "middle third": [n is not None and cut[0] <= n.visibility < cut[1] for n in nodules],
        "most visible third": [n is not None and n.visibility >= cut[1] for n in nodules],
    }
    return {name: froc(_only(marks, keep)) for name, keep in groups.items()}


def lidc_figures(films: Sequence[Answered], maps: dict[int, Map]) -> dict[str, Any]:
    """FROC and AUROC on the projections held out of pre-training: nodules with a mask of at least 10 mm."""
    marks = [marks_of(f, maps) for f in films]
    sized = []
    for film, mark in zip(films, marks, strict=True):
        large = [max(b[2] - b[0], b[3] - b[1]) * film.mm_per_pixel >= 10 for b in film.truth]
        sized.append(FilmMarks(tuple(h for h, k in zip(mark.hits, large, strict=True) if k), mark.others))
    positive = [highest(f, maps) for f, m in zip(films, sized, strict=True) if m.hits]
    negative = [highest(f, maps) for f, m in zip(films, sized, strict=True) if not m.hits]
    return {"FROC": froc(sized), "AUROC": asdict(auroc_figure(positive, negative))}


def failure_figures(simulated: Sequence[Answered], fitted: Fitted) -> dict[str, Any]:
    """How well agreement tells true from false findings above the operating point."""
    rows = []
    for film in simulated:
        for candidate in candidates_of(film, fitted.members):
            if candidate.score >= fitted.operating_point:
                b = candidate.box
                hit = (
                    match(
                        np.array([[b.top, b.left, b.bottom, b.right]]),
                        np.ones(1),
                        film.truth,
                        LEAST_RADIUS_MM / film.mm_per_pixel,
                    ).hits[0]
                    > 0
                )
                rows.append(
                    (hit, candidate.score, candidate.support, -candidate.score_spread, candidate.mean_iou)
                )
    table = np.array(rows, dtype=np.float64)
    right, wrong = table[table[:, 0] == 1], table[table[:, 0] == 0]
    names = ("score", "support", "low score spread", "mean IoU")
    return {n: asdict(auroc_figure(right[:, i + 1], wrong[:, i + 1])) for i, n in enumerate(names)} | {
        "true findings": len(right),
        "false findings": len(wrong),
    }


def analyse(answers: dict[str, list[Answered]]) -> tuple[Fitted, dict[str, Any]]:
    """Fit what is fitted and compute every figure of the report."""
    fitted = fit(answers)
    maps = fitted.members
    chosen, labels = _weak(answers["plain"])
    scores = np.array([highest(f, maps) for f in chosen])
    blocks = np.array([f.block for f in chosen])
    crossed = cross_fitted(scores, labels, blocks)
    marks = [marks_of(f, maps) for f in answers["simulated"]]
    limit = fitted.operating_point
    clear = [f for f in answers["plain"] if f.labels == ("No Finding",)]
    report = {
        "members": sorted(maps),
        "image level": image_figures(answers, maps),
        "FROC, simulated nodules": detection_figures(answers["simulated"], maps),
        "LIDC projections held out of pre-training, nodules >= 10 mm": lidc_figures(answers["lidc"], maps),
        "failure detection (AUROC of true against false findings)": failure_figures(
            answers["simulated"], fitted
        ),
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
                np.mean([sum(c.score >= limit for c in candidates_of(f, maps)) for f in clear])
            ),
        },
    }
    return fitted, report
