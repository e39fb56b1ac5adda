"""Brain volumes to network input: the one implementation that training and inference share.

Arrays are ``(z, y, x)``: axial slices from the feet to the head, rows from front to back, columns from the
patient's right to the left, on a grid of ``NOMINAL_SPACING_MM`` in the plane. Whoever calls this has brought
all sequences of a study to one grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHANNELS",
    "CONTRAST_SPACING_MM",
    "MULTIPLE",
    "NEIGHBOURS",
    "NOMINAL_SPACING_MM",
    "SEQUENCES",
    "contrast_input",
    "head_mask",
    "member_input",
    "normalised",
    "padded",
    "without_padding",
]

Volume = NDArray[np.float32]

SEQUENCES: Final = ("T1", "FLAIR", "T1C")
"""Channel order: T1 before contrast, FLAIR, T1 after contrast."""

NEIGHBOURS: Final = (0, -1, 1)
"""Order of the slices in the input: the slice itself, the one below, the one above (times the step)."""

CHANNELS: Final = len(SEQUENCES) * (len(NEIGHBOURS) + 1)

MULTIPLE: Final = 32
"""Rows and columns of a network input are multiples of this."""

NOMINAL_SPACING_MM: Final = 0.92
"""Millimetres per pixel of the training images, estimated from the size of the heads in them.

``data/lgg`` carries no spacing. Over its 88 patients the largest axial head outline on FLAIR has a median
length of 206 pixels and a median width of 170 pixels; an adult head is about 195 mm long and 153 mm wide
with the scalp, which gives 0.95 and 0.90 mm per pixel. Single patients differ by about 15 %; training varies
the scale by more than that.
"""

CONTRAST_SPACING_MM: Final = 0.98
"""Millimetres per pixel of the contrast-only training images: 512 px of 0.49 mm brought to 256 px."""

_THRESHOLD: Final = 0.15
_PERCENTILE: Final = 99.0
_AIR_PERCENTILE: Final = 0.1
_PADDING_SHARE: Final = 0.02
_PADDING_GAP: Final = 0.2
_LIMIT: Final = 4.0


def without_padding(volume: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the volume with what scanners write outside their field of view raised to the darkest voxel.

    Padding is one value below all others, far from them and frequent; whether an attribute names it is not
    asked, because many do not.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x)
        Raw values of one sequence.
    """
    lowest = volume.min()
    others = volume[volume > lowest]
    if others.size == 0 or others.size > (1 - _PADDING_SHARE) * volume.size:
        return volume
    darkest = others.min()
    reach = float(np.percentile(others, _PERCENTILE)) - float(darkest)
    if float(darkest) - float(lowest) <= _PADDING_GAP * reach:
        return volume
    return np.asarray(np.maximum(volume, darkest))


