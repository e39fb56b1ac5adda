"""Nodules: ellipsoids of soft tissue in a lung, and where they come to lie on the film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.results import Box

__all__ = ["NoduleTruth", "PhantomNodule", "nodule_mass"]


@dataclass(frozen=True, slots=True)
class PhantomNodule:
    """A solid nodule to put into a lung.

    Parameters
    ----------
    x_mm, y_mm : float
        Centre at the detector, in mm: x from the middle of the film to the right of the image (the
        patient's left), y from its upper edge.
    diameter_mm : float
        Mean diameter of its shadow.
    attenuation : float
        Linear attenuation above that of lung, per mm; solid soft tissue by default.
    aspect : float
        Long over short diameter of the shadow.
    angle : float
        Direction of the long diameter, in radians from the rows' direction.
    """

    x_mm: float
    y_mm: float
    diameter_mm: float
    attenuation: float = 0.0151
    aspect: float = 1.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.diameter_mm <= 100:
            raise ValueError(f"diameter_mm must lie in (0, 100], not {self.diameter_mm}")
        if not 1.0 <= self.aspect <= 4.0:
            raise ValueError(f"aspect must lie in [1, 4], not {self.aspect}")

    @property
    def half_axes_mm(self) -> tuple[float, float]:
        """Long and short half axis of the shadow; the area is that of a disc of the diameter."""
        stretch = self.aspect**0.5
        return self.diameter_mm / 2 * stretch, self.diameter_mm / 2 / stretch

    @property
    def reach_mm(self) -> tuple[float, float]:
        """How far the shadow reaches from its centre, ``(along y, along x)``."""
        long, short = self.half_axes_mm
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return float(np.hypot(long * sine, short * cosine)), float(np.hypot(long * cosine, short * sine))


@dataclass(frozen=True, slots=True)
class NoduleTruth:
    """Where a nodule lies on the film: ``box`` in source pixels, edges as :class:`models.results.Box`."""

    nodule: PhantomNodule
    box: Box

    @property
    def diameter_mm(self) -> float:
        """Mean diameter of the shadow in mm."""
        return self.nodule.diameter_mm

    @property
    def centre(self) -> tuple[float, float]:
        """``(row, column)`` of the centre in source pixels."""
        return self.box.centre


def nodule_mass(nodule: PhantomNodule, y: NDArray[np.float32], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the line integral through a nodule at ``(y, x)`` in mm: an ellipsoid with a soft rim."""
    long, short = nodule.half_axes_mm
    cosine, sine = np.cos(nodule.angle), np.sin(nodule.angle)
    dx, dy = x - nodule.x_mm, y - nodule.y_mm
    u = (dx * cosine + dy * sine) / long
    v = (-dx * sine + dy * cosine) / short
    chord = np.sqrt(np.clip(1 - u * u - v * v, 0, None))
    return np.asarray(nodule.attenuation * nodule.diameter_mm * chord, dtype=np.float32)
