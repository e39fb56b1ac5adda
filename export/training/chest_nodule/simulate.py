"""Simulated nodules and distractors: thickness maps of 3D bodies, added in log-exposure space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FloatImage = NDArray[np.float32]

RANGE_MM = 110.0
"""Soft tissue (mm) that separates lung from mediastinum on a frontal film, scatter included."""


@dataclass(frozen=True)
class Nodule:
    """A simulated nodule: box in canvas pixels (top, left, bottom, right), diameter, visibility, site."""

    box: tuple[float, float, float, float]
    diameter_mm: float
    visibility: float
    site: str


def _field(rng: np.random.Generator, size: int, smooth: float) -> FloatImage:
    values = ndimage.gaussian_filter(rng.standard_normal((size, size)).astype(np.float32), smooth)
    return np.asarray(values / (values.std() + 1e-6), dtype=np.float32)


def thickness(rng: np.random.Generator, diameter: float) -> FloatImage:
    """Draw one nodule's projected thickness as a fraction of its diameter.

    Parameters
    ----------
    rng : numpy.random.Generator
    diameter : float
        Mean in-plane diameter in canvas pixels.

    Returns
    -------
    ndarray
        float32 square patch whose peak is about 1 times the body's density.
    """
    half = int(np.ceil(diameter * 1.1)) + 5
    grid = np.arange(-half, half + 1, dtype=np.float32)
    y, x = np.meshgrid(grid, grid, indexing="ij")
    angle = rng.uniform(0, np.pi)
    ratio = np.sqrt(rng.uniform(0.6, 1.0))
    u = (x * np.cos(angle) + y * np.sin(angle)) * ratio
    v = (-x * np.sin(angle) + y * np.cos(angle)) / ratio
    theta = np.arctan2(v, u)
    edge = np.ones_like(theta)
    for harmonic in range(2, 7):
        strength = rng.normal(0, 0.22 / harmonic) * rng.choice([0.4, 1.0, 1.7])
        edge += strength * np.cos(harmonic * theta + rng.uniform(0, 2 * np.pi))
    radius = np.hypot(u, v) / (diameter / 2 * np.clip(edge, 0.5, 1.6))
    kind = rng.random()
    if kind < 0.6:
        body = np.sqrt(np.clip(1 - radius**2, 0, None)) ** rng.uniform(0.7, 1.3)
    elif kind < 0.85:
        body = np.exp(-0.5 * (radius / rng.uniform(0.45, 0.62)) ** 2)
    else:
        core = rng.uniform(0.3, 0.6)
        body = rng.uniform(0.3, 0.6) * np.sqrt(np.clip(1 - radius**2, 0, None))
        body += 0.6 * np.sqrt(np.clip(core**2 - radius**2, 0, None)) / core
    if rng.random() < 0.3:
        count = rng.integers(6, 14)
        rays = (
            np.clip(np.cos(count * theta + 3 * _field(rng, len(grid), max(1.0, diameter / 3))), 0, None) ** 4
        )
        body = body + rays * rng.uniform(0.05, 0.25) * np.exp(
            -np.clip(radius - 0.8, 0, None) * rng.uniform(3, 6)
        )
    body = body * (1 + rng.uniform(0, 0.25) * _field(rng, len(grid), max(0.8, diameter / rng.uniform(4, 9))))
    if rng.random() < 0.07:
        body = body * rng.uniform(1.5, 2.5)
    blur = rng.uniform(0.5, 0.9) + diameter * rng.uniform(0.0, 0.07)
    return np.asarray(ndimage.gaussian_filter(np.clip(body, 0, None), blur), dtype=np.float32)


def _gain(rank: float) -> float:
    """Contrast left at a place of this brightness rank: bright places scatter more and saturate."""
    return float(np.interp(rank, [0.0, 0.15, 0.5, 0.8, 1.0], [0.8, 1.0, 0.9, 0.6, 0.35]))


def _add(
    film: FloatImage, patch: FloatImage, row: int, column: int
) -> tuple[slice, slice, FloatImage] | None:
    half = patch.shape[0] // 2
    top, left = max(0, row - half), max(0, column - half)
    bottom, right = min(film.shape[0], row + half + 1), min(film.shape[1], column + half + 1)
    if bottom - top < 3 or right - left < 3:
        return None
    cut = patch[top - row + half : bottom - row + half, left - column + half : right - column + half]
    return slice(top, bottom), slice(left, right), cut


def insert_nodules(
    rng: np.random.Generator,
    film: FloatImage,
    lung: NDArray[np.bool_],
    thorax: NDArray[np.bool_],
    *,
    pixels_per_mm: float,
    count: int,
    diameter_mm: tuple[float, float] = (5.0, 40.0),
    strength: tuple[float, float] = (0.5, 1.7),
) -> list[Nodule]:
    """Add nodules to a film in place.

    Parameters
    ----------
    film : ndarray
        ``(rows, columns)`` in units of the film's lung-to-mediastinum range (about 0..1).
    lung, thorax : ndarray
        Masks of the canvas: clear lung, and everything a lung nodule can hide behind.
    pixels_per_mm : float
    count : int
        Nodules to try; one that finds no place is left out.
    diameter_mm, strength : tuple of float
        Range of diameters (log-uniform) and of the contrast factor around Beer-Lambert (log-uniform).
    """
    placed: list[Nodule] = []
    places_lung, places_all = np.argwhere(lung), np.argwhere(thorax)
    ordered = np.sort(film[::8, ::8].ravel())
    for _ in range(count):
        hidden = rng.random() < 0.35
        places = places_all if hidden or not len(places_lung) else places_lung
        if not len(places):
            break
        row, column = (int(v) for v in places[rng.integers(len(places))])
        millimetres = float(np.exp(rng.uniform(*np.log(diameter_mm))))
        diameter = millimetres * pixels_per_mm
        if any(
            np.hypot(row - (n.box[0] + n.box[2]) / 2, column - (n.box[1] + n.box[3]) / 2)
            < 1.5 * max(diameter, n.box[2] - n.box[0])
            for n in placed
        ):
            continue
        patch = thickness(rng, diameter)
        target = _add(film, patch, row, column)
        if target is None:
            continue
        rows, columns, cut = target
        if cut.size < 0.7 * patch.size:
            continue
        rank = float(np.searchsorted(ordered, np.median(film[rows, columns])) / len(ordered))
        depth = rng.uniform(0.75, 1.15)
        factor = float(np.exp(rng.uniform(*np.log(strength))))
        # a small nodule that shows at all is denser than its size alone suggests
        effective = max(millimetres, 8.0) * depth * factor
        amplitude = effective / RANGE_MM * _gain(rank)
        before = film[rows, columns]
        noise = float(np.std(before - ndimage.gaussian_filter(before, max(2.0, diameter / 2)))) + 0.004
        visibility = amplitude * float(patch.max()) / noise
        film[rows, columns] += amplitude * cut
        strong = patch > 0.35 * np.median(patch[patch > 0.5 * patch.max()])
        ys, xs = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
        half = patch.shape[0] // 2
        box = (row - half + ys[0], column - half + xs[0], row - half + ys[-1] + 1, column - half + xs[-1] + 1)
        site = "lung" if lung[row, column] else "hidden"
        placed.append(
            Nodule(
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])), millimetres, visibility, site
            )
        )
    return placed


def insert_distractors(
    rng: np.random.Generator, film: FloatImage, thorax: NDArray[np.bool_], pixels_per_mm: float
) -> None:
    """Add things that are not nodules, in place: wires, electrode rings, dense dots, plates, bands."""
    places = np.argwhere(thorax)
    if not len(places):
        return
    for _ in range(int(rng.integers(1, 4))):
        row, column = (int(v) for v in places[rng.integers(len(places))])
        kind = rng.integers(5)
        reach = int(60 * pixels_per_mm) if kind in (0, 4) else int(14 * pixels_per_mm) + 4
        grid = np.arange(-reach, reach + 1, dtype=np.float32) / pixels_per_mm
        y, x = np.meshgrid(grid, grid, indexing="ij")
        radius = np.hypot(y, x)
        angle = rng.uniform(0, np.pi)
        across = (
            x * np.cos(angle)
            + y * np.sin(angle)
            + rng.uniform(0.0, 0.01) * (y * np.cos(angle) - x * np.sin(angle)) ** 2
        )
        along = y * np.cos(angle) - x * np.sin(angle)
        width = rng.uniform(0.8, 2.5)
        if kind == 0:
            shape = (np.abs(across) < width) * rng.uniform(0.08, 0.4)
        elif kind == 1:
            ring = rng.uniform(3, 9)
            shape = (np.abs(radius - ring) < width / 1.5) * rng.uniform(0.1, 0.5) + (radius < ring / 3) * 0.3
        elif kind == 2:
            shape = (radius < rng.uniform(1.0, 2.2)) * rng.uniform(0.15, 0.6)
        elif kind == 3:
            size = rng.uniform(4, 8)
            shape = ((np.abs(across) < size) & (np.abs(along) < size * rng.uniform(0.2, 1))) * rng.uniform(
                0.5, 1.0
            )
        else:
            thick = rng.uniform(2.0, 6.0)
            shape = (
                np.sqrt(np.clip(1 - (across / thick) ** 2, 0, None))
                * np.exp(-np.abs(along) / 30)
                * thick
                * 1.5
                / RANGE_MM
            )
        patch = ndimage.gaussian_filter(shape.astype(np.float32), rng.uniform(0.5, 1.0))
        target = _add(film, patch, row, column)
        if target is not None:
            rows, columns, cut = target
            film[rows, columns] += cut
