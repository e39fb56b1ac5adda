"""Members, contrast members and control runs: sampling, losses, plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.training.brain_tumour import augment
from export.training.brain_tumour.augment import Strength
from export.training.brain_tumour.data import SIDE, ContrastSlices, Patient
from export.training.brain_tumour.network import ContrastNet, ImageNetUNet
from export.training.brain_tumour.split import INSTITUTIONS, PAIRS, contrast_training
from export.training.centre_network import wide_kernels_in_float32
from export.training.stage import Batch, Plan, Work, run_stage

CANDIDATE = Plan(steps=6000, minutes=2.5, batch=8, rate=2e-3, average=0.99, fused=True)
MEMBER = Plan(steps=1200, minutes=8.0, batch=8, rate=1e-3, average=0.995, fused=True)
CONTRAST = Plan(steps=1200, minutes=5.0, batch=8, rate=1e-3, average=0.995, fused=True)
CONTROL = Plan(steps=1200, minutes=4.0, batch=8, rate=1e-3, average=0.995, fused=True)

WITHOUT_DROPOUT = (0, 2)
"""Pairs of blocks for which a member without channel dropout is trained for comparison."""

TUMOUR_SHARE, NEAR_SHARE, NEAR = 0.6, 0.2, 3
STEPS = (1, 1, 1, 2)
"""Distances of the neighbours that training draws from."""

MEMBERS_STRENGTH = Strength()
CONTRAST_STRENGTH = Strength(side=224, zoom=(0.8, 1.2))


def device() -> str:
    """Return the accelerator where there is one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _ready(network: nn.Module) -> nn.Module:
    """Put a network where it is trained, in the form that trains fastest there."""
    if device() == "cpu":
        for part in network.modules():
            if isinstance(part, ImageNetUNet):
                wide_kernels_in_float32(part.blocks)
    return network.to(device())


