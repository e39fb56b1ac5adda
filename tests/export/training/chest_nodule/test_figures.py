"""Figures of merit against numbers worked out by hand."""

import numpy as np
import pytest

from export.training.calibration import brier, expected_calibration_error, fit_logistic
from export.training.chest_nodule.figures import (
    FilmMarks,
    auroc_figure,
    froc,
    match,
    sensitivity_at,
    threshold_at,
)
from export.training.statistics import auroc


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([1.0, 0.5]), np.array([0.5, 0.0])) == pytest.approx(0.875)


def test_interval_holds_the_value_and_narrows_with_n() -> None:
    rng = np.random.default_rng(0)
    small = auroc_figure(list(rng.normal(1, 1, 20)), list(rng.normal(0, 1, 20)))
    large = auroc_figure(list(rng.normal(1, 1, 400)), list(rng.normal(0, 1, 400)))
    assert small.low < small.value < small.high and large.high - large.low < small.high - small.low


def test_a_second_mark_on_the_same_nodule_is_a_false_mark() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]], dtype=np.float64)
    found = match(boxes, np.array([0.9, 0.8, 0.7]), [(0, 0, 10, 10)], 5)
    assert found == FilmMarks((0.9,), (0.8, 0.7))


def test_a_centre_in_the_circle_hits_where_the_overlap_is_small() -> None:
    boxes = np.array([[8, 8, 12, 12]], dtype=np.float64)
    assert match(boxes, np.array([0.5]), [(0, 0, 20, 20)], 5).hits == (0.5,)
    assert match(boxes, np.array([0.5]), [(20, 20, 24, 24)], 5).hits == (0.0,)


def test_froc_on_three_films() -> None:
    films = [FilmMarks((0.9,), (0.2,)), FilmMarks((0.3,), (0.5, 0.4)), FilmMarks((0.0,), ())]
    assert threshold_at(films, 1 / 3) == 0.4
    assert sensitivity_at(films, 1 / 3) == pytest.approx(1 / 3)
    assert sensitivity_at(films, 8) == pytest.approx(2 / 3)
    table = froc(films, {"all": [True] * 3, "first": [True, False, False]}, (1 / 3, 8.0), draws=50)
    figure = table["all"]["8"]
    assert (
        figure.value == pytest.approx(2 / 3) and figure.low <= figure.value <= figure.high and figure.n == 3
    )
    assert table["first"]["8"].value == 1 and table["first"]["8"].n == 1


def test_logistic_fit_recovers_probabilities() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.02, 0.98, 20000)
    labels = rng.random(20000) < truth
    slope, offset = fit_logistic(truth, labels)
    assert slope == pytest.approx(1, abs=0.08) and offset == pytest.approx(0, abs=0.08)
    assert expected_calibration_error(truth, labels) < 0.02
    assert brier(np.array([1.0, 0.0]), np.array([True, False])) == 0
