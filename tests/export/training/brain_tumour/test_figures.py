"""Figures of masks against numbers worked out by hand."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from export.training.brain_tumour.figures import (
    agreement,
    border,
    dice,
    largest_component,
    pairwise_dice,
    without_small,
)
from export.training.statistics import mean_figure


def _box(*parts: tuple[slice, slice, slice]) -> np.ndarray:
    mask = np.zeros((4, 40, 40), dtype=bool)
    for part in parts:
        mask[part] = True
    return mask


SQUARE = _box((slice(1, 3), slice(10, 20), slice(10, 20)))
EMPTY = _box()


def test_dice_of_halves_and_of_nothing() -> None:
    half = _box((slice(1, 2), slice(10, 20), slice(10, 20)))
    assert dice(SQUARE, half) == pytest.approx(2 / 3)
    assert dice(EMPTY, EMPTY) == 1 and dice(SQUARE, EMPTY) == 0
    assert pairwise_dice([SQUARE, SQUARE, half]) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)


def test_the_border_of_a_square_is_its_outline() -> None:
    assert border(SQUARE[1]).sum() == 36
    assert border(np.ones((5, 5), dtype=bool)).sum() == 16


def test_a_perfect_answer() -> None:
    found = agreement(SQUARE, SQUARE)
    assert (found.dice, found.nsd, found.hd95, found.lesion_f1) == (1, 1, 0, 1)


def test_a_shift_of_three_pixels_of_a_square() -> None:
    shifted = np.roll(SQUARE, 3, axis=2)
    found = agreement(SQUARE, shifted)
    assert found.hd95 == 3 and found.dice == pytest.approx(0.7)
    # Of 36 border pixels ten of the free side lie 3 px away, and of the side inside the other square the
    # four in its middle, 3 px or more from every border.
    assert found.nsd == pytest.approx(1 - (10 + 4) / 36)


def test_a_slice_that_only_one_mask_has_counts_as_disagreement_of_borders() -> None:
    found = agreement(SQUARE, _box((slice(1, 2), slice(10, 20), slice(10, 20))))
    assert found.nsd == pytest.approx(72 / 108) and found.hd95 == pytest.approx(np.hypot(40, 40))
    assert found.hd95_common == 0 and agreement(SQUARE, EMPTY).hd95_common is None
    cut = (slice(None), slice(5, 30), slice(5, 30))
    first, second = SQUARE[cut], _box((slice(1, 2), slice(10, 20), slice(10, 20)))[cut]
    assert agreement(first, second, 56.0).hd95 == 56


def test_nothing_found_and_nothing_there() -> None:
    missed, nothing = agreement(SQUARE, EMPTY), agreement(EMPTY, EMPTY)
    assert (missed.dice, missed.nsd, missed.lesion_f1) == (0, 0, 0) and missed.hd95 == np.hypot(40, 40)
    assert (nothing.dice, nothing.nsd, nothing.hd95, nothing.lesion_f1) == (1, 1, 0, 1)


def test_lesions_are_counted_apart_and_specks_are_not() -> None:
    second = (slice(0, 2), slice(30, 36), slice(30, 36))
    truth = SQUARE | _box(second)
    false = (slice(3, 4), slice(0, 5), slice(30, 35))
    speck = (slice(0, 1), slice(0, 2), slice(0, 2))
    found = agreement(truth, SQUARE | _box(false, speck))
    assert (found.lesion_hits, found.lesions, found.false_lesions) == (1, 2, 1)
    assert found.lesion_f1 == pytest.approx(2 / 4)
    assert found.as_row()["lesion_f1"] == found.lesion_f1


def test_rules_on_parts() -> None:
    both = SQUARE | _box((slice(0, 1), slice(30, 35), slice(30, 35)))
    np.testing.assert_array_equal(largest_component(both), SQUARE)
    np.testing.assert_array_equal(without_small(both, 26), SQUARE)
    np.testing.assert_array_equal(without_small(both, 25), both)
    assert not largest_component(EMPTY).any() and not without_small(EMPTY, 3).any()


def test_the_interval_of_a_mean() -> None:
    figure = mean_figure([0.0, 1.0] * 50)
    assert figure.value == 0.5 and figure.n == 100 and 0.38 < figure.low < 0.43 and 0.57 < figure.high < 0.62
    with pytest.raises(ValueError, match="no patients"):
        mean_figure([])
