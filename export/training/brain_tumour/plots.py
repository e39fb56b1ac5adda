"""Small plots of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

Row = dict[str, Any]

_DPI = 90
_METADATA = {"Software": None}


def _save(canvas: Canvas, target: Path) -> None:
    canvas.savefig(target, dpi=_DPI, metadata=_METADATA)


def plot_dice(report: Row, rows: Sequence[Row], target: Path) -> None:
    """Draw Dice by sequences, and Dice against the agreement of the four members."""
    canvas = Canvas(figsize=(8.4, 3.6), layout="constrained")
    left, right = canvas.subplots(1, 2, width_ratios=[1.2, 1])
    variants = list(report["out of bag"])
    groups = [[row["dice"] for row in rows if row["sequences"] == variant] for variant in variants]
    left.boxplot(groups, showfliers=False, widths=0.5, medianprops={"color": "black"})
    rng = np.random.default_rng(0)
    for place, group in enumerate(groups, 1):
        left.plot(place + rng.uniform(-0.15, 0.15, len(group)), group, ".", markersize=3, alpha=0.5)
    left.set_xticks(
        range(1, len(groups) + 1), [f"{v}\nn = {len(g)}" for v, g in zip(variants, groups, strict=True)]
    )
    left.set(ylabel="Dice, one dot a patient", ylim=(0, 1), title="Out of bag, by sequences read")
    first = [row for row in rows if row["sequences"] == variants[0]]
    for place in sorted({row["institution"] for row in first}):
        own = [row for row in first if row["institution"] == place]
        right.plot(
            [r["pairwise_dice"] for r in own], [r["dice"] for r in own], "o", markersize=4, label=place
        )
    right.set(
        xlabel="mean pairwise Dice of four members", xlim=(0, 1), ylim=(0, 1), title="Agreement and quality"
    )
    right.legend(title="institution", fontsize=7, title_fontsize=7)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    _save(canvas, target)


def plot_rules(report: Row, target: Path) -> None:
    """Draw mean Dice by threshold, a line for every rule on parts."""
    canvas = Canvas(figsize=(4.6, 3.4), layout="constrained")
    axes: Axes = canvas.subplots()
    rules = report["rules"]
    table = np.asarray(rules["mean Dice"])
    for column, name in enumerate(rules["columns"]):
        style = "--" if name == "largest part" else "-"
        axes.plot(rules["thresholds"], table[:, column], style, marker="o", markersize=3, label=name)
    axes.set(xlabel="threshold", ylabel="mean Dice, out of bag", title="Threshold and rules on parts")
    axes.legend(fontsize=7)
    axes.grid(alpha=0.3)
    _save(canvas, target)


def plot_corruptions(report: Row, target: Path) -> None:
    """Draw Dice and pairwise Dice by condition, weakest to strongest, beside the images as they are."""
    lines = report["conditions"]
    canvas = Canvas(figsize=(8.4, 3.8), layout="constrained")
    axes: Axes = canvas.subplots()
    places = np.arange(len(lines))
    for shift, key, label in ((-0.1, "dice", "Dice"), (0.1, "pairwise_dice", "pairwise Dice of members")):
        values = np.array([line[key]["value"] for line in lines])
        low = values - [line[key]["low"] for line in lines]
        high = np.array([line[key]["high"] for line in lines]) - values
        spread = np.clip([low, high], 0, None)
        axes.errorbar(places + shift, values, yerr=spread, fmt="o", markersize=4, capsize=2, label=label)
    words = [
        f"{line['condition']} {line['strength']:g}" if line["strength"] else str(line["condition"])
        for line in lines
    ]
    axes.set_xticks(places, words, rotation=60, ha="right", fontsize=7)
    axes.set(
        ylim=(0, 1), title=f"Spoilt images, {len(report['patients'])} patients, {report['slices']} slice"
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    _save(canvas, target)
