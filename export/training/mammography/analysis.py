"""From raw out-of-bag answers to calibration, operating point and the scores of breasts, all cross-fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from export.training.blocks import BLOCKS
from export.training.calibration import fit_logistic
from export.training.mammography.answers import AnsweredView, fused, marks_of
from export.training.mammography.figures import UNMARKED, FilmMarks, threshold_at
from export.training.statistics import auroc
from models.mammography.answers import members_mean
from models.mammography.asymmetry import density_index
from models.mammography.breasts import logit, sigmoid
from models.package_tables import Platt
from models.results import Candidate

__all__ = [
    "ASYMMETRY_GAIN",
    "TARGET_RATE",
    "Breast",
    "BreastScores",
    "Fitted",
    "Maps",
    "fit_all",
    "fit_maps",
    "read_breasts",
    "read_changed",
    "score_breasts",
]

TARGET_RATE = 0.5
"""Non-lesion marks an image at the operating point."""
ASYMMETRY_GAIN = 0.01
"""The asymmetry is used only where it raises the cross-fitted AUROC by more than this."""
_RIDGE = 0.02
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Maps:
    """Logistic maps of each member: of its centre scores, and of its output ``abnormal``."""

    centre: dict[int, Platt]
    abnormal: dict[int, Platt]


@dataclass(frozen=True)
class Breast:
    """One film, here all that is known of a breast, with what the members that never saw it say together."""

    view: AnsweredView
    block: int
    candidates: tuple[Candidate, ...]
    marks: FilmMarks
    abnormal: float
    malignant: float
    density: tuple[float, ...]

    @property
    def highest(self) -> float:
        """Logit of the highest candidate."""
        return logit(self.candidates[0].score if self.candidates else 0.0)

    @property
    def logits(self) -> tuple[float, float]:
        """Logits of the highest candidate and of the head."""
        return self.highest, logit(self.abnormal)


@dataclass(frozen=True)
class Fitted:
    """Everything that the package takes from the out-of-bag answers."""

    maps: Maps
    candidate: float
    abnormal: float
    offset: float
    asymmetry: float
    density_share: float
    asymmetry_map: Platt
    operating_point: float

    def log_odds(self, breast: Breast) -> float:
        """Return the log odds that a breast seen on one view is abnormal, without the asymmetry."""
        highest, head = breast.logits
        return self.candidate * highest + self.abnormal * head + self.offset


def fit_maps(views: Sequence[AnsweredView]) -> Maps:
    """Fit each member's maps on films it never saw.

    A mark counts as true when it is on a lesion; members of whose marks or films all are alike keep
    their scores.
    """
    marks: dict[int, tuple[list[float], list[bool]]] = {}
    heads: dict[int, tuple[list[float], list[bool]]] = {}
    for view in views:
        for member, answer in view.answers.items():
            scores, labels = marks.setdefault(member, ([], []))
            alone = AnsweredView(view.film, view.frame, view.shape, {member: answer})
            for candidate in fused(alone):
                one = marks_of(view.film, (candidate,))
                scores.append(candidate.score)
                labels.append(any(hit > UNMARKED for hit in one.hits))
            values, truths = heads.setdefault(member, ([], []))
            values.append(answer.abnormal)
            truths.append(view.film.abnormal)
    return Maps(
        {member: _platt(*pair) for member, pair in sorted(marks.items())},
        {member: _platt(*pair) for member, pair in sorted(heads.items())},
    )


def _platt(scores: Sequence[float], labels: Sequence[bool]) -> Platt:
    truths = np.array(labels, dtype=bool)
    if truths.all() or not truths.any():
        return Platt(slope=1.0, offset=0.0)
    slope, offset = fit_logistic(np.array(scores), truths)
    return Platt(slope=round(slope, 5), offset=round(offset, 5))


def _read(view: AnsweredView, block: int, maps: Maps) -> Breast:
    candidates = fused(view, maps.centre)
    chosen = sorted(view.answers)
    answers = [view.answers[member] for member in chosen]
    density = np.mean([answer.density for answer in answers], axis=0)
    return Breast(
        view,
        block,
        candidates,
        marks_of(view.film, candidates),
        members_mean([answer.abnormal for answer in answers], [maps.abnormal[m] for m in chosen]),
        members_mean([answer.malignant for answer in answers]),
        tuple(float(share) for share in density),
    )


def read_breasts(views: Sequence[AnsweredView], blocks: Mapping[str, int]) -> list[Breast]:
    """Read every film with maps that were fitted on the films of the other blocks."""
    breasts = []
    for block in range(BLOCKS):
        inside = [view for view in views if blocks[view.film.patient] == block]
        if inside:
            maps = fit_maps([view for view in views if blocks[view.film.patient] != block])
            breasts += [_read(view, block, maps) for view in inside]
    return breasts


def read_changed(views: Sequence[AnsweredView], blocks: Mapping[str, int], maps: Maps) -> list[Breast]:
    """Read films with one set of maps, for comparing a film with changed copies of itself."""
    return [_read(view, blocks[view.film.patient], maps) for view in views]


def fit_weights(features: Values, labels: NDArray[np.bool_]) -> Values:
    """Fit a logistic regression whose weights never fall below nought; the offset comes last."""
    sign = np.where(labels, 1.0, -1.0)
    count = features.shape[1]

    def loss(weights: Values) -> float:
        margin = sign * (features @ weights[:count] + weights[count])
        return float(np.logaddexp(0, -margin).mean() + _RIDGE / 2 * (weights[:count] ** 2).sum() / count)

    start = np.append(np.full(count, 0.5), 0.0)
    limits = [(0.0, None)] * count + [(None, None)]
    return np.asarray(minimize(loss, start, method="L-BFGS-B", bounds=limits).x)


def cross_fitted(features: Values, labels: NDArray[np.bool_], blocks: NDArray[np.int64]) -> Values:
    """Return the log odds of each item by weights that were fitted on the other blocks."""
    result = np.zeros(len(labels))
    for block in np.unique(blocks):
        inside = blocks == block
        weights = fit_weights(features[~inside], labels[~inside])
        result[inside] = features[inside] @ weights[:-1] + weights[-1]
    return result


def pair_differences(breasts: Sequence[Breast], value: Callable[[Breast], float]) -> Values:
    """Return by how much a value is above that of the patient's other breast; 0 where there is none."""
    own: dict[tuple[str, str], float] = {}
    for breast in breasts:
        own[breast.view.film.patient, breast.view.film.laterality] = value(breast)
    result = []
    for breast in breasts:
        film = breast.view.film
        other = own.get((film.patient, "L" if film.laterality == "R" else "R"))
        result.append(0.0 if other is None else value(breast) - other)
    return np.array(result)


