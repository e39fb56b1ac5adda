"""Volumetric phantoms as DICOM series: the computed head in any orientation, classic or enhanced.

Nothing in them is of a patient: identifiers are made up, and every image says DERIVED.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

from dicom_io.volume_phantom_tags import classic_tags, enhanced_tags, frame_groups, series_tags
from models.phantoms.brain import SEQUENCES, BrainPhantom, Contrast, PhantomLesion
from models.volume_results import SliceSource

__all__ = [
    "AXIAL",
    "CORONAL",
    "SAGITTAL",
    "VolumeOptions",
    "WrittenVolume",
    "write_array_series",
    "write_brain_study",
    "write_volume_series",
]

# Columns: patient direction (LPS) of one step along the slices, down the rows, along the columns.
AXIAL = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
SAGITTAL = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
CORONAL = ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
_NAMESPACE = uuid.UUID("4c0a6f0e-96a8-5a3f-8a0e-0b6a1b8f7c11")


@dataclass(frozen=True, slots=True)
class VolumeOptions:
    """What a series looks like.

    Parameters
    ----------
    seed : int
        Gives identifiers and texture.
    contrast : {"FLAIR", "T1", "T1c", "T2", "CT"}
        What the scanner shows.
    directions : 3 x 3
        Direction cosines in columns: along slices, down rows, along columns; see :data:`AXIAL`.
    shape : tuple of int
        ``(z, y, x)``.
    spacing : tuple of float
        Of voxel centres ``(z, y, x)`` in mm.
    reversed_slices : bool
        Instance numbers fall along the slices.
    enhanced : bool
        One multi-frame instance.
    lesions : tuple of PhantomLesion
        In the head.
    attributes : mapping
        More attributes of every image, by keyword; None takes one away.
    origin : tuple of float or None
        Middle of the first voxel in LPS mm; None puts the middle of the grid into the middle of the head.

    Raises
    ------
    ValueError
        They describe no grid, or give every image the same instance UID.
    """

    seed: int = 1
    contrast: Contrast = "FLAIR"
    directions: Sequence[Sequence[float]] = AXIAL
    shape: tuple[int, int, int] = (24, 96, 96)
    spacing: tuple[float, float, float] = (6.0, 2.0, 2.0)
    reversed_slices: bool = False
    enhanced: bool = False
    lesions: tuple[PhantomLesion, ...] = (PhantomLesion(),)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    origin: tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        matrix = np.asarray(self.directions, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.allclose(matrix.T @ matrix, np.eye(3), atol=1e-6):
            raise ValueError("directions are three unit vectors at right angles, in columns")
        if min(self.shape) < 1 or min(self.spacing) <= 0:
            raise ValueError("a grid has positive sizes and spacings")
        if self.origin is not None and (len(self.origin) != 3 or not np.isfinite(self.origin).all()):
            raise ValueError(f"origin is three numbers in mm, not {self.origin}")
        if "SOPInstanceUID" in self.attributes:
            raise ValueError("every image has its own SOPInstanceUID: vary the seed to change them")

    @property
    def affine(self) -> NDArray[np.float64]:
        """4 x 4 from index ``(z, y, x)`` to LPS mm."""
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(self.directions) * np.asarray(self.spacing)
        middle = (np.asarray(self.shape) - 1) / 2
        centred = np.round(-affine[:3, :3] @ middle, 6)
        affine[:3, 3] = centred if self.origin is None else self.origin
        return affine


@dataclass(frozen=True, slots=True, eq=False)
class WrittenVolume:
    """A series on disk, and the truth about it.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        In the order of the slices; one for an enhanced instance.
    volume : highdicom.Volume
        int16 ``(z, y, x)`` in Hounsfield or arbitrary units.
    lesions : numpy.ndarray
        uint8 ``(z, y, x)``: the number of the lesion from 1.
    slices : tuple of SliceSource
        The image behind each slice.
    study_instance_uid, series_instance_uid : str
        Where it belongs.
    """

    paths: tuple[Path, ...]
    volume: Volume
    lesions: NDArray[np.uint8]
    slices: tuple[SliceSource, ...]
    study_instance_uid: str
    series_instance_uid: str


def write_volume_series(
    folder: Path,
    options: VolumeOptions = VolumeOptions(),
    series_number: int = 1,  # noqa: B008
) -> WrittenVolume:
    """Write one series of the head into ``folder``."""
    sample = BrainPhantom(options.seed, options.lesions).sample(options.shape, options.affine)
    return _write(folder, options, series_number, sample.image(options.contrast), sample.lesions)


def write_array_series(
    folder: Path, pixels: NDArray[np.int16], options: VolumeOptions, series_number: int = 1
) -> WrittenVolume:
    """Write an array of pixels ``(z, y, x)`` as a series with the geometry and words of ``options``.

    Raises
    ------
    ValueError
        The array does not have the shape that the options state.
    """
    if pixels.shape != tuple(options.shape):
        raise ValueError(f"the array is {pixels.shape}, the options say {options.shape}")
    return _write(folder, options, series_number, pixels, np.zeros(pixels.shape, np.uint8))


def write_brain_study(
    folder: Path,
    options: VolumeOptions = VolumeOptions(shape=(155, 240, 240), spacing=(1.0, 1.0, 1.0)),  # noqa: B008
    contrasts: Sequence[Contrast] = SEQUENCES,
) -> dict[Contrast, WrittenVolume]:
    """Write one study with a series per contrast, all on one grid; 620 instances by default."""
    sample = BrainPhantom(options.seed, options.lesions).sample(options.shape, options.affine)
    written: dict[Contrast, WrittenVolume] = {}
    for number, contrast in enumerate(contrasts, start=1):
        chosen = replace(options, contrast=contrast)
        place = folder / f"{number}-{contrast}"
        written[contrast] = _write(place, chosen, number, sample.image(contrast), sample.lesions)
    return written


def _uid(*parts: object) -> str:
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(map(str, parts))).int}"


def _write(
    folder: Path,
    options: VolumeOptions,
    series_number: int,
    pixels: NDArray[np.int16],
    lesions: NDArray[np.uint8],
) -> WrittenVolume:
    folder.mkdir(parents=True, exist_ok=True)
    # another grid or another attribute makes another object, which must not share the UIDs of this one
    directions = np.asarray(options.directions, dtype=np.float64).tolist()
    series = (series_number, repr(replace(options, directions=directions)))
    template = Dataset()
    template.StudyInstanceUID = _uid(options.seed, "study")
    template.SeriesInstanceUID = _uid(*series, "series")
    template.FrameOfReferenceUID = _uid(options.seed, "frame of reference")
    template.SeriesNumber = series_number
    _set(template, series_tags(options.contrast, options.seed, pixels.shape[1:]))
    if options.enhanced:
        paths, slices = _write_enhanced(folder, options, template, pixels, _uid(*series, "instance"))
    else:
        paths, slices = _write_classic(folder, options, template, pixels, series)
    volume = Volume(
        pixels,
        options.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=template.get("FrameOfReferenceUID"),
    )
    return WrittenVolume(
        tuple(paths),
        volume,
        lesions,
        tuple(slices),
        str(template.StudyInstanceUID),
        str(template.SeriesInstanceUID),
    )


def _write_classic(
    folder: Path,
    options: VolumeOptions,
    template: Dataset,
    pixels: NDArray[np.int16],
    series: tuple[object, ...],
) -> tuple[list[Path], list[SliceSource]]:
    sop_class = CTImageStorage if options.contrast == "CT" else MRImageStorage
    _set(template, classic_tags(options.contrast, options.affine))
    paths, slices = [], []
    for index, plane in enumerate(pixels):
        number = len(pixels) - index if options.reversed_slices else index + 1
        position = (options.affine @ [index, 0, 0, 1])[:3]
        template.SOPClassUID, template.SOPInstanceUID = sop_class, _uid(*series, "slice", index)
        template.InstanceNumber = number
        template.ImagePositionPatient = [f"{value + 0.0:.9g}" for value in position]
        template.add_new("PixelData", "OW", plane.astype("<i2").tobytes())
        _set(template, options.attributes)
        paths.append(_save(template, folder / f"{index + 1:04d}.dcm"))
        slices.append(SliceSource(str(template.SOPClassUID), str(template.SOPInstanceUID)))
    return paths, slices


def _write_enhanced(
    folder: Path, options: VolumeOptions, template: Dataset, pixels: NDArray[np.int16], uid: str
) -> tuple[list[Path], list[SliceSource]]:
    sop_class = EnhancedCTImageStorage if options.contrast == "CT" else EnhancedMRImageStorage
    template.SOPClassUID, template.SOPInstanceUID, template.InstanceNumber = sop_class, uid, 1
    template.NumberOfFrames = len(pixels)
    _set(template, enhanced_tags(options.contrast))
    shared, frames = frame_groups(options.contrast, options.affine, len(pixels), options.reversed_slices)
    template.SharedFunctionalGroupsSequence, template.PerFrameFunctionalGroupsSequence = [shared], frames
    template.add_new("PixelData", "OW", pixels.astype("<i2").tobytes())
    _set(template, options.attributes)
    sources = [SliceSource(str(template.SOPClassUID), uid, frame) for frame in range(1, len(pixels) + 1)]
    return [_save(template, folder / "enhanced.dcm")], sources


def _set(dataset: Dataset, attributes: Mapping[str, Any]) -> None:
    for keyword, value in attributes.items():
        if value is None and keyword in dataset:
            delattr(dataset, keyword)
        elif value is not None:
            setattr(dataset, keyword, value)


def _save(dataset: Dataset, path: Path) -> Path:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    dataset.file_meta = meta
    dataset.save_as(path, enforce_file_format=True)
    return path
