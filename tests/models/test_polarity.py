from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.phantoms import chest_phantom
from models.polarity import chest_layout_correlation, is_negative

# Two films of the set are stored as negatives; seen by eye.
STORED_AS_NEGATIVES = {"00017625_000.png", "00017999_000.png"}
# A small square exposed on a large black plate.
COLLIMATED_CHILD = "00019534_000.png"


def test_a_constant_image_has_no_layout() -> None:
    assert chest_layout_correlation(np.full((64, 48), 0.3, np.float32)) == 0.0


def test_noise_is_neither_a_film_nor_a_negative() -> None:
    noise = np.random.default_rng(3).random((512, 512), dtype=np.float32)
    assert abs(chest_layout_correlation(noise)) < 0.15
    assert not is_negative(noise)
    assert not is_negative(1 - noise)


def test_the_negative_has_the_opposite_correlation_whatever_the_grey_mapping() -> None:
    film = (chest_phantom(1, rows=400, columns=400).pixels / 4095).astype(np.float32)
    assert chest_layout_correlation(film) > 0.7
    assert chest_layout_correlation(1 - film) == pytest.approx(-chest_layout_correlation(film), abs=1e-4)
    assert chest_layout_correlation(film**3) == pytest.approx(chest_layout_correlation(film), abs=0.05)
    assert is_negative(1 - film)


@pytest.mark.data
def test_every_film_of_the_set_is_judged_rightly_also_turned_and_as_its_negative(data_dir: Path) -> None:
    with (data_dir / "nih" / "images.csv").open() as file:
        names = {row["image"] for row in csv.DictReader(file)}
    wrong = []
    for name in sorted(names)[::4] + sorted(STORED_AS_NEGATIVES) + [COLLIMATED_CHILD]:
        grey = np.asarray(Image.open(data_dir / "nih" / f"{Path(name).stem}.webp").convert("L"))
        film = grey[::2, ::2].astype(np.float32) / 255
        if name in STORED_AS_NEGATIVES:
            film = 1 - film
        turned = [np.ascontiguousarray(np.rot90(film, quarter)) for quarter in range(4)]
        # A quarter turn may leave a film undecided; it must never make a negative of it.
        if any(is_negative(view) for view in turned) or not is_negative(1 - film):
            wrong.append(name)
    assert wrong == []
