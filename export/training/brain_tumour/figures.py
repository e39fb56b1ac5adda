"""Figures of merit of a mask against the truth, one patient at a time; in-plane distances in pixels.

Masks are bool ``(z, y, x)``. Distances are by ``scipy.ndimage.distance_transform_edt`` from the border pixels
(mask pixels with a 4-neighbour outside it) of one mask to those of the other in the same slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

TOLERANCE = 2.0
"""Pixels within which a border counts as agreeing (NSD)."""

LEAST_LESION = 20
"""Connected parts of fewer voxels are no lesions, in truth and prediction alike."""

COVERED = 0.1
"""Share of a true lesion that the prediction must cover for a hit."""

_CROSS = ndimage.generate_binary_structure(2, 1)
_BLOCK = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True)
class Agreement:
    """One patient's figures.

    Parameters
    ----------
    dice : float
        Over the volume; 1 when both masks are empty.
    nsd : float
        Normalised surface Dice at ``TOLERANCE`` pixels in the plane, border pixels of all slices pooled;
        borders in a slice where the other mask is empty agree with nothing; 1 when both are empty.
    hd95 : float
        Larger of the two directed 95th percentiles of in-plane border distances in pixels, pooled over the
        slices where either mask has pixels; the border of a slice that the other mask lacks lies a
        diagonal of the image away. 0 when both are empty.
    hd95_common : float or None
        The same over the slices where both masks have pixels alone; None where there is no such slice.
    lesion_hits, lesions, false_lesions : int
        True lesions covered by at least ``COVERED``, true lesions, and predicted parts without a true pixel;
        parts are 26-connected with at least ``LEAST_LESION`` voxels.
    """

    dice: float
    nsd: float
    hd95: float
    hd95_common: float | None
    lesion_hits: int
    lesions: int
    false_lesions: int

    @property
    def lesion_f1(self) -> float:
        """Lesion-wise F1; 1 when there is no lesion and none was predicted."""
        size = self.lesions + self.lesion_hits + self.false_lesions
        return 2 * self.lesion_hits / size if size else 1.0

    def as_row(self) -> dict[str, float | int | None]:
        """Return the figures by name, for a table."""
        return asdict(self) | {"lesion_f1": self.lesion_f1}


def dice(first: Mask, second: Mask) -> float:
    """Return the Dice coefficient of two masks; 1 when both are empty."""
    size = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / size if size else 1.0


def pairwise_dice(masks: Sequence[Mask]) -> float:
    """Return the mean Dice over pairs of members."""
    return float(np.mean([dice(first, second) for first, second in combinations(masks, 2)]))


def border(mask: Mask) -> Mask:
    """Mark the pixels of a slice's mask that have a 4-neighbour outside it; beyond the image is outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask, _CROSS, border_value=0))


def _distances(
    truth: Mask, predicted: Mask, missing: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return border distances in both directions; ``missing`` where a slice has no counterpart."""
    onward, back = [np.zeros(0)], [np.zeros(0)]
    for z in np.flatnonzero((truth | predicted).any(axis=(1, 2))):
        first, second = border(truth[z]), border(predicted[z])
        if not first.any() or not second.any():
            onward.append(np.full(int(first.sum()), missing))
            back.append(np.full(int(second.sum()), missing))
            continue
        onward.append(ndimage.distance_transform_edt(~second)[first])
        back.append(ndimage.distance_transform_edt(~first)[second])
    return np.concatenate(onward), np.concatenate(back)


def _lesions(truth: Mask, predicted: Mask) -> tuple[int, int, int]:
    """Return lesions hit, lesions, and false lesions."""
    marks, _ = ndimage.label(truth, _BLOCK)
    sizes, covered = (
        np.bincount(marks.ravel())[1:],
        np.bincount(marks[predicted], minlength=marks.max() + 1)[1:],
    )
    large = sizes >= LEAST_LESION
    hits = int((covered[large] >= COVERED * sizes[large]).sum())
    marks, _ = ndimage.label(predicted, _BLOCK)
    sizes, shared = np.bincount(marks.ravel())[1:], np.bincount(marks[truth], minlength=marks.max() + 1)[1:]
    return hits, int(large.sum()), int(((sizes >= LEAST_LESION) & (shared == 0)).sum())


def around(truth: Mask, predicted: Mask) -> tuple[slice, ...]:
    """Return the box around both masks: nothing outside it takes part in any figure."""
    either = truth | predicted
    if not either.any():
        return (slice(0, 1),) * 3
    (box,) = ndimage.find_objects(either.astype(np.uint8))
    return tuple(box)


def _percentile(distances: NDArray[np.float64]) -> float:
    return float(np.percentile(distances, 95)) if len(distances) else 0.0


def agreement(truth: Mask, predicted: Mask, diagonal: float | None = None) -> Agreement:
    """Compare a predicted mask with the true one.

    Parameters
    ----------
    diagonal : float or None
        Of the image in pixels: the distance of a border in a slice where the other mask is empty; that of
        the arrays where they are not cut from a larger image.
    """
    missing = float(np.hypot(*truth.shape[1:])) if diagonal is None else diagonal
    box = around(truth, predicted)
    truth, predicted = truth[box], predicted[box]
    both = _distances(truth, predicted, missing)
    far = np.concatenate(both)
    hd95 = max(_percentile(part) for part in both)
    shared = truth.any(axis=(1, 2)) & predicted.any(axis=(1, 2))
    common = None
    if shared.any():
        common = max(_percentile(part) for part in _distances(truth[shared], predicted[shared], missing))
    nsd = float((far <= TOLERANCE).mean()) if len(far) else 1.0
    return Agreement(dice(truth, predicted), nsd, hd95, common, *_lesions(truth, predicted))


def largest_component(mask: Mask) -> Mask:
    """Keep the largest 26-connected part."""
    marks, count = ndimage.label(mask, _BLOCK)
    if count < 2:
        return mask
    return np.asarray(marks == 1 + int(np.argmax(np.bincount(marks.ravel())[1:])))


def without_small(mask: Mask, least: int) -> Mask:
    """Remove 26-connected parts of fewer than ``least`` voxels."""
    marks, _ = ndimage.label(mask, _BLOCK)
    keep = np.bincount(marks.ravel()) >= least
    keep[0] = False
    return np.asarray(keep[marks])
