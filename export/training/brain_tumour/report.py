"""The evaluation of a run: answers, figures, table of cases; everything is made by ``evaluate_run``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from export.training.brain_tumour.analysis import OutOfBag, best_choice, main_report, main_rules
from export.training.brain_tumour.candidates import chosen_network
from export.training.brain_tumour.contrast import answer_contrast, contrast_report
from export.training.brain_tumour.controls import answer_controls, dropout_report, institutions_report
from export.training.brain_tumour.corruptions import chosen_patients, corruption_report, spoil
from export.training.brain_tumour.data import load_contrast, load_patients, load_truths
from export.training.brain_tumour.evaluation import answer_members, exported, flip_patients
from export.training.brain_tumour.onnx_export import export_controls
from export.training.brain_tumour.rules import save_rules
from export.training.brain_tumour.split import SPLIT_FILE, read_split
from models.runtime import open_session

Row = dict[str, Any]

CASES = "out_of_bag.csv"


def answer_run(out: Path, blocks: Mapping[str, int], *, threads: int = 2) -> Iterator[str]:
    """Let every exported network answer what it never saw; what is answered already is kept."""
    patients = load_patients(out / "cache")
    mirrored = flip_patients(patients)
    yield from answer_members(patients, blocks, out, mirrored=mirrored, threads=threads)
    export_controls(out, chosen_network(out))
    yield from answer_controls(patients, blocks, out, threads=threads)
    yield from answer_contrast(load_contrast(out / "cache"), out, threads=threads)


def evaluate_run(out: Path, *, split: Path = SPLIT_FILE, threads: int = 2) -> Iterator[str]:
    """Answer, compute every figure and keep it beside the run; yields the headline figures as text."""
    blocks = read_split(split)
    yield from answer_run(out, blocks, threads=threads)
    found = OutOfBag(load_truths(out / "cache"), blocks, out)
    report, rows = main_report(found)
    contrast_rules, contrast = contrast_report(load_contrast(out / "cache"), out)
    save_rules(out, main_rules(found), contrast_rules)
    report["institution left out"] = institutions_report(found)
    report["channel dropout"] = dropout_report(found)
    report["spoilt images"] = _spoilt(found, out, threads)
    report["contrast-only"] = contrast
    write_cases(rows, out / CASES)
    (out / "metrics.json").write_text(json.dumps(report, indent=1))
    for name, figures in report["out of bag"].items():
        yield f"Dice, {name}: {interval(figures['dice'])}"


def _spoilt(found: OutOfBag, out: Path, threads: int) -> Row:
    """Spoil images of the chosen patients; the threshold is that of all patients, without rules on parts."""
    threshold = best_choice(list(found.curves.values())).threshold
    files = {name: file for file, name in exported(out, "member", "member-?").values()}
    sessions = {name: open_session(file, threads=threads) for name, file in files.items()}
    by_name = {truth.name: truth for truth in found.truths}
    rows: dict[str, Sequence[Row]] = {}
    for name in chosen_patients(list(by_name)):
        members = found.members(by_name[name])
        rows[name] = spoil(name, {key: sessions[key] for key in members}, threshold, out)
    return corruption_report(rows)


def write_cases(rows: Sequence[Row], target: Path) -> None:
    """Write the table of cases: figures by patient and sequences read, no pixels."""
    with target.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})


def read_cases(source: Path) -> list[Row]:
    """Read the table of cases: numbers as numbers, what is empty as None."""
    words = ("patient", "institution", "sequences")
    with source.open() as stream:
        return [
            {k: v if k in words else float(v) if v else None for k, v in row.items()}
            for row in csv.DictReader(stream)
        ]


def interval(row: Mapping[str, float]) -> str:
    """Write a figure with its interval."""
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
