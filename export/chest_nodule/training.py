"""Pre-training and fine-tuning: losses, loader process, schedule by progress, resumable checkpoints."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

from export.chest_nodule.augment import Sample, make_sample
from export.chest_nodule.data import BLOCKS, CachedFilm, held_out, load_films
from export.chest_nodule.network import BASE_EXTENT, NoduleNet, fold, freeze_early

MAX_NODULES = 24
MEMBERS = 5
LOG_EVERY = 25
SAVE_EVERY = 100


@dataclass(frozen=True)
class Plan:
    """One stage of training; it ends at ``steps`` or ``minutes``, whichever is reached first."""

    steps: int
    minutes: float
    batch: int = 6
    rate: float = 1.2e-3
    lidc_share: float = 0.0
    average: float = 0.995
    bag_weight: float = 0.1
    film_weight: float = 0.15


PRETRAINING = Plan(steps=1200, minutes=14.0, rate=2e-3, lidc_share=1.0)
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
    extents = np.full((MAX_NODULES, 4), -1, dtype=np.float32)
    extents[: len(sample.extents)] = sample.extents[:MAX_NODULES]
    return {
        "tensor": torch.from_numpy(sample.tensor),
        "heat": torch.from_numpy(sample.heat),
        "weight": torch.from_numpy(sample.weight),
        "extents": torch.from_numpy(extents),
        "film": torch.tensor([sample.film, sample.film_weight, sample.bag]),
    }


def losses(output: tuple[Tensor, Tensor, Tensor], batch: dict[str, Tensor], plan: Plan) -> dict[str, Tensor]:
    """Compute the penalty-reduced focal loss, the log-extent loss and the weak film and bag losses."""
    centre, extent, film = (value.float() for value in output)
    logits, heat, weight = centre[:, 0], batch["heat"], batch["weight"]
    positive = (heat == 1).float() * weight
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    hit = -F.logsigmoid(logits) * (1 - probability) ** 2 * positive
    miss = -F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * weight * (1 - positive)
    count = positive.sum().clamp(min=3.0)
    where = batch["extents"][..., 0] >= 0
    index, slot = torch.nonzero(where, as_tuple=True)
    wanted = batch["extents"][index, slot]
    extent_loss = extent.sum() * 0
    if len(index):
        got = extent[index, :, wanted[:, 0].long(), wanted[:, 1].long()]
        extent_loss = F.smooth_l1_loss(got, torch.log(wanted[:, 2:] / BASE_EXTENT), beta=0.2)
    label, film_weight, bag = batch["film"].unbind(1)
    film_loss = (F.binary_cross_entropy_with_logits(film, label, reduction="none") * film_weight).mean()
    top = logits.flatten(1).topk(3, dim=1).values.mean(1)
    bag_loss = (F.softplus(-top) * bag).sum() / len(bag)
    return {
        "centre": (hit.sum() + miss.sum()) / count,
        "extent": extent_loss,
        "film": plan.film_weight * film_loss,
        "bag": plan.bag_weight * bag_loss,
    }


def _average(ema: NoduleNet, network: NoduleNet, keep: float) -> None:
    with torch.no_grad():
        for target, source in zip(ema.state_dict().values(), network.state_dict().values(), strict=True):
            if target.dtype.is_floating_point:
                target.lerp_(source, 1 - keep)
            else:
                target.copy_(source)


@dataclass(frozen=True)
class Films:
    """What a stage may see."""

    nih: list[CachedFilm]
    lidc: list[CachedFilm]


class _Run:
    """Weights, their running average, optimiser state and the count of steps and seconds."""

    def __init__(self, plan: Plan, start: dict[str, Any] | None) -> None:
        self.plan = plan
        network = NoduleNet(pretrained=start is None)
        if start is not None:
            network.load_state_dict(start)
            freeze_early(fold(network))
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.network).eval()
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=plan.rate, weight_decay=0.02)
        self.step, self.spent = 0, 0.0

    def restore(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent = int(state["step"]), float(state["spent"])

    def save(self, checkpoint: Path) -> None:
        state = {"network": self.network.state_dict(), "ema": self.ema.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "step": self.step, "spent": self.spent}
        torch.save(state, checkpoint)

    @property
    def progress(self) -> float:
        return max(self.step / self.plan.steps, self.spent / 60 / self.plan.minutes)

    def advance(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Make one optimiser step and return the parts of the loss."""
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate * min(1.0, (self.step + 1) / 40) * cosine
        tensor = batch["tensor"].to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            output = self.network(tensor)
        parts = losses(output, batch, self.plan)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        _average(self.ema, self.network, min(self.plan.average, (self.step + 1) / (self.step + 10)))
        return {key: float(value.detach()) for key, value in parts.items()}


def run_stage(
    name: str, plan: Plan, films: Films, out: Path, *, start: dict[str, Any] | None, seed: int, resume: bool
) -> Path:
    """Train one stage and return the file of its averaged weights.

    The schedule follows progress, the larger of steps done over steps planned and minutes spent over
    minutes granted, so a busy machine shortens a run without breaking its learning-rate curve. The
    log records the steps really made.
    """
    out.mkdir(parents=True, exist_ok=True)
    final, checkpoint = out / f"{name}.pt", out / f"{name}.checkpoint.pt"
    if resume and final.exists():
        return final
    torch.manual_seed(seed)
    run = _Run(plan, start)
    if resume and checkpoint.exists():
        run.restore(checkpoint)
    stream = Stream(films.nih, films.lidc, plan.lidc_share, seed + run.step)
    loader = DataLoader(stream, plan.batch, num_workers=1, prefetch_factor=3)
    run.network.train()
    begun, recent = time.monotonic() - run.spent, []
    with (out / f"{name}.log.jsonl").open("a") as log:
        for batch in loader:
            run.spent = time.monotonic() - begun
            if run.progress >= 1:
                break
            recent.append(run.advance(batch))
            if run.step % LOG_EVERY == 0:
                row = {"step": run.step, "spent": round(run.spent, 1), "progress": round(run.progress, 3)}
                row |= {key: round(float(np.mean([r[key] for r in recent])), 4) for key in recent[0]}
                log.write(json.dumps(row) + "\n")
                log.flush()
                recent.clear()
            if run.step % SAVE_EVERY == 0:
                run.save(checkpoint)
    torch.save(run.ema.state_dict(), final)
    (out / f"{name}.json").write_text(
        json.dumps({"steps": run.step, "seconds": round(run.spent), "plan": asdict(plan)}, indent=1)
    )
    checkpoint.unlink(missing_ok=True)
    return final


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
    shared = run_stage("pretrained", pretraining, Films([], lidc), out, start=None, seed=1, resume=resume)
    start = torch.load(shared, weights_only=True)
    for member in members:
        kept = [film for film in nih if film.block not in left_out(member)]
        run_stage(
            f"member-{member}",
            member_plan,
            Films(kept, lidc),
            out,
            start=start,
            seed=100 + member,
            resume=resume,
        )
