"""A DICOM file to a mammogram, ready for a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dicom_io.reading.attributes import uid
from dicom_io.reading.display import display
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.facts import facts_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.pixels import read_pixels
from dicom_io.reading.spacing import spacing_of
from models.film import Film
from models.mammogram import Mammogram
from models.package import InputContract

__all__ = ["read_mammogram"]

_SMALLEST_RANGE = 1e-3


def read_mammogram(path: Path, contract: InputContract) -> Mammogram:
    """Decode one image that ``contract`` accepts, as displayed: tissue bright, air dark.

    Nothing is cropped, flipped or turned, and no negative is recognised: the Photometric Interpretation is
    believed. Spacing at the detector is divided by the magnification that is stated, or that the distances
    of the X-ray source imply.

    Raises
    ------
    UnsuitableImage
        The image does not fit the contract, cannot be decoded or has no contrast (``constant-image``);
        nothing else is raised for any content of the file.
    OSError
        The file cannot be opened.
    """
    header, stored = read_pixels(path, contract)
    plain = with_functional_groups(header)
    facts = facts_of(plain)
    pixels = display(stored, plain)
    _check_contrast(pixels)
    spacing, calibrated = spacing_of(plain)
    return Mammogram(
        film=Film(
            sop_instance_uid=uid(header, "SOPInstanceUID"),
            pixels=pixels,
            pixel_spacing_mm=spacing,
            spacing_is_calibrated=calibrated,
        ),
        view=facts.view,
        implant=facts.implant,
        digitised=facts.digitised,
    )


def _check_contrast(pixels: NDArray[np.float32]) -> None:
    """Refuse an image of one value; hundredths at either end are set aside as specks and labels."""
    low, high = (float(value) for value in np.percentile(pixels[::4, ::4], (1, 99)))
    if high - low < _SMALLEST_RANGE:
        raise UnsuitableImage("constant-image", "the image is constant: there is nothing to read")
