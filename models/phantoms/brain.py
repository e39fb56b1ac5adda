"""A computed head for volumes: tissues, ventricles and lesions as a function of the place in the patient.

The value of a voxel follows from its place in patient coordinates (LPS: x to the left, y to the back, z to
the head, in millimetres; the middle of the head is the origin), so that the same head can be sampled on any
grid. Nothing in it is symmetric: the left ventricle is the larger one, one eye, the cerebellum and a
gradient in every direction tell left from right, front from back and head from feet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SEQUENCES", "BrainPhantom", "BrainSample", "Contrast", "PhantomLesion", "random_lesions"]

Contrast = Literal["T1", "T1c", "T2", "FLAIR", "CT"]
_Array = NDArray[np.float64]
_Triple = tuple[float, float, float]

_AIR, _SCALP, _SKULL, _CSF, _GREY, _WHITE, _EYE, _CORE, _RIM = range(9)
_MEANS: dict[Contrast, tuple[float, ...]] = {
    "T1": (0, 1500, 120, 300, 700, 1000, 350, 380, 620),
    "T1c": (0, 1500, 140, 310, 730, 1030, 380, 400, 1800),
    "T2": (0, 1100, 100, 1900, 950, 680, 1850, 1700, 1350),
    "FLAIR": (0, 900, 110, 180, 850, 700, 240, 900, 1600),
    "CT": (-1000, -40, 950, 8, 38, 29, 12, 14, 52),
}
SEQUENCES: tuple[Contrast, ...] = ("FLAIR", "T1", "T1c", "T2")
"""The four MR contrasts of a tumour protocol."""

# Part, centre, half axes, in mm; later parts lie in earlier ones. Sizes are those of an adult, and odd enough
# for no voxel of a usual grid to lie on a border.
_PARTS: tuple[tuple[int, _Triple, _Triple], ...] = (
    (_SCALP, (0.0, 0.0, 0.0), (76.13, 96.27, 89.31)),
    (_SCALP, (0.0, -95.0, -24.0), (11.17, 17.23, 16.11)),
    (_SKULL, (0.0, 1.0, 2.0), (71.07, 90.19, 83.23)),
    (_CSF, (0.0, 1.5, 2.5), (65.11, 83.17, 76.29)),
    (_GREY, (0.0, 1.5, 3.0), (62.19, 79.07, 72.13)),
    (_WHITE, (0.0, 0.0, 9.0), (51.31, 67.13, 54.17)),
    (_GREY, (13.0, 46.0, -41.0), (33.23, 22.11, 19.07)),
    (_CSF, (12.0, -4.0, 16.0), (7.13, 29.19, 11.07)),
    (_CSF, (-10.0, 0.0, 15.0), (4.17, 21.11, 8.23)),
    (_EYE, (31.0, -77.0, -27.0), (12.07, 12.11, 12.13)),
)
_RIM_FROM = 0.55
_TEXTURE = 0.035


@dataclass(frozen=True, slots=True)
class PhantomLesion:
    """An ellipsoid lesion along the axes of the patient: a core and a rim that takes up contrast.

    Parameters
    ----------
    centre_mm : tuple of float
        LPS.
    half_axes_mm : tuple of float
        Along x, y and z.
    """

    centre_mm: _Triple = (31.0, -23.0, 27.0)
    half_axes_mm: _Triple = (14.19, 11.23, 9.17)

    def __post_init__(self) -> None:
        if len(self.centre_mm) != 3 or not all(math.isfinite(value) for value in self.centre_mm):
            raise ValueError(f"centre_mm is three numbers, not {self.centre_mm}")
        if len(self.half_axes_mm) != 3 or not all(0 < value <= 60 for value in self.half_axes_mm):
            raise ValueError(f"half_axes_mm is three lengths in (0, 60], not {self.half_axes_mm}")

    @property
    def volume_ml(self) -> float:
        """Volume of the ellipsoid in millilitres."""
        return 4 / 3 * math.pi * math.prod(self.half_axes_mm) / 1000

    def radius(self, x: _Array, y: _Array, z: _Array) -> _Array:
        """Return the relative distance from the centre at places in mm: 1 on the border."""
        return np.sqrt(_quadric(x, y, z, self.centre_mm, self.half_axes_mm))


@dataclass(frozen=True, slots=True, eq=False)
class BrainSample:
    """A head on one grid.

    Parameters
    ----------
    tissue : numpy.ndarray
        uint8 ``(z, y, x)``.
    texture : numpy.ndarray
        float32 ``(z, y, x)``, factor near 1.
    lesions : numpy.ndarray
        uint8 ``(z, y, x)``: the number of the lesion from 1, 0 elsewhere.
    """

    tissue: NDArray[np.uint8]
    texture: NDArray[np.float32]
    lesions: NDArray[np.uint8]

    def image(self, contrast: Contrast) -> NDArray[np.int16]:
        """Return what a scanner shows: 12 bits of arbitrary units for MR, Hounsfield units for CT."""
        means = np.array(_MEANS[contrast], dtype=np.float32)
        if contrast == "CT":
            values = means[self.tissue] + (self.texture - 1) * np.float32(100) * (self.tissue != _AIR)
        else:
            values = means[self.tissue] * self.texture
        return np.asarray(np.rint(values), dtype=np.int16)


@dataclass(frozen=True, slots=True)
class BrainPhantom:
    """A head: which lesions it has, and the seed of its texture.

    Parameters
    ----------
    seed : int
        Of the texture.
    lesions : tuple of PhantomLesion
        Numbered from 1; where two overlap, the later one is seen. Empty for a head without lesions.
    """

    seed: int = 0
    lesions: tuple[PhantomLesion, ...] = (PhantomLesion(),)

    def __post_init__(self) -> None:
        if len(self.lesions) > 200:
            raise ValueError(f"a head has at most 200 lesions, not {len(self.lesions)}")

    def sample(self, shape: Sequence[int], affine: ArrayLike) -> BrainSample:
        """Return the head on a grid.

        Parameters
        ----------
        shape : sequence of int
            ``(z, y, x)``.
        affine : array-like
            4 x 4: index ``(z, y, x)`` to LPS mm.
        """
        depth, rows, columns = (int(size) for size in shape)
        matrix = np.asarray(affine, dtype=np.float64)
        if matrix.shape != (4, 4) or min(depth, rows, columns) < 1:
            raise ValueError("a grid has three positive sizes and an affine matrix of 4 x 4")
        tissue = np.empty((depth, rows, columns), dtype=np.uint8)
        texture = np.empty((depth, rows, columns), dtype=np.float32)
        lesions = np.empty((depth, rows, columns), dtype=np.uint8)
        row, column = np.arange(rows)[:, None], np.arange(columns)[None, :]
        for index in range(depth):
            x, y, z = (
                matrix[axis, 0] * index + matrix[axis, 1] * row + matrix[axis, 2] * column + matrix[axis, 3]
                for axis in range(3)
            )
            tissue[index], lesions[index] = self._tissue(x, y, z)
            texture[index] = self._texture(x, y, z)
        return BrainSample(tissue, texture, lesions)

    def at(self, points_mm: ArrayLike, contrast: Contrast) -> NDArray[np.int16]:
        """Return the values ``(n,)`` at places ``(n, 3)`` in LPS mm."""
        x, y, z = np.asarray(points_mm, dtype=np.float64).reshape(-1, 3).T
        tissue, lesions = self._tissue(x, y, z)
        return BrainSample(tissue, self._texture(x, y, z), lesions).image(contrast)

    def _tissue(self, x: _Array, y: _Array, z: _Array) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        tissue = np.zeros(x.shape, dtype=np.uint8)
        lesions = np.zeros(x.shape, dtype=np.uint8)
        for part, centre, half_axes in _PARTS:
            tissue[_quadric(x, y, z, centre, half_axes) < 1] = part
        for number, lesion in enumerate(self.lesions, start=1):
            radius = lesion.radius(x, y, z)
            inside = radius < 1
            tissue[inside] = _RIM
            tissue[radius < _RIM_FROM] = _CORE
            lesions[inside] = number
        return tissue, lesions

    def _texture(self, x: _Array, y: _Array, z: _Array) -> NDArray[np.float32]:
        rng = np.random.default_rng([self.seed, 31])
        total = 1 + 0.0008 * x - 0.0005 * y + 0.0011 * z
        for wave in rng.normal(0, 0.22, (3, 3)):
            phase = rng.uniform(0, 2 * np.pi)
            total = total + _TEXTURE * np.sin(wave[0] * x + wave[1] * y + wave[2] * z + phase)
        return np.asarray(np.clip(total, 0.5, 1.5), dtype=np.float32)


def random_lesions(seed: int, count: int) -> tuple[PhantomLesion, ...]:
    """Return ``count`` lesions in the white matter that do not touch each other.

    Raises
    ------
    ValueError
        They find no room.
    """
    rng = np.random.default_rng([seed, 32])
    found: list[PhantomLesion] = []
    for _ in range(400 * max(count, 1)):
        if len(found) == count:
            break
        half = rng.uniform(4.0, 11.0, 3)
        centre = rng.uniform((-33, -45, -12), (33, 45, 42))
        apart = all(
            np.linalg.norm(centre - other.centre_mm) > max(half) + max(other.half_axes_mm) + 4
            for other in found
        )
        if apart:
            found.append(PhantomLesion(_triple(centre), _triple(half)))
    if len(found) != count:
        raise ValueError(f"{count} lesions find no room in the head")
    return tuple(found)


def _triple(values: _Array) -> _Triple:
    first, second, third = (round(float(value), 3) + 0.0007 for value in values)
    return first, second, third


def _quadric(x: _Array, y: _Array, z: _Array, centre: _Triple, half_axes: _Triple) -> _Array:
    return (
        ((x - centre[0]) / half_axes[0]) ** 2
        + ((y - centre[1]) / half_axes[1]) ** 2
        + ((z - centre[2]) / half_axes[2]) ** 2
    )
