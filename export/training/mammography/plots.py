"""Small plots of the report; none shows an image of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Canvas

__all__ = ["plot_froc", "plot_repeatability", "plot_roc"]

Row = dict[str, Any]

_DPI = 90
_METADATA = {"Software": None}


def _save(canvas: Canvas, target: Path) -> None:
    canvas.savefig(target, dpi=_DPI, metadata=_METADATA)


def plot_froc(report: Row, target: Path) -> None:
    """Draw LLF by NLF, and the intervals of the three points that are reported."""
    canvas = Canvas(figsize=(5.0, 3.6), layout="constrained")
    axes, curves = canvas.subplots(), report["curves"]
    for name, values in curves["LLF"].items():
        axes.plot(curves["NLF"], values, label=name)
    for rate, row in report["LLF at NLF"]["all lesions"].items():
        axes.plot([float(rate)] * 2, [row["low"], row["high"]], color="black", linewidth=1)
        axes.plot(float(rate), row["value"], "o", color="black", markersize=4)
    point = report["operating point"]
    axes.plot(point["NLF"], point["LLF"], "x", color="black", label="operating point")
    axes.set(
        xlabel="NLF, marks on no lesion an image",
        ylabel="LLF, share of lesions marked",
        ylim=(0, 1),
        title="Out of bag, 95 % intervals",
    )
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.3)
    _save(canvas, target)


def plot_roc(report: Row, target: Path) -> None:
    """Draw the ROC curves of abnormal and of malignant breasts."""
    canvas = Canvas(figsize=(4.2, 3.8), layout="constrained")
    axes = canvas.subplots()
    for name, curve in report["curves"]["ROC"].items():
        value = report["AUROC of breasts"][name]["value"]
        axes.plot(curve["false"], curve["true"], label=f"{name}, {value:.2f}")
    axes.plot([0, 1], [0, 1], ":", color="grey")
    axes.set(
        xlabel="share of other breasts",
        ylabel="share of these breasts",
        xlim=(0, 1),
        ylim=(0, 1),
        title="Score of the breast, out of bag",
    )
    axes.legend(title="AUROC", fontsize=8, loc="lower right")
    axes.grid(alpha=0.3)
    _save(canvas, target)


def plot_repeatability(report: Row, target: Path) -> None:
    """Draw change of the score and share of marks kept, for each way in which a film comes differently."""
    canvas = Canvas(figsize=(7.6, 3.4), layout="constrained")
    left, right = canvas.subplots(1, 2, sharey=True)
    rows = report["repeatability"]
    places = range(len(rows))
    left.barh(
        places, [row["95 % change"] for row in rows.values()], color="lightgrey", label="95th percentile"
    )
    left.barh(
        places, [row["median change"] for row in rows.values()], color="black", height=0.4, label="median"
    )
    left.set_yticks(places, list(rows))
    left.invert_yaxis()
    left.set(xlabel="absolute change of the score")
    left.legend(fontsize=8)
    right.barh(places, [row["share of marks kept"] for row in rows.values()], color="grey")
    right.set(xlabel="share of marks kept within 5 mm", xlim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3, axis="x")
    _save(canvas, target)
