"""Members and candidates: sampling, losses, plans."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.training.blocks import PAIRS
from export.training.centre_network import wide_kernels_in_float32
from export.training.centre_points import centre_loss, extent_loss, padded
from export.training.mammography.augment import Sample, Strength, make_sample
from export.training.mammography.data import CachedView
from export.training.mammography.network import MammographyNet, started
from export.training.stage import Batch, Plan, Work, run_stage
from models.mammography.channels import OUTSIDE

__all__ = ["CANDIDATE", "MEMBER", "Recipe", "seen_by", "train_on", "view_batches", "view_losses"]

CANDIDATE = Plan(steps=4000, minutes=3.0, batch=4, rate=1.2e-3, average=0.98, fused=True)
MEMBER = Plan(steps=4000, minutes=6.0, batch=4, rate=1.2e-3, average=0.99, fused=True)

ABNORMAL_SHARE = 0.5
MOST_LESIONS = 8
CASE_WEIGHT, MALIGNANT_WEIGHT, DENSITY_WEIGHT = 0.5, 0.3, 0.2
CASE_SMOOTHING, DENSITY_SMOOTHING = 0.05, 0.1


@dataclass(frozen=True)
class Recipe:
    """What a network starts from and how its samples are made.

    Parameters
    ----------
    start : str
        See :func:`export.training.mammography.network.started`.
    file : Path or None
        The weights of the start.
    how : Strength
        How samples are made.
    normalised : bool
        Whether the deep map is normalised before it is pooled.
    """

    start: str = "imagenet"
    file: Path | None = None
    how: Strength = field(default_factory=Strength)
    normalised: bool = False

    def as_json(self) -> str:
        """Return the recipe as JSON; of the file only its name."""
        record = asdict(self) | {"file": self.file.name if self.file else None}
        return json.dumps(record, indent=1)

    def network(self) -> MammographyNet:
        """Make the network, ready for training on a CPU."""
        network = started(self.start, self.file, normalised=self.normalised)
        wide_kernels_in_float32(network.blocks)
        return network


def _queue(rng: np.random.Generator, views: Sequence[CachedView]) -> Iterator[CachedView]:
    while views:
        for index in rng.permutation(len(views)):
            yield views[index]


def view_batches(views: Sequence[CachedView], size: int, how: Strength, seed: int) -> Iterator[Batch]:
    """Give endless batches, abnormal films and normal ones in turn, padded to one width."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    abnormal = [view for view in views if view.film.abnormal]
    queues = _queue(rng, abnormal), _queue(rng, [view for view in views if not view.film.abnormal])
    while True:
        chosen = [next(queues[int(rng.random() >= ABNORMAL_SHARE)]) for _ in range(size)]
        yield batch_of([make_sample(rng, view, abnormal, how) for view in chosen])


def batch_of(samples: Sequence[Sample]) -> Batch:
    """Pad samples on the right to one width, as air beside the breast, and stack them."""
    width = max(sample.tensor.shape[2] for sample in samples)
    height = samples[0].tensor.shape[1]
    tensor = np.empty((len(samples), 3, height, width), dtype=np.float32)
    tensor[:] = np.array(OUTSIDE, dtype=np.float32)[:, None, None]
    cells = (len(samples), height // 4, width // 4)
    heat, weight = np.zeros(cells, dtype=np.float32), np.ones(cells, dtype=np.float32)
    for index, sample in enumerate(samples):
        tensor[index, :, :, : sample.tensor.shape[2]] = sample.tensor
        heat[index, :, : sample.heat.shape[1]] = sample.heat
        weight[index, :, : sample.heat.shape[1]] = sample.weight
    return {
        "tensor": torch.from_numpy(tensor),
        "heat": torch.from_numpy(heat),
        "weight": torch.from_numpy(weight),
        "extents": torch.from_numpy(np.stack([padded(sample.extents, MOST_LESIONS) for sample in samples])),
        "case": torch.tensor([sample.labels[:2] for sample in samples]),
        "density": torch.tensor([sample.labels[2] for sample in samples]),
    }


def view_losses(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Return the parts of the loss: centres, extents, abnormal, malignant, density."""
    tensor = batch["tensor"].to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(tensor)
    centre, extent, cases, density = (value.float() for value in output)
    smoothed = batch["case"] * (1 - 2 * CASE_SMOOTHING) + CASE_SMOOTHING
    abnormal, malignant = F.binary_cross_entropy_with_logits(cases, smoothed, reduction="none").mean(0)
    return {
        "centre": centre_loss(centre, batch["heat"], batch["weight"]),
        "extent": extent_loss(extent, batch["extents"]),
        "abnormal": CASE_WEIGHT * abnormal,
        "malignant": MALIGNANT_WEIGHT * malignant,
        "density": DENSITY_WEIGHT
        * F.cross_entropy(density, batch["density"], label_smoothing=DENSITY_SMOOTHING),
    }


def seen_by(views: Sequence[CachedView], blocks: dict[str, int], member: int) -> list[CachedView]:
    """Return the films a member may see."""
    return [view for view in views if blocks[view.film.patient] not in PAIRS[member]]


def train_on(
    name: str,
    views: Sequence[CachedView],
    recipe: Recipe,
    out: Path,
    *,
    plan: Plan,
    seed: int,
    resume: bool,
) -> Path:
    """Train one network on these films and return the file of its weights."""
    work = Work(
        recipe.network,
        lambda step: view_batches(views, plan.batch, recipe.how, seed + step),
        view_losses,
    )
    return run_stage(name, plan, work, out, seed=seed, resume=resume)
