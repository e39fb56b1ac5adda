"""Pixel spacing of a projection radiograph, and whether it is that of the patient."""

from __future__ import annotations

import math

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import number, numbers, text

__all__ = ["spacing_of"]

_SMALLEST_MM = 0.01
_LARGEST_MM = 5.0
_LARGEST_MAGNIFICATION = 10.0


def spacing_of(
    header: Dataset, magnification: float | None = None
) -> tuple[tuple[float, float] | None, bool]:
    """Return ``(between rows, between columns)`` in mm or None, and whether it is calibrated.

    Pixel Spacing is that of the patient where it says how it was calibrated, or where it differs from
    Imager Pixel Spacing (PS3.3 10.7.1.3). Spacing at the detector is divided by the Estimated
    Radiographic Magnification Factor where there is one, and stays an estimate. A digitised film has
    its Nominal Scanned Pixel Spacing. Zero and absurd values count as absent.
    ``magnification`` is what else is known of it, for a header that states no factor.
    """
    pixel, imager = _pair(header, "PixelSpacing"), _pair(header, "ImagerPixelSpacing")
    if pixel is not None:
        stated = bool(text(header, "PixelSpacingCalibrationType"))
        differs = imager is not None and not _same(pixel, imager)
        if stated or differs:
            return pixel, True
    detector = imager or pixel
    if detector is not None:
        factor = number(header, "EstimatedRadiographicMagnificationFactor")
        if factor is None or not 1.0 <= factor <= _LARGEST_MAGNIFICATION:
            factor = magnification
        if factor is None:
            return detector, False
        return (detector[0] / factor, detector[1] / factor), False
    return _pair(header, "NominalScannedPixelSpacing"), False


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    values = numbers(header, keyword)
    if len(values) != 2 or not all(_SMALLEST_MM <= value <= _LARGEST_MM for value in values):
        return None
    return values[0], values[1]


def _same(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-3) for a, b in zip(one, other, strict=True))
