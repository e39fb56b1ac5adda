"""Features of heads that recognition takes for one of the sequences, from the fit itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

__all__ = ["Features", "features_like"]

Features = NDArray[np.float64]
_SEQUENCES = ("T1", "T1C", "T2", "FLAIR")


@cache
def _fit() -> dict[str, Features]:
    with (
        as_file(files("models") / "sequence-image.npz") as path,
        np.load(path, allow_pickle=False) as archive,
    ):
        return {name: archive[name].astype(np.float64) for name in archive.files}


@cache
def features_like(look: str) -> Features | None:
    """Return features of a typical head; of none for ``"nothing"``; of an unclear T1 with more contrast.

    A typical head lies where the mean of its sequence is, a little further from the others.
    """
    if look == "nothing":
        return None
    fit = _fit()
    if look == "T1 or T1C":
        plain, direction = _typical("T1"), fit["contrast"] / np.linalg.norm(fit["contrast"])
        return (plain + 2.5 * direction) * fit["deviation"] + fit["mean"]
    return _typical(look) * fit["deviation"] + fit["mean"]


def _typical(look: str) -> Features:
    centres = _fit()["centres"]
    mine = _SEQUENCES.index(look)
    return np.asarray(centres[mine] + 0.6 * (centres[mine] - np.delete(centres, mine, axis=0).mean(axis=0)))
