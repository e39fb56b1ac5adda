"""Masks become findings: what a segment measures, taken from its mask and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.laterality import Midplane
from models.measurements import box_on_slice, centre_mm, diameters_on_slice, largest_slice, parts, volume_ml
from models.volume_results import Segment, VolumeFinding

__all__ = ["measured_finding"]


def measured_finding(
    segment: Segment,
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    *,
    affine: NDArray[np.float64] | None = None,
    midplane: Midplane | None = None,
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
    affine : numpy.ndarray or None
        ``(4, 4)`` from indices ``(z, y, x)`` to patient coordinates (LPS), e.g. that of the labels'
        volume; without it, centre and side are not stated.
    midplane : Midplane or None
        Of the head, see :func:`models.laterality.midsagittal_plane`; without it, no side is stated.
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
        centre_mm=None if affine is None else centre_mm(mask, affine),
        side=None if affine is None or midplane is None else midplane.side(mask, affine),
        parts=parts(mask),
    )