def head_mask(volume: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Mark the voxels of the head: 15 % of the way from air to the 99th percentile of the volume.

    Air is the lowest thousandth, so that an offset of the values changes nothing.

    A simple mask on purpose, only good for means: cerebrospinal fluid on FLAIR, bone and air in the head
    are not in it.

    Parameters
    ----------
    volume : ndarray of float, shape (z, y, x)
        Raw values of one sequence, in any unit and with any offset.

    Returns
    -------
    ndarray of bool, shape (z, y, x)
        Empty when the volume is constant.
    """
    if not np.isfinite(volume).all():
        raise ValueError("the volume holds values that are not finite")
    air, top = (float(value) for value in np.percentile(volume, (_AIR_PERCENTILE, _PERCENTILE)))
    return np.asarray(volume > air + _THRESHOLD * (top - air))


def normalised(volume: NDArray[np.floating]) -> Volume:
    """Bring one sequence to zero mean and unit standard deviation over its head, clipped to [-4, 4].

    The mean and the deviation are those of the voxels in ``head_mask``; the same line is applied to every
    voxel. The result does not depend on the unit of the raw values (a positive factor cancels).

    Parameters
    ----------
    volume : ndarray of float, shape (z, y, x)
        Raw values of one sequence.

    Returns
    -------
    ndarray of float32, shape (z, y, x)
        All zero when the volume has no head or no contrast.

    Raises
    ------
    ValueError
        If the volume has not three axes, is empty, or holds values that are not finite.
    """
    if volume.ndim != 3 or volume.size == 0:
        raise ValueError(f"a volume (z, y, x) is needed, not an array of shape {volume.shape}")
    values = np.asarray(volume, dtype=np.float32)
    inside = values[head_mask(values)]
    if inside.size == 0:
        return np.zeros_like(values)
    mean, deviation = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    if deviation <= 1e-6 * abs(mean):
        return np.zeros_like(values)
    scaled: Volume = np.clip((values - np.float32(mean)) / np.float32(deviation), -_LIMIT, _LIMIT)
    return scaled


def contrast_input(slices: NDArray[np.floating]) -> Volume:
    """Lay out contrast-enhanced T1 slices as input of the contrast-only network, each normalised by itself.

    Parameters
    ----------
    slices : ndarray of float, shape (n, y, x)
        Raw values on a grid of ``CONTRAST_SPACING_MM``.

    Returns
    -------
    ndarray of float32, shape (n, 1, y, x)
    """
    return np.stack([normalised(slices[index : index + 1]) for index in range(len(slices))])


def padded(volume: Volume, multiple: int = MULTIPLE) -> Volume:
    """Extend rows and columns at their ends to a multiple, repeating the last row and column.

    The original is ``result[:, :rows, :columns]``.
    """
    rows, columns = volume.shape[1:]
    return np.pad(volume, ((0, 0), (0, -rows % multiple), (0, -columns % multiple)), mode="edge")


def member_input(
    sequences: Mapping[str, Volume | None], slices: slice = slice(None), *, step: int = 1
) -> Volume:
    """Lay out normalised sequences as the input of a member network.

    Channels: T1, FLAIR, T1C of the slice, then of the slice ``step`` below, then of the slice ``step`` above
    (where there is none, the slice itself), then three planes that say 1 or 0 for the presence of T1, FLAIR
    and T1C. A sequence that is absent is 0 everywhere.

    Parameters
    ----------
    sequences : mapping of str to ndarray of float32 (z, y, x) or None
        Normalised volumes by name (``SEQUENCES``); a missing name or None is an absent sequence.
    slices : slice
        Which axial slices to prepare; their neighbours are found in the whole volume.
    step : int
        Distance of the neighbours in slices, at least 1.

    Returns
    -------
    ndarray of float32, shape (n, 12, y, x)

    Raises
    ------
    ValueError
        If no sequence is present, a name is unknown, shapes differ, or the step is not positive.
    """
    unknown = sorted(set(sequences) - set(SEQUENCES))
    if unknown:
        raise ValueError(f"unknown sequences: {', '.join(unknown)}")
    present = {name: volume for name, volume in sequences.items() if volume is not None}
    shapes = {volume.shape for volume in present.values()}
    if len(shapes) != 1:
        raise ValueError(f"sequences on one grid are needed, not of shapes {sorted(shapes)}")
    if step < 1:
        raise ValueError(f"the step to the neighbours is {step}, but must be at least 1")
    (depth, rows, columns) = shapes.pop()
    centre = np.arange(depth)[slices]
    result = np.zeros((len(centre), CHANNELS, rows, columns), dtype=np.float32)
    for position, offset in enumerate(NEIGHBOURS):
        wanted = centre + offset * step
        wanted = np.where((wanted < 0) | (wanted >= depth), centre, wanted)
        for channel, name in enumerate(SEQUENCES):
            if name in present:
                result[:, position * len(SEQUENCES) + channel] = present[name][wanted]
    for channel, name in enumerate(SEQUENCES):
        result[:, len(NEIGHBOURS) * len(SEQUENCES) + channel] = name in present
    return result
