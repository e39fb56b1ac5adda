"""Small films on disk with one property out of the ordinary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_io.phantoms import FilmOptions, chest_film
from models.package import InputContract
from models.phantoms import ChestPhantom

ROWS, COLUMNS = 300, 260
CONTRACT = InputContract(modalities=("CR", "DX"), views=("PA", "AP"), body_parts=("CHEST", "THORAX", "LUNG"))


def ramp(rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint16]:
    """Return 12-bit values with a gradient along both axes and some noise."""
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(0).integers(0, 40, (rows, columns))
    return (300 + 1500 * y / rows + 1800 * x / columns + noise).astype(np.uint16)


def film(stored: NDArray[np.uint16] | None = None, **options: Any) -> Dataset:
    """Return a film; what is no field of :class:`FilmOptions` is an attribute by keyword, None removes it."""
    known = {name: options.pop(name) for name in list(options) if name in FilmOptions.__slots__}
    phantom = ChestPhantom(ramp() if stored is None else stored, (0.2, 0.2), ())
    dataset = chest_film(phantom, 1, options=FilmOptions(**known))
    for keyword, value in options.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def written(path: Path, stored: NDArray[np.uint16] | None = None, **options: Any) -> Path:
    """Write a film to ``path`` and return it."""
    film(stored, **options).save_as(path, enforce_file_format=True)
    return path
