"""Out-of-bag figures of the main networks: each patient by the four members that never saw it.

Threshold and smallest volume are chosen on the patients of four blocks and applied to those of the fifth
(cross-fitted); the package's own rule is chosen the same way on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import spearmanr

from export.training.brain_tumour.data import Truth
from export.training.brain_tumour.evaluation import (
    ACQUIRED,
    MIRRORED,
    VARIANTS,
    Answers,
    exported,
    unseen_by,
    usable,
)
from export.training.brain_tumour.figures import agreement, around, dice
from export.training.brain_tumour.rules import Rules
from export.training.statistics import mean_figure
from models.brain_tumour.rules import reported
from models.confidence.segments import OverlapCounts, foreground_mean, max_probability, predictive_entropy
from models.preprocessing.brain import NOMINAL_SPACING_MM

Row = dict[str, Any]
Values = NDArray[np.float64]

SLICE_MM = 5.0
"""Assumed distance of slices: data/lgg states none. It only turns the smallest volume into ml."""

VOXEL_MM3 = NOMINAL_SPACING_MM**2 * SLICE_MM
THRESHOLDS = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975)
LEAST_ML = (0.0, 0.1, 0.25, 0.5, 1.0)
FAILURE = 0.5
UNSEEN = 4
"""Members that never saw a patient."""
_BLOCK = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Choice:
    """A threshold and the smallest volume of a part."""

    threshold: float
    minimum_volume_ml: float


def rule_curve(probability: NDArray[np.float32], truth: NDArray[np.bool_]) -> Values:
    """Return Dice by threshold and rule: ``LEAST_ML`` in turn, then the largest part alone."""
    table = np.empty((len(THRESHOLDS), len(LEAST_ML) + 1))
    box = around(truth, probability >= THRESHOLDS[0])
    truth, probability = truth[box], probability[box]
    total = int(truth.sum())
    for row, threshold in enumerate(THRESHOLDS):
        marks, count = ndimage.label(probability >= threshold, _BLOCK)
        sizes = np.bincount(marks.ravel(), minlength=count + 1)[1:]
        shared = np.bincount(marks[truth], minlength=count + 1)[1:]
        kept = [sizes * VOXEL_MM3 / 1000 >= least for least in LEAST_ML]
        kept.append(np.arange(count) == (int(np.argmax(sizes)) if count else -1))
        for column, keep in enumerate(kept):
            size = total + int(sizes[keep].sum())
            table[row, column] = 2 * int(shared[keep].sum()) / size if size else 1.0
    return table


def best_choice(curves: Sequence[Values]) -> Choice:
    """Return the threshold and smallest volume of the highest mean Dice; the largest part is no choice."""
    mean = np.mean(curves, axis=0)[:, : len(LEAST_ML)]
    row, column = np.unravel_index(int(np.argmax(mean)), mean.shape)
    return Choice(THRESHOLDS[row], LEAST_ML[column])


def cross_fitted(curves: Mapping[str, Values], blocks: Mapping[str, int]) -> dict[int, Choice]:
    """Return for each block the choice made on the patients of the others."""
    return {
        block: best_choice([curve for name, curve in curves.items() if blocks[name] != block])
        for block in sorted({blocks[name] for name in curves})
    }


def mean_probability(parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the mean of 8 bit probabilities."""
    total = np.zeros(parts[0].shape, dtype=np.uint16)
    for part in parts:
        total += part
    return np.asarray(total / np.float32(255 * len(parts)), dtype=np.float32)


def masked(probability: NDArray[np.float32], choice: Choice) -> NDArray[np.bool_]:
    """Apply a choice as the detector does."""
    return reported(probability, VOXEL_MM3, choice.threshold, minimum_volume_ml=choice.minimum_volume_ml)


