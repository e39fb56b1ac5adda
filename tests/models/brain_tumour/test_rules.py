from __future__ import annotations

import numpy as np
import pytest

from models.brain_tumour.rules import case_score, reported


@pytest.fixture
def probability() -> np.ndarray:
    """Return two regions of 8 and 27 voxels, and one that touches the second at a corner."""
    values = np.zeros((12, 12, 12), dtype=np.float32)
    values[1:3, 1:3, 1:3] = 0.9
    values[5:8, 5:8, 5:8] = 0.6
    values[8, 8, 8] = 0.5
    return values


def test_nothing_stays_nothing() -> None:
    empty = np.zeros((3, 4, 5), dtype=np.float32)
    assert not reported(empty, 1.0, 0.5, minimum_volume_ml=1, largest_component=True).any()
    assert case_score(empty, 1.0) == 0


def test_without_rules_the_operating_point_decides(probability: np.ndarray) -> None:
    assert reported(probability, 1000.0, 0.5).sum() == 8 + 27 + 1
    assert reported(probability, 1000.0, 0.55).sum() == 8 + 27
    assert reported(probability, 1000.0, 0.91).sum() == 0


@pytest.mark.parametrize(("least", "left"), [(8.0, 36), (8.1, 28), (28.0, 28), (28.1, 0)])
def test_small_regions_are_dropped_by_their_volume(probability: np.ndarray, least: float, left: int) -> None:
    assert reported(probability, 1000.0, 0.5, minimum_volume_ml=least).sum() == left
    assert reported(probability, 500.0, 0.5, minimum_volume_ml=least / 2).sum() == left


def test_of_several_regions_the_largest_is_kept(probability: np.ndarray) -> None:
    mask = reported(probability, 1.0, 0.5, largest_component=True)
    assert mask.sum() == 28 and mask[8, 8, 8] and not mask[1, 1, 1]


def test_the_score_of_a_study_is_that_of_half_a_millilitre(probability: np.ndarray) -> None:
    assert case_score(probability, 500.0 / 8) == pytest.approx(0.9)
    assert case_score(probability, 500.0 / 35) == pytest.approx((8 * 0.9 + 27 * 0.6) / 35)
    assert case_score(probability, 1e6) == pytest.approx(0.9)
    assert case_score(probability, 1e-6) == pytest.approx(probability.mean())
