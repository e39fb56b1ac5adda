"""The three channels that the network sees of a breast; they hardly depend on the grey mapping.

All wide blurs run on a grid four times coarser, so that a training loop can afford them for every sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["OUTSIDE", "channels_of"]

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

OUTSIDE: Final = (-1.0, 0.0, 0.0)
"""Value of each channel outside the breast."""

_STEP: Final = 4
_WIDE: Final = 17
"""Window of the wide normalisation on the coarse grid: 68 network pixels, about 20 mm on most films."""
_NARROW: Final = 5
_LEVELS: Final = 2048
_LIMIT: Final = 3.0
_FLOOR: Final = 0.02


def channels_of(grey: FloatImage, mask: Mask) -> NDArray[np.float32]:
    """Compute the channels of a breast that is already cropped and resampled.

    Parameters
    ----------
    grey : numpy.ndarray
        ``(H, W)``, tissue bright, any grey scale; H and W multiples of 4.
    mask : numpy.ndarray
        Bool ``(H, W)``, true inside the breast.

    Returns
    -------
    numpy.ndarray
        float32 ``(3, H, W)`` in [-1, 1]: (1) grey values scaled between quantiles inside the breast,
        (2) contrast normalised within about 68 pixels, (3) contrast normalised within about 20 pixels;
        (2) and (3) use the mean of scaled values and ranks. Outside the breast -1, 0, 0.

    Raises
    ------
    ValueError
        The shapes do not fit.
    """
    if grey.ndim != 2 or grey.shape != mask.shape or grey.shape[0] % _STEP or grey.shape[1] % _STEP:
        raise ValueError(
            f"grey and mask must have the same sides, multiples of 4: {grey.shape}, {mask.shape}"
        )
    result = np.empty((3, *grey.shape), dtype=np.float32)
    result[:] = np.array(OUTSIDE, dtype=np.float32)[:, None, None]
    sample = grey[::3, ::3][mask[::3, ::3]]
    if sample.size < 16:
        return result
    sample = np.sort(sample)
    low, high = (float(sample[round(q * (sample.size - 1))]) for q in (0.005, 0.995))
    if not high > low:
        return result
    inside = mask.astype(np.float32)
    scaled = np.clip((grey - np.float32(low)) * np.float32(1 / (high - low)), 0.0, 1.0)
    result[0] = (2 * scaled) * inside - 1
    mixed = _mixed_table(sample, low, high)[(scaled * (_LEVELS - 1)).astype(np.int16)] * inside
    weight = _coarse(inside)
    for channel, window in ((1, _WIDE), (2, _NARROW)):
        support = np.maximum(_blur(weight, window), 1e-3)
        mean = _blur(_coarse(mixed), window) / support
        residual = mixed - _fine(mean) * inside
        variance = _blur(_coarse(residual * residual), window) / support
        gain = 1.0 / (_LIMIT * (np.sqrt(np.maximum(variance, 0.0)) + _FLOOR))
        result[channel] = np.clip(residual * _fine(gain), -1.0, 1.0)
    return result


def _mixed_table(sample: FloatImage, low: float, high: float) -> FloatImage:
    """Return the mean of scaled value and rank for each level between the quantiles."""
    levels = np.linspace(0.0, 1.0, _LEVELS)
    ranks = np.searchsorted(sample, low + levels * (high - low), side="right") / sample.size
    return np.asarray(0.5 * (levels + ranks), dtype=np.float32)


def _coarse(values: FloatImage) -> FloatImage:
    rows, columns = values.shape
    blocks = values.reshape(rows // _STEP, _STEP, columns // _STEP, _STEP)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def _blur(values: FloatImage, window: int) -> FloatImage:
    """Blur with a box applied twice, which is close to a Gaussian."""
    once = ndimage.uniform_filter(values, window, mode="constant")
    return np.asarray(ndimage.uniform_filter(once, window, mode="constant"), dtype=np.float32)


def _fine(values: NDArray[np.floating]) -> FloatImage:
    """Interpolate linearly between the centres of blocks; no matrix product, whose threads would compete."""
    return np.ascontiguousarray(_stretched(_stretched(values).T).T)


def _stretched(values: NDArray[np.floating]) -> FloatImage:
    rows, columns = values.shape
    before = np.concatenate([values[:1], values[:-1]])
    after = np.concatenate([values[1:], values[-1:]])
    fine = np.empty((rows, _STEP, columns), dtype=np.float32)
    for phase in range(_STEP):
        offset = (phase + 0.5) / _STEP - 0.5
        other = before if offset < 0 else after
        fine[:, phase] = np.float32(1 - abs(offset)) * values + np.float32(abs(offset)) * other
    return fine.reshape(rows * _STEP, columns)
