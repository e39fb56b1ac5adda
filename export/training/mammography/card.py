"""The model card: its words, and every figure as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from export.training.mammography.report import interval

__all__ = ["CARD", "markdown"]

Row = dict[str, Any]

CARD = Path(__file__).with_name("card.md")
AIM_AREA, AIM_FRACTION = 0.80, 0.60
"""AUROC of abnormal breasts and LLF at NLF .5, out of bag, that were set before training."""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Write a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    return [*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def _named(figures: Mapping[str, Row]) -> list[list[object]]:
    return [[name, row["n"], interval(row)] for name, row in figures.items()]


def _aim(report: Row) -> str:
    area = report["AUROC of breasts"]["abnormal"]["value"]
    fraction = report["LLF at NLF"]["all lesions"]["0.5"]["value"]
    words = [
        f"{name} {value:.2f} ({'reached' if value >= aim else 'NOT reached'}: the aim was {aim:.2f})"
        for name, value, aim in (
            ("AUROC of abnormal breasts", area, AIM_AREA),
            ("LLF at NLF .5, all lesions", fraction, AIM_FRACTION),
        )
    ]
    return "Out of bag: " + "; ".join(words) + "."


def _lesions(report: Row) -> list[str]:
    groups = report["LLF at NLF"]
    rates = list(next(iter(groups.values())))
    rows = [
        [name, row[rates[0]]["n"], *(interval(row[rate]) for rate in rates)] for name, row in groups.items()
    ]
    return table(["lesions", "n", *(f"NLF {rate}" for rate in rates)], rows)


def _density(report: Row) -> list[str]:
    density = report["density"]
    rows = [
        [name, *counts]
        for name, counts in zip(density["classes"], density["confusion, rows are the table"], strict=True)
    ]
    accuracy = interval(density["accuracy of patients"])
    return [f"Accuracy over patients {accuracy}.", "", *table(["table \\ read", *density["classes"]], rows)]


def _numbers(rows: Sequence[Row], keys: Sequence[str]) -> list[list[object]]:
    return [[", ".join(row[key]) if isinstance(row[key], list) else row[key] for key in keys] for row in rows]


def _failures(report: Row) -> list[str]:
    failures = report["failures"]
    missed = failures["lesions missed at the operating point"]
    keys = ("film", "kind", "malignant", "radius_mm", "tissue", "highest mark on it")
    lines = [f"### Lesions missed at the operating point ({len(missed)})", ""]
    lines += table(keys, _numbers(missed, keys))
    said = ("film", "score", "kinds", "tissue")
    for name in ("normal films with the highest scores", "abnormal films with the lowest scores"):
        lines += [f"### {name.capitalize()}", "", *table(said, _numbers(failures[name], said))]
    return lines


def _repeats(report: Row) -> list[str]:
    rows = [
        [
            name,
            row["films"],
            f"{row['median change']:.3f}",
            f"{row['95 % change']:.3f}",
            f"{row['marks']} / {row['marks after']}",
            f"{row['share of marks kept']:.2f}",
        ]
        for name, row in report["repeatability"].items()
    ]
    head = (
        "change",
        "films",
        "score, median",
        "score, 95 %",
        "marks before / after",
        "marks kept within 5 mm",
    )
    return table(head, rows)


def _training(training: Row) -> list[str]:
    members = training["members"]
    steps = sorted(row["steps"] for row in members)
    minutes = sum(row["seconds"] for row in members) / 60
    return [
        f"{len(members)} members, {steps[0]} to {steps[-1]} steps each, {minutes:.0f} minutes in all."
        if members
        else "",
        "",
    ]


def _candidates(compared: Row) -> list[str]:
    rows = compared["candidates"]
    keys = [key for key in rows[0] if key not in ("index", "films judged")]
    lines = [f"Judged on {compared['judged on']}; {compared['rule']}. Chosen: **{compared['chosen']}**.", ""]
    return lines + table(keys, [[row[key] for key in keys] for row in rows])


def markdown(report: Row, training: Row, compared: Row | None = None) -> str:
    """Write the card of an evaluated run."""
    lines = [CARD.read_text().format(aim=_aim(report)), "## Training", "", *_training(training)]
    if compared is not None:
        lines += ["### Starts and recipes, compared", "", *_candidates(compared)]
    lines += ["## Breasts, out of bag (AUROC, 95 % interval)", ""]
    lines += table(("breasts", "n", "AUROC"), _named(report["AUROC of breasts"]))
    lines += ["Abnormal, by tissue:", ""]
    lines += table(("tissue", "n", "AUROC"), _named(report["AUROC abnormal by tissue"]))
    lines += ["Breasts with such a lesion against normal ones:", ""]
    lines += table(("lesion", "n", "AUROC"), _named(report["AUROC abnormal by lesion"]))
    lines += ["## Lesions, out of bag (LLF, 95 % interval)", "", *_lesions(report)]
    lines += [f"JAFROC figure of merit {interval(report['JAFROC'])}.", ""]
    point = report["operating point"]
    lines += [
        f"Operating point {point['score']:.3f}: LLF {point['LLF']:.2f}, NLF {point['NLF']:.2f}, "
        f"{point['marks a normal film']:.2f} marks on a normal film.",
        "",
        "## Calibration",
        "",
        f"Score of a breast, cross-fitted: Brier {report['calibration']['brier']:.3f}, ECE (15 bins) "
        f"{report['calibration']['ece_15_bins']:.3f}, {report['calibration']['abnormal']} of "
        f"{report['calibration']['n']} abnormal.",
        "",
        "## Density",
        "",
        *_density(report),
    ]
    if "variants" in report:
        keys = list(next(iter(report["variants"].values())))
        rows = [[name, *(row[key] for key in keys)] for name, row in report["variants"].items()]
        lines += ["## Variants of reading", "", *table(("variant", *keys), rows)]
        lines += ["The package reads plainly; the others are shown for comparison.", ""]
    if "repeatability" in report:
        lines += ["## Repeatability", "", *_repeats(report)]
    lines += ["## Failures, by the number of the film", "", *_failures(report)]
    return "\n".join(lines)
