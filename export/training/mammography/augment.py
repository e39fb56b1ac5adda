"""One training sample: a view warped, given a lesion of another film, degraded, and made into channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional as F

from export.training.centre_points import centre_targets
from export.training.mammography.data import CachedView
from export.training.mammography.paste import paste
from export.training.mammography.table import MASS_LIKE
from models.mammography.channels import channels_of
from models.mammography.preprocess import HEIGHT

__all__ = ["Sample", "Strength", "Warp", "degrade", "draw_warp", "make_sample"]

Image = NDArray[np.float32]
STRIDE = 32
_FIELD = (6, 5)


@dataclass(frozen=True)
class Strength:
    """How far a sample may stray from its film; all ranges are drawn from evenly.

    Parameters
    ----------
    height : int
        Rows of the canvas.
    vertical_flip : float
        Share of samples turned upside down: the pectoral muscle then lies below, as in no real view, but
        a lesion looks alike and the films seem twice as many.
    pasted : float
        Share of samples without a lesion that get one of another training film.
    calcifications : bool
        Whether calcifications are taught as centres; otherwise their places have no weight.
    """

    height: int = 448
    angle: float = 14.0
    scale: tuple[float, float] = (0.85, 1.18)
    shear: float = 0.08
    shift: float = 0.06
    elastic: float = 6.0
    vertical_flip: float = 0.25
    gamma: float = 0.45
    noise: float = 0.02
    cut_out: float = 0.4
    pasted: float = 0.4
    calcifications: bool = True


@dataclass
class Sample:
    """Network input and targets of one canvas; ``labels`` are abnormal, malignant, density."""

    tensor: Image
    heat: Image
    weight: Image
    extents: Image
    labels: tuple[float, float, int]


@dataclass(frozen=True)
class Warp:
    """The way from canvas pixels to those of the cached view, in (x, y): matrix, offset, elastic field."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]
    field: Image
    shape: tuple[int, int]

    def sample(self, images: Image) -> Image:
        """Sample ``(n, h, w)`` of the view at every pixel of the canvas; nought outside."""
        rows, columns = self.shape
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) + np.float32(0.5)
        a, b = self.matrix.astype(np.float32), self.offset.astype(np.float32)
        source_x = a[0, 0] * x + a[0, 1] * y + b[0] + self.field[0]
        source_y = a[1, 0] * x + a[1, 1] * y + b[1] + self.field[1]
        height, width = images.shape[1:]
        grid = np.stack([source_x * (2 / width) - 1, source_y * (2 / height) - 1], axis=-1)
        result = F.grid_sample(
            torch.from_numpy(images)[None],
            torch.from_numpy(grid.astype(np.float32))[None],
            padding_mode="zeros",
            align_corners=False,
        )
        return np.asarray(result[0].numpy())

    def boxes(self, boxes: Image) -> Image:
        """Carry boxes ``(n, 4)`` of the view to the canvas: boxes around the ellipses in them."""
        inverse = np.linalg.inv(self.matrix)
        rows, columns = self.shape
        carried = []
        for top, left, bottom, right in boxes.astype(np.float64):
            middle, moved = np.array([(left + right) / 2, (top + bottom) / 2]), np.zeros(2)
            for _ in range(6):
                place = inverse @ (middle - self.offset - moved)
                row = int(np.clip(place[1], 0, rows - 1))
                column = int(np.clip(place[0], 0, columns - 1))
                moved = self.field[:, row, column].astype(np.float64)
            half = np.array([(right - left) / 2, (bottom - top) / 2])
            wide, tall = np.hypot(inverse[:, 0] * half[0], inverse[:, 1] * half[1])
            carried.append([place[1] - tall, place[0] - wide, place[1] + tall, place[0] + wide])
        return np.array(carried, dtype=np.float32).reshape(-1, 4)


