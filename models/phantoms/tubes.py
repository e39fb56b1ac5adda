"""Projection of curved tubes: ribs, clavicles, vessels, as areal mass on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Grid", "Segments", "polyline", "project_tubes"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of square pixels: the midline is column ``columns / 2``, the upper edge is y = 0.

    x grows to the right of the image (the patient's left), y downwards, both in millimetres at the
    detector; the beam is parallel.
    """

    rows: int
    columns: int
    pitch_mm: float

    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return ``(y, x)`` of the pixel centres, broadcastable to ``(rows, columns)``."""
        y = (np.arange(self.rows, dtype=np.float32) + 0.5) * self.pitch_mm
        x = (np.arange(self.columns, dtype=np.float32) + 0.5 - self.columns / 2) * self.pitch_mm
        return y[:, None].astype(np.float32), x[None, :].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Segments:
    """Straight pieces of tubes.

    Parameters
    ----------
    start, end : numpy.ndarray
        ``(n, 3)`` points ``(x, y, z)`` in mm; z runs along the beam.
    half_height, half_depth : numpy.ndarray
        ``(n,)`` half axes of the section in mm: ``half_height`` where the tube runs across the image
        horizontally, ``half_depth`` where it runs along the beam or up and down.
    hollow : numpy.ndarray
        ``(n,)`` radius of the hollow relative to the section, 0 for a solid tube.
    attenuation : numpy.ndarray
        ``(n,)`` attenuation of the wall above that of its surroundings, per mm.
    """

    start: Array
    end: Array
    half_height: Array
    half_depth: Array
    hollow: Array
    attenuation: Array


def polyline(
    points: Array,
    half_height: float | Array,
    half_depth: float | Array,
    attenuation: float | Array,
    hollow: float = 0.0,
) -> Segments:
    """Return the pieces of a tube along ``(n + 1, 3)`` points."""
    n = len(points) - 1
    return Segments(
        points[:-1],
        points[1:],
        np.broadcast_to(half_height, n).astype(float),
        np.broadcast_to(half_depth, n).astype(float),
        np.full(n, hollow),
        np.broadcast_to(attenuation, n).astype(float),
    )


def project_tubes(grid: Grid, tubes: list[Segments], step_px: float = 1.0) -> NDArray[np.float32]:
    """Return the line integral of attenuation of all tubes, ``(rows, columns)``.

    Every tube is cut into sheets across and slices along; each sample carries its share of the mass, so
    that a tube seen along its axis is as bright as it should be.
    """
    total = np.zeros((grid.rows + 1) * (grid.columns + 1))
    step = step_px * grid.pitch_mm
    together = Segments(*(np.concatenate([getattr(t, name) for t in tubes]) for name in Segments.__slots__))
    _splat(grid, together, step, total)
    image = total.reshape(grid.rows + 1, grid.columns + 1)[:-1, :-1]
    return np.asarray(image, dtype=np.float32)


def _splat(grid: Grid, tube: Segments, step: float, total: Array) -> None:
    run = tube.end - tube.start
    length = np.linalg.norm(run, axis=1)
    flat = np.hypot(run[:, 0], run[:, 1])
    direction = run[:, :2] / np.maximum(flat, 1e-6)[:, None]
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    reach = np.hypot(normal[:, 1] * tube.half_height, normal[:, 0] * tube.half_depth)
    # Section area times attenuation, less the hollow: mass per mm of tube.
    mass = np.pi * tube.half_height * tube.half_depth * (1 - tube.hollow**2) * tube.attenuation * length
    along = np.maximum(1, np.ceil(flat / step)).astype(int)
    across = np.maximum(1, np.ceil(2 * reach / step)).astype(int)
    count = along * across
    piece = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    s = (place // across[piece] + 0.5) / along[piece]
    u = (place % across[piece] + 0.5) / across[piece] * 2 - 1
    chord = np.sqrt(1 - u**2)
    inner = tube.hollow[piece]
    chord -= np.sqrt(np.maximum(inner**2 - u**2, 0))
    share = np.bincount(piece, chord, len(count))
    weight = chord * (mass / np.maximum(share, 1e-12))[piece]
    x = tube.start[piece, 0] + s * run[piece, 0] + u * reach[piece] * normal[piece, 0]
    y = tube.start[piece, 1] + s * run[piece, 1] + u * reach[piece] * normal[piece, 1]
    _deposit(grid, x, y, weight / grid.pitch_mm**2, total)


def _deposit(grid: Grid, x: Array, y: Array, weight: Array, total: Array) -> None:
    column = x / grid.pitch_mm + grid.columns / 2 - 0.5
    row = y / grid.pitch_mm - 0.5
    inside = (column >= 0) & (row >= 0) & (column < grid.columns - 1) & (row < grid.rows - 1)
    column, row, weight = column[inside], row[inside], weight[inside]
    left, top = column.astype(np.int64), row.astype(np.int64)
    dx, dy = column - left, row - top
    width = grid.columns + 1
    index = top * width + left
    size = len(total)
    total += np.bincount(index, weight * (1 - dx) * (1 - dy), size)
    total += np.bincount(index + 1, weight * dx * (1 - dy), size)
    total += np.bincount(index + width, weight * (1 - dx) * dy, size)
    total += np.bincount(index + width + 1, weight * dx * dy, size)
