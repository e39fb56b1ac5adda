"""All runs of the package in their order; each can be asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from export.training.blocks import PAIRS
from export.training.mammography import training
from export.training.mammography.candidates import candidates, chosen_recipe, judge, write_table
from export.training.mammography.data import load_views
from export.training.mammography.split import read_split
from export.training.stage import Plan

__all__ = ["STAGES", "train"]

STAGES = ("candidates", "members")


def train(
    out: Path,
    stages: Sequence[str],
    members: Sequence[int] | None = None,
    *,
    resume: bool,
    minutes: float | None = None,
    threads: int = 2,
    encoder: Path | None = None,
) -> None:
    """Run stages one after another; ``members`` restricts what of a stage is run, by index."""
    torch.set_num_threads(threads)

    def granted(plan: Plan) -> Plan:
        return plan if minutes is None else replace(plan, minutes=minutes)

    views, blocks = load_views(out / "cache"), read_split()
    if "candidates" in stages:
        rows, plan = candidates(encoder), granted(training.CANDIDATE)
        for index in members or range(len(rows)):
            judge(index, rows, views, blocks, out, resume=resume, plan=plan)
        write_table(out)
    if "members" in stages:
        recipe, plan = chosen_recipe(out, encoder), granted(training.MEMBER)
        (out / "recipe.json").write_text(recipe.as_json())
        for member in members or range(len(PAIRS)):
            training.train_on(
                f"member-{member}",
                training.seen_by(views, blocks, member),
                recipe,
                out,
                plan=plan,
                seed=100_000 * (member + 1),
                resume=resume,
            )
