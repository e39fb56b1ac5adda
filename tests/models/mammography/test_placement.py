"""To the network's grid and back: exact, whatever the crop, the flip, the scale and the padding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.mammography.placement import Placement

placements = st.builds(
    Placement,
    top=st.integers(0, 3000),
    left=st.integers(0, 3000),
    rows=st.integers(1, 5000),
    columns=st.integers(1, 5000),
    flipped=st.booleans(),
    scale_y=st.floats(0.02, 5),
    scale_x=st.floats(0.02, 5),
    padding=st.tuples(st.integers(0, 31), st.integers(0, 31)),
)
numbers = st.floats(-1000, 6000)
spans = st.floats(0.5, 2000)
boxes = st.lists(st.tuples(numbers, numbers, spans, spans), max_size=5).map(
    lambda rows: np.array([(t, x, t + h, x + w) for t, x, h, w in rows], dtype=np.float64).reshape(-1, 4)
)


@pytest.mark.parametrize(
    "changed",
    [{"rows": 0}, {"columns": 0}, {"scale_y": 0.0}, {"scale_x": float("nan")}, {"padding": (-1, 0)}],
)
def test_a_placement_that_leads_nowhere_is_refused(changed: dict[str, object]) -> None:
    given_values = {
        "top": 0,
        "left": 0,
        "rows": 9,
        "columns": 9,
        "flipped": False,
        "scale_y": 1.0,
        "scale_x": 1.0,
    } | changed
    with pytest.raises(ValueError, match="crop|scale|padding"):
        Placement(**given_values)  # type: ignore[arg-type]


@given(placements, boxes)
def test_there_and_back_is_the_same_box(placement: Placement, given_boxes: np.ndarray) -> None:
    back = placement.to_source(placement.to_network(given_boxes))
    assert back.shape == given_boxes.shape
    assert np.allclose(back, given_boxes, atol=1e-6)
    assert np.allclose(placement.to_network(placement.to_source(given_boxes)), given_boxes, atol=1e-6)


@given(placements, boxes)
def test_boxes_stay_boxes(placement: Placement, given_boxes: np.ndarray) -> None:
    network = placement.to_network(given_boxes)
    assert (network[:, 0] < network[:, 2]).all() and (network[:, 1] < network[:, 3]).all()


@given(placements, boxes)
def test_points_go_the_way_of_boxes(placement: Placement, given_boxes: np.ndarray) -> None:
    centres = np.stack([given_boxes[:, [0, 2]].mean(axis=1), given_boxes[:, [1, 3]].mean(axis=1)], axis=1)
    network = placement.to_network(given_boxes)
    expected = np.stack([network[:, [0, 2]].mean(axis=1), network[:, [1, 3]].mean(axis=1)], axis=1)
    assert np.allclose(placement.points_to_network(centres), expected, atol=1e-6)
    assert np.allclose(placement.points_to_source(expected), centres, atol=1e-6)


@given(placements)
def test_the_crop_fills_the_content(placement: Placement) -> None:
    crop = [placement.top, placement.left, placement.top + placement.rows, placement.left + placement.columns]
    top, left, bottom, right = placement.to_network(np.array([crop]))[0]
    assert (top, left) == pytest.approx((0, 0), abs=1e-9)
    assert (round(bottom), round(right)) == placement.content


def test_a_flip_puts_the_right_border_on_the_left() -> None:
    placement = Placement(10, 100, 200, 300, True, 0.5, 0.5, (4, 10))
    assert placement.to_network(np.array([[10, 380, 30, 400]])).tolist() == [[0, 0, 10, 10]]
    assert placement.shape == (104, 160)
