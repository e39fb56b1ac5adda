from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.film import Film
from models.results import Box, Candidate, FilmReading


@pytest.mark.parametrize("corners", [(1, 1, 1, 2), (1, 1, 2, 1), (2, 0, 1, 5)])
def test_a_box_without_extent_is_refused(corners: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="top < bottom"):
        Box(*corners)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 9))
def test_overlap_with_oneself_is_one_and_with_a_shifted_twin_less(
    top: int, left: int, height: int, width: int
) -> None:
    box = Box(top, left, top + height, left + width)
    assert box.intersection_over_union(box) == 1.0
    assert box.intersection_over_union(Box(top + 1, left, top + height + 1, left + width)) < 1.0


def test_clipping_keeps_the_part_inside_and_refuses_a_box_outside() -> None:
    assert Box(-2, -3, 5, 5).clipped(4, 10) == Box(0, 0, 4, 5)
    with pytest.raises(ValueError, match="top < bottom"):
        Box(20, 0, 25, 5).clipped(10, 10)


def test_a_candidate_names_the_value_that_is_out_of_range() -> None:
    with pytest.raises(ValueError, match="support must lie"):
        Candidate(Box(0, 0, 1, 1), 0.5, (0.5,), 1.5, 0.5)
    with pytest.raises(ValueError, match="one score"):
        Candidate(Box(0, 0, 1, 1), 0.5, (), 0.5, 0.5)


def test_candidates_come_by_falling_score() -> None:
    low, high = (Candidate(Box(0, 0, 1, 1), score, (score,), 1.0, 1.0) for score in (0.2, 0.8))
    with pytest.raises(ValueError, match="falling"):
        FilmReading("1.2", 0.5, (low, high), 1, 0.5)
    assert FilmReading("1.2", 0.5, (high, low), 1, 0.5).above_operating_point == (high,)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, 3, 3), np.float32),
        np.zeros((3, 3), np.float64),
        np.zeros((0, 3), np.float32),
        np.full((3, 3), 2, np.float32),
        np.full((3, 3), np.nan, np.float32),
    ],
)
def test_a_film_is_float32_of_two_axes_in_range(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels must"):
        Film("1.2", pixels)


@pytest.mark.parametrize("spacing", [(0.0, 0.2), (-1.0, 1.0), (float("inf"), 1.0), (float("nan"), 1.0)])
def test_a_film_has_a_positive_spacing_or_none(spacing: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="pixel_spacing_mm"):
        Film("1.2", np.zeros((4, 4), np.float32), pixel_spacing_mm=spacing)