def draw_warp(rng: np.random.Generator, shape: tuple[int, int], how: Strength) -> Warp:
    """Draw rotation, scale, shear, shift, flip and elastic field for a view of this shape."""
    shrink = how.height / HEIGHT
    rows, columns = how.height, -(-round(shape[1] * shrink) // STRIDE) * STRIDE
    scale = shrink * np.exp(rng.uniform(*np.log(how.scale)))
    angle = np.deg2rad(rng.uniform(-how.angle, how.angle))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    lean = np.array([[1.0, rng.uniform(-how.shear, how.shear)], [rng.uniform(-how.shear, how.shear), 1.0]])
    flip = -1.0 if rng.random() < how.vertical_flip else 1.0
    matrix = np.diag([1.0, flip]) @ turn @ lean / scale
    middle = np.array([columns, rows]) / 2
    moved = rng.uniform(-how.shift, how.shift, 2) * middle * 2
    offset = np.array([shape[1], shape[0]]) / 2 - matrix @ (middle + moved)
    coarse = rng.standard_normal((1, 2, *_FIELD)).astype(np.float32) * rng.uniform(0, how.elastic)
    field = F.interpolate(torch.from_numpy(coarse), (rows, columns), mode="bicubic", align_corners=True)
    return Warp(matrix, offset, np.asarray(field[0].numpy()), (rows, columns))


def degrade(rng: np.random.Generator, grey: Image, mask: NDArray[np.bool_], how: Strength) -> Image:
    """Vary grey mapping, exposure across the film, sharpness and noise of a view in 0..1."""
    value = np.clip(grey, 0, 1) ** np.float32(np.exp(rng.uniform(-how.gamma, how.gamma)))
    if rng.random() < 0.5:
        coarse = rng.standard_normal((1, 1, 4, 3)).astype(np.float32)
        field = F.interpolate(torch.from_numpy(coarse), grey.shape, mode="bicubic", align_corners=True)
        value = value * (1 + np.float32(rng.uniform(0, 0.12)) * field[0, 0].numpy())
    draw = rng.random()
    if draw < 0.25:
        value = ndimage.gaussian_filter(value, rng.uniform(0.4, 1.2))
    elif draw < 0.5:
        value = value + rng.uniform(0.2, 1.0) * (
            value - ndimage.gaussian_filter(value, rng.uniform(1.0, 4.0))
        )
    if rng.random() < 0.6:
        grain = rng.standard_normal(value.shape, dtype=np.float32)
        if rng.random() < 0.5:
            grain = ndimage.uniform_filter(grain, 3) * 2
        value = value + grain * np.float32(rng.uniform(0, how.noise))
    if rng.random() < 0.3:
        inside = value[mask]
        middle = np.float32(np.median(inside)) if inside.size else np.float32(0.5)
        steep = np.float32(rng.uniform(2, 6))
        value = 1 / (1 + np.exp(-steep * (value - middle)))
    return np.asarray(value, dtype=np.float32)


def _cut_out(rng: np.random.Generator, tensor: Image, boxes: Image) -> None:
    """Blank one to three rectangles that touch no lesion, in place."""
    rows, columns = tensor.shape[1:]
    for _ in range(int(rng.integers(1, 4))):
        height, width = (int(v) for v in rng.uniform(0.05, 0.18, 2) * rows)
        top, left = int(rng.uniform(0, rows - height)), int(rng.uniform(0, max(1, columns - width)))
        apart = (
            (boxes[:, 2] < top)
            | (boxes[:, 0] > top + height)
            | (boxes[:, 3] < left)
            | (boxes[:, 1] > left + width)
        )
        if apart.all():
            tensor[:, top : top + height, left : left + width] = 0.0


def make_sample(
    rng: np.random.Generator, view: CachedView, donors: Sequence[CachedView], how: Strength
) -> Sample:
    """Make one sample of a view; ``donors`` are the training films whose lesions may be pasted."""
    grey, boxes, kinds = view.grey.astype(np.float32), view.boxes, view.kinds
    abnormal, malignant = view.film.abnormal, view.film.malignant
    if not abnormal and donors and rng.random() < how.pasted:
        pasted = paste(rng, grey, view.mask, donors)
        if pasted is not None:
            grey, box, lesion = pasted
            boxes, kinds = box[None], (lesion.kind,)
            abnormal, malignant = True, lesion.malignant
    warp = draw_warp(rng, grey.shape, how)
    grey, soft = warp.sample(np.stack([grey, view.mask.astype(np.float32)]))
    mask, carried = soft > 0.5, warp.boxes(boxes)
    taught = np.array([how.calcifications or kind in MASS_LIKE for kind in kinds], dtype=bool)
    tensor = channels_of(degrade(rng, grey, mask, how), mask)
    if rng.random() < how.cut_out:
        _cut_out(rng, tensor, carried)
    heat, weight, extents = centre_targets(carried, taught, warp.shape)
    return Sample(tensor, heat, weight, extents, (float(abnormal), float(malignant), view.film.density))
