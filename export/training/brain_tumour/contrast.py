"""Figures of the contrast-only networks: each slice by the one member that never saw its block.

Patients are unknown in this data set. Blocks are contiguous in slice number, with gaps that no training saw;
intervals draw runs of neighbouring slices, of the mean number of slices a patient.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.training.brain_tumour.data import TYPES, ContrastSlices
from export.training.brain_tumour.evaluation import exported
from export.training.brain_tumour.figures import dice
from export.training.brain_tumour.rules import Rules
from export.training.brain_tumour.split import BLOCKS, contrast_blocks
from export.training.statistics import DRAWS, Figure, auroc
from models.runtime import open_session

Row = dict[str, Any]
Values = NDArray[np.float64]

BATCH = 8
RUN = 13
"""Slices drawn together for intervals: 3,064 slices of 233 patients."""

TOLERANCE = 0.02
"""Mean Dice that a stricter threshold may cost."""

SMALLEST_ML = 0.1
"""Parts below it are not reported."""

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def slice_blocks(slices: ContrastSlices) -> NDArray[np.int64]:
    """Return the block of every slice."""
    blocks = contrast_blocks(dict(zip(slices.numbers.tolist(), slices.types.tolist(), strict=True)))
    return np.array([blocks[int(number)] for number in slices.numbers], dtype=np.int64)


def answer_contrast(slices: ContrastSlices, out: Path, *, threads: int = 1) -> Iterator[str]:
    """Let every exported contrast member answer the block it never saw; yields a line a member."""
    blocks = slice_blocks(slices)
    folder = out / "answers" / "contrast"
    folder.mkdir(parents=True, exist_ok=True)
    for stem, (file, name) in exported(out, "contrast", "member-?").items():
        block = int(stem[-1])
        target = folder / f"{name}.npz"
        chosen = np.flatnonzero(blocks == block)
        if not target.exists():
            session, masks, types = open_session(file, threads=threads), [], []
            for start in range(0, len(chosen), BATCH):
                pixels = slices.pixels[chosen[start : start + BATCH]].astype(np.float32)[:, None]
                found = session.run({"tensor": pixels})
                masks.append(np.rint(255 * found["probability"][:, 0]).astype(np.uint8))
                types.append(found["type"])
            np.savez(target, probability=np.concatenate(masks), type=np.concatenate(types))
        yield f"contrast member {block}: {len(chosen)} slices it never saw"


def run_interval(values: Values, statistic: Any, seed: int = 0) -> Figure:
    """Return a statistic of slices in their order, with the interval of ``DRAWS`` draws of runs.

    Parameters
    ----------
    values : ndarray, shape (slices, ...)
        In the order of their numbers.
    statistic : callable
        From such an array to a number.
    """
    rng = np.random.default_rng(seed)
    starts = np.arange(0, len(values), RUN)
    drawn = []
    for _ in range(DRAWS):
        picked = rng.choice(starts, len(starts))
        index = (picked[:, None] + np.arange(RUN)).ravel()
        drawn.append(statistic(values[index[index < len(values)]]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(float(statistic(values)), float(low), float(high), len(values))


def macro_auroc(values: Values) -> float:
    """Return the mean one-against-rest AUROC; columns are the true type, then the share of each type.

    Types without a slice are left out; a half where there is nothing to compare.
    """
    truth, shares = values[:, 0].astype(int), values[:, 1:]
    kinds = [kind for kind in range(shares.shape[1]) if 0 < (truth == kind).sum() < len(truth)]
    found = [auroc(shares[truth == k, k], shares[truth != k, k]) for k in kinds]
    return float(np.mean(found)) if found else 0.5


def accuracy(values: Values) -> float:
    """Return the share of slices whose largest share is that of the true type; columns as before."""
    return float(np.mean(values[:, 1:].argmax(axis=1) == values[:, 0].astype(int)))


def confusion(values: Values) -> list[list[int]]:
    """Return counts by true type (row) and by suggested type (column)."""
    count = values.shape[1] - 1
    table = np.zeros((count, count), dtype=int)
    np.add.at(table, (values[:, 0].astype(int), values[:, 1:].argmax(axis=1)), 1)
    return [[int(value) for value in row] for row in table]


def contrast_report(slices: ContrastSlices, out: Path) -> tuple[Rules, Row]:
    """Return the branch's rule, and Dice and types of every slice by the member that never saw it.

    The threshold is chosen on the slices of the other blocks (cross-fitted); the rule is chosen on all.
    """
    blocks, folder = slice_blocks(slices), out / "answers" / "contrast"
    networks = exported(out, "contrast", "member-?")
    files = {int(stem[-1]): folder / f"{name}.npz" for stem, (_, name) in networks.items()}
    if len(files) < BLOCKS or not all(path.exists() for path in files.values()):
        return Rules(), {}
    curve = np.zeros((len(blocks), len(THRESHOLDS)))
    shares = np.zeros((len(blocks), len(TYPES)))
    for block, path in files.items():
        with np.load(path) as kept:
            chosen, probability = np.flatnonzero(blocks == block), kept["probability"]
            shares[chosen] = kept["type"]
        for place, answer in zip(chosen, probability, strict=True):
            curve[place] = [dice(slices.masks[place], answer >= round(255 * t)) for t in THRESHOLDS]
    best = {block: _strictest(curve[blocks != block].mean(axis=0)) for block in range(BLOCKS)}
    values = np.array([curve[place, best[int(block)]] for place, block in enumerate(blocks)])
    typed = np.column_stack([slices.types, shares])
    report: Row = {
        "slices": len(blocks),
        "dice": asdict(run_interval(values, np.mean)) | {"median": float(np.median(values))},
        "dice by type": {
            name: asdict(run_interval(values[slices.types == kind], np.mean))
            for kind, name in enumerate(TYPES)
        },
        "nothing in common with the tumour": float(np.mean(values == 0)),
        "type accuracy": asdict(run_interval(typed, accuracy)),
        "type macro AUROC": asdict(run_interval(typed, macro_auroc)),
        "largest type alone": float(np.bincount(slices.types).max() / len(blocks)),
        "confusion": {"types": list(TYPES), "true by suggested": confusion(typed)},
        "thresholds": {
            f"{t:g}": float(value) for t, value in zip(THRESHOLDS, curve.mean(axis=0), strict=True)
        },
        "cross-fitted": {str(block): THRESHOLDS[index] for block, index in best.items()},
    }
    score = THRESHOLDS[_strictest(curve.mean(axis=0))]
    words = (
        f"The highest threshold whose mean Dice lies within {TOLERANCE:g} of the best over {len(blocks)} "
        "slices, each by the one member that never saw its block of numbers (gap of 30). Every slice of the "
        "data holds a tumour, so that false marks cost nothing there: hence the strictest of what is about "
        f"equal. The smallest part, {SMALLEST_ML:g} ml, is an assumption."
    )
    return Rules(score, words, minimum_volume_ml=SMALLEST_ML), report


def _strictest(means: Values) -> int:
    """Return the index of the highest threshold that costs no more than ``TOLERANCE`` of the best mean."""
    return int(np.flatnonzero(means >= means.max() - TOLERANCE)[-1])
