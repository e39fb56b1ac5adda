"""Lesions of training films put into other training films: turned, scaled, and blended without an edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from export.training.mammography.data import CachedView
from export.training.mammography.table import Lesion

__all__ = ["DONATED", "paste"]

Image = NDArray[np.float32]

DONATED = ("CIRC", "SPIC", "MISC")
"""Kinds that can be cut out: distortion and asymmetry are of the tissue around them."""
_SMALLEST, _LARGEST = 8.0, 70.0
_REACH = 1.5
_TRIES = 20


def _donations(donors: Sequence[CachedView]) -> list[tuple[CachedView, Lesion, Image]]:
    found = []
    for view in donors:
        lesions = [lesion for lesion in view.film.lesions if lesion.circle is not None]
        for lesion, box in zip(lesions, view.boxes, strict=True):
            radius = float(box[2] - box[0]) / 2
            if lesion.kind in DONATED and _SMALLEST <= radius <= _LARGEST:
                found.append((view, lesion, box))
    return found


def _place(rng: np.random.Generator, mask: NDArray[np.bool_], radius: float) -> tuple[int, int] | None:
    """Draw a place whose circle lies inside the breast."""
    rows, columns = np.nonzero(mask[::4, ::4])
    if not len(rows):
        return None
    reach = round(radius)
    for _ in range(_TRIES):
        pick = rng.integers(len(rows))
        row, column = int(rows[pick]) * 4, int(columns[pick]) * 4
        corners = [(row - reach, column), (row + reach, column), (row, column - reach), (row, column + reach)]
        if all(0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x] for y, x in corners):
            return row, column
    return None


def paste(
    rng: np.random.Generator, grey: Image, mask: NDArray[np.bool_], donors: Sequence[CachedView]
) -> tuple[Image, Image, Lesion] | None:
    """Put one lesion of a donor into a view.

    What is pasted is the donor's patch less the plane through the ring around its lesion, faded out between
    the lesion's edge and that ring: a lesion keeps its own texture and margin, and no step is left where
    the two films meet. The idea is that of Poisson blending (Perez et al. 2003) with a plane as membrane.

    Returns
    -------
    grey, box, lesion : tuple or None
        The new grey values, the box ``(4,)`` on the same grid and what was pasted; None where there is no
        donor or no place.
    """
    choices = _donations(donors)
    if not choices:
        return None
    view, lesion, box = choices[int(rng.integers(len(choices)))]
    zoom = float(np.exp(rng.uniform(np.log(0.75), np.log(1.3))))
    source_radius = float(box[2] - box[0]) / 2
    radius = source_radius * zoom
    place = _place(rng, mask, radius)
    if place is None:
        return None
    reach = int(np.ceil(radius * _REACH))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1.0, 1.0])
    source_y = (np.cos(angle) * y - np.sin(angle) * x) / zoom + (box[0] + box[2]) / 2
    source_x = mirror * (np.sin(angle) * y + np.cos(angle) * x) / zoom + (box[1] + box[3]) / 2
    patch = ndimage.map_coordinates(
        view.grey.astype(np.float32), [source_y, source_x], order=1, mode="nearest"
    )
    within = ndimage.map_coordinates(view.mask.astype(np.float32), [source_y, source_x], order=1) > 0.5
    distance = np.hypot(y, x) / np.float32(radius)
    ring = (distance > 1.1) & (distance < _REACH) & within
    if ring.sum() < 30:
        return None
    plane = np.stack([np.ones_like(y), y, x], axis=-1)
    fitted, *_ = np.linalg.lstsq(plane[ring], patch[ring], rcond=None)
    fade = np.clip((_REACH - 0.1 - distance) / (_REACH - 1.1), 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    inside = grey[mask], view.grey[view.mask].astype(np.float32)
    spread = float(inside[0].std() / max(float(inside[1].std()), 1e-3))
    gain = np.float32(np.clip(spread, 0.6, 1.6) * rng.uniform(0.8, 1.25))
    added = (patch - plane @ fitted).astype(np.float32) * fade * gain * within
    rows, columns = (
        np.s_[place[0] - reach : place[0] + reach + 1],
        np.s_[place[1] - reach : place[1] + reach + 1],
    )
    top, left = max(0, -rows.start), max(0, -columns.start)
    bottom = min(added.shape[0], grey.shape[0] - rows.start)
    right = min(added.shape[1], grey.shape[1] - columns.start)
    result = grey.copy()
    window = np.s_[rows.start + top : rows.start + bottom, columns.start + left : columns.start + right]
    result[window] += (added[top:bottom, left:right] * mask[window]).astype(np.float32)
    row, column = place
    target = np.array([row - radius, column - radius, row + radius, column + radius], dtype=np.float32) + 0.5
    return np.clip(result, 0.0, 1.0), target, lesion