def case_row(truth: NDArray[np.bool_], parts: Sequence[NDArray[np.uint8]], choice: Choice) -> Row:
    """Return the figures of one patient by the mean of members, and how far the members agree."""
    probability = mean_probability(parts)
    counts = OverlapCounts(len(parts))
    level = round(255 * choice.threshold)
    counts.add(np.stack([part >= level for part in parts]))
    marked = probability >= choice.threshold
    box = around(truth, np.max(parts, axis=0) >= level)
    alone = [dice(truth[box], masked(mean_probability([part[box]]), choice)) for part in parts]
    answer = masked(probability[box], choice)
    row: Row = {"voxels": int(truth.sum())} | agreement(
        truth[box], answer, float(np.hypot(*truth.shape[1:]))
    ).as_row()
    if len(parts) > 1:
        row["pairwise_dice"] = float(np.mean(counts.dice()))
    return row | {
        "member_support": counts.marking,
        "foreground_entropy": foreground_mean(predictive_entropy(probability), marked),
        "mean_max": float(np.mean(max_probability(probability), dtype=np.float64)),
        "dice_of_one": float(np.mean(alone)),
    }


def _figure(values: Sequence[float]) -> Row:
    return asdict(mean_figure(values))


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's coefficient, 0 where one of them is the same throughout."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return 0.0
    return round(float(spearmanr(first, second).statistic), 3)


def summary(rows: Sequence[Row]) -> Row:
    """Return means with intervals over patients, the median Dice and the number of failures."""
    result: Row = {key: _figure([row[key] for row in rows]) for key in ("dice", "nsd", "hd95", "lesion_f1")}
    common = [float(row["hd95_common"]) for row in rows if row["hd95_common"] is not None]
    if common:
        result["hd95 common"] = _figure(common) | {"median": float(np.median(common))}
    for key in ("dice", "hd95"):
        result[key]["median"] = float(np.median([row[key] for row in rows]))
    values = [row["dice"] for row in rows]
    result["failures"] = sum(value < FAILURE for value in values)
    result["failure share"] = _figure([float(value < FAILURE) for value in values])
    return result


class OutOfBag:
    """Answers and truths of a run, brought together.

    Parameters
    ----------
    truths : sequence of Truth
        The patients.
    blocks : mapping of str to int
        Their blocks.
    out : pathlib.Path
        Of the run.
    """

    def __init__(self, truths: Sequence[Truth], blocks: Mapping[str, int], out: Path) -> None:
        self.blocks, self.out = blocks, out
        self.names = {int(stem[-1]): name for stem, (_, name) in exported(out, "member", "member-?").items()}
        self.truths = [truth for truth in truths if self.answered(truth, ACQUIRED)]
        self.curves = {
            truth.name: rule_curve(mean_probability(self.parts(truth, ACQUIRED)), truth.mask)
            for truth in self.truths
        }
        self.choices = cross_fitted(self.curves, blocks)

    def members(self, truth: Truth) -> list[str]:
        """Return the names of the members that never saw the patient, as far as they are exported."""
        return [self.names[member] for member in unseen_by(self.blocks[truth.name]) if member in self.names]

    def answered(self, truth: Truth, variant: str) -> bool:
        """Whether all four of them have answered."""
        answers, names = Answers(self.out / "answers", variant), self.members(truth)
        return len(names) == UNSEEN and all(answers.path(name, truth).exists() for name in names)

    def parts(self, truth: Truth, variant: str) -> list[NDArray[np.uint8]]:
        """Return the answers of the members that never saw the patient."""
        answers = Answers(self.out / "answers", variant)
        return [answers.of(name, truth) for name in self.members(truth)]

    def choice(self, truth: Truth) -> Choice:
        """Return the rule for the patient, chosen without the patients of its block."""
        return self.choices[self.blocks[truth.name]]

    def rows(self, variant: str) -> list[Row]:
        """Return one row a patient that has every sequence of the variant."""
        return [
            {
                "patient": truth.name,
                "institution": truth.institution,
                "block": self.blocks[truth.name],
                "sequences": variant,
            }
            | case_row(truth.mask, self.parts(truth, variant), self.choice(truth))
            for truth in self.truths
            if usable(truth, variant) and self.answered(truth, variant)
        ]

    def flips(self) -> Row:
        """Compare answers with and without those to the mirrored images, where these were asked for."""
        plain, both = [], []
        folder = self.out / "answers" / MIRRORED
        for truth in self.truths:
            paths = [folder / name / f"{truth.name}.npy" for name in self.members(truth)]
            if all(path.exists() for path in paths):
                parts, choice = self.parts(truth, ACQUIRED), self.choice(truth)
                plain.append(dice(truth.mask, masked(mean_probability(parts), choice)))
                parts += [np.load(path) for path in paths]
                both.append(dice(truth.mask, masked(mean_probability(parts), choice)))
        if not plain:
            return {}
        gain = [after - before for before, after in zip(plain, both, strict=True)]
        return {"without": _figure(plain), "with": _figure(both), "difference": _figure(gain)}


