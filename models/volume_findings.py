"""Masks become findings: what a segment measures, taken from its mask and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.measurements import box_on_slice, diameters_on_slice, largest_slice, volume_ml
from models.volume_results import Segment, VolumeFinding

__all__ = ["measured_finding"]


def measured_finding(
    segment: Segment,
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    probability: float | None = None,
    components: Mapping[str, float] | None = None,
) -> VolumeFinding:
    """Measure a segment.

    Parameters
    ----------
    segment : Segment
        What the mask stands for.
    mask : numpy.ndarray
        ``(z, y, x)``.
    spacing_mm : tuple of float
        Distances of voxel centres ``(z, y, x)``, those of real DICOM spacing only.
    probability : float or None
        That it is there, in [0, 1].
    components : mapping or None
        Raw components of its confidence by name.

    Raises
    ------
    ValueError
        The mask is empty.
    """
    key = largest_slice(mask)
    return VolumeFinding(
        segment=segment,
        volume_ml=volume_ml(mask, spacing_mm),
        key_slice=key,
        key_box=box_on_slice(mask[key]),
        diameters=diameters_on_slice(mask[key], (spacing_mm[1], spacing_mm[2]), key),
        probability=probability,
        components=dict(components or {}),
    )
