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

from dicom_io.reading.attributes import text, uid
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.volume.grid import (
    FARTHEST_VOXELS,
    common_orientation,
    displacements,
    grid_of,
    off_grid,
)
from dicom_io.reading.volume.planes import Plane
from dicom_io.reading.volume.planes import planes_of as stated_planes
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.source import copy_elements
from dicom_io.results.volume_context import VolumeContext
from models.volume_results import SliceSource

__all__ = ["TOLERANCE_MM", "Planes", "decimal", "planes_of", "stand_in"]

# Of the grid against that which follows from its images, and of a frame against its image.
TOLERANCE_MM = 0.01
_LONGEST_DECIMAL = 16


@dataclass(frozen=True, eq=False)
class Planes:
    """The slices of a grid in its order.

    Parameters
    ----------
    sources : tuple of SliceSource
        The image behind each slice.
    geometry : tuple of Plane
        Where each lies, as its image states it.
    distance_mm : float
        Between neighbours.
    """

    sources: tuple[SliceSource, ...]
    geometry: tuple[Plane, ...]
    distance_mm: float

    @property
    def orientation(self) -> tuple[float, ...]:
        """Orientation that stands for all slices: that of the first."""
        return common_orientation(self.geometry[0])

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The slices by their distance along the normal, as highdicom orders frames."""
        normal = get_normal_vector(list(self.orientation), index_convention=VOLUME_INDEX_CONVENTION)
        return tuple(int(k) for k in np.argsort(self._positions() @ normal, kind="stable"))

    def is_regular(self, slices: list[int]) -> bool:
        """Return whether slices of the grid, in its order, stand at equal distances along the normal."""
        if len(slices) < 2:
            return False
        spacing, _ = get_volume_positions(
            image_positions=self._positions()[slices].tolist(),
            image_orientation=list(self.orientation),
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
        An image does not say where it lies; or lies off its slice of the grid, by the same bound that refuses
        a series when it is read, see :func:`dicom_io.reading.volume.grid.off_grid`; or the grid is another
        one than that of its images, by more than .01 mm at a corner.
    """
    sources = context.reading.slices
    stated = _stated(context)
    for index, source in enumerate(sources):
        if source not in stated:
            frames = sum(one.sop_instance_uid == source.sop_instance_uid for one in stated)
            raise ResultInvalid(f"slice {index} comes from frame {source.frame} of an image of {frames}")
    geometry = tuple(stated[source] for source in sources)
    affine = context.reading.labels.affine
    problems = list(_displaced(geometry, affine))
    if problems:
        raise ResultInvalid("; ".join(problems[:3]))
    return Planes(sources, geometry, float(np.linalg.norm(affine[:3, 0])))


def _stated(context: VolumeContext) -> dict[SliceSource, Plane]:
    """Return the planes of all images and frames of the segmented series."""
    found = {}
    for header in context.segmented_headers:
        try:
            planes = stated_planes(header)
        except UnsuitableImage as error:
            uid_ = str(header.SOPInstanceUID)
            index = next(i for i, s in enumerate(context.reading.slices) if s.sop_instance_uid == uid_)
            raise ResultInvalid(
                f"slice {index} comes from an image that does not state where it lies: {error}"
            ) from error
        found.update({plane.source: plane for plane in planes})
    return found


def stand_in(
    header: Dataset,
    planes: Planes | None = None,
    *,
    multi_frame: bool = False,
) -> Dataset:
    """Return what highdicom needs of a source image, without anything of the patient.

    Parameters
    ----------
    header : Dataset
        Of the image; not changed.
    planes : Planes or None
        The image is the first of them; None for a projection.
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
        copy_elements(header, made, ("LossyImageCompressionRatio", "LossyImageCompressionMethod"))
    if planes is None:
        return made
    plane = planes.geometry[0]
    made.FrameOfReferenceUID = uid(header, "FrameOfReferenceUID")
    made.PositionReferenceIndicator = text(header, "PositionReferenceIndicator")
    measures, position, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [decimal(value) for value in plane.pixel_spacing]
    measures.SliceThickness = decimal(_thickness(plane) or planes.distance_mm)
    measures.SpacingBetweenSlices = decimal(planes.distance_mm)
    position.ImagePositionPatient = [decimal(value) for value in plane.position]
    orientation.ImageOrientationPatient = [decimal(value) for value in planes.orientation]
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


def _thickness(plane: Plane) -> float:
    return plane.thickness if plane.thickness is not None and plane.thickness > 0 else 0.0


def _displaced(geometry: tuple[Plane, ...], affine: NDArray[np.float64]) -> Iterator[str]:
    away = np.linalg.norm(displacements(geometry, affine), axis=2).max(axis=1)
    apart = off_grid(geometry, affine)
    for index in np.flatnonzero(~(apart <= FARTHEST_VOXELS)):
        yield (
            f"slice {index} of the grid lies {away[index]:.3g} mm from the image that it comes from, "
            f"{apart[index]:.2g} voxels at a corner"
        )
    own = grid_of(geometry)
    (rows, columns), last = geometry[0].shape, len(geometry) - 1
    corners = np.array([(k, r, c, 1) for k in (0, last) for r in (0, rows - 1) for c in (0, columns - 1)]).T
    beside = float(np.linalg.norm(((affine - own) @ corners)[:3], axis=0).max())
    if not beside <= TOLERANCE_MM:
        yield f"the grid lies {beside:.3g} mm beside that of its images"
