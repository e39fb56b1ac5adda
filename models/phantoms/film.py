"""From attenuation to stored values: scatter, quantum noise, detector blur, logarithm, presentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

__all__ = ["MAXIMUM", "expose"]

MAXIMUM = 4095
_PHOTONS_PER_MM2 = 90_000.0
"""Quanta that reach the detector unattenuated: those of a beam that leaves about 3 µGy behind a chest."""
_SCATTER = 0.32
_SCATTER_MM = 28.0
_BLUR_MM = 0.11
_EQUALISED = 0.42
_EQUALISED_MM = 24.0

Field = NDArray[np.float32]


def expose(attenuation: Field, pitch_mm: float, seed: int) -> NDArray[np.uint16]:
    """Return 12-bit stored values, bone bright, of a film with these line integrals.

    Parameters
    ----------
    attenuation : numpy.ndarray
        ``(rows, columns)`` line integrals of the linear attenuation.
    pitch_mm : float
        Size of a pixel.
    seed : int
        Of the quantum noise.
    """
    rng = np.random.default_rng([seed, 9])
    primary = np.exp(-attenuation)
    scattered = _SCATTER * _smooth(np.minimum(primary, 0.35), _SCATTER_MM / pitch_mm)
    quanta = (primary + scattered) * np.float32(_PHOTONS_PER_MM2 * pitch_mm**2)
    counted = rng.poisson(quanta).astype(np.float32)
    counted = gaussian_filter(counted, _BLUR_MM / pitch_mm, truncate=3)
    density = -np.log(np.maximum(counted, 0.5) / np.float32(_PHOTONS_PER_MM2 * pitch_mm**2))
    return _present(density, pitch_mm)


def _present(density: Field, pitch_mm: float) -> NDArray[np.uint16]:
    """Equalise coarse differences, as devices do before they send for presentation, and scale."""
    coarse = _smooth(density, _EQUALISED_MM / pitch_mm)
    shown = density - np.float32(_EQUALISED) * (coarse - float(coarse.mean()))
    body = shown[density > 0.5] if np.any(density > 0.5) else shown
    low, high = np.percentile(body[::37], (1.0, 99.5))
    scaled = (shown - low) / max(float(high - low), 1e-3) * 0.80 + 0.12
    # The shoulder of a film: bright parts are compressed.
    curved = np.where(scaled > 0.6, 0.6 + 0.4 * np.tanh((scaled - 0.6) / 0.4), scaled)
    return np.asarray(np.clip(curved * MAXIMUM, 0, MAXIMUM), dtype=np.uint16)


def _smooth(values: Field, sigma_px: float) -> Field:
    """Blur widely, on a coarse grid."""
    step = max(1, int(sigma_px / 4))
    rows, columns = values.shape
    coarse = gaussian_filter(values[step // 2 :: step, step // 2 :: step], sigma_px / step, mode="nearest")
    fine = zoom(
        coarse, (rows / coarse.shape[0], columns / coarse.shape[1]), order=1, mode="nearest", grid_mode=True
    )
    return np.asarray(fine[:rows, :columns], dtype=np.float32)
