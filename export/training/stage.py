"""One stage of training for any detector: schedule by progress, running average, checkpoints, log."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]

LOG_EVERY = 25
SAVE_EVERY = 100
WARM_UP = 40


@dataclass(frozen=True)
class Plan:
    """One stage of training; it ends at ``steps`` or ``minutes``, whichever is reached first."""

    steps: int
    minutes: float
    batch: int = 8
    rate: float = 1e-3
    average: float = 0.995
    fused: bool = False


@dataclass(frozen=True)
class Work:
    """What a stage trains and on what.

    Parameters
    ----------
    network : callable
        Makes the network; called after torch has been seeded.
    batches : callable
        Gives endless batches, from the number of steps already made.
    losses : callable
        Names and values of the parts of the loss for one batch; called under no autocast.
    """

    network: Callable[[], nn.Module]
    batches: Callable[[int], Iterable[Batch]]
    losses: Callable[[nn.Module, Batch], dict[str, Tensor]]


def average_into(ema: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the running average of weights and buffers towards the network, in place."""
    with torch.no_grad():
        pairs = list(zip(ema.state_dict().values(), network.state_dict().values(), strict=True))
        moving = [pair for pair in pairs if pair[0].dtype.is_floating_point]
        torch._foreach_lerp_([target for target, _ in moving], [source for _, source in moving], 1 - keep)
        for target, source in pairs:
            if not target.dtype.is_floating_point:
                target.copy_(source)


class Run:
    """Weights, their running average, optimiser state and the count of steps and seconds."""

    def __init__(self, plan: Plan, work: Work) -> None:
        self.plan, self.losses = plan, work.losses
        self.network = work.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.network).eval()
        trained = [p for p in self.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(trained, lr=plan.rate, weight_decay=0.02, fused=plan.fused)
        self.step, self.spent = 0, 0.0

    def restore(self, checkpoint: Path) -> None:
        """Go on where a checkpoint was written."""
        state = torch.load(checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent = int(state["step"]), float(state["spent"])

    def save(self, checkpoint: Path) -> None:
        """Write a checkpoint; a crash while writing leaves the former one."""
        state = {"network": self.network.state_dict(), "ema": self.ema.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "step": self.step, "spent": self.spent}
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(checkpoint)

    @property
    def progress(self) -> float:
        """The larger of the shares of steps and of minutes that are used up."""
        return max(self.step / self.plan.steps, self.spent / 60 / self.plan.minutes)

    def advance(self, batch: Batch) -> dict[str, float]:
        """Make one optimiser step and return the parts of the loss."""
        cosine = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate * min(1.0, (self.step + 1) / WARM_UP) * cosine
        parts = self.losses(self.network, batch)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        average_into(self.ema, self.network, min(self.plan.average, (self.step + 1) / (self.step + 10)))
        return {key: float(value.detach()) for key, value in parts.items()}


def run_stage(name: str, plan: Plan, work: Work, out: Path, *, seed: int, resume: bool) -> Path:
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
    run = Run(plan, work)
    if resume and checkpoint.exists():
        run.restore(checkpoint)
    run.network.train()
    begun, recent = time.monotonic() - run.spent, []
    with (out / f"{name}.log.jsonl").open("a") as log:
        for batch in work.batches(run.step):
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
    record: dict[str, Any] = {"steps": run.step, "seconds": round(run.spent), "plan": asdict(plan)}
    (out / f"{name}.json").write_text(json.dumps(record, indent=1))
    checkpoint.unlink(missing_ok=True)
    return final
