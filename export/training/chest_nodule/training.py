"""Pre-training and fine-tuning: losses, loader process, schedule by progress, resumable checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from export.training.centre_network import wide_kernels_in_float32
from export.training.centre_points import centre_loss, extent_loss, padded
from export.training.chest_nodule.augment import Sample, make_sample
from export.training.chest_nodule.data import BLOCKS, CachedFilm, held_out, load_films
from export.training.chest_nodule.network import NoduleNet, fold, freeze_early
from export.training.stage import Plan as BasePlan
from export.training.stage import Work, run_stage

MAX_NODULES = 24
MEMBERS = 5


@dataclass(frozen=True)
class Plan(BasePlan):
    """A stage of the nodule detector: the share of LIDC films and the weights of the weak losses."""

    lidc_share: float = 0.0
    bag_weight: float = 0.1
    film_weight: float = 0.15


PRETRAINING = Plan(steps=1200, minutes=14.0, batch=6, rate=2e-3, lidc_share=1.0)
MEMBER = Plan(steps=2000, minutes=13.0, batch=8, rate=6e-4, lidc_share=0.15)


def left_out(member: int) -> tuple[int, int]:
    """Return the two blocks of patients that a member never sees."""
    return member % BLOCKS, (member + 1) % BLOCKS


class Stream(IterableDataset[dict[str, Tensor]]):
    """Endless samples from NIH and LIDC films."""

    def __init__(self, nih: list[CachedFilm], lidc: list[CachedFilm], lidc_share: float, seed: int) -> None:
        self.nih, self.lidc, self.lidc_share, self.seed = nih, lidc, lidc_share, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        rng = np.random.default_rng([self.seed, info.id if info else 0])
        orders: dict[str, list[int]] = {"nih": [], "lidc": []}
        while True:
            mode = "lidc" if rng.random() < self.lidc_share else "nih"
            films = self.lidc if mode == "lidc" else self.nih
            if not orders[mode]:
                orders[mode] = list(rng.permutation(len(films)))
            yield as_tensors(make_sample(rng, films[orders[mode].pop()], mode))


def as_tensors(sample: Sample) -> dict[str, Tensor]:
    """Pack a sample with a fixed number of extents so that it can be batched."""
    return {
        "tensor": torch.from_numpy(sample.tensor),
        "heat": torch.from_numpy(sample.heat),
        "weight": torch.from_numpy(sample.weight),
        "extents": torch.from_numpy(padded(sample.extents, MAX_NODULES)),
        "film": torch.tensor([sample.film, sample.film_weight, sample.bag]),
    }


def losses(output: tuple[Tensor, Tensor, Tensor], batch: dict[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """Compute the penalty-reduced focal loss, the log-extent loss and the weak film and bag losses."""
    centre, extent, film = (value.float() for value in output)
    label, film_weight, bag = batch["film"].unbind(1)
    film_loss = (F.binary_cross_entropy_with_logits(film, label, reduction="none") * film_weight).mean()
    top = centre.flatten(1).topk(3, dim=1).values.mean(1)
    bag_loss = (F.softplus(-top) * bag).sum() / len(bag)
    return {
        "centre": centre_loss(centre, batch["heat"], batch["weight"]),
        "extent": extent_loss(extent, batch["extents"]),
        "film": plan.film_weight * film_loss,
        "bag": plan.bag_weight * bag_loss,
    }


@dataclass(frozen=True)
class Films:
    """What a stage may see."""

    nih: list[CachedFilm]
    lidc: list[CachedFilm]


def _network(start: dict[str, Any] | None) -> NoduleNet:
    """Make the ImageNet network, or the folded one that goes on from pre-trained weights."""
    network = NoduleNet(pretrained=start is None)
    if start is not None:
        network.load_state_dict(start)
        freeze_early(fold(network))
    wide_kernels_in_float32(network.blocks)
    return network


def run_films(
    name: str, plan: Plan, films: Films, out: Path, *, start: dict[str, Any] | None, seed: int, resume: bool
) -> Path:
    """Train one stage on films and return the file of its averaged weights."""

    def batches(step: int) -> DataLoader[dict[str, Tensor]]:
        stream = Stream(films.nih, films.lidc, plan.lidc_share, seed + step)
        return DataLoader(stream, plan.batch, num_workers=1, prefetch_factor=3)

    def parts(network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        tensor = batch["tensor"].to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(tensor)
        return losses(output, batch, plan)

    work = Work(lambda: _network(start), batches, parts)
    return run_stage(name, plan, work, out, seed=seed, resume=resume)


def train(
    out: Path,
    members: list[int],
    *,
    resume: bool,
    pretraining: Plan = PRETRAINING,
    member_plan: Plan = MEMBER,
    threads: int = 2,
) -> None:
    """Pre-train once, then fine-tune each member on the blocks it may see."""
    torch.set_num_threads(threads)
    nih, lidc = load_films("nih", out / "cache"), load_films("lidc", out / "cache")
    lidc = [film for film in lidc if not held_out(film)]
    shared = run_films("pretrained", pretraining, Films([], lidc), out, start=None, seed=1, resume=resume)
    start = torch.load(shared, weights_only=True)
    for member in members:
        kept = [film for film in nih if film.block not in left_out(member)]
        run_films(
            f"member-{member}",
            member_plan,
            Films(kept, lidc),
            out,
            start=start,
            seed=100 + member,
            resume=resume,
        )
