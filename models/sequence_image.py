"""Which sequence a head looks like, where tags are silent, contradict each other or cannot be trusted.

Two logistic regressions on the features of :mod:`models.sequence_features`, fitted by
``benchmarks/sequence_recognition.py`` on TCGA-LGG (88 patients: FIGURES_HERE).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.sequence_features import FEATURES, features_of
from models.sequences import SEQUENCES

__all__ = ["contrast_between", "post_contrast_of", "probabilities_of", "sequence_from_image"]

_CLIP: Final = 4.0
_STRANGE: Final = 6.0
_STRANGE_SHARE: Final = 0.15

Features = NDArray[np.float64]


def sequence_from_image(volume: NDArray[np.generic], pixel_mm: tuple[float, float]) -> dict[str, float]:
    """Return how likely a head shows each sequence.

    Parameters
    ----------
    volume : numpy.ndarray
        ``(z, y, x)``: axial slices, rows from front to back, in any unit and with any offset.
    pixel_mm : tuple of float
        Distance of rows and of columns.

    Returns
    -------
    dict of str to float
        Probabilities over :data:`models.sequences.SEQUENCES`; all equal where there is no head to see, or one
        that resembles nothing the fit has seen.
    """
    return probabilities_of(features_of(volume, pixel_mm))


def post_contrast_of(
    a: NDArray[np.generic],
    b: NDArray[np.generic],
    pixel_mm_a: tuple[float, float],
    pixel_mm_b: tuple[float, float],
) -> float:
    """Return how likely ``a`` is after contrast, given that of two T1 of one patient one is and one is not.

    The volumes need not lie on one grid; each is as in :func:`sequence_from_image`.

    Returns
    -------
    float
        In [0, 1]; .5 where one of them cannot be judged. Swapping the volumes gives one minus it.
    """
    return contrast_between(features_of(a, pixel_mm_a), features_of(b, pixel_mm_b))


def probabilities_of(features: Features | None) -> dict[str, float]:
    """Return :func:`sequence_from_image` for features at hand; None, for no head, gives equal ones."""
    scaled = _scaled(features)
    if scaled is None:
        return dict.fromkeys(SEQUENCES, 1 / len(SEQUENCES))
    fit = _fit()
    scores = fit["weights"] @ scaled + fit["intercepts"]
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    return {name: float(share) for name, share in zip(SEQUENCES, shares, strict=True)}


def contrast_between(a: Features | None, b: Features | None) -> float:
    """Return :func:`post_contrast_of` for features at hand."""
    first, second = _scaled(a), _scaled(b)
    if first is None or second is None:
        return 0.5
    return float(1 / (1 + np.exp(-np.clip(_fit()["contrast"] @ (first - second), -30, 30))))


def _scaled(features: Features | None) -> Features | None:
    if features is None:
        return None
    fit = _fit()
    scaled = (features - fit["mean"]) / fit["deviation"]
    if np.mean(np.abs(scaled) > _STRANGE) > _STRANGE_SHARE:
        return None
    return np.asarray(np.clip(scaled, -_CLIP, _CLIP))


@cache
def _fit() -> dict[str, Features]:
    """Return mean, deviation ``(features,)``, weights ``(4, features)``, intercepts ``(4,)``, contrast."""
    with (
        as_file(files("models") / "sequence-image.npz") as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        fit = {name: archive[name].astype(np.float64) for name in archive.files}
    if fit["weights"].shape != (len(SEQUENCES), len(FEATURES)):
        raise ValueError("the fit of sequence recognition is not one of these features")
    return fit
