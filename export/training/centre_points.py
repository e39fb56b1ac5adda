"""Centre points as training targets, and their losses, for every detector that marks places."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

__all__ = ["BASE_EXTENT", "CELL", "centre_loss", "centre_targets", "extent_loss", "padded"]

CELL = 4
"""Network pixels along one side of a cell of the maps."""
BASE_EXTENT = 24.0
"""Network pixels of an extent whose logarithm is written as nought."""

Values = NDArray[np.float32]


def centre_targets(
    boxes: Values, visible: NDArray[np.bool_], shape: tuple[int, int], *, negatives: bool = True
) -> tuple[Values, Values, Values]:
    """Draw centre heatmap, weight and ``(n, 4)`` extents (cell row, cell column, height, width).

    Parameters
    ----------
    boxes : ndarray
        ``(n, 4)`` of (top, left, bottom, right) in network pixels.
    visible : ndarray
        False where a box says neither yes nor no: its place has no weight.
    shape : tuple of int
        Rows and columns in network pixels.
    negatives : bool
        False where a place without a box says nothing.
    """
    rows, columns = shape[0] // CELL, shape[1] // CELL
    heat = np.zeros((rows, columns), dtype=np.float32)
    weight = np.full((rows, columns), 1.0 if negatives else 0.0, dtype=np.float32)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    extents = []
    for (top, left, bottom, right), seen in zip(boxes, visible, strict=True):
        row, column = (top + bottom) / 2 / CELL, (left + right) / 2 / CELL
        height, width = bottom - top, right - left
        cell_row, cell_column = int(row), int(column)
        if not (0 <= row < rows and 0 <= column < columns):
            continue
        spread_y, spread_x = max(0.9, height / CELL / 5), max(0.9, width / CELL / 5)
        bump = np.exp(-0.5 * (((y - cell_row) / spread_y) ** 2 + ((x - cell_column) / spread_x) ** 2))
        if not seen:
            weight[bump > 0.05] = 0.0
            continue
        weight[bump > 0.3] = 1.0
        heat = np.maximum(heat, bump)
        heat[cell_row, cell_column] = 1.0
        extents.append([cell_row, cell_column, height, width])
    return heat, weight, np.array(extents, dtype=np.float32).reshape(-1, 4)


def padded(extents: Values, count: int) -> Values:
    """Bring extents to a fixed number of rows, -1 where there is none, so that they can be batched."""
    rows = np.full((count, 4), -1, dtype=np.float32)
    rows[: len(extents)] = extents[:count]
    return rows


def centre_loss(centre: Tensor, heat: Tensor, weight: Tensor) -> Tensor:
    """Compute the penalty-reduced focal loss of centre logits ``(batch, 1, h, w)`` (Law and Deng 2018)."""
    logits = centre[:, 0]
    positive = (heat == 1).float() * weight
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    hit = -F.logsigmoid(logits) * (1 - probability) ** 2 * positive
    miss = -F.logsigmoid(-logits) * probability**2 * (1 - heat) ** 4 * weight * (1 - positive)
    return (hit.sum() + miss.sum()) / positive.sum().clamp(min=3.0)


def extent_loss(extent: Tensor, wanted: Tensor) -> Tensor:
    """Compute the smooth L1 loss of log extents ``(batch, 2, h, w)`` where ``wanted`` has rows."""
    index, slot = torch.nonzero(wanted[..., 0] >= 0, as_tuple=True)
    if not len(index):
        return extent.sum() * 0
    rows = wanted[index, slot]
    got = extent[index, :, rows[:, 0].long(), rows[:, 1].long()]
    return F.smooth_l1_loss(got, torch.log(rows[:, 2:] / BASE_EXTENT), beta=0.2)
