"""All runs of the package in their order; each can be asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from export.training.brain_tumour import training
from export.training.brain_tumour.candidates import chosen_network, compare, judge
from export.training.brain_tumour.data import load_contrast, load_patients
from export.training.brain_tumour.network import CANDIDATES
from export.training.brain_tumour.split import BLOCKS, INSTITUTIONS, PAIRS, read_split
from export.training.stage import Plan

STAGES = ("candidates", "members", "contrast", "institutions", "without-dropout")


def train(
    out: Path,
    stages: Sequence[str],
    members: Sequence[int] | None = None,
    *,
    resume: bool,
    minutes: float | None = None,
    threads: int = 2,
) -> None:
    """Run stages one after another; ``members`` restricts what of a stage is run, by index."""
    torch.set_num_threads(threads)

    def granted(plan: Plan) -> Plan:
        return plan if minutes is None else replace(plan, minutes=minutes)

    if set(stages) - {"contrast"}:
        patients, blocks = load_patients(out / "cache"), read_split()
    if "candidates" in stages and members:
        for index in members:
            judge(index, patients, blocks, out, resume=resume, plan=granted(training.CANDIDATE))
    elif "candidates" in stages:
        compare(patients, blocks, out, resume=resume, plan=granted(training.CANDIDATE))
    if "members" in stages:
        network, plan = CANDIDATES[chosen_network(out)], granted(training.MEMBER)
        for member in members or range(len(PAIRS)):
            training.train_member(member, patients, blocks, network, out, resume=resume, plan=plan)
    if "contrast" in stages:
        slices, plan = load_contrast(out / "cache"), granted(training.CONTRAST)
        for block in members or range(BLOCKS):
            training.train_contrast(block, slices, out, resume=resume, plan=plan)
    if "institutions" in stages:
        network, plan = CANDIDATES[chosen_network(out)], granted(training.CONTROL)
        for index in members or range(len(INSTITUTIONS)):
            group = list(INSTITUTIONS)[index]
            training.train_institution(group, patients, network, out, resume=resume, plan=plan)
    if "without-dropout" in stages:
        network, plan = CANDIDATES[chosen_network(out)], granted(training.MEMBER)
        for member in members or training.WITHOUT_DROPOUT:
            training.train_without_dropout(member, patients, blocks, network, out, resume=resume, plan=plan)
