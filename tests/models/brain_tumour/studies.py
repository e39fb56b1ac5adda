"""Aligned studies of a computed head, without DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray

from models.geometry import AlignedStudy, SeriesVolume
from models.phantoms.brain import BrainPhantom, BrainSample, Contrast, PhantomLesion
from models.volume_results import SliceSource

MR = "1.2.840.10008.5.1.4.1.1.4"
LESION = PhantomLesion((31.0, -23.0, 27.0), (14.19, 11.23, 9.17))
CONTRASTS: dict[str, Contrast] = {"T1": "T1", "T1C": "T1c", "T2": "T2", "FLAIR": "FLAIR"}


def axial(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> VolumeGeometry:
    """Return an axial grid around the middle of the head: towards the head, the back and the left."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.asarray(spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return VolumeGeometry(affine, shape, "PATIENT", frame_of_reference_uid="1.2.3")


def sample(grid: VolumeGeometry, lesions: Sequence[PhantomLesion] = (LESION,)) -> BrainSample:
    return BrainPhantom(lesions=tuple(lesions)).sample(grid.spatial_shape, grid.affine)


def series(name: str, grid: VolumeGeometry, array: NDArray[Any]) -> SeriesVolume:
    volume = Volume(array, grid.affine, "PATIENT", frame_of_reference_uid="1.2.3")
    slices = tuple(SliceSource(MR, f"1.2.3.{index + 1}") for index in range(grid.spatial_shape[0]))
    return SeriesVolume(name, volume, slices, "1.2.3.999")


def study(
    names: Sequence[str] = ("T1", "FLAIR", "T1C"),
    *,
    reference: str = "FLAIR",
    shape: tuple[int, int, int] = (26, 208, 176),
    spacing: tuple[float, float, float] = (7.0, 0.92, 0.92),
    lesions: Sequence[PhantomLesion] = (LESION,),
) -> AlignedStudy:
    """Return a head whose source grid is the working grid."""
    grid = axial(shape, spacing)
    head = sample(grid, lesions)
    arrays = {name: head.image(CONTRASTS[name]).astype(np.float32) for name in names}
    return AlignedStudy(arrays, grid, series(reference, grid, arrays[reference]))
