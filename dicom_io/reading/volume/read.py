"""A series read as one volume with patient geometry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from pydicom.dataset import Dataset

# The module, not its function: results ask this package for grids while the other one is being imported.
from dicom_io.reading import pixels
from dicom_io.reading.attributes import shown, text
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.volume.planes import Plane, planes_of
from dicom_io.reading.volume.stack import Stack, stack_planes
from models.volume_results import SliceSource

__all__ = ["SourceVolume", "read_volume"]

_LARGEST_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, eq=False)
class SourceVolume:
    """One series as a volume.

    Parameters
    ----------
    volume : highdicom.Volume
        ``(z, y, x)`` after the modality transformation, first axis along the slices; integers where that
        loses nothing, else float32. Its affine leads to patient coordinates (LPS, mm).
    slices : tuple of SliceSource
        The image and frame behind each slice.
    headers : tuple of Dataset
        Headers of the images without pixels, in the order of the slices, each once.
    """

    volume: Volume
    slices: tuple[SliceSource, ...]
    headers: tuple[Dataset, ...]

    @property
    def series_instance_uid(self) -> str:
        """The series."""
        return str(self.headers[0].SeriesInstanceUID)


def read_volume(
    paths: Iterable[Path], *, modalities: Sequence[str] = ("MR", "CT"), minimum_slices: int = 3
) -> SourceVolume:
    """Read the files of one series, classic or enhanced, as one volume.

    Parameters
    ----------
    paths : iterable of Path
        All files of the series, in any order.
    modalities : sequence of str
        Others are refused.
    minimum_slices : int
        Fewer slices are no volume.

    Raises
    ------
    UnsuitableImage
        The series is no single regular grid, see :func:`stack_planes`; or a file is damaged, of another
        series (``several-series``), without a frame of reference (``no-frame-of-reference``), of several ones
        (``several-frames-of-reference``), of another modality (``wrong-modality``), or too large
        (``too-large``).
    """
    headers: list[Dataset] = []
    planes: list[Plane] = []
    frames: list[NDArray[np.integer[Any]]] = []
    for path in paths:
        header, stored = pixels.read_frames(path)
        headers.append(header)
        planes += planes_of(header)
        frames += list(stored)
    if not headers:
        raise UnsuitableImage("few-slices", "the series has no image")
    _check_series(headers, modalities)
    stack = stack_planes(planes, minimum=minimum_slices)
    volume = Volume(
        _assembled(stack, frames),
        stack.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=text(headers[0], "FrameOfReferenceUID"),
    )
    slices = tuple(plane.source for plane in stack.planes)
    by_uid = {str(header.SOPInstanceUID): header for header in headers}
    uids = dict.fromkeys(source.sop_instance_uid for source in slices)
    return SourceVolume(volume, slices, tuple(by_uid[uid] for uid in uids))


def _check_series(headers: Sequence[Dataset], modalities: Sequence[str]) -> None:
    modality = text(headers[0], "Modality")
    if modality not in modalities:
        raise UnsuitableImage(
            "wrong-modality", f"Modality is {shown(modality)}, not {' or '.join(modalities)}"
        )
    uids = [str(header.SOPInstanceUID) for header in headers]
    if len(set(uids)) != len(uids):
        raise UnsuitableImage("duplicate-instance", "the series has a file twice")
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID"):
        if len({text(header, keyword) for header in headers}) != 1:
            raise UnsuitableImage("several-series", "the files are not of one series")
    frames = {text(header, "FrameOfReferenceUID") for header in headers}
    if "" in frames:
        raise UnsuitableImage(
            "no-frame-of-reference",
            "the series has no Frame of Reference UID: nothing that is found in it could be placed",
        )
    if len(frames) != 1:
        raise UnsuitableImage("several-frames-of-reference", "the series has several frames of reference")


def _assembled(stack: Stack, frames: Sequence[NDArray[np.integer[Any]]]) -> NDArray[Any]:
    kind = _dtype(stack.planes, frames)
    if int(np.prod(stack.shape, dtype=np.int64)) * kind.itemsize > _LARGEST_BYTES:
        raise UnsuitableImage("too-large", f"a volume of {stack.shape} voxels is not read")
    array = np.empty(stack.shape, dtype=kind)
    for target, index, plane in zip(array, stack.order, stack.planes, strict=True):
        if (plane.slope, plane.intercept) == (1.0, 0.0):
            target[:] = frames[index]
        elif kind.kind == "i":
            target[:] = frames[index].astype(np.int32) + int(plane.intercept)
        else:
            target[:] = frames[index] * np.float32(plane.slope) + np.float32(plane.intercept)
    return array


def _dtype(planes: Sequence[Plane], frames: Sequence[NDArray[np.integer[Any]]]) -> np.dtype[Any]:
    """Return the smallest type that holds every value exactly; float32 where values are scaled."""
    if any(plane.slope != 1.0 or plane.intercept != int(plane.intercept) for plane in planes):
        return np.dtype(np.float32)
    offsets = [int(plane.intercept) for plane in planes]
    low = min(int(frame.min()) for frame in frames) + min(offsets)
    high = max(int(frame.max()) for frame in frames) + max(offsets)
    for kind in (np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float32)
