"""One training sample: a film warped, given nodules, degraded, and prepared as at inference."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F

from export.training.centre_points import centre_targets
from export.training.chest_nodule.data import CACHE_SIDE, CachedFilm
from export.training.chest_nodule.simulate import Nodule, insert_distractors, insert_nodules
from models.chest_nodule.preprocess import LONG_SIDE, channels

CANVAS = 512
FILM_MM = 380.0
IGNORE_BELOW = 0.5


@dataclass
class Sample:
    """Network input and targets of one canvas."""

    tensor: NDArray[np.float32]
    heat: NDArray[np.float32]
    weight: NDArray[np.float32]
    extents: NDArray[np.float32]
    film: float
    film_weight: float
    bag: float


def warp(
    rng: np.random.Generator, film: CachedFilm, side: int, gentle: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32], float]:
    """Rotate, scale, stretch, flip and crop a cached film and its masks to a square canvas.

    Returns pixels, lung, thorax, boxes and the canvas pixels for one nominal millimetre.
    """
    rows, columns = film.pixels.shape
    scale = np.exp(rng.uniform(np.log(0.78), np.log(0.92 if gentle else 1.3)))
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    angle = np.deg2rad(rng.uniform(-6, 6))
    flip = -1.0 if rng.random() < 0.5 else 1.0
    shrink = LONG_SIDE / CACHE_SIDE * scale
    out_y, out_x = rows * shrink * np.sqrt(stretch), columns * shrink / np.sqrt(stretch)
    slack_y, slack_x = max(0.0, out_y - side), max(0.0, out_x - side)
    shift_y = rng.uniform(-0.5, 0.5) * slack_y - 0.05 * slack_y
    shift_x = rng.uniform(-0.5, 0.5) * slack_x
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # canvas offset (x, y) from its centre -> normalised film coordinates
    to_film = np.diag([2 / out_x * flip, 2 / out_y]) @ turn
    centre = to_film @ np.array([shift_x, shift_y])
    theta = np.zeros((1, 2, 3), dtype=np.float32)
    theta[0, :, :2] = to_film * side / 2
    theta[0, :, 2] = centre
    grid = F.affine_grid(torch.from_numpy(theta), [1, 1, side, side], align_corners=False)
    source = torch.from_numpy(film.pixels.astype(np.float32))[None, None]
    pixels = F.grid_sample(source, grid, padding_mode="reflection", align_corners=False)[0, 0].numpy() / 255
    masks = torch.from_numpy(np.stack([film.lung, film.thorax]).astype(np.float32))[None]
    warped = F.grid_sample(masks, grid, padding_mode="zeros", align_corners=False)[0].numpy() > 0.5
    boxes = []
    inverse = np.linalg.inv(to_film)
    for top, left, bottom, right in film.boxes:
        middle = np.array([(left + right) / columns - 1, (top + bottom) / rows - 1])
        x, y = inverse @ (middle - centre) + side / 2
        height, width = (bottom - top) * out_y / rows, (right - left) * out_x / columns
        boxes.append([y - height / 2, x - width / 2, y + height / 2, x + width / 2])
    carried = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return np.asarray(pixels), warped[0], warped[1], carried, float(LONG_SIDE * scale / FILM_MM)


def degrade(rng: np.random.Generator, film: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vary grey mapping, sharpness, noise and compression of a film in 0..1."""
    low, high = np.percentile(film[::4, ::4], [0.5, 99.5])
    value = np.clip((film - low) / (high - low + 1e-6), -0.02, 1.02)
    if rng.random() < 0.4:
        value = ndimage.gaussian_filter(value, rng.uniform(0.3, 1.3))
    elif rng.random() < 0.4:
        blurred = ndimage.gaussian_filter(value, rng.uniform(1.0, 12.0))
        value = value + rng.uniform(0.2, 1.0) * (value - blurred)
    if rng.random() < 0.2:
        side = value.shape[0]
        small = int(side * rng.uniform(0.5, 0.9))
        image = Image.fromarray(value.astype(np.float32)).resize((small, small), Image.Resampling.BILINEAR)
        value = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    if rng.random() < 0.6:
        grain = rng.standard_normal(value.shape, dtype=np.float32)
        if rng.random() < 0.5:
            grain = ndimage.gaussian_filter(grain, rng.uniform(0.4, 0.9)) * 1.6
        value = value + grain * rng.uniform(0.002, 0.025)
    value = np.clip(value, 0, 1) ** np.exp(rng.uniform(-0.5, 0.5))
    if rng.random() < 0.5:
        steep, middle = rng.uniform(2, 7), rng.uniform(0.3, 0.7)
        ends = 1 / (1 + np.exp(-steep * (np.array([0, 1]) - middle)))
        value = (1 / (1 + np.exp(-steep * (value - middle))) - ends[0]) / (ends[1] - ends[0])
    if rng.random() < 0.3:
        cut_low, cut_high = rng.uniform(0, 0.08), rng.uniform(0.88, 1.0)
        value = np.clip((value - cut_low) / (cut_high - cut_low), 0, 1)
    if rng.random() < 0.25:
        stream = io.BytesIO()
        Image.fromarray((np.clip(value, 0, 1) * 255).astype(np.uint8)).save(
            stream, "JPEG", quality=int(rng.integers(55, 95))
        )
        value = np.asarray(Image.open(stream), dtype=np.float32) / 255
    return np.asarray(value, dtype=np.float32)


def make_sample(rng: np.random.Generator, film: CachedFilm, mode: str, side: int = CANVAS) -> Sample:
    """Make one sample; ``mode`` is "lidc" (true masks and some simulated nodules) or "nih"."""
    weak = mode == "nih" and film.weak_positive
    bag = weak and rng.random() < 0.6
    canvas, lung, thorax, boxes, per_mm = warp(rng, film, side, bag)
    canvas = np.ascontiguousarray(canvas)
    low, high = np.percentile(canvas[::4, ::4], [3, 97])
    canvas = (canvas - low) / (high - low + 1e-6)
    if rng.random() < 0.35:
        insert_distractors(rng, canvas, thorax, per_mm)
    nodules: list[Nodule] = []
    chance = {"lidc": 0.5, "nih": 0.75}[mode]
    if not bag and rng.random() < chance:
        nodules = insert_nodules(
            rng, canvas, lung, thorax, pixels_per_mm=per_mm, count=int(rng.integers(1, 7))
        )
    simulated = np.array([n.box for n in nodules], dtype=np.float32).reshape(-1, 4)
    seen = np.array([n.visibility > IGNORE_BELOW for n in nodules], dtype=bool)
    known = boxes if mode == "lidc" else boxes[:0]
    everything = np.concatenate([known, simulated])
    visible = np.concatenate([np.ones(len(known), dtype=bool), seen])
    heat, weight, extents = centre_targets(everything, visible, (side, side), negatives=not weak)
    tensor = channels(degrade(rng, canvas))
    has = bool(len(extents)) or weak
    film_weight = 1.0 if len(extents) or bag or mode == "lidc" or film.clear else 0.4
    if weak and not bag and not len(extents):
        film_weight = 0.0
    return Sample(tensor, heat, weight, extents, float(has), film_weight, float(bag))
