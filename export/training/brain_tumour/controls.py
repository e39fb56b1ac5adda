"""Runs beside the members: an institution left out whole, and training that never takes a channel away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.training.brain_tumour.analysis import OutOfBag, best_choice, masked, mean_probability
from export.training.brain_tumour.data import Patient
from export.training.brain_tumour.evaluation import ACQUIRED, VARIANTS, Answers, answer_with, exported
from export.training.brain_tumour.figures import dice
from export.training.brain_tumour.split import INSTITUTIONS, PAIRS
from export.training.brain_tumour.training import WITHOUT_DROPOUT
from export.training.statistics import mean_figure

Row = dict[str, Any]


def answer_controls(
    patients: Sequence[Patient], blocks: Mapping[str, int], out: Path, *, threads: int = 1
) -> Iterator[str]:
    """Let every exported control run answer the patients it never saw; yields a line a run."""
    runs = exported(out, "control", "*")
    for stem, (file, name) in runs.items():
        kind, which = stem.rsplit("-", 1) if not stem.startswith("institution-") else stem.split("-", 1)
        variants = (ACQUIRED,) if kind == "institution" else tuple(VARIANTS)
        unseen = [
            patient
            for patient in patients
            if (
                patient.institution in INSTITUTIONS[which]
                if kind == "institution"
                else blocks[patient.name] in PAIRS[int(which)]
            )
        ]
        answer_with(file, name, unseen, out, variants=variants, threads=threads)
        yield f"{stem}: {len(unseen)} patients it never saw"


def _compared(first: Sequence[float], second: Sequence[float], words: tuple[str, str]) -> Row:
    gain = [after - before for before, after in zip(second, first, strict=True)]
    return {
        words[0]: asdict(mean_figure(first)),
        words[1]: asdict(mean_figure(second)),
        "difference": asdict(mean_figure(gain)),
    }


def institutions_report(found: OutOfBag) -> Row:
    """Return Dice of the run that never saw an institution, beside one member out of bag.

    The rule is chosen on the patients of the other institutions.
    """
    report: Row = {}
    names = {stem: name for stem, (_, name) in exported(found.out, "control", "*").items()}
    answers = Answers(found.out / "answers", ACQUIRED)
    together: tuple[list[float], list[float]] = ([], [])
    words = ("institution unseen", "patient unseen")
    for group, places in INSTITUTIONS.items():
        name = names.get(f"institution-{group}", "")
        inside = [truth for truth in found.truths if truth.institution in places]
        if not name or not inside or not all(answers.path(name, truth).exists() for truth in inside):
            continue
        others = [found.curves[t.name] for t in found.truths if t.institution not in places]
        choice = best_choice(others)
        unseen, usual = [], []
        for truth in inside:
            unseen.append(dice(truth.mask, masked(mean_probability([answers.of(name, truth)]), choice)))
            ones = [
                dice(truth.mask, masked(mean_probability([part]), choice))
                for part in found.parts(truth, ACQUIRED)
            ]
            usual.append(sum(ones) / len(ones))
        report[group] = _compared(unseen, usual, words)
        together[0].extend(unseen)
        together[1].extend(usual)
    if len(report) == len(INSTITUTIONS):
        report["all"] = _compared(*together, words)
    return report


def dropout_report(found: OutOfBag) -> Row:
    """Return Dice by sequences with and without channel dropout in training: the same pairs of blocks.

    Both have the same minutes; each is a network by itself.
    """
    report: Row = {}
    names = {stem: name for stem, (_, name) in exported(found.out, "control", "*").items()}
    for variant in VARIANTS:
        pairs = [
            pair
            for member in WITHOUT_DROPOUT
            if f"without-dropout-{member}" in names
            for pair in _pairs(found, variant, member, names)
        ]
        if pairs:
            trained, plain = zip(*pairs, strict=True)
            report[variant] = _compared(trained, plain, ("with dropout", "without"))
    return report


def _pairs(
    found: OutOfBag, variant: str, member: int, names: Mapping[str, str]
) -> Iterator[tuple[float, float]]:
    """Yield the Dice of both runs for patients of the pair that have all three sequences."""
    answers = Answers(found.out / "answers", variant)
    both = [found.names[member], names[f"without-dropout-{member}"]]
    for truth in found.truths:
        there = found.blocks[truth.name] in PAIRS[member] and all(truth.present)
        if there and all(answers.path(name, truth).exists() for name in both):
            choice = found.choice(truth)
            first, second = (
                dice(truth.mask, masked(mean_probability([answers.of(name, truth)]), choice)) for name in both
            )
            yield first, second
