"""Where the slices of a grid lie, as their images state it; what highdicom needs of these images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom.spatial import VOLUME_INDEX_CONVENTION, get_normal_vector, get_volume_positions
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from dicom_io.reading.attributes import items, number, numbers, text, uid
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.volume_context import VolumeContext
from models.volume_results import SliceSource

__all__ = ["TOLERANCE_MM", "PlaneGeometry", "Planes", "decimal", "plane_geometry", "planes_of", "stand_in"]

TOLERANCE_MM = 0.01
# Scanners round positions; the grid is regular, its images are so only nearly.
_GRID_TOLERANCE = 0.02
_LONGEST_DECIMAL = 16


@dataclass(frozen=True, slots=True)
class PlaneGeometry:
    """Where one image or frame lies, in patient millimetres (LPS).

    Parameters
    ----------
    position : tuple of float
        Centre of the upper left pixel.
    orientation : tuple of float
        Directions along the columns' axis (right) and along the rows' axis (down).
    spacing : tuple of float
        Between rows and between columns.
    thickness : float or None
        Of the slice.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    thickness: float | None

    def corners(self, rows: int, columns: int) -> NDArray[np.float64]:
        """Return the centres of the upper left, lower left and upper right pixels, ``(3, 3)``."""
        right = np.asarray(self.orientation[:3]) * self.spacing[1] * (columns - 1)
        down = np.asarray(self.orientation[3:]) * self.spacing[0] * (rows - 1)
        origin = np.asarray(self.position)
        return np.stack([origin, origin + down, origin + right])


