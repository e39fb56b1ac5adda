"""A DICOM file to a film, ready for a detector."""

from __future__ import annotations

from pathlib import Path

from dicom_io.reading.attributes import uid
from dicom_io.reading.display import display
from dicom_io.reading.pixels import read_pixels
from dicom_io.reading.spacing import spacing_of
from dicom_io.reading.view import view_of
from models.film import Film
from models.package import InputContract

__all__ = ["read_film"]


def read_film(path: Path, contract: InputContract) -> Film:
    """Decode one image that ``contract`` accepts, as displayed: bone bright, air dark.

    Raises
    ------
    UnsuitableImage
        The image does not fit the contract or cannot be decoded; nothing else is raised for any content
        of the file.
    OSError
        The file cannot be opened.
    """
    header, stored = read_pixels(path, contract)
    spacing, calibrated = spacing_of(header)
    return Film(
        sop_instance_uid=uid(header, "SOPInstanceUID"),
        pixels=display(stored, header),
        view=view_of(header),
        pixel_spacing_mm=spacing,
        spacing_is_calibrated=calibrated,
    )