def grouped(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, Row]:
    """Return Dice figures by group, groups in the order of their names."""
    names = sorted({key(row) for row in rows})
    return {name: _figure([row["dice"] for row in rows if key(row) == name]) for name in names}


def size_groups(rows: Sequence[Row]) -> dict[str, Row]:
    """Return Dice figures by thirds of tumour size in voxels."""
    low, high = np.percentile([row["voxels"] for row in rows], [100 / 3, 200 / 3])
    words = [f"1: under {low:.0f} voxels", f"2: {low:.0f} to {high:.0f}", f"3: over {high:.0f} voxels"]
    return grouped(rows, lambda row: words[int(row["voxels"] >= low) + int(row["voxels"] > high)])


def main_rules(found: OutOfBag) -> Rules:
    """Return the package's rule: the choice on all patients, with the cross-fitted ones in words."""
    choice = best_choice(list(found.curves.values()))
    others = ", ".join(f"{c.threshold:g} and {c.minimum_volume_ml:g} ml" for c in found.choices.values())
    words = (
        f"Highest mean Dice of out-of-bag answers (four members) over {len(found.curves)} patients, together "
        f"with the smallest volume; the blocks left out in turn chose {others}. Chosen with four members, "
        "used with five."
    )
    return Rules(choice.threshold, words, False, choice.minimum_volume_ml, False)


def main_report(found: OutOfBag) -> tuple[Row, list[Row]]:
    """Return every out-of-bag figure, and the rows of the table behind them."""
    by_variant = {variant: found.rows(variant) for variant in VARIANTS}
    rows = by_variant[ACQUIRED]
    all_three = {truth.name for truth in found.truths if all(truth.present)}
    curves = np.mean(list(found.curves.values()), axis=0)
    report: Row = {
        "patients": len(rows),
        "out of bag": {variant: summary(part) for variant, part in by_variant.items() if part},
        "same patients, all three sequences acquired": {
            variant: _figure([row["dice"] for row in part if row["patient"] in all_three])
            for variant, part in by_variant.items()
            if any(row["patient"] in all_three for row in part)
        },
        "by institution": grouped(rows, lambda row: str(row["institution"])),
        "by size": size_groups(rows),
        "one member": _figure([row["dice_of_one"] for row in rows]),
        "four members": _figure([row["dice"] for row in rows]),
        "flips": found.flips(),
        "rules": {
            "thresholds": list(THRESHOLDS),
            "columns": [f"parts from {least:g} ml" for least in LEAST_ML] + ["largest part"],
            "mean Dice": [[round(float(value), 4) for value in line] for line in curves],
            "cross-fitted": {str(block): asdict(choice) for block, choice in found.choices.items()},
        },
        "agreement": {
            name: _rank_correlation([r[name] for r in rows], [r["dice"] for r in rows])
            for name in ("pairwise_dice", "foreground_entropy", "mean_max")
        },
        "failures": [row["patient"] for row in rows if row["dice"] < FAILURE],
    }
    return report, [row for part in by_variant.values() for row in part]
