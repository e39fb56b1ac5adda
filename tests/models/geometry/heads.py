"""Phantom heads on all sorts of grids."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from models.geometry import SeriesVolume
from models.phantoms.brain import BrainPhantom, BrainSample, Contrast
from models.volume_results import SliceSource

FRAME = "1.2.3.4"
# Axis 0, 1, 2 along these axes of LPS: (2, 1, 0) is axial, (1, 2, 0) coronal, (0, 2, 1) sagittal.
ORDERS = list(itertools.permutations(range(3)))
SIGNS = list(itertools.product((1, -1), repeat=3))


def rigid(rotation_deg: ArrayLike = (0, 0, 0), translation_mm: ArrayLike = (0, 0, 0)) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler(
        "xyz", np.asarray(rotation_deg, dtype=float), degrees=True
    ).as_matrix()
    matrix[:3, 3] = translation_mm
    return matrix


def grid(
    spacing_mm: Sequence[float],
    extent_mm: Sequence[float],
    *,
    order: Sequence[int] = (2, 1, 0),
    signs: Sequence[int] = (1, 1, 1),
    turned_deg: ArrayLike = (0, 0, 0),
    centre_mm: ArrayLike = (0.0, 0.0, 0.0),
    frame: str = FRAME,
) -> VolumeGeometry:
    """Return a grid whose axes run along axes of the patient, turned and placed as asked for."""
    shape = tuple(round(extent / spacing) for extent, spacing in zip(extent_mm, spacing_mm, strict=True))
    steps = np.zeros((3, 3))
    for axis in range(3):
        steps[order[axis], axis] = signs[axis] * spacing_mm[axis]
    affine = np.eye(4)
    affine[:3, :3] = rigid(turned_deg)[:3, :3] @ steps
    affine[:3, 3] = np.asarray(centre_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return VolumeGeometry(affine, shape, "PATIENT", frame_of_reference_uid=frame)


def head(
    geometry: VolumeGeometry,
    contrast: Contrast,
    *,
    moved: NDArray[np.float64] | None = None,
    seed: int = 0,
    noise: float = 15.0,
) -> Volume:
    """Return the phantom on a grid; ``moved`` carries a place of the resting head to where it now lies."""
    back = np.eye(4) if moved is None else np.linalg.inv(moved)
    image = _sample(tuple(geometry.spatial_shape), (back @ geometry.affine).tobytes()).image(contrast)
    grain = np.random.default_rng(seed).normal(0, noise, image.shape)
    values = np.clip(np.rint(image + grain), 0, 4095).astype(np.int16)
    return Volume(values, geometry.affine, "PATIENT", frame_of_reference_uid=geometry.frame_of_reference_uid)


@lru_cache(maxsize=16)
def _sample(shape: tuple[int, ...], affine: bytes) -> BrainSample:
    return BrainPhantom().sample(shape, np.frombuffer(affine).reshape(4, 4))


def series(sequence: str, volume: Volume) -> SeriesVolume:
    slices = tuple(
        SliceSource("1.2.840.10008.5.1.4.1.1.4", f"1.2.3.{index + 1}")
        for index in range(volume.spatial_shape[0])
    )
    return SeriesVolume(sequence, volume, slices, "1.2.3.9")
