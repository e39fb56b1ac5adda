"""LLF at NLF and JAFROC against tables worked out by hand."""

# ruff: noqa: E402

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.mammography.figures import (
    UNMARKED,
    FilmMarks,
    auroc_by_patient,
    bootstrap,
    fraction_at,
    jafroc,
    match,
    threshold_at,
)

CIRCLE = (100.0, 100.0, 40.0)


def _match(rows: list[tuple[float, float, float]], circles: list[tuple[float, float, float]]):  # type: ignore[no-untyped-def]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return match(table[:, :2], table[:, 2], circles, 25.0)


def test_a_mark_hits_when_its_centre_lies_in_the_circle() -> None:
    assert _match([(140, 100, 0.9), (100, 141, 0.8)], [CIRCLE]) == ((0.9,), (0.8,))


def test_a_small_circle_counts_as_five_millimetres() -> None:
    small = (100.0, 100.0, 3.0)
    assert _match([(124, 100, 0.9)], [small]) == ((0.9,), ())
    assert _match([(126, 100, 0.9)], [small]) == ((UNMARKED,), (0.9,))


def test_further_marks_on_a_lesion_are_neither_hits_nor_false() -> None:
    assert _match([(100, 100, 0.9), (110, 100, 0.8), (90, 100, 0.7)], [CIRCLE]) == ((0.9,), ())


def test_two_lesions_take_a_mark_each() -> None:
    circles = [CIRCLE, (130.0, 100.0, 40.0)]
    assert _match([(110, 100, 0.9), (112, 100, 0.8)], circles) == ((0.9, 0.8), ())


def test_no_mark_is_minus_infinity() -> None:
    assert _match([], [CIRCLE]) == ((UNMARKED,), ())


FILMS = (
    FilmMarks("a", False, (0.9, 0.3), (0.5,), ("CIRC", "CALC")),
    FilmMarks("a", True, (), (0.6, 0.2)),
    FilmMarks("b", False, (UNMARKED,), (0.4,), ("SPIC",)),
    FilmMarks("b", True, (), ()),
)


@pytest.mark.parametrize(
    ("rate", "limit", "fraction"),
    [(0.0, 0.6, 1 / 3), (0.25, 0.5, 1 / 3), (0.5, 0.4, 1 / 3), (0.75, 0.2, 2 / 3), (1.0, UNMARKED, 2 / 3)],
)
def test_lesion_fraction_by_hand(rate: float, limit: float, fraction: float) -> None:
    # Non-lesion marks by falling score: .6 .5 .4 .2 on four images.
    assert threshold_at(FILMS, rate) == limit
    assert fraction_at(FILMS, rate) == pytest.approx(fraction)


def test_kinds_choose_lesions_and_not_false_marks() -> None:
    assert fraction_at(FILMS, 0.5, ("CIRC",)) == 1.0
    assert fraction_at(FILMS, 0.75, ("CALC",)) == 1.0
    assert fraction_at(FILMS, 1.0, ("SPIC",)) == 0.0
    assert np.isnan(fraction_at(FILMS, 0.5, ("ARCH",)))


def test_jafroc_by_hand() -> None:
    # Lesions .9 .3 -inf against the normal films' highest .6 and -inf: (1 + 1) + (0 + 1) + (0 + .5) of 6.
    assert jafroc(FILMS) == pytest.approx(3.5 / 6)


def test_jafroc_needs_normal_films_and_lesions() -> None:
    assert np.isnan(jafroc(FILMS[:1])) and np.isnan(jafroc(FILMS[1:2]))


def test_the_bootstrap_draws_both_films_of_a_patient() -> None:
    drawn: list[int] = []

    def count(index: np.ndarray) -> float:
        drawn.append(len(index))
        numbers = np.bincount(index, minlength=6)
        assert (numbers[::2] == numbers[1::2]).all()
        return float(numbers[0])

    figure = bootstrap(["a", "a", "b", "b", "c", "c"], count, 6, draws=50)
    assert set(drawn) == {6} and figure.value == 1.0 and figure.n == 6


def test_auroc_of_a_perfect_score_is_one_with_no_spread() -> None:
    scores, labels = np.array([0.1, 0.9, 0.2, 0.8]), np.array([False, True, False, True])
    figure = auroc_by_patient(scores, labels, ["a", "a", "b", "b"], draws=100)
    assert (figure.value, figure.low, figure.high) == (1.0, 1.0, 1.0)
