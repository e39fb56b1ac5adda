"""A frontal chest film of nobody: Beer-Lambert projection of an analytic thorax."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, zoom
from scipy.special import expit

from models.phantoms.anatomy import FIELD_MM, LUNG, SOFT_TISSUE, Anatomy
from models.phantoms.film import expose
from models.phantoms.nodules import NoduleTruth, PhantomNodule, nodule_mass
from models.phantoms.tubes import Grid, project_tubes
from models.results import Box

__all__ = ["ChestPhantom", "chest_phantom", "random_nodules"]

_RENDERED_MM = 0.36
_TRIES = 100
_SMALLEST_SIDE = 128
_LARGEST_SIDE = 4096

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ChestPhantom:
    """A phantom film and what is in it.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` uint16 stored values of 12 bits, bone bright (MONOCHROME2).
    pixel_spacing_mm : tuple of float
        ``(between rows, between columns)`` at the detector.
    nodules : tuple of NoduleTruth
        Every nodule with its box in source pixels, in the order given.
    """

    pixels: NDArray[np.uint16]
    pixel_spacing_mm: tuple[float, float]
    nodules: tuple[NoduleTruth, ...]


def chest_phantom(
    seed: int, nodules: Sequence[PhantomNodule] = (), rows: int = 1760, columns: int = 1760
) -> ChestPhantom:
    """Return a frontal chest film; the same arguments give the same pixels.

    Parameters
    ----------
    seed : int
        Of the anatomy and of the noise; not negative.
    nodules : sequence of PhantomNodule
        Where soft tissue takes the place of lung; :func:`random_nodules` finds places.
    rows, columns : int
        Size of the film, 128 to 4096 each; the field is 352 mm high.

    Raises
    ------
    ValueError
        A size is out of range, or a nodule lies outside the film.
    """
    for name, value in (("rows", rows), ("columns", columns)):
        if not _SMALLEST_SIDE <= value <= _LARGEST_SIDE:
            raise ValueError(f"{name} must lie in {_SMALLEST_SIDE}..{_LARGEST_SIDE}, not {value}")
    pitch = FIELD_MM / rows
    truth = tuple(_truth(nodule, rows, columns, pitch) for nodule in nodules)
    reduction = max(1, int(_RENDERED_MM / pitch + 0.1))
    grid = Grid(-(-rows // reduction), -(-columns // reduction), pitch * reduction)
    anatomy = Anatomy(seed)
    attenuation = _attenuation(anatomy, grid, nodules)
    if reduction > 1:
        full = zoom(attenuation, reduction, order=1, mode="nearest", grid_mode=True)
        attenuation = np.ascontiguousarray(full[:rows, :columns])
    return ChestPhantom(expose(attenuation, pitch, seed), (pitch, pitch), truth)


def random_nodules(
    seed: int,
    count: int,
    diameters_mm: tuple[float, float] = (10.0, 30.0),
) -> tuple[PhantomNodule, ...]:
    """Return nodules in the lung fields of the phantom of this seed, apart from one another.

    Raises
    ------
    ValueError
        So many nodules of this size find no place.
    """
    rng = np.random.default_rng([seed, 5])
    grid = Grid(352, 352, FIELD_MM / 352)
    anatomy = Anatomy(seed)
    y, x = grid.axes()
    lung = gaussian_filter(_lung(anatomy, y, x - anatomy.midline), 5)
    rows, columns = np.nonzero(lung > 65)
    found: list[PhantomNodule] = []
    for _ in range(_TRIES * max(count, 1)):
        if len(found) == count:
            return tuple(found)
        pick = int(rng.integers(len(rows)))
        nodule = PhantomNodule(
            x_mm=float(x[0, columns[pick]]),
            y_mm=float(y[rows[pick], 0]),
            diameter_mm=float(rng.uniform(*diameters_mm)),
            aspect=float(rng.uniform(1.0, 1.35)),
            angle=float(rng.uniform(0, np.pi)),
        )
        if all(_apart(nodule, other) for other in found) and _fits(nodule, lung, grid):
            found.append(nodule)
    if len(found) == count:
        return tuple(found)
    raise ValueError(f"{count} nodules of {diameters_mm} mm find no place in the lungs")


def _apart(one: PhantomNodule, other: PhantomNodule) -> bool:
    distance = np.hypot(one.x_mm - other.x_mm, one.y_mm - other.y_mm)
    return bool(distance > 0.75 * (one.diameter_mm + other.diameter_mm))


def _fits(nodule: PhantomNodule, lung: Field, grid: Grid) -> bool:
    y, x = grid.axes()
    grown = replace(nodule, diameter_mm=nodule.diameter_mm * 1.1)
    up, across = grown.reach_mm
    rows = np.abs(y[:, 0] - nodule.y_mm) <= up
    columns = np.abs(x[0] - nodule.x_mm) <= across
    covered = nodule_mass(grown, y[rows], x[:, columns]) > 0
    return bool(lung[np.ix_(rows, columns)][covered].min() > 55)


def _truth(nodule: PhantomNodule, rows: int, columns: int, pitch: float) -> NoduleTruth:
    up, across = nodule.reach_mm
    row, column = nodule.y_mm / pitch, nodule.x_mm / pitch + columns / 2
    box = Box(row - up / pitch, column - across / pitch, row + up / pitch, column + across / pitch)
    if box.top < 0 or box.left < 0 or box.bottom > rows or box.right > columns:
        raise ValueError(f"a nodule at ({nodule.x_mm:g}, {nodule.y_mm:g}) mm lies outside the film")
    return NoduleTruth(nodule, box)


def _attenuation(anatomy: Anatomy, grid: Grid, nodules: Sequence[PhantomNodule]) -> Field:
    y, x = grid.axes()
    x = x - np.float32(anatomy.midline)
    lung = _lung(anatomy, y, x)
    body = _body(anatomy, y, x)
    body = gaussian_filter(np.maximum(body, lung + 38.0 * (lung > 0)), 1.2 / grid.pitch_mm)
    total = SOFT_TISSUE * body - (SOFT_TISSUE - LUNG) * lung
    total += _spine(y, x) + _humeri(y, x) + _scapulae(anatomy, grid)
    total -= _stomach(anatomy, y, x)
    aerated = np.clip(lung / 40.0, 0, 1)
    tubes = gaussian_filter(
        project_tubes(grid, anatomy.bones(), step_px=1.6), 0.45 / grid.pitch_mm, truncate=3
    )
    tubes += project_tubes(grid, anatomy.airways(), step_px=1.6) * np.clip(body / 80, 0, 1)
    tubes += project_tubes(grid, anatomy.vessels()) * aerated
    total += tubes
    total += _texture(anatomy.seed, grid) * aerated * np.float32(0.018)
    for nodule in nodules:
        total += nodule_mass(nodule, y, x + np.float32(anatomy.midline))
    return np.asarray(np.maximum(total, 0), dtype=np.float32)


def _ellipsoid(
    y: Field, x: Field, centre: tuple[float, float], axes: tuple[float, float], angle: float
) -> Field:
    """Return the relative chord, 1 in the middle, of an ellipsoid turned by ``angle`` degrees."""
    turn = np.deg2rad(angle)
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    u = (dx * np.float32(np.cos(turn)) + dy * np.float32(np.sin(turn))) / np.float32(axes[0])
    v = (dy * np.float32(np.cos(turn)) - dx * np.float32(np.sin(turn))) / np.float32(axes[1])
    return np.asarray(np.sqrt(np.clip(1 - u * u - v * v, 0, None)), dtype=np.float32)


def _lung(anatomy: Anatomy, y: Field, x: Field) -> Field:
    """Return how much lung the beam crosses, in mm; heart and great vessels take their share."""
    outer, inner = anatomy.lung_outer(y), anatomy.lung_inner(y)
    across = np.clip((np.abs(x) - inner) / np.maximum(outer - inner, 1), 0, 1)
    depth = 150.0 * np.clip((y - anatomy.apex) / 70.0, 0, 1) ** 0.55 * (anatomy.chest_depth / 104.0)
    lung = depth * np.sqrt(np.clip(1 - np.abs(2 * across - 1) ** 3.2, 0, 1))
    size = anatomy.heart_scale
    lung = lung - 118 * size * _ellipsoid(y, x, (27, anatomy.dome(1) - 53), (66 * size, 48 * size), 38)
    lung = lung - 80 * size * _ellipsoid(y, x, (-13, anatomy.dome(1) - 60), (28 * size, 46 * size), 0)
    lung = lung - 46 * _ellipsoid(y, x, (22, 101), (15, 18), 0)
    lung = lung - 30 * _ellipsoid(y, x, (26, 130), (15, 18), 0)
    lung = lung - 30 * _ellipsoid(y, x, (-21, 105), (10, 46), 4)
    lung = np.clip(lung, 0, None)
    for side in (-1, 1):
        below = np.clip((y - anatomy.crest(x, side)) / 62.0, 0, 1)
        recess = 1 - np.sqrt(1 - (1 - below) ** 2)
        lung = np.where((x * side > 0) & (below > 0), lung * recess * 0.75, lung)
    return np.asarray(lung, dtype=np.float32)


def _body(anatomy: Anatomy, y: Field, x: Field) -> Field:
    """Return how much of the body the beam crosses, in mm."""
    away = np.abs(x)
    surface = 12 + 0.29 * np.clip(away - 52, 0, None) + 20 * expit((away - 62) / 5)
    under = np.clip(y - surface, 0, None)
    side = 157.0 + 6.0 * np.clip((y - 200) / 100, 0, 1) + 70 * expit((105 - y) / 9)
    depth = anatomy.chest_depth * (1 + 0.12 * np.clip((y - 215) / 80, 0, 1))
    trunk = 2 * depth * np.sqrt(np.clip(1 - (away / side) ** 2.6, 0, 1)) * (1 - np.exp(-under / 42))
    shoulder = 150 * (1 - np.exp(-under / 20)) * expit((150 - y) / 16)
    neck = 128 * np.sqrt(np.clip(1 - (away / 60) ** 2, 0, 1)) * expit((90 - y) / 12)
    arm = 84 * np.sqrt(np.clip(1 - ((away - 187) / 34) ** 2, 0, 1)) * expit((y - 100) / 12)
    return np.asarray(np.maximum(np.maximum(trunk, shoulder), np.maximum(neck, arm)), dtype=np.float32)


def _spine(y: Field, x: Field) -> Field:
    """Return vertebral bodies with their plates, pedicles and spinous processes, and the sternum."""
    pitch = 21.0 + 0.012 * y
    phase = np.mod(y / pitch, 1.0)
    half = 14.0 + 0.022 * y
    edge = expit((half - 2.0 * np.sin(np.pi * phase) - np.abs(x)) / 1.1)
    height = expit((0.40 - np.abs(phase - 0.5)) / 0.02)
    plates = np.exp(-(((np.abs(phase - 0.5) - 0.385) / 0.03) ** 2))
    body = edge * (0.13 * height + 0.06 * plates + 0.05)
    ring = np.hypot((np.abs(x) - 0.56 * half) / 3.8, (phase - 0.36) * pitch / 5.0)
    pedicles = 0.10 * np.exp(-(((ring - 1) / 0.34) ** 2))
    process = 0.10 * np.exp(-(((np.hypot(x / 2.6, (phase - 0.8) * pitch / 5.5) - 1) / 0.4) ** 2))
    sternum = 0.05 * expit((17 - np.abs(x)) / 1.5) * expit((y - 72) / 4) * expit((215 - y) / 6)
    return np.asarray(body + pedicles + process + sternum, dtype=np.float32)


def _humeri(y: Field, x: Field) -> Field:
    """Return heads and shafts, which lie at the edge of the field."""
    head = 0.32 * _ellipsoid(y, np.abs(x), (174, 80), (24, 25), 0)
    shaft = 0.22 * np.sqrt(np.clip(1 - ((np.abs(x) - 184) / 13) ** 2, 0, 1)) * expit((y - 92) / 5)
    return np.asarray(np.maximum(head, shaft), dtype=np.float32)


def _stomach(anatomy: Anatomy, y: Field, x: Field) -> Field:
    """Return what the gas under the left dome lacks, with a level at its lower edge."""
    top = anatomy.dome(1) + 9
    gas = _ellipsoid(y, x, (66, top + 20), (30, 20), -8)
    level = expit((top + 24 - y) / 0.8)
    return np.asarray(0.62 * gas * level, dtype=np.float32)


def _scapulae(anatomy: Anatomy, grid: Grid) -> Field:
    image = Image.new("F", (grid.columns, grid.rows), 0.0)
    draw = ImageDraw.Draw(image)
    for side in (-1, 1):
        corners = [
            (112, 72),
            (140, 62),
            (152, 82),
            (140, 120),
            (131, 160),
            (126, 196),
            (119, 170),
            (113, 120),
        ]
        draw.polygon(
            [
                ((anatomy.midline + side * x) / grid.pitch_mm + grid.columns / 2, y / grid.pitch_mm)
                for x, y in corners
            ],
            fill=0.10,
        )
    return np.asarray(gaussian_filter(np.asarray(image), 1.0 / grid.pitch_mm), dtype=np.float32)


def _texture(seed: int, grid: Grid) -> Field:
    """Return a noise field with the falling spectrum of overlapping tissue, of unit deviation."""
    rng = np.random.default_rng([seed, 7])
    spectrum = np.fft.rfft2(rng.standard_normal((grid.rows, grid.columns), dtype=np.float32))
    fy = np.fft.fftfreq(grid.rows, grid.pitch_mm)[:, None]
    fx = np.fft.rfftfreq(grid.columns, grid.pitch_mm)[None, :]
    frequency = np.hypot(fy, fx)
    spectrum *= 1 / (frequency**1.4 + 0.03**1.4)
    field = np.fft.irfft2(spectrum, s=(grid.rows, grid.columns))
    return np.asarray(field / field.std(), dtype=np.float32)
