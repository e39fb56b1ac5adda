"""Which side of the patient a mask lies on: a mid-sagittal plane found in the image, and shares of voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.volume_results import Side

__all__ = ["Midplane"]

_SHARE_OF_A_SIDE = 0.1


@dataclass(frozen=True, slots=True)
class Midplane:
    """The mid-sagittal plane of a head.

    Parameters
    ----------
    point : tuple of float
        On the plane, patient coordinates ``(x, y, z)`` in millimetres (LPS).
    normal : tuple of float
        Of length 1, towards the patient's left.
    symmetry : float
        How well the image mirrors in it: correlation of both halves, at most 1.
    """

    point: tuple[float, float, float]
    normal: tuple[float, float, float]
    symmetry: float = 1.0

    def __post_init__(self) -> None:
        if not np.isclose(np.linalg.norm(self.normal), 1.0):
            raise ValueError(f"the normal of a midplane has length 1, not {self.normal}")
        if self.normal[0] <= 0:
            raise ValueError("the normal of a midplane points to the patient's left")

    def distance_mm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far points ``(n, 3)`` in millimetres lie to the patient's left of the plane."""
        return np.asarray((points - np.asarray(self.point)) @ np.asarray(self.normal))

    def side(self, mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> Side:
        """Return the side of a mask: "both" where each has at least a tenth of the voxels.

        Parameters
        ----------
        mask : numpy.ndarray
            ``(z, y, x)``.
        affine : numpy.ndarray
            ``(4, 4)`` from indices ``(z, y, x)`` to patient coordinates in millimetres.

        Raises
        ------
        ValueError
            The mask is empty.
        """
        indices = np.argwhere(mask)
        if not indices.size:
            raise ValueError("the mask is empty")
        left = float(np.mean(self.distance_mm(indices @ affine[:3, :3].T + affine[:3, 3]) > 0))
        if min(left, 1 - left) >= _SHARE_OF_A_SIDE:
            return "both"
        return "left" if left > 1 - left else "right"
