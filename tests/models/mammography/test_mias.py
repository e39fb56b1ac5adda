"""Real films of the mini-MIAS set: awkward ones by name; skipped where the data are not there."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.film import Film
from models.mammogram import Mammogram
from models.mammography.preprocess import prepare
from models.mammography.region import NoBreast, find_breast, reduced
from models.mammography_results import MammographyView

pytestmark = pytest.mark.data

AWKWARD = {
    "mdb002": "tape above the breast",
    "mdb012": "white wedge beside the breast",
    "mdb025": "fog brighter than the padding",
    "mdb132": "broad white strip",
    "mdb151": "breast cut by the film on three sides",
    "mdb152": "the other breast of that patient",
    "mdb280": "white frame on two sides",
}


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _rows(data_dir: Path, name: str) -> list[dict[str, str]]:
    with (data_dir / "mias" / "lesions.csv").open(encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["image"] == name]


@pytest.mark.parametrize("name", AWKWARD, ids=list(AWKWARD.values()))
def test_side_and_lesions_of_awkward_films(data_dir: Path, name: str) -> None:
    rows = _rows(data_dir, name)
    pixels = _pixels(data_dir / "mias" / f"{name}.webp")
    side = "L" if rows[0]["laterality"] == "L" else "R"
    mammogram = Mammogram(Film(name, pixels, pixel_spacing_mm=(0.2, 0.2)), MammographyView(name, side, "MLO"))
    prepared = prepare(mammogram)
    assert prepared.anatomy.chest_wall == ("left" if side == "L" else "right")
    assert 0.4 < prepared.mask.mean() < 0.95
    for row in rows:
        if row["centre_x"]:
            centre = np.array([[float(row["centre_y"]), float(row["centre_x"])]])
            y, x = prepared.placement.points_to_network(centre)[0].astype(int)
            assert prepared.mask[y, x]


def test_chest_films_are_refused(data_dir: Path) -> None:
    paths = sorted((data_dir / "nih").glob("*.webp"))[:12]
    for path in paths:
        with pytest.raises(NoBreast):
            find_breast(_pixels(path))


@pytest.mark.parametrize("name", AWKWARD)
def test_negatives_of_awkward_films_are_refused(data_dir: Path, name: str) -> None:
    pixels = reduced(_pixels(data_dir / "mias" / f"{name}.webp"), 4)
    with pytest.raises(NoBreast):
        find_breast(1 - pixels)
