"""Mammography examinations of phantoms with bright spots, as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from dicom_io.mammogram_phantoms import FOUR_VIEWS, MammogramOptions, write_mammography_study

Spot = tuple[float, float, float, float]
"""Row, column, width and height of a spot on a breast whose chest wall lies left."""
ROWS, COLUMNS, SPACING = 800, 640, 0.25
MASS: Spot = (400.0, 240.0, 18.0, 0.4)
FOUR = tuple(MammogramOptions(laterality=side, view=view, spacing_mm=SPACING) for side, view in FOUR_VIEWS)
"""A screening examination: R CC, L CC, R MLO, L MLO."""


def breast(how: MammogramOptions, spots: Sequence[Spot] = (), seed: int = 0) -> NDArray[np.uint16]:
    """Return 12-bit pixels of half an ellipse of tissue against the chest wall, with spots."""
    row, column = np.mgrid[:ROWS, :COLUMNS].astype(np.float64)
    radius = np.hypot((row - ROWS / 2) / (0.42 * ROWS), column / (0.75 * COLUMNS))
    grey = 0.5 - 0.2 * radius
    for y, x, sigma, height in spots:
        grey += height * np.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * sigma**2))
    grey += np.random.default_rng(seed).normal(0, 0.01, grey.shape)
    pixels = np.where(radius < 1, np.clip(grey, 0.1, 1.0) * 4095, 0).astype(np.uint16)
    return pixels if how.chest_wall == "left" else np.ascontiguousarray(pixels[:, ::-1])


def exam(
    folder: Path,
    images: Sequence[MammogramOptions] = FOUR,
    *,
    seed: int = 1,
    masses: Sequence[int] = (),
    **options: Any,
) -> list[Path]:
    """Write an examination; images whose place is in ``masses`` have a mass at one place of the breast."""
    how = [replace(one, spacing_mm=SPACING, **options) for one in images]
    pixels = {
        place: breast(one, (MASS,) if place in masses else (), seed + place) for place, one in enumerate(how)
    }
    return write_mammography_study(folder, seed, images=how, pixels=pixels)


def edited(path: Path, change: Callable[[Dataset], object] | None = None, **attributes: Any) -> Path:
    """Change attributes of a file by keyword; None removes one."""
    dataset = dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        elif isinstance(value, list) and value and isinstance(value[0], Dataset):
            setattr(dataset, keyword, Items(value))
        else:
            setattr(dataset, keyword, value)
    if change is not None:
        change(dataset)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def words_of(report: Dataset) -> str:
    """Return all texts of a structured report."""
    found = [str(report.get("TextValue", ""))]
    found += [words_of(item) for item in report.get("ContentSequence", ())]
    return "\n".join(filter(None, found))
