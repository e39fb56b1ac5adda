from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.confidence import assess_detection, box_f1, member_support, pairwise_box_f1, score_spread
from models.results import Box, Candidate, FilmReading

scores = st.lists(st.floats(0, 1), min_size=1, max_size=8)
sides = st.integers(1, 30)
boxes = st.builds(
    lambda top, left, height, width: Box(top, left, top + height, left + width),
    st.integers(0, 60),
    st.integers(0, 60),
    sides,
    sides,
)
ensembles = st.lists(st.lists(boxes, max_size=4), min_size=1, max_size=5)


@given(scores)
def test_support_and_spread_do_not_depend_on_the_order_of_members(values: list[float]) -> None:
    ordered = sorted(values)
    assert member_support(ordered) == member_support(values)
    assert math.isclose(score_spread(ordered), score_spread(values), abs_tol=1e-12)
    assert 0 <= member_support(values) <= 1
    assert 0 <= score_spread(values) <= 0.5 + 1e-12


def test_silent_members_count() -> None:
    assert member_support([0.9, 0.0, 0.0, 0.0]) == 0.25
    assert score_spread([1.0, 0.0]) == 0.5
    assert score_spread([0.4, 0.4, 0.4]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("function", [member_support, score_spread, pairwise_box_f1])
def test_no_members_is_an_error(function: Callable[[list[float]], float]) -> None:
    with pytest.raises(ValueError, match="at least one member"):
        function([])


@given(st.lists(boxes, max_size=4), st.lists(boxes, max_size=4))
def test_f1_is_symmetric_and_bounded(first: list[Box], second: list[Box]) -> None:
    assert 0 <= box_f1(first, second) <= 1
    assert box_f1(first, first) == 1


@given(ensembles)
def test_pairwise_f1_is_bounded_and_one_for_identical_members(members: list[list[Box]]) -> None:
    assert 0 <= pairwise_box_f1(members) <= 1
    assert pairwise_box_f1([members[0]] * 3) == 1


def test_f1_by_hand() -> None:
    a, far, near = Box(0, 0, 10, 10), Box(50, 50, 60, 60), Box(1, 1, 11, 11)
    assert box_f1([a], [near]) == 1.0
    assert box_f1([a], [far]) == 0.0
    assert box_f1([a, far], [near]) == pytest.approx(2 / 3)
    assert box_f1([a], [near, a]) == pytest.approx(2 / 3)
    assert box_f1([a], []) == 0.0
    assert pairwise_box_f1([[a], [near], [far]]) == pytest.approx(1 / 3)


def test_a_unanimous_empty_answer_scores_one_and_the_assessment_says_what_it_is_worth() -> None:
    assert pairwise_box_f1([[], [], []]) == 1.0
    assessment = assess_detection([FilmReading("1.2", 0.05, (), 3, 0.5)])
    assert assessment.decision == "not-assessed"
    assert assessment.confidence is None
    assert "agreement on nothing is not confidence" in assessment.reasons[-1]


def candidate(*members: float) -> Candidate:
    support = sum(score > 0 for score in members) / len(members)
    return Candidate(Box(0, 0, 5, 5), sum(members) / len(members), members, support, 0.8)


def test_the_assessment_reports_the_weakest_finding() -> None:
    strong, weak = candidate(0.9, 0.9, 0.9), candidate(0.9, 0.9, 0.0)
    below = candidate(0.3, 0.0, 0.0)
    assessment = assess_detection([FilmReading("1.2", 0.9, (strong, weak, below), 3, 0.5)])
    assert assessment.components["member_support"] == pytest.approx(2 / 3)
    assert assessment.components["score_spread"] == pytest.approx(score_spread([0.9, 0.9, 0.0]))
    assert assessment.components["case_score"] == 0.9
    assert "at least 2 of 3 members" in assessment.reasons[-1]


def test_a_member_whose_box_lies_beside_the_fused_one_is_no_support() -> None:
    beside = Candidate(Box(0, 0, 5, 5), 0.8, (0.9, 0.9, 0.6), 2 / 3, 0.5)
    assessment = assess_detection([FilmReading("1.2", 0.9, (beside,), 3, 0.5)])
    assert assessment.components["member_support"] == pytest.approx(2 / 3)


def test_the_words_count_members_that_reach_the_operating_point_alone() -> None:
    """All three have a hit; that of the last one is next to nothing."""
    doubtful = Candidate(Box(0, 0, 5, 5), 0.6, (0.9, 0.5, 0.02), 1.0, 0.8)
    assessment = assess_detection([FilmReading("1.2", 0.9, (candidate(0.9, 0.9, 0.9), doubtful), 3, 0.5)])
    assert assessment.components["member_support"] == 1.0
    assert assessment.reasons[-1] == (
        "On every finding at least 2 of 3 members reach the operating point alone."
    )


def test_without_findings_the_strongest_candidate_is_judged() -> None:
    assessment = assess_detection([FilmReading("1.2", 0.2, (candidate(0.3, 0.3, 0.0),), 3, 0.5)])
    assert assessment.components["member_support"] == pytest.approx(2 / 3)
    assert assessment.reasons[-1] == (
        "No candidate reaches the operating point; on the strongest 0 of 3 members reach it alone."
    )


def test_no_reading_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one reading"):
        assess_detection([])
