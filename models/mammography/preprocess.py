"""Bring a mammogram to the network's input: the breast alone, chest wall to the left, three channels.

Training and inference use this one module, so that a film meets the same arithmetic in both places.

The breast's box is scaled to ``height`` rows or to two thirds of ``height`` columns, whichever comes first;
pixels become square in millimetres where the spacing is known. A breast therefore fills the grid whatever
the size of the detector; on most films of the mini-MIAS set a network pixel is 0.3 to 0.4 mm wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.chest_nodule.preprocess import resample
from models.mammogram import Mammogram
from models.mammography.channels import channels_of
from models.mammography.nipple import find_nipple
from models.mammography.pectoral import OBLIQUE_VIEWS, find_pectoral
from models.mammography.placement import Placement
from models.mammography.region import BreastRegion, NoBreast, find_breast
from models.mammography_results import BreastAnatomy

__all__ = ["HEIGHT", "GreyView", "NoBreast", "PreparedView", "channels_of", "grey_view", "prepare"]

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

HEIGHT: Final = 576
STRIDE: Final = 32
_MARGIN: Final = 0.015


@dataclass(frozen=True, slots=True, eq=False)
class GreyView:
    """A breast on the network's grid before channels are made of it; training augments this.

    Parameters
    ----------
    grey : numpy.ndarray
        float32 ``(H, W)`` in [0, 1], the source's grey values resampled, 0 in the padding; labels and
        background are still there.
    mask : numpy.ndarray
        Bool ``(H, W)``, true inside the breast.
    placement : Placement
        The way back to source pixels.
    anatomy : BreastAnatomy
        Landmarks in source pixels.
    """

    grey: FloatImage
    mask: Mask
    placement: Placement
    anatomy: BreastAnatomy


@dataclass(frozen=True, slots=True, eq=False)
class PreparedView:
    """A view as the network takes it.

    Parameters
    ----------
    tensor : numpy.ndarray
        float32 ``(1, 3, H, W)``, H and W multiples of 32; see :func:`channels_of`.
    placement : Placement
        The way back to source pixels.
    anatomy : BreastAnatomy
        Landmarks in source pixels.
    mask : numpy.ndarray
        Bool ``(H, W)``, true inside the breast.
    """

    tensor: NDArray[np.float32]
    placement: Placement
    anatomy: BreastAnatomy
    mask: Mask


def prepare(mammogram: Mammogram, height: int = HEIGHT, *, without_muscle: bool = False) -> PreparedView:
    """Turn a mammogram into the network's input.

    Parameters
    ----------
    mammogram : Mammogram
        Pixels as displayed, tissue bright.
    height : int
        Rows that the box of the breast takes at most; a multiple of 32.
    without_muscle : bool
        Whether the pectoral muscle is left out as the background is.

    Raises
    ------
    NoBreast
        No single breast is seen; a ValueError whose text is meant for people.
    ValueError
        ``height`` is no positive multiple of 32.
    """
    view = grey_view(mammogram, height, without_muscle=without_muscle)
    return PreparedView(channels_of(view.grey, view.mask)[None], view.placement, view.anatomy, view.mask)


def grey_view(mammogram: Mammogram, height: int = HEIGHT, *, without_muscle: bool = False) -> GreyView:
    """Crop, mirror and resample the breast of a mammogram; :func:`prepare` makes channels of it."""
    if height < STRIDE or height % STRIDE:
        raise ValueError(f"height must be a positive multiple of {STRIDE}, not {height}")
    film = mammogram.film
    region = find_breast(film.pixels)
    placement = _placement(region, film.shape, film.pixel_spacing_mm or (1.0, 1.0), height)
    anatomy = _anatomy(mammogram, region)
    kept = film.pixels[
        placement.top : placement.top + placement.rows, placement.left : placement.left + placement.columns
    ]
    if placement.flipped:
        kept = kept[:, ::-1]
    rows, columns = placement.content
    below, beside = placement.padding
    grey = np.clip(np.pad(resample(kept, rows, columns), ((0, below), (0, beside))), 0.0, 1.0)
    mask = _mask_on_network(region, placement)
    if without_muscle and anatomy.pectoral is not None:
        mask &= ~_muscle(anatomy, placement)
    return GreyView(grey, mask, placement, anatomy)


def _placement(
    region: BreastRegion, shape: tuple[int, int], spacing: tuple[float, float], height: int
) -> Placement:
    """Return the crop around the box of the breast, with a margin except at the chest wall."""
    top, left, bottom, right = region.box
    margin = round(_MARGIN * max(bottom - top, right - left))
    top, bottom = max(0, top - margin), min(shape[0], bottom + margin)
    if region.chest_wall == "right":
        left = max(0, left - margin)
    else:
        right = min(shape[1], right + margin)
    tall, wide = (bottom - top) * spacing[0], (right - left) * spacing[1]
    scale = min(height / tall, height * 2 / 3 / wide)
    rows = max(STRIDE, round(tall * scale))
    columns = max(STRIDE, round(wide * scale))
    return Placement(
        top=top,
        left=left,
        rows=bottom - top,
        columns=right - left,
        flipped=region.chest_wall == "right",
        scale_y=rows / (bottom - top),
        scale_x=columns / (right - left),
        padding=(-rows % STRIDE, -columns % STRIDE),
    )


def _mask_on_network(region: BreastRegion, placement: Placement) -> Mask:
    """Interpolate the reduced mask at the centres of network pixels."""
    height, width = placement.shape
    rows = placement.points_to_source(np.stack([np.arange(height) + 0.5] * 2, axis=1))[:, 0]
    columns = placement.points_to_source(np.stack([np.arange(width) + 0.5] * 2, axis=1))[:, 1]
    values = region.mask.astype(np.float32)
    across = _interpolated(values, rows / region.step - 0.5)
    mask = _interpolated(across.T, columns / region.step - 0.5).T > 0.5
    mask[placement.content[0] :] = False
    mask[:, placement.content[1] :] = False
    return np.ascontiguousarray(mask)


def _interpolated(values: FloatImage, places: NDArray[np.float64]) -> FloatImage:
    """Interpolate linearly along the first axis."""
    places = np.clip(places, 0, values.shape[0] - 1)
    lower = np.minimum(places.astype(np.int64), max(values.shape[0] - 2, 0))
    part = (places - lower).astype(np.float32)[:, None]
    upper = np.minimum(lower + 1, values.shape[0] - 1)
    return np.asarray(values[lower] * (1 - part) + values[upper] * part, dtype=np.float32)


def _anatomy(mammogram: Mammogram, region: BreastRegion) -> BreastAnatomy:
    """Return the landmarks of the view."""
    oblique = mammogram.view.view in OBLIQUE_VIEWS
    pectoral = find_pectoral(mammogram.film.pixels, region) if oblique else None
    nipple = find_nipple(region, pectoral)
    return BreastAnatomy(mammogram.sop_instance_uid, region.chest_wall, nipple, pectoral)


def _muscle(anatomy: BreastAnatomy, placement: Placement) -> Mask:
    """Return the side of the pectoral line on which the upper chest-wall corner lies."""
    assert anatomy.pectoral is not None  # noqa: S101
    (y0, x0), (y1, x1) = placement.points_to_network(np.array(anatomy.pectoral))
    height, width = placement.shape
    y, x = np.arange(height)[:, None] + 0.5, np.arange(width)[None] + 0.5
    side = (x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)
    corner = (0 - x0) * (y1 - y0) - (0 - y0) * (x1 - x0)
    return np.asarray(side * corner > 0)
