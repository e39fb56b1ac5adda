"""Choice of the network: equal minutes for each, judged on the two blocks that member 0 leaves out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from export.training.brain_tumour.data import Patient
from export.training.brain_tumour.network import CANDIDATES
from export.training.brain_tumour.onnx_export import load_network
from export.training.brain_tumour.split import PAIRS
from export.training.brain_tumour.training import CANDIDATE, device, seen_by, train_on
from export.training.stage import Plan
from models.preprocessing.brain import SEQUENCES, member_input

MARGIN = 0.005
"""The first candidate stays unless another is better by more than this mean Dice."""


def predict(
    network: nn.Module, patient: Patient, wanted: Sequence[str] = SEQUENCES, batch: int = 16
) -> np.ndarray:
    """Return the probabilities (z, y, x) of a torch network for one patient."""
    sequences, parts = patient.sequences(wanted), []
    for start in range(0, len(patient.mask), batch):
        tensor = torch.from_numpy(member_input(sequences, slice(start, start + batch))).to(device())
        with torch.no_grad(), torch.autocast(device(), torch.bfloat16):
            logits = network(tensor.contiguous(memory_format=torch.channels_last))
        parts.append(torch.sigmoid(logits.float())[:, 0].cpu().numpy())
    return np.concatenate(parts)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two masks; 1 when both are empty."""
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else 1.0


def judge(
    index: int,
    patients: Sequence[Patient],
    blocks: dict[str, int],
    out: Path,
    *,
    resume: bool,
    plan: Plan = CANDIDATE,
) -> dict[str, Any]:
    """Train one candidate, answer the patients it never saw, and keep the row of the table as JSON."""
    name, make = list(CANDIDATES.items())[index]
    stem = f"candidate-{index}"
    scored = out / f"{stem}.scores.json"
    if resume and scored.exists():
        kept: dict[str, Any] = json.loads(scored.read_text())
        return kept
    judged = [patient for patient in patients if blocks[patient.name] in PAIRS[0]]
    weights = train_on(
        stem, seen_by(patients, blocks, 0), make, out, plan=plan, seed=4_000_000, resume=resume
    )
    network = load_network(weights, make()).to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    record = json.loads((out / f"{stem}.json").read_text())
    row: dict[str, Any] = {
        "network": name,
        "parameters": sum(p.numel() for p in network.parameters()),
        "steps": record["steps"],
        "seconds": record["seconds"],
        "slices a second": round(record["steps"] * plan.batch / max(record["seconds"], 1), 1),
        "patients judged": len(judged),
    }
    for label, wanted in (("all sequences", SEQUENCES), ("FLAIR alone", ("FLAIR",))):
        values = [dice(predict(network, patient, wanted) > 0.5, patient.mask) for patient in judged]
        row[f"mean Dice, {label}"] = round(float(np.mean(values)), 4)
        row[f"median Dice, {label}"] = round(float(np.median(values)), 4)
    scored.write_text(json.dumps(row, indent=1))
    return row


def compare(
    patients: Sequence[Patient], blocks: dict[str, int], out: Path, *, resume: bool, plan: Plan = CANDIDATE
) -> str:
    """Judge every candidate, keep the table as JSON and return the name of the chosen one."""
    rows = [judge(index, patients, blocks, out, resume=resume, plan=plan) for index in range(len(CANDIDATES))]
    key = "mean Dice, all sequences"
    best = max(rows, key=lambda row: float(row[key]))
    chosen = best if best[key] > rows[0][key] + MARGIN else rows[0]
    table = {
        "judged on": f"patients of blocks {PAIRS[0][0]} and {PAIRS[0][1]}, unseen in training",
        "threshold": 0.5,
        "rule": f"the first unless another has a mean Dice higher by more than {MARGIN}",
        "candidates": rows,
        "chosen": chosen["network"],
    }
    (out / "candidates.json").write_text(json.dumps(table, indent=1))
    return str(chosen["network"])


def chosen_network(out: Path) -> str:
    """Return the name of the network that the comparison of a run chose."""
    return str(json.loads((out / "candidates.json").read_text())["chosen"])
