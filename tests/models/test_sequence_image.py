from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.phantoms.brain import BrainPhantom, Contrast
from models.preprocessing.brain import NOMINAL_SPACING_MM
from models.sequence_features import FEATURES, features_of
from models.sequence_image import contrast_between, post_contrast_of, probabilities_of, sequence_from_image
from models.sequences import SEQUENCES

_PIXEL = (1.0, 1.0)
_AFFINE = np.array([[0, 0, 1.0, -95], [0, 1.0, 0, -110], [6.0, 0, 0, -75], [0, 0, 0, 1]])
_EQUAL = dict.fromkeys(SEQUENCES, 0.25)


def head(contrast: Contrast) -> NDArray[np.int16]:
    return BrainPhantom(3).sample((24, 220, 190), _AFFINE).image(contrast)


@pytest.mark.parametrize(
    "volume",
    [
        np.zeros((10, 200, 200)),
        np.full((10, 200, 200), 7.0),
        np.full((10, 200, 200), np.nan),
        np.zeros((5, 8, 8)),
        np.random.default_rng(0).normal(100, 1, (4, 20, 20)),
    ],
    ids=["zero", "constant", "not finite", "tiny", "small noise"],
)
def test_no_head_is_no_answer(volume: NDArray[np.float64]) -> None:
    assert features_of(volume, _PIXEL) is None
    assert sequence_from_image(volume, _PIXEL) == _EQUAL
    assert post_contrast_of(volume, volume, _PIXEL, _PIXEL) == 0.5


def test_what_is_no_volume_is_an_error() -> None:
    with pytest.raises(ValueError, match="volume"):
        features_of(np.zeros((200, 200)), _PIXEL)
    with pytest.raises(ValueError, match="pixel sizes"):
        features_of(np.zeros((5, 200, 200)), (0.0, 1.0))


def test_noise_and_blocks_are_no_answer() -> None:
    rng = np.random.default_rng(1)
    assert sequence_from_image(rng.normal(500, 100, (20, 200, 200)), _PIXEL) == _EQUAL
    block = np.zeros((20, 200, 200))
    block[:, 30:170, 30:170] = 1000
    assert sequence_from_image(block, _PIXEL) == _EQUAL


def test_probabilities_are_of_all_sequences_and_sum_to_one() -> None:
    shares = sequence_from_image(head("T2"), _PIXEL)
    assert tuple(shares) == SEQUENCES
    assert sum(shares.values()) == pytest.approx(1)


def test_features_know_neither_unit_nor_offset_nor_sign_of_the_type() -> None:
    volume = head("T1").astype(np.float64)
    plain = features_of(volume, _PIXEL)
    assert plain is not None
    assert len(plain) == len(FEATURES)
    for other in (volume * 7.5, volume - 1024, (volume / 3).astype(np.uint16)):
        found = features_of(other, _PIXEL)
        assert found is not None
        np.testing.assert_allclose(found[:-1], plain[:-1], atol=0.03)


def test_finer_and_unequal_pixels_say_much_the_same() -> None:
    volume = head("T1").astype(np.float64)
    plain = features_of(volume, _PIXEL)
    fine = features_of(volume.repeat(2, axis=1).repeat(2, axis=2), (0.5, 0.5))
    unequal = features_of(volume[:, :, ::4], (1.0, 4.0))
    assert plain is not None
    assert fine is not None
    assert unequal is not None
    np.testing.assert_allclose(fine, plain, atol=0.05)
    assert np.median(np.abs(unequal - plain)) < 0.15


def test_contrast_between_is_antisymmetric() -> None:
    before, after = features_of(head("T1"), _PIXEL), features_of(head("T1c"), _PIXEL)
    share = contrast_between(after, before)
    assert contrast_between(before, after) == pytest.approx(1 - share)
    assert contrast_between(before, before) == pytest.approx(0.5)
    assert contrast_between(None, before) == 0.5
    assert probabilities_of(None) == _EQUAL


@pytest.mark.data
def test_real_heads_are_recognised() -> None:
    """Patients of the fit: this only checks that the shipped fit is the one that was measured."""
    data = os.environ.get("SECONDREAD_DATA")
    if not data:
        pytest.skip("SECONDREAD_DATA is not set")
    folder = Path(data) / "lgg"
    with (folder / "slices.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if row["has_pre_contrast"] == row["has_post_contrast"] == "1"
        ]
    patients = sorted({row["patient"] for row in rows})[4:64:10]
    right = told = total = 0
    for patient in patients:
        stack = np.stack(
            [
                np.asarray(Image.open(path).convert("L")).reshape(256, 3, 256)
                for path in sorted((folder / patient).glob("[0-9][0-9][0-9].webp"))
            ]
        )
        found = [features_of(stack[:, :, index], (NOMINAL_SPACING_MM,) * 2) for index in range(3)]
        for name, features in zip(("T1", "FLAIR", "T1C"), found, strict=True):
            shares = probabilities_of(features)
            right += max(shares, key=lambda one: shares[one]) == name
            total += 1
        told += contrast_between(found[2], found[0]) > 0.5
    assert right >= 0.85 * total
    assert told >= len(patients) - 1
