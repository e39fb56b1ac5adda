"""Patients of the ``lgg`` data as DICOM studies: with grids and identifiers that are made up."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dicom_io.volume_phantoms import AXIAL, CORONAL, VolumeOptions, WrittenVolume, write_array_series

__all__ = ["GRIDS", "Grid", "Patient", "load_patient", "patients", "write_patient"]

_CONTRASTS = {"T1": "T1", "FLAIR": "FLAIR", "T1C": "T1c"}
_GREY = 8


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """The arrays of one patient: sequences that were acquired, and the mask, all ``(z, y, x)``."""

    name: str
    sequences: dict[str, NDArray[np.uint8]]
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """How the arrays are laid into a patient.

    Parameters
    ----------
    spacing_mm : tuple of float
        ``(z, y, x)`` of the array's axes, made up.
    coronal : bool
        Stored as coronal planes of the same voxels.
    flipped : bool
        Slices and rows run the other way; the voxels stay where they are.
    margin : int
        Rows and columns of air around every axial slice; negative ones are cut off.
    enhanced : bool
        One multi-frame instance per series.
    attributes : mapping
        More attributes of every image.
    """

    spacing_mm: tuple[float, float, float]
    coronal: bool = False
    flipped: bool = False
    margin: int = 0
    enhanced: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def laid(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array of axial slices in the order in which this grid stores its voxels."""
        value = self.with_margin(array)
        if self.flipped:
            value = value[::-1, ::-1]
        # a coronal plane: slices run to the back, rows to the feet
        return np.ascontiguousarray(value[::-1].transpose(1, 0, 2) if self.coronal else value)

    def taken(self, array: NDArray[Any]) -> NDArray[Any]:
        """Undo :meth:`laid`, up to the margin."""
        value = array.transpose(1, 0, 2)[::-1] if self.coronal else array
        return value[::-1, ::-1] if self.flipped else value

    def with_margin(self, array: NDArray[Any]) -> NDArray[Any]:
        """Add air around every axial slice, or cut it off."""
        if self.margin >= 0:
            return np.pad(array, ((0, 0), (self.margin, self.margin), (self.margin, self.margin)))
        return array[:, -self.margin : self.margin, -self.margin : self.margin]

    def options(self, shape: tuple[int, ...], contrast: str, seed: int) -> VolumeOptions:
        """Return how a laid array of a ``shape`` is written."""
        directions = np.array(AXIAL)
        spacing = np.array(self.spacing_mm)
        if self.flipped:
            directions = directions * np.array([-1, -1, 1])
        if self.coronal:
            directions, spacing = np.array(CORONAL), spacing[[1, 0, 2]]
            if self.flipped:
                directions = directions * np.array([-1, -1, 1])
        return VolumeOptions(
            seed=seed,
            contrast=contrast,  # type: ignore[arg-type]
            directions=directions.tolist(),
            shape=shape,  # type: ignore[arg-type]
            spacing=tuple(spacing.tolist()),
            enhanced=self.enhanced,
            attributes=self.attributes,
        )


GRIDS = {
    "as trained": Grid((5.0, 0.92, 0.92)),
    "flipped, in air": Grid((5.0, 0.92, 0.92), flipped=True, margin=19),
    "finer, cut": Grid((3.0, 0.8, 0.8), margin=-8, enhanced=True),
    "coarser, anisotropic": Grid((6.5, 1.1, 1.0)),
}


def patients(data: Path) -> list[str]:
    """Return the names of all patients."""
    return sorted(folder.name for folder in (data / "lgg").iterdir() if folder.is_dir())


def load_patient(data: Path, name: str) -> Patient:
    """Read one patient; a sequence that was not acquired is not there."""
    with (data / "lgg" / "slices.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["patient"] == name]
    rows.sort(key=lambda row: int(row["slice"]))
    images, masks = [], []
    for row in rows:
        stem = data / "lgg" / name / f"{int(row['slice']):03d}"
        images.append(np.asarray(Image.open(stem.with_suffix(".webp")).convert("L")))
        mask = stem.with_name(f"{stem.name}_mask.png")
        masks.append(np.asarray(Image.open(mask).convert("L")) > 0 if mask.is_file() else None)
    side = images[0].shape[0]
    volume = np.stack(images)
    there = {
        "T1": all(row["has_pre_contrast"] == "1" for row in rows),
        "FLAIR": True,
        "T1C": all(row["has_post_contrast"] == "1" for row in rows),
    }
    return Patient(
        name,
        {key: volume[:, :, n * side : (n + 1) * side] for n, key in enumerate(_CONTRASTS) if there[key]},
        np.stack([np.zeros((side, side), bool) if one is None else one for one in masks]),
    )


def write_patient(folder: Path, patient: Patient, grid: Grid, seed: int = 1) -> dict[str, WrittenVolume]:
    """Write every sequence of a patient as a series of one study; grey values become twelve bits."""
    written = {}
    for number, (name, array) in enumerate(patient.sequences.items(), start=1):
        pixels = grid.laid(array).astype(np.int16) * _GREY
        options = grid.options(pixels.shape, _CONTRASTS[name], seed)
        written[name] = write_array_series(
            folder / f"{number}-{name}", pixels, replace(options, attributes=grid.attributes), number
        )
    return written