@dataclass(frozen=True)
class BreastScores:
    """Log odds that each breast is abnormal, without the asymmetry and with it; cross-fitted by block."""

    image: Values
    by_score: Values
    by_both: Values


def score_breasts(breasts: Sequence[Breast]) -> BreastScores:
    """Score every breast by maps that were fitted on the other blocks."""
    labels = np.array([breast.view.film.abnormal for breast in breasts])
    blocks = np.array([breast.block for breast in breasts], dtype=np.int64)
    image = cross_fitted(np.array([breast.logits for breast in breasts]), labels, blocks)
    probability = {id(breast): sigmoid(value) for breast, value in zip(breasts, image, strict=True)}
    scores = pair_differences(breasts, lambda breast: probability[id(breast)])
    density = pair_differences(breasts, lambda breast: density_index(breast.density))
    return BreastScores(
        image,
        cross_fitted(np.stack([image, scores], axis=1), labels, blocks),
        cross_fitted(np.stack([image, scores, density], axis=1), labels, blocks),
    )


def fit_all(views: Sequence[AnsweredView], breasts: Sequence[Breast], scores: BreastScores) -> Fitted:
    """Fit on all out-of-bag answers what the package ships.

    The operating point and the case map stand on the cross-fitted readings, so that they see scores as
    they are on films that no map has seen.
    """
    labels = np.array([breast.view.film.abnormal for breast in breasts])
    features = np.array([breast.logits for breast in breasts])
    candidate, head, offset = (round(float(value), 5) for value in fit_weights(features, labels))
    if candidate + head <= 0:
        candidate = 0.05
    image = features @ np.array([candidate, head]) + offset
    probability = {id(breast): sigmoid(value) for breast, value in zip(breasts, image, strict=True)}
    differences = pair_differences(breasts, lambda breast: probability[id(breast)])
    weight, share, final = 0.0, 0.0, Platt(slope=1.0, offset=0.0)
    gain = auroc(scores.by_score[labels], scores.by_score[~labels]) - auroc(
        scores.image[labels], scores.image[~labels]
    )
    if gain > ASYMMETRY_GAIN:
        own, other, constant = fit_weights(np.stack([image, differences], axis=1), labels)
        if own > 0.05:
            weight, final = round(other / own, 5), Platt(slope=round(own, 5), offset=round(constant, 5))
    limit = threshold_at([breast.marks for breast in breasts], TARGET_RATE)
    return Fitted(
        fit_maps(views),
        candidate,
        head,
        offset,
        weight,
        share,
        final,
        min(1.0, round(max(limit, 0.0) + 1e-5, 5)),
    )
