"""Pixel spacing of a projection radiograph, and whether it is that of the patient."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import number, numbers, text
from dicom_io.reading.mammography.facts import magnification_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups

__all__ = ["FilmSpacing", "film_spacing", "spacing_of"]

_SMALLEST_MM = 0.01
_LARGEST_MM = 5.0
_LARGEST_MAGNIFICATION = 10.0


@dataclass(frozen=True, slots=True)
class FilmSpacing:
    """Pixel spacing of a projection image.

    Parameters
    ----------
    pixel_mm : tuple of float or None
        ``(between rows, between columns)`` in mm, None where nothing states it.
    calibrated : bool
        The spacing is that of the patient, as the source says.
    corrected : bool
        Spacing at the detector was divided by a magnification above 1.
    """

    pixel_mm: tuple[float, float] | None = None
    calibrated: bool = False
    corrected: bool = False


def film_spacing(header: Dataset) -> FilmSpacing:
    """Return the spacing that sizes of an image are measured with; who reads and who reports ask here.

    Pixel Spacing is that of the patient where it says how it was calibrated, or where it differs from
    Imager Pixel Spacing (PS3.3 10.7.1.3). Spacing at the detector is divided by the Estimated
    Radiographic Magnification Factor where there is one, and stays an estimate. A digitised film has
    its Nominal Scanned Pixel Spacing. Zero and absurd values count as absent. Of a mammogram the
    functional groups count too, and the magnification that the distances of the X-ray source imply.
    """
    mammogram = text(header, "Modality") == "MG"
    if mammogram:
        header = with_functional_groups(header)
    pixel, imager = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    if pixel is not None:
        stated = bool(text(header, "PixelSpacingCalibrationType"))
        differs = imager is not None and not _same(pixel, imager)
        if stated or differs:
            return FilmSpacing(pixel, calibrated=True)
    detector = imager or pixel
    if detector is None:
        return FilmSpacing(_pair(header, "NominalScannedPixelSpacing"))
    factor = magnification_of(header) if mammogram else _stated_magnification(header)
    if factor is None:
        return FilmSpacing(detector)
    return FilmSpacing((detector[0] / factor, detector[1] / factor), corrected=factor > 1.0)


def spacing_of(header: Dataset) -> tuple[tuple[float, float] | None, bool]:
    """Return spacing in mm or None, and whether it is calibrated, of :func:`film_spacing`."""
    found = film_spacing(header)
    return found.pixel_mm, found.calibrated


def _stated_magnification(header: Dataset) -> float | None:
    factor = number(header, "EstimatedRadiographicMagnificationFactor")
    return factor if factor is not None and 1.0 <= factor <= _LARGEST_MAGNIFICATION else None


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    values = numbers(header, keyword)
    if len(values) != 2 or not all(_SMALLEST_MM <= value <= _LARGEST_MM for value in values):
        return None
    return values[0], values[1]


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(one, other, strict=True))
