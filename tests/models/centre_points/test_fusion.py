"""Decoding, suppression and fusion on small hand-made maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.centre_points.decode import calibrated, decode, intersection_over_union, suppress
from models.centre_points.fuse import fuse

EMPTY = (np.zeros((0, 4)), np.zeros(0))


def _one(
    score: float, box: tuple[float, float, float, float] = (10, 10, 30, 30)
) -> tuple[np.ndarray, np.ndarray]:
    return np.array([box], dtype=np.float64), np.array([score])


def test_a_peak_becomes_a_box_around_its_cell_centre() -> None:
    centre = np.zeros((40, 40), dtype=np.float32)
    centre[10, 20] = 0.7
    extent = np.full((2, 40, 40), 16, dtype=np.float32)
    extent[1] = 8
    boxes, scores = decode(centre, extent, 0.1)
    np.testing.assert_allclose(boxes, [[34, 78, 50, 86]])
    np.testing.assert_allclose(scores, [0.7], rtol=1e-6)


def test_peaks_come_by_falling_score_and_the_floor_holds() -> None:
    centre = np.zeros((40, 40), dtype=np.float32)
    centre[5, 5], centre[20, 20], centre[30, 30] = 0.2, 0.9, 0.05
    _, scores = decode(centre, np.full((2, 40, 40), 8, dtype=np.float32), 0.1)
    np.testing.assert_allclose(scores, [0.9, 0.2], rtol=1e-6)


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], dtype=np.float64)
    kept, scores = suppress(boxes, np.array([0.9, 0.8, 0.3]), 0.2)
    assert kept.tolist() == [boxes[0].tolist(), boxes[2].tolist()] and scores.tolist() == [0.9, 0.3]


def test_intersection_over_union_of_known_boxes() -> None:
    ratio = intersection_over_union(np.array([0, 0, 2, 2.0]), np.array([[0, 1, 2, 3], [5, 5, 6, 6.0]]))
    np.testing.assert_allclose(ratio, [1 / 3, 0])


def test_score_divides_by_all_members() -> None:
    places = fuse([_one(0.8), EMPTY, EMPTY, EMPTY, EMPTY], 0.2)
    assert places[0].score == pytest.approx(0.16)
    assert places[0].support == pytest.approx(0.2)
    assert places[0].member_scores == (0.8, 0, 0, 0, 0)


def test_agreeing_members_make_one_weighted_box() -> None:
    places = fuse([_one(0.6), _one(0.2, (12, 12, 32, 32))], 0.2)
    assert len(places) == 1
    np.testing.assert_allclose(places[0].box, [10.5, 10.5, 30.5, 30.5])
    assert (
        places[0].score == pytest.approx(0.4) and places[0].support == 1.0 and 0.7 < places[0].mean_iou <= 1
    )


def test_far_boxes_stay_apart_and_one_member_counts_once() -> None:
    two = (
        np.array([[10, 10, 30, 30], [14, 14, 34, 34], [90, 90, 99, 99]], dtype=np.float64),
        np.array([0.9, 0.5, 0.4]),
    )
    places = fuse([two, EMPTY], 0.2)
    assert [round(p.score, 3) for p in places] == [0.45, 0.2]


def test_silence_of_all_gives_nothing_and_no_members_is_an_error() -> None:
    assert fuse([EMPTY, EMPTY], 0.2) == []
    with pytest.raises(ValueError, match="members"):
        fuse([], 0.2)


box = st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(3, 40), st.floats(3, 40), st.floats(0.01, 1))


@given(st.lists(st.lists(box, max_size=6), min_size=1, max_size=5))
def test_fusion_keeps_scores_and_support_in_range(members: list[list[tuple[float, ...]]]) -> None:
    pairs = [
        (
            np.array([[t, w, t + h, w + b] for t, w, h, b, _ in boxes]).reshape(-1, 4),
            np.array([x[4] for x in boxes]),
        )
        for boxes in members
    ]
    places = fuse(pairs, 0.2)
    assert [p.score for p in places] == sorted((p.score for p in places), reverse=True)
    for place in places:
        assert 0 < place.score <= 1 and 0 <= place.support <= 1 and 0 <= place.mean_iou <= 1
        assert len(place.member_scores) == len(members)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 5), st.floats(-5, 5))
def test_calibration_keeps_order_and_range(first: float, second: float, slope: float, offset: float) -> None:
    low, high = calibrated(np.array(sorted((first, second))), slope, offset)
    assert 0 <= low <= high <= 1
