"""The evaluation as JSON, Markdown and two small plots."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib import rcParams
from matplotlib.figure import Figure as Canvas

from export.training.chest_nodule.analysis import Fitted, analyse
from export.training.chest_nodule.evaluation import answer_member, merge

Report = dict[str, Any]


def evaluate_run(out: Path) -> Iterator[str]:
    """Evaluate a run's ONNX members; yields the headline figures as text."""
    files = {int(path.stem[-1]): path for path in sorted((out / "onnx").glob("member-?.onnx"))}
    answers = merge([answer_member(out, member, path) for member, path in files.items()])
    fitted, report = analyse(answers)
    (out / "fitted.json").write_text(json.dumps(asdict(fitted), indent=1))
    (out / "metrics.json").write_text(json.dumps(report, indent=1))
    for name, row in report["image level"]["candidate maximum"].items():
        yield f"AUROC {name}: {interval(row)}"
    large = report["FROC, simulated nodules"][">= 10 mm"]["1"]
    yield f"sensitivity at 1 FP/film, >= 10 mm: {interval(large)}"


def load_fitted(out: Path) -> Fitted:
    """Read the fitted maps of an evaluated run."""
    raw = json.loads((out / "fitted.json").read_text())
    members = {int(member): (pair[0], pair[1]) for member, pair in raw["members"].items()}
    return Fitted(members, (raw["case"][0], raw["case"][1]), raw["operating_point"])


def interval(row: dict[str, float]) -> str:
    """Write a figure with its interval."""
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def markdown(report: Report) -> str:
    """Write every figure as Markdown tables."""
    image = report["image level"]
    scores = list(image)
    lines = [
        "## Image level, out of bag (AUROC, 95 % bootstrap interval)",
        "",
        "| comparison | n | " + " | ".join(scores) + " |",
        "| --- |" + " --- |" * (len(scores) + 1),
    ]
    for name, row in image[scores[0]].items():
        cells = " | ".join(interval(image[score][name]) for score in scores)
        lines.append(f"| {name} | {row['n']} | {cells} |")
    lines += ["", "## FROC, simulated nodules in unseen films", ""]
    lines += _froc_table(report["FROC, simulated nodules"])
    lidc = report["LIDC projections held out of pre-training, nodules >= 10 mm"]
    lines += [
        "",
        "## LIDC projections held out of pre-training",
        "",
        "All five members. Nodules with a mask of 10 mm or more; AUROC by candidate maximum "
        f"{interval(lidc['AUROC'])}, by film head {interval(lidc['AUROC film head'])}, by mean logit "
        f"{interval(lidc['AUROC mean logit'])}: the film head, trained on one hospital's text-mined "
        "labels, does not travel to these, so the package's case score is the candidate maximum.",
        "",
    ]
    lines += _froc_table({"mask >= 10 mm": lidc["FROC"]})
    failure = dict(report["failure detection (AUROC of true against false findings)"])
    counts = failure.pop("true findings"), failure.pop("false findings")
    lines += [
        "",
        "## Telling true from false findings",
        "",
        f"{counts[0]} true and {counts[1]} false findings above the operating point, simulated films:",
        "",
    ]
    lines += [f"- {name}: AUROC {interval(row)}" for name, row in failure.items()]
    case = report["case calibration, cross-fitted, Nodule or Mass vs No Finding"]
    point = report["operating point"]
    lines += [
        "",
        "## Calibration and operating point",
        "",
        f"Case score, cross-fitted over the five blocks: Brier {case['brier']:.3f}, ECE (15 bins) "
        f"{case['ece_15_bins']:.3f}, n = {case['n']}, {case['positive']} positive "
        "(the map is for a prevalence of one half, so part of the error is the set's prevalence).",
        "",
        f"Operating point {point['score']:.3f}: sensitivity {point['sensitivity']:.3f} for simulated nodules "
        f"of all sizes at {point['false marks a film']:.2f} false marks a film; "
        f"{point['marks a No Finding film']:.2f} marks on a film labelled No Finding.",
        "",
    ]
    return "\n".join(lines)


def _froc_table(groups: dict[str, Any]) -> list[str]:
    rates = list(next(iter(groups.values())))
    lines = [
        "| nodules | n | " + " | ".join(f"{r} FP/film" for r in rates) + " |",
        "| --- |" + " --- |" * (len(rates) + 1),
    ]
    for name, row in groups.items():
        cells = []
        for rate in rates:
            v = row[rate]
            cells.append(f"{v['value']:.2f} ({v['low']:.2f} to {v['high']:.2f})")
        lines.append(f"| {name} | {row[rates[0]]['n']} | " + " | ".join(cells) + " |")
    return lines


def plot(report: Report, target: Path) -> None:
    """Draw the FROC curves by size as one small SVG."""
    rcParams["svg.hashsalt"] = "secondread"
    figure = Canvas(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    for name in ("5 to 10 mm", "10 to 20 mm", "20 to 40 mm", ">= 10 mm"):
        row = report["FROC, simulated nodules"][name]
        rates = [float(rate) for rate in row]
        axes.plot(rates, [v["value"] for v in row.values()], marker="o", markersize=3, label=name)
        axes.fill_between(
            rates, [v["low"] for v in row.values()], [v["high"] for v in row.values()], alpha=0.12
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks([0.125, 0.25, 0.5, 1, 2, 4, 8], ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.set(
        xlabel="false marks a film",
        ylabel="sensitivity",
        ylim=(0, 1),
        title="Simulated nodules, unseen films",
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.savefig(target, metadata={"Date": None})