def _kinds(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the slices with tumour, those without it but near, and the others."""
    filled = mask.any(axis=(1, 2))
    where = np.flatnonzero(filled)
    away = np.abs(np.arange(len(mask))[:, None] - where[None]).min(axis=1)
    return where, np.flatnonzero(~filled & (away <= NEAR)), np.flatnonzero(away > NEAR)


def _slice_of(rng: np.random.Generator, kinds: tuple[np.ndarray, np.ndarray, np.ndarray]) -> int:
    draw = rng.random()
    order = (0, 1, 2) if draw < TUMOUR_SHARE else (1, 2, 0) if draw < TUMOUR_SHARE + NEAR_SHARE else (2, 1, 0)
    return int(rng.choice(next(kinds[kind] for kind in order if len(kinds[kind]))))


def _centre(rng: np.random.Generator, mask: np.ndarray) -> tuple[float, float]:
    """Return the middle of a crop: half of the time in the tumour, else near the middle of the image."""
    if mask.any() and rng.random() < 0.5:
        rows, columns = np.nonzero(mask)
        pick = rng.integers(len(rows))
        return float(rows[pick]), float(columns[pick])
    row, column = rng.uniform(-32, 32, 2) + SIDE / 2
    return float(row), float(column)


def patient_batches(patients: Sequence[Patient], size: int, how: Strength, seed: int) -> Iterator[Batch]:
    """Give endless batches, patients in turn: ``tensor`` (n, 12, H, W) and ``mask`` (n, 1, H, W)."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    kinds = [_kinds(patient.mask) for patient in patients]
    queue: list[int] = []
    while True:
        images, masks, present, centres = [], [], [], []
        for _ in range(size):
            if not queue:
                queue = list(rng.permutation(len(patients)))
            index = queue.pop()
            patient = patients[index]
            z = _slice_of(rng, kinds[index])
            around = augment.neighbours(rng, z, int(rng.choice(STEPS)), len(patient.mask), how)
            images.append(patient.volume[around].transpose(1, 0, 2, 3))
            masks.append(patient.mask[z])
            present.append(patient.present)
            centres.append(_centre(rng, patient.mask[z]))
        yield make_batch(
            rng, np.stack(images), np.stack(masks), np.asarray(present), np.asarray(centres), how=how
        )


def make_batch(
    rng: np.random.Generator,
    images: np.ndarray,
    masks: np.ndarray,
    present: np.ndarray,
    centres: np.ndarray,
    *,
    how: Strength,
) -> Batch:
    """Crop, change and lay out ``images`` (n, 3, slices, H, W) with their ``masks`` (n, H, W)."""
    maps, plain = augment.affine_maps(rng, centres, images.shape[1], SIDE, how)
    crops = augment.crop(torch.from_numpy(images).float(), maps, how.side)
    crops = augment.intensities(rng, crops, how)
    kept = augment.drop_channels(rng, torch.from_numpy(present).float(), how)
    mask = augment.crop(torch.from_numpy(masks).float()[:, None, None], plain[:, None], how.side)[:, 0]
    return {"tensor": augment.as_input(crops, kept), "mask": (mask > 0.5).float()}


def contrast_batches(
    slices: ContrastSlices, kept: np.ndarray, size: int, how: Strength, seed: int
) -> Iterator[Batch]:
    """Give endless batches of contrast slices: ``tensor`` (n, 1, H, W), ``mask`` and ``type`` (n,).

    Types are drawn alike.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    by_type = [kept[slices.types[kept] == kind] for kind in range(int(slices.types.max()) + 1)]
    while True:
        chosen = np.array([rng.choice(by_type[rng.integers(len(by_type))]) for _ in range(size)])
        centres = rng.uniform(-20, 20, (size, 2)) + SIDE / 2
        maps, plain = augment.affine_maps(rng, centres, 1, SIDE, how)
        images = torch.from_numpy(slices.pixels[chosen]).float()[:, None, None]
        crops = augment.intensities(rng, augment.crop(images, maps, how.side), how)
        masks = torch.from_numpy(slices.masks[chosen]).float()[:, None, None]
        mask = augment.crop(masks, plain[:, None], how.side)[:, 0]
        yield {
            "tensor": crops[:, 0],
            "mask": (mask > 0.5).float(),
            "type": torch.from_numpy(slices.types[chosen]),
        }


def mask_losses(logits: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Compute cross entropy, soft Dice over the batch, and soft Dice of each slice with tumour."""
    logits = logits.float()
    probability = torch.sigmoid(logits)
    both = (probability * mask).sum((1, 2, 3))
    sizes = probability.sum((1, 2, 3)) + mask.sum((1, 2, 3))
    filled = (mask.sum((1, 2, 3)) > 0).float()
    each = 1 - (2 * both + 1) / (sizes + 1)
    return {
        "entropy": F.binary_cross_entropy_with_logits(logits, mask),
        "dice": 1 - (2 * both.sum() + 1) / (sizes.sum() + 1),
        "slice dice": 0.5 * (each * filled).sum() / filled.sum().clamp(min=1),
    }


def _answer(network: nn.Module, tensor: Tensor) -> tuple[Tensor, ...]:
    where = device()
    tensor = tensor.to(where, memory_format=torch.channels_last)
    with torch.autocast(where, torch.bfloat16):
        result = network(tensor)
    return result if isinstance(result, tuple) else (result,)


def member_losses(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Return the parts of a member's loss."""
    return mask_losses(_answer(network, batch["tensor"])[0], batch["mask"].to(device()))


def contrast_losses(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Return the parts of a contrast member's loss."""
    logits, types = _answer(network, batch["tensor"])
    parts = mask_losses(logits, batch["mask"].to(device()))
    parts["type"] = 0.3 * F.cross_entropy(types.float(), batch["type"].to(device()), label_smoothing=0.05)
    return parts


def train_on(
    name: str,
    patients: Sequence[Patient],
    network: Callable[[], nn.Module],
    out: Path,
    *,
    plan: Plan,
    seed: int,
    resume: bool,
    how: Strength = MEMBERS_STRENGTH,
) -> Path:
    """Train one network on these patients and return the file of its weights."""
    work = Work(
        lambda: _ready(network()),
        lambda step: patient_batches(patients, plan.batch, how, seed + step),
        member_losses,
    )
    return run_stage(name, plan, work, out, seed=seed, resume=resume)


def seen_by(patients: Sequence[Patient], blocks: dict[str, int], member: int) -> list[Patient]:
    """Return the patients a member may see."""
    return [patient for patient in patients if blocks[patient.name] not in PAIRS[member]]


def train_member(
    member: int,
    patients: Sequence[Patient],
    blocks: dict[str, int],
    network: Callable[[], nn.Module],
    out: Path,
    *,
    resume: bool,
    plan: Plan = MEMBER,
) -> Path:
    """Train the member that leaves one pair of blocks out."""
    kept = seen_by(patients, blocks, member)
    return train_on(
        f"member-{member}", kept, network, out, plan=plan, seed=100_000 * (member + 1), resume=resume
    )


def train_contrast(
    block: int, slices: ContrastSlices, out: Path, *, resume: bool, plan: Plan = CONTRAST
) -> Path:
    """Train the contrast member that leaves one block of every type out, with the gap around it."""
    types = {int(number): int(kind) for number, kind in zip(slices.numbers, slices.types, strict=True)}
    allowed = contrast_training(types, block)
    kept = np.flatnonzero([int(number) in allowed for number in slices.numbers])
    seed = 2_000_000 + 100_000 * block
    work = Work(
        lambda: _ready(ContrastNet()),
        lambda step: contrast_batches(slices, kept, plan.batch, CONTRAST_STRENGTH, seed + step),
        contrast_losses,
    )
    return run_stage(f"contrast-{block}", plan, work, out, seed=seed, resume=resume)


def train_institution(
    group: str,
    patients: Sequence[Patient],
    network: Callable[[], nn.Module],
    out: Path,
    *,
    resume: bool,
    plan: Plan = CONTROL,
) -> Path:
    """Train a network that never saw a group of institutions."""
    kept = [patient for patient in patients if patient.institution not in INSTITUTIONS[group]]
    seed = 3_000_000 + 100_000 * list(INSTITUTIONS).index(group)
    return train_on(f"institution-{group}", kept, network, out, plan=plan, seed=seed, resume=resume)


def train_without_dropout(
    member: int,
    patients: Sequence[Patient],
    blocks: dict[str, int],
    network: Callable[[], nn.Module],
    out: Path,
    *,
    resume: bool,
    plan: Plan = MEMBER,
) -> Path:
    """Train a member as it is, but always with every acquired channel."""
    kept, how = seen_by(patients, blocks, member), replace(MEMBERS_STRENGTH, dropout=0.0)
    seed = 100_000 * (member + 1)
    name = f"without-dropout-{member}"
    return train_on(name, kept, network, out, plan=plan, seed=seed, resume=resume, how=how)
