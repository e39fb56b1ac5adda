"""Which sequence a head looks like, where tags are silent, contradict each other or cannot be trusted.

Two logistic regressions on the features of :mod:`models.sequence_features`, fitted by
``benchmarks/sequence_recognition.py`` on TCGA-LGG, each head as it is and once disturbed (fat suppression,
field, noise, blur). T2 is not in that data: it is simulated from T1 and FLAIR of the same patients, and no
figure says how real T2 fares. Cross-validated by patient in ten folds, heads as they are:

- 91 % of 242 real heads (82 T1, 72 T1 with contrast, 88 FLAIR) are recognised; 68 % get a probability of at
  least .8, and 98 % of those are right.
- Where it is known to be a T1, contrast is told right in 95 % of 154; a share of at least .8 finds 90 % of
  those with contrast and 1 % of those without.
- Of the two T1 of one patient, the one with contrast is told in 71 of 72, on heads as they are; in 60 of 72
  where each was disturbed in its own way.

Every patient has a glioma, and five institutions made the images, decades ago: heads from elsewhere are
recognised less well. A head further from all four sequences than 1.5 times the 99th percentile of those of
the fit gets no answer (3 of 242 real heads in the cross-validation; computed phantoms, CT and noise).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.sequence_features import FEATURES, features_of
from models.sequences import SEQUENCES

__all__ = ["contrast_between", "distance_of", "post_contrast_of", "probabilities_of", "sequence_from_image"]

_CLIP: Final = 4.0

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
    if distance_of(scaled, fit) > float(fit["farthest"]):
        return None
    return np.asarray(np.clip(scaled, -_CLIP, _CLIP))


def distance_of(scaled: Features, fit: dict[str, Features]) -> float:
    """Return the Mahalanobis distance of standardised features from the nearest sequence of the fit."""
    away = scaled - fit["centres"]
    return float(np.sqrt(np.einsum("ki,ij,kj->k", away, fit["precision"], away).min()))


@cache
def _fit() -> dict[str, Features]:
    """Return the fit: what standardises features, both regressions, and where the sequences lie."""
    with (
        as_file(files("models") / "sequence-image.npz") as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        fit = {name: archive[name].astype(np.float64) for name in archive.files}
    if fit["weights"].shape != (len(SEQUENCES), len(FEATURES)):
        raise ValueError("the fit of sequence recognition is not one of these features")
    return fit
