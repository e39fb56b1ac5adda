"""Brain phantoms with their segmentations and reports, as an archive would hold them after a reading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian

from dicom_io.results import ResultIdentity, VolumeContext, encode_structured_report, write_object
from dicom_io.results.segmentation import encode_segmentation
from models.phantoms.brain import BrainPhantom, PhantomLesion
from tests.dicom_io.results.factory import PACKAGE
from tests.dicom_io.results.volume_factory import affine_of, volume_context

__all__ = ["ReadHead", "read_head", "segmentation_of"]

SHAPE: Final = (28, 160, 104)
SPACING: Final = (5.0, 1.25, 1.6)
LESIONS: Final = (
    PhantomLesion((31.0, -23.0, 27.0), (16.19, 12.23, 13.17)),
    PhantomLesion((-20.0, 28.0, 37.5), (9.13, 12.07, 11.11)),
)

_PACKAGE: Final = replace(
    PACKAGE,
    name="brain-phantom",
    title="Brain lesions",
    intended_use="Research use: outlines lesions of phantoms.",
)


@dataclass(frozen=True)
class ReadHead:
    """A series of slices with what a reading of it gives.

    Parameters
    ----------
    masks : numpy.ndarray
        ``(z, y, x, lesions)``.
    key_slice : int
        Where both lesions show.
    """

    context: VolumeContext
    paths: tuple[Path, ...]
    masks: NDArray[np.bool_]
    key_slice: int

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.context.headers[0].StudyInstanceUID)

    @property
    def series(self) -> str:
        """Series Instance UID of the slices."""
        return str(self.context.headers[0].SeriesInstanceUID)


def read_head(folder: Path, orientation: str = "oblique-axial") -> ReadHead:
    """Write a series of a head with two lesions, its segmentation and its report."""
    folder.mkdir(parents=True, exist_ok=True)
    affine = affine_of(orientation, SPACING, (0.0, 0.0, 0.0))
    middle = (affine @ np.array([*((np.array(SHAPE) - 1) / 2), 1.0]))[:3]
    origin = tuple(float(value) for value in np.round(np.array([0.0, 0.0, 8.0]) - middle, 4))
    affine[:3, 3] = origin
    sample = BrainPhantom(7, LESIONS).sample(SHAPE, affine)
    masks = np.stack([sample.lesions == number for number in (1, 2)], axis=3)
    context = _context(masks, orientation, origin, "right")
    image = sample.image("T1c")
    paths = []
    for header, plane in zip(context.headers, image, strict=True):
        header.PixelData = plane.astype("<i2").tobytes()
        header["PixelData"].VR = "OW"
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"slice-{len(paths)}.dcm"
        header.save_as(path, enforce_file_format=True, implicit_vr=False, little_endian=True)
        del header.PixelData
        paths.append(path)
    segmentation = encode_segmentation(context)
    report = encode_structured_report(context, segmentation)
    paths.append(write_object(segmentation, folder / "segmentation.dcm", "segmentation").path)
    paths.append(write_object(report, folder / "report.dcm", "structured-report").path)
    areas = masks.sum(axis=(1, 2)).min(axis=1)
    return ReadHead(context, tuple(paths), masks, int(areas.argmax()))


def segmentation_of(head: ReadHead, masks: NDArray[np.bool_], name: str, folder: Path) -> tuple[Path, str]:
    """Write a segmentation of the same series with other masks; returns its path and its series."""
    labels = head.context.reading.labels
    orientation = labels.affine[:3, :3] / np.array(SPACING)
    origin = tuple(float(value) for value in labels.affine[:3, 3])
    made = encode_segmentation(_context(masks, orientation, origin, name))
    return write_object(made, folder / f"{name}.dcm", "segmentation").path, str(made.SeriesInstanceUID)


def _context(
    masks: NDArray[np.bool_], orientation: Any, origin: tuple[float, ...], name: str
) -> VolumeContext:
    attributes = {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyInstanceUID": "2.25.4711",
        "SeriesInstanceUID": "2.25.47111",
        "PatientName": "PHANTOM^BRAIN",
        "PatientID": "PHANTOM-BRAIN",
        "StudyDescription": "Brain phantom",
        "SeriesDescription": "T1 with contrast",
        "WindowCenter": "1000",
        "WindowWidth": "2400",
    }
    return volume_context(
        masks=masks.copy(),
        orientation=orientation,
        shape=SHAPE,
        spacing=SPACING,
        origin=origin,
        attributes=attributes,
        package=_PACKAGE,
        identity=ResultIdentity(name.encode().hex().rjust(64, "0"), "ab" * 32, "c" * 64, 1),
    )