@dataclass(frozen=True, eq=False)
class Planes:
    """The slices of a grid in its order.

    Parameters
    ----------
    sources : tuple of SliceSource
        The image behind each slice.
    geometry : tuple of PlaneGeometry
        Where each lies.
    distance_mm : float
        Between neighbours.
    """

    sources: tuple[SliceSource, ...]
    geometry: tuple[PlaneGeometry, ...]
    distance_mm: float

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The slices by their distance along the normal, as highdicom orders frames."""
        normal = get_normal_vector(
            list(self.geometry[0].orientation), index_convention=VOLUME_INDEX_CONVENTION
        )
        return tuple(int(k) for k in np.argsort(self._positions() @ normal, kind="stable"))

    def is_regular(self, slices: list[int]) -> bool:
        """Return whether slices of the grid, in its order, stand at equal distances along the normal."""
        if len(slices) < 2:
            return False
        spacing, _ = get_volume_positions(
            image_positions=self._positions()[slices].tolist(),
            image_orientation=list(self.geometry[0].orientation),
            sort=False,
        )
        return spacing is not None and spacing > 0.0

    def _positions(self) -> NDArray[np.float64]:
        return np.array([plane.position for plane in self.geometry])


def planes_of(context: VolumeContext) -> Planes:
    """Return where the slices of the reading lie.

    Raises
    ------
    ResultInvalid
        An image does not say where it lies, or lies elsewhere than its slice of the grid: at a corner, by
        more than .01 mm and 2 % of the distance between slices.
    """
    headers = {str(header.SOPInstanceUID): header for header in context.segmented_headers}
    sources = context.reading.slices
    geometry = tuple(
        plane_geometry(headers[source.sop_instance_uid], source.frame, f"slice {index}")
        for index, source in enumerate(sources)
    )
    distance = float(np.linalg.norm(context.reading.labels.affine[:3, 0]))
    problems = list(_displaced(geometry, context, max(TOLERANCE_MM, _GRID_TOLERANCE * distance)))
    if problems:
        raise ResultInvalid("; ".join(problems[:3]))
    return Planes(sources, geometry, distance)


def plane_geometry(header: Dataset, frame: int | None, name: str = "the image") -> PlaneGeometry:
    """Return where an image, or a frame (from 1) of an enhanced one, lies.

    Raises
    ------
    ResultInvalid
        The header does not say; the text begins with ``name``.
    """
    if frame is None:
        position = orientation = measures = header
    else:
        frames = items(header, "PerFrameFunctionalGroupsSequence")
        if frame > len(frames):
            raise ResultInvalid(f"{name} comes from frame {frame} of an image of {len(frames)}")
        groups = (frames[frame - 1], *items(header, "SharedFunctionalGroupsSequence"))
        position = _group(groups, "PlanePositionSequence")
        orientation = _group(groups, "PlaneOrientationSequence")
        measures = _group(groups, "PixelMeasuresSequence")
    found = PlaneGeometry(
        numbers(position, "ImagePositionPatient"),
        numbers(orientation, "ImageOrientationPatient"),
        numbers(measures, "PixelSpacing"),
        number(measures, "SliceThickness"),
    )
    if (len(found.position), len(found.orientation), len(found.spacing)) != (3, 6, 2):
        raise ResultInvalid(f"{name} comes from an image that does not state where it lies")
    return found


def stand_in(
    header: Dataset,
    geometry: PlaneGeometry | None = None,
    distance_mm: float = 0.0,
    *,
    multi_frame: bool = False,
) -> Dataset:
    """Return what highdicom needs of a source image, without anything of the patient.

    Parameters
    ----------
    header : Dataset
        Of the image; not changed.
    geometry : PlaneGeometry or None
        Where it lies; None for a projection.
    distance_mm : float
        Between slices.
    multi_frame : bool
        The image is an enhanced one; the stand-in has one frame.
    """
    made = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        setattr(made, keyword, str(header[keyword].value))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"):
        setattr(made, keyword, "")
    for keyword in ("AccessionNumber", "StudyID", "StudyDate", "StudyTime"):
        setattr(made, keyword, "")
    made.Modality = text(header, "Modality") or "OT"
    made.Rows, made.Columns = int(header.Rows), int(header.Columns)
    if text(header, "LossyImageCompression") == "01":
        made.LossyImageCompression = "01"
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if keyword in header:
                setattr(made, keyword, header[keyword].value)
    if geometry is None:
        return made
    made.FrameOfReferenceUID = uid(header, "FrameOfReferenceUID")
    made.PositionReferenceIndicator = text(header, "PositionReferenceIndicator")
    measures, position, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [decimal(value) for value in geometry.spacing]
    measures.SliceThickness = decimal(geometry.thickness or distance_mm)
    measures.SpacingBetweenSlices = decimal(distance_mm)
    position.ImagePositionPatient = [decimal(value) for value in geometry.position]
    orientation.ImageOrientationPatient = [decimal(value) for value in geometry.orientation]
    if multi_frame:
        shared, frame = Dataset(), Dataset()
        shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
        frame.PlanePositionSequence = [position]
        made.NumberOfFrames = 1
        made.SharedFunctionalGroupsSequence = [shared]
        made.PerFrameFunctionalGroupsSequence = [frame]
    else:
        for part in (measures, position, orientation):
            made.update(part)
    return made


def decimal(value: float) -> str:
    """Return ``value`` as a decimal string: the shortest that means it, else the closest of 16 characters."""
    shortest = repr(float(value)).removesuffix(".0")
    return shortest if len(shortest) <= _LONGEST_DECIMAL else format_number_as_ds(float(value))


def _group(groups: tuple[Dataset, ...], keyword: str) -> Dataset:
    for group in groups:
        found = items(group, keyword)
        if found:
            return found[0]
    return Dataset()


def _displaced(
    geometry: tuple[PlaneGeometry, ...], context: VolumeContext, tolerance: float
) -> Iterator[str]:
    affine, (_, rows, columns) = context.reading.labels.affine, context.reading.labels.spatial_shape
    for index, plane in enumerate(geometry):
        corners = np.array([[index, 0, 0, 1], [index, rows - 1, 0, 1], [index, 0, columns - 1, 1]]).T
        wanted = (affine @ corners)[:3].T
        away = float(np.linalg.norm(plane.corners(rows, columns) - wanted, axis=1).max())
        if not away <= tolerance:
            yield f"slice {index} of the grid lies {away:.3g} mm from the image that it comes from"
