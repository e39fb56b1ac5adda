"""A projection radiograph as an array with geometry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Film"]

View = Literal["PA", "AP", "LATERAL", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class Film:
    """One radiograph, ready for a detector.

    Parameters
    ----------
    sop_instance_uid : str
        The instance that the pixels came from.
    pixels : numpy.ndarray
        ``(rows, columns)`` float32 in [0, 1] after modality and VOI transformation, as displayed:
        bone bright, air dark (MONOCHROME1 is inverted by whoever makes the film). Row 0 and column 0
        are the first row and column of the source pixel data; nothing is cropped or flipped.
    view : {"PA", "AP", "LATERAL", "UNKNOWN"}
        Projection as the source states it.
    pixel_spacing_mm : tuple of float or None
        ``(between rows, between columns)`` in millimetres, None where the source gives none.
    spacing_is_calibrated : bool
        True where the spacing is that of the patient (Pixel Spacing with a calibration), False where
        it is that of the detector front (Imager Pixel Spacing): sizes are then magnified.

    Raises
    ------
    ValueError
        The array is not two-dimensional float32 in [0, 1], or the spacing is not positive.
    """

    sop_instance_uid: str
    pixels: NDArray[np.float32]
    view: View = "UNKNOWN"
    pixel_spacing_mm: tuple[float, float] | None = None
    spacing_is_calibrated: bool = False

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.float32:
            raise ValueError(
                f"pixels must be a two-dimensional float32 array, not {self.pixels.dtype} {self.pixels.shape}"
            )
        if self.pixels.size == 0:
            raise ValueError("pixels must not be empty")
        low, high = float(self.pixels.min()), float(self.pixels.max())
        if not (0.0 <= low <= high <= 1.0):
            raise ValueError(f"pixels must lie in [0, 1], not [{low:g}, {high:g}]")
        if self.pixel_spacing_mm is not None and not all(0 < s < np.inf for s in self.pixel_spacing_mm):
            raise ValueError(f"pixel_spacing_mm must be positive, not {self.pixel_spacing_mm}")

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)`` of the source."""
        rows, columns = self.pixels.shape
        return rows, columns
