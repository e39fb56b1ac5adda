"""Batches made in torch: crops by one affine map a sequence, and what scanners do to intensities.

Arrays are ``(batch, sequence, slice, H, W)`` with slices in the order of ``NEIGHBOURS``; values are
normalised (mean 0, deviation 1 over the head, air near ``-AIR``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

AIR = 2.0
"""Distance of air from the mean of the head, in deviations: intensity changes keep air in place."""

LIMIT = 4.0


@dataclass(frozen=True)
class Strength:
    """How often and how much images are changed; the defaults are those of the members."""

    side: int = 160
    angle: float = 20.0
    zoom: tuple[float, float] = (0.75, 1.3)
    stretch: float = 0.08
    flip: float = 0.5
    misregistered: float = 0.25
    coarse: float = 0.2
    blur: float = 0.15
    noise: float = 0.3
    field: float = 0.4
    gamma: float = 0.4
    context: float = 0.15
    dropout: float = 0.35


def affine_maps(
    rng: np.random.Generator, centres: np.ndarray, sequences: int, source: int, how: Strength
) -> tuple[Tensor, Tensor]:
    """Draw the maps from crop to source in ``affine_grid`` coordinates.

    Parameters
    ----------
    centres : ndarray of float, shape (n, 2)
        Source pixel (row, column) that comes to the middle of each crop.

    Returns
    -------
    tuple of Tensor
        ``(n, sequences, 2, 3)``, each sequence with its own small misregistration, FLAIR (the second, where
        the mask was drawn) with none; and ``(n, 2, 3)`` for the mask.
    """
    count = len(centres)
    angle = np.deg2rad(rng.uniform(-how.angle, how.angle, count))
    zoom = np.exp(rng.uniform(math.log(how.zoom[0]), math.log(how.zoom[1]), count))
    ratio = np.exp(rng.uniform(-how.stretch, how.stretch, count))
    mirror = np.where(rng.random(count) < how.flip, -1.0, 1.0)
    base = np.empty((count, 2, 3))
    base[:, 0, 0], base[:, 0, 1] = np.cos(angle) * mirror / (zoom * ratio), -np.sin(angle) * ratio / zoom
    base[:, 1, 0], base[:, 1, 1] = np.sin(angle) * mirror / (zoom * ratio), np.cos(angle) * ratio / zoom
    base[:, :, :2] *= how.side / source
    base[:, :, 2] = (2 * centres[:, ::-1] + 1) / source - 1
    maps = np.repeat(base[:, None], sequences, axis=1)
    moved = (rng.random(count) < how.misregistered)[:, None]
    for sequence in range(sequences):
        if sequence != 1 and sequences > 1:
            maps[:, sequence, :, 2] += moved * rng.normal(0, 1.5, (count, 2)) * 2 / source
    return torch.from_numpy(maps.astype(np.float32)), torch.from_numpy(base.astype(np.float32))


def crop(images: Tensor, maps: Tensor, side: int) -> Tensor:
    """Sample ``(n, sequences, slices, H, W)`` by one map a sequence; beyond the border its value repeats."""
    count, sequences, slices = images.shape[:3]
    grid = F.affine_grid(maps.flatten(0, 1), [count * sequences, slices, side, side], align_corners=False)
    sampled = F.grid_sample(
        images.flatten(0, 1), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled.reshape(count, sequences, slices, side, side)


def _coarse(rng: np.random.Generator, image: Tensor) -> Tensor:
    """Lose resolution along one axis of ``(sequences, slices, H, W)``."""
    rows, columns = image.shape[-2:]
    factor, axis = rng.uniform(1.5, 3.5), rng.integers(2)
    small = [round(rows / factor), columns] if axis == 0 else [rows, round(columns / factor)]
    return F.interpolate(F.interpolate(image, small, mode="area"), (rows, columns), mode="bilinear")


def _blurred(rng: np.random.Generator, image: Tensor) -> Tensor:
    """Blur ``(sequences, slices, H, W)`` by a Gaussian of 0.5 to 1.3 pixels."""
    sigma = rng.uniform(0.5, 1.3)
    taps = torch.exp(-0.5 * (torch.arange(-3, 4) / sigma) ** 2)
    taps = (taps / taps.sum()).to(image)
    flat = image.flatten(0, 1)[:, None]
    flat = F.conv2d(F.pad(flat, (3, 3, 0, 0), mode="replicate"), taps.reshape(1, 1, 1, 7))
    return F.conv2d(F.pad(flat, (0, 0, 3, 3), mode="replicate"), taps.reshape(1, 1, 7, 1)).reshape(
        image.shape
    )


def _noisy(rng: np.random.Generator, image: Tensor) -> Tensor:
    """Add Gaussian or Rician noise."""
    level = float(rng.uniform(0.02, 0.25))
    if rng.random() < 0.5:
        return image + level * torch.randn_like(image)
    real = (image + AIR).clamp(min=0) + level * torch.randn_like(image)
    return torch.sqrt(real**2 + (level * torch.randn_like(image)) ** 2) - AIR


def _uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))


def intensities(rng: np.random.Generator, images: Tensor, how: Strength) -> Tensor:
    """Change intensities: resolution, blur, bias field, gamma, noise, scale and shift; clipped to 4."""
    count, sequences = images.shape[:2]
    images = images.clone()
    for index in range(count):
        if rng.random() < how.coarse:
            images[index] = _coarse(rng, images[index])
        elif rng.random() < how.blur:
            images[index] = _blurred(rng, images[index])
        if rng.random() < how.gamma:
            above = (images[index] + AIR).clamp(min=0) / (2 * AIR)
            images[index] = above ** float(np.exp(rng.uniform(-0.35, 0.35))) * (2 * AIR) - AIR
        if rng.random() < how.noise:
            images[index] = _noisy(rng, images[index])
    strong = torch.from_numpy((rng.random((count, 1, 1, 1)) < how.field).astype(np.float32))
    small = _uniform(rng, -0.35, 0.35, count, sequences, 4, 4) * strong
    field = torch.exp(F.interpolate(small, images.shape[-2:], mode="bicubic"))[:, :, None]
    scale = _uniform(rng, 0.8, 1.2, count, sequences, 1, 1, 1)
    shift = _uniform(rng, -0.25, 0.25, count, sequences, 1, 1, 1)
    return images.add_(AIR).mul_(field).sub_(AIR).mul_(scale).add_(shift).clamp_(-LIMIT, LIMIT)


def neighbours(rng: np.random.Generator, z: int, step: int, depth: int, how: Strength) -> list[int]:
    """Return the slice and its neighbours, as far as there are any, in either direction of the stack.

    At times the slice itself stands in for both, as where a study has a single slice.
    """
    if rng.random() < how.context:
        return [z, z, z]
    pair = [z - step if z >= step else z, z + step if z + step < depth else z]
    return [z, *(pair if rng.random() < 0.5 else pair[::-1])]


def drop_channels(rng: np.random.Generator, present: Tensor, how: Strength) -> Tensor:
    """Drop T1 and T1C independently; FLAIR (the second of three) stays.

    Parameters
    ----------
    present : Tensor of float, shape (n, 3)
        1 for what was acquired.
    """
    kept = torch.from_numpy((rng.random((len(present), 3)) >= how.dropout).astype(np.float32))
    kept[:, 1] = 1
    return present * kept


def as_input(images: Tensor, present: Tensor) -> Tensor:
    """Lay out ``(n, 3, slices, H, W)`` as members see it, as ``models.preprocessing.brain.member_input``."""
    count, sequences, slices, rows, columns = images.shape
    result = torch.empty(count, sequences * (slices + 1), rows, columns)
    stacked = result[:, : sequences * slices].view(count, slices, sequences, rows, columns)
    torch.mul(images.transpose(1, 2), present[:, None, :, None, None], out=stacked)
    result[:, sequences * slices :] = present[:, :, None, None]
    return result
