"""Agreement of segmenters. Numbers of the oracle come from the benchmark of Zenk et al. 2024."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.brain_tumour.reading import reading_of
from models.confidence import assess_segmentation
from models.confidence.segments import (
    OverlapCounts,
    foreground_mean,
    max_probability,
    pairwise_dice,
    predictive_entropy,
)
from models.package import MAIN
from models.results import Assessment
from models.volume_results import VolumeReading
from tests.models.brain_tumour.answers import HEAD, MANIFEST, answer

BENCHMARK = [
    (
        (
            "220233300111320121000332231100032010020131221212302232010233231301321303",
            "210001121101300101001232231000033110232001221210112231010323331221231321",
            "211103320101310120303332231001033110012121001200112223110012330021221101",
            "200203100101330121200322231000033110030111221302312223010233232200230301",
        ),
        0.7431998252868652,
    ),
    (
        (
            "202210110110210000200232113122211132030202131202001211222132100000221012",
            "312312003002210100200033023100201132031202003202113211202112001020321002",
            "313310100110210020300133103122210332011100121002013203022132101030233012",
            "201332111100202100200131113022201132330202301202113221222312303120231010",
        ),
        0.7013508677482605,
    ),
]
"""Four members over 8 x 9 pixels, 1 for the first class and 2 for the second, and their pairwise Dice."""
masks = arrays.arrays(bool, st.tuples(st.integers(1, 5), st.just(3), st.just(4)))


def test_no_member_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        pairwise_dice([])
    with pytest.raises(ValueError, match="at least one member"):
        OverlapCounts(0)
    with pytest.raises(ValueError, match="2 masks are needed, not 3"):
        OverlapCounts(2).add(np.zeros((3, 4), bool))


@given(masks)
def test_dice_does_not_depend_on_the_order_of_members(members: np.ndarray) -> None:
    value = pairwise_dice(list(members))
    assert 0 <= value <= 1
    assert pairwise_dice(list(members[::-1])) == pytest.approx(value)
    assert pairwise_dice([members[0]] * 3) == 1


@given(masks, st.integers(1, 3))
def test_pieces_add_up(members: np.ndarray, cut: int) -> None:
    whole, pieces = OverlapCounts(len(members)), OverlapCounts(len(members))
    whole.add(members)
    pieces.add(members[:, :cut])
    pieces.add(members[:, cut:])
    assert whole.dice() == pieces.dice() and whole.marking == pieces.marking


def test_large_pieces_are_counted_exactly() -> None:
    counts = OverlapCounts(2)
    full = np.ones((2, 300, 300, 300), dtype=bool)
    full[1, 0, 0, 0] = False
    counts.add(full)
    assert counts.dice() == (2 * (300**3 - 1) / (2 * 300**3 - 1),)


def test_dice_by_hand() -> None:
    one, two, none = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 1], bool), np.zeros(4, bool)
    counts = OverlapCounts(3)
    counts.add(np.stack([one, two, none]))
    assert counts.dice() == (0.4, 0.0, 0.0) and counts.marking == pytest.approx(2 / 3)
    assert pairwise_dice([one, two, none]) == pytest.approx(0.4 / 3)
    assert pairwise_dice([none, none]) == 1 and pairwise_dice([one]) == 1


@pytest.mark.parametrize(("members", "expected"), BENCHMARK)
def test_pairwise_dice_is_that_of_the_benchmark(members: tuple[str, ...], expected: float) -> None:
    digits = np.array([[int(digit) for digit in member] for member in members])
    by_class = [pairwise_dice(list(digits & bit > 0)) for bit in (1, 2)]
    assert np.mean(by_class) == pytest.approx(expected, abs=1e-6)


def test_entropy_and_probability_at_their_ends() -> None:
    probability = np.array([0.0, 0.5, 1.0, 0.25], dtype=np.float32)
    np.testing.assert_allclose(
        predictive_entropy(probability),
        [math.log(2), 0, math.log(2), math.log(2) - 0.5623351],
        atol=1e-6,
    )
    np.testing.assert_allclose(max_probability(probability), [1, 0.5, 1, 0.75])


def test_confidence_in_the_foreground_is_that_of_everything_where_there_is_none() -> None:
    confidence = np.array([[0.2, 0.4], [0.6, 0.8]])
    assert foreground_mean(confidence, np.array([[True, False], [True, False]])) == pytest.approx(0.4)
    assert foreground_mean(confidence, np.zeros((2, 2), bool)) == pytest.approx(0.5)


def read(found: bool = True, **values: Any) -> VolumeReading:
    mask = np.zeros(HEAD.grid.spatial_shape, dtype=bool)
    mask[20:23, 40:50, 40:50] = found
    return reading_of(answer(mask, **values), HEAD, MANIFEST)


def assess(reading: VolumeReading, branch: str = MAIN, **components: float) -> Assessment:
    return assess_segmentation(reading, branch, components, MANIFEST)


def test_a_unanimous_empty_answer_is_no_confidence() -> None:
    assessment = assess(read(found=False), member_support=0.0, pairwise_dice=1.0)
    assert assessment.decision == "not-assessed" and assessment.confidence is None
    assert "None of 2 members marks anything" in assessment.reasons[-1]
    assert "agreement on nothing is not confidence" in assessment.reasons[-1]
    assert assessment.components == {"member_support": 0.0, "pairwise_dice": 1.0}


def test_agreement_is_told_in_words() -> None:
    assessment = assess(read(), member_support=0.5, pairwise_dice=0.25)
    assert assessment.reasons[0].startswith("Confidence has not been fitted")
    assert assessment.reasons[-1] == "1 of 2 members mark something; their mean pairwise Dice is 0.25."


def test_what_the_rules_took_away_is_told() -> None:
    assessment = assess(read(found=False), member_support=1.0, pairwise_dice=0.9)
    assert assessment.reasons[-1].endswith("Nothing of it is left after the package's rules.")


def test_one_member_agrees_with_nobody() -> None:
    assessment = assess(read(members=1), member_support=1.0)
    assert "One member read the study" in assessment.reasons[-1]


@pytest.mark.parametrize("support", [0.0, 1.0])
def test_a_branch_is_always_for_review(support: float) -> None:
    reading = replace(read(found=support > 0), series_used=("T1 with contrast",))
    assessment = assess(reading, "contrast", member_support=support, pairwise_dice=1.0)
    assert assessment.decision == "review" and assessment.confidence is None
    assert assessment.reasons[0] == (
        "Read with T1 with contrast alone by another network (T1 with contrast alone): "
        "every such result is to be reviewed."
    )
    assert len(assessment.reasons) == 2
