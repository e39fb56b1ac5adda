"""Planes: where each image, or each frame of an enhanced one, lies in the patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, number, numbers, shown, text, whole_number
from dicom_io.reading.errors import UnsuitableImage
from models.volume_results import SliceSource

__all__ = ["Plane", "planes_of"]

# PS3.3 C.7.6.2.1.1 wants unit vectors at a right angle; writers round them to four digits at worst.
_ROUNDED = 1e-3
_MAXIMUM_FRAMES = 20_000


@dataclass(frozen=True, slots=True)
class Plane:
    """One image plane.

    Parameters
    ----------
    source : SliceSource
        The image and frame.
    position : tuple of float
        Patient coordinates (LPS, mm) of the centre of the upper left pixel.
    orientation : tuple of float
        Direction of a row, then of a column: Image Orientation (Patient).
    pixel_spacing : tuple of float
        ``(between rows, between columns)`` in mm.
    shape : tuple of int
        ``(rows, columns)``.
    slope, intercept : float
        Of the modality transformation.
    thickness : float or None
        Slice thickness in mm.
    """

    source: SliceSource
    position: tuple[float, float, float]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    shape: tuple[int, int]
    slope: float = 1.0
    intercept: float = 0.0
    thickness: float | None = None


def planes_of(header: Dataset) -> tuple[Plane, ...]:
    """Return the plane of a classic image, or those of all frames of an enhanced one.

    Raises
    ------
    UnsuitableImage
        ``no-position``, ``no-orientation``, ``bad-orientation``, ``no-pixel-spacing``, ``no-pixel-data``,
        ``bad-photometric``, ``bad-frames``, ``bad-rescale``: what the image lacks.

    References
    ----------
    PS3.3 C.7.6.2 (classic), C.7.6.16.2 (enhanced).
    """
    rows, columns = whole_number(header, "Rows", 0), whole_number(header, "Columns", 0)
    if rows < 1 or columns < 1:
        raise UnsuitableImage("no-pixel-data", "an object of the series has no image")
    samples, photometric = (
        whole_number(header, "SamplesPerPixel", 1),
        text(header, "PhotometricInterpretation"),
    )
    if samples != 1 or photometric != "MONOCHROME2":
        raise UnsuitableImage(
            "bad-photometric", f"an image of the series is {shown(photometric)}: no greyscale volume"
        )
    if "PerFrameFunctionalGroupsSequence" not in header:
        if whole_number(header, "NumberOfFrames", 1) > 1:
            raise UnsuitableImage("multi-frame", "a multi-frame image says nothing of where its frames lie")
        source = SliceSource(str(header.SOPClassUID), str(header.SOPInstanceUID))
        return (_plane(source, [header], (rows, columns)),)
    return tuple(_frames(header, (rows, columns)))


def _frames(header: Dataset, shape: tuple[int, int]) -> Iterator[Plane]:
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    stated = whole_number(header, "NumberOfFrames", 0)
    if len(groups) != stated or not 0 < stated <= _MAXIMUM_FRAMES:
        raise UnsuitableImage(
            "bad-frames", f"an enhanced image states {stated} frames and describes {len(groups)}"
        )
    shared = items(header, "SharedFunctionalGroupsSequence")
    common = _groups(shared[0]) if shared else []
    for index, group in enumerate(groups, start=1):
        source = SliceSource(str(header.SOPClassUID), str(header.SOPInstanceUID), index)
        yield _plane(source, [*_groups(group), *common], shape)


def _groups(item: Dataset) -> list[Dataset]:
    keywords = (
        "PlanePositionSequence",
        "PlaneOrientationSequence",
        "PixelMeasuresSequence",
        "PixelValueTransformationSequence",
    )
    return [found[0] for keyword in keywords if (found := items(item, keyword))]


def _plane(source: SliceSource, places: Sequence[Dataset], shape: tuple[int, int]) -> Plane:
    position = _first(places, "ImagePositionPatient")
    if len(position) != 3:
        raise UnsuitableImage("no-position", "an image of the series has no Image Position (Patient)")
    orientation = _first(places, "ImageOrientationPatient")
    if len(orientation) != 6:
        raise UnsuitableImage("no-orientation", "an image of the series has no Image Orientation (Patient)")
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1) for length in lengths) > _ROUNDED or abs(row @ column) > _ROUNDED:
        raise UnsuitableImage(
            "bad-orientation", "the directions of rows and columns are not two unit vectors at a right angle"
        )
    spacing = _first(places, "PixelSpacing")
    if len(spacing) != 2 or not min(spacing) > 0:
        raise UnsuitableImage("no-pixel-spacing", "an image of the series has no Pixel Spacing")
    slope, intercept = _number(places, "RescaleSlope"), _number(places, "RescaleIntercept")
    if slope == 0 or any("ModalityLUTSequence" in place for place in places):
        raise UnsuitableImage(
            "bad-rescale", "an image of the series has a Modality LUT or a Rescale Slope of 0: not read"
        )
    return Plane(
        source=source,
        position=(position[0], position[1], position[2]),
        orientation=tuple(orientation),
        pixel_spacing=(spacing[0], spacing[1]),
        shape=shape,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        thickness=_number(places, "SliceThickness"),
    )


def _first(places: Sequence[Dataset], keyword: str) -> list[float]:
    for place in places:
        found = numbers(place, keyword)
        if found:
            return list(found)
    return []


def _number(places: Sequence[Dataset], keyword: str) -> float | None:
    for place in places:
        found = number(place, keyword)
        if found is not None:
            return found
    return None
