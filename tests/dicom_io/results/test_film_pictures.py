from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dicom_io.results.pictures.film_pictures import render_key_image
from models.film import Film
from models.results import Finding
from tests.dicom_io.results.factory import candidate


def grey(rows: int, columns: int, spacing: tuple[float, float] | None = None) -> Film:
    pixels = np.full((rows, columns), 0.5, dtype=np.float32)
    return Film("2.25.1", pixels, pixel_spacing_mm=spacing)


def finding(number: int, *box: float, score: float = 0.87) -> Finding:
    return Finding(number, "2.25.1", candidate(*box, score))  # type: ignore[arg-type]


def film_part(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """Return first and last row of the film between the strips of a uniform film."""
    middle = np.all(picture[:, 2] == 128, axis=-1)
    rows = np.flatnonzero(middle)
    return int(rows[0]), int(rows[-1]) + 1


@pytest.mark.parametrize(
    ("shape", "longest"),
    [
        ((256, 256), 1536),
        ((1800, 1500), 1800),
        ((4280, 3520), 2048),
        ((500, 1000), 1536),
        ((3000, 400), 2048),
    ],
)
def test_the_picture_is_neither_too_small_nor_too_large(shape: tuple[int, int], longest: int) -> None:
    picture = render_key_image(grey(*shape), ())
    top, bottom = film_part(picture)
    assert max(bottom - top, picture.shape[1]) == longest
    assert (bottom - top) / picture.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.005)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize(
    ("spacing", "aspect"), [((0.2, 0.1), 2.0), ((0.1, 0.2), 0.5), ((0.143, 0.143), 1.0), (None, 1.0)]
)
def test_the_proportions_are_those_of_the_patient(spacing: tuple[float, float] | None, aspect: float) -> None:
    picture = render_key_image(grey(1000, 1000, spacing), ())
    top, bottom = film_part(picture)
    assert (bottom - top) / picture.shape[1] == pytest.approx(aspect, rel=0.005)


def test_the_ratio_of_the_pixels_counts_where_there_is_no_spacing() -> None:
    picture = render_key_image(grey(1000, 1000), (), pixel_aspect=0.5)
    top, bottom = film_part(picture)
    assert (bottom - top) / picture.shape[1] == pytest.approx(0.5, rel=0.005)


def test_nothing_is_drawn_over_a_finding_or_its_border() -> None:
    box = (400.0, 300.0, 460.0, 350.0)
    picture = render_key_image(grey(1600, 1600), [finding(1, *box)])
    top, _ = film_part(picture)
    inside = picture[top + 395 : top + 465, 295:355]
    assert np.all(inside == 128)
    around = picture[top + 350 : top + 510, 250:400]
    assert np.any(around[..., 0].astype(int) - around[..., 2] > 100)


def test_the_notice_stands_above_the_film_and_not_in_it() -> None:
    picture = render_key_image(grey(1600, 1600), ())
    top, bottom = film_part(picture)
    amber = (picture[..., 0] > 200) & (picture[..., 2] < 60)
    assert amber[:top].sum() > 500
    assert not amber[top:bottom].any()
    height = np.flatnonzero(amber[:top].any(axis=1))
    assert height[-1] - height[0] >= 24
    assert np.all(picture[top:bottom] == 128)


def test_findings_and_no_findings_differ_below_the_film() -> None:
    empty = render_key_image(grey(1600, 1600), ())
    found = render_key_image(grey(1600, 1600), [finding(1, 400, 300, 460, 350)])
    assert empty.shape != found.shape or not np.array_equal(empty, found)
    _, bottom = film_part(empty)
    assert (empty[bottom:] > 200).sum() > 500


def test_up_stays_up_and_left_stays_left() -> None:
    pixels = np.zeros((1600, 1600), dtype=np.float32)
    pixels[:400, :400] = 1.0
    picture = render_key_image(Film("2.25.1", pixels), ())
    rows, columns = np.nonzero(picture[60:1600, :, 0] == 255)
    assert columns.max() < 420
    assert rows.max() < 460


def test_many_findings_are_counted_where_they_are_not_listed() -> None:
    many = [finding(n, 40 * n, 40 * n, 40 * n + 30, 40 * n + 30) for n in range(1, 21)]
    six, twenty = (render_key_image(grey(1600, 1600), many[:n]) for n in (6, 20))
    assert 0 < twenty.shape[0] - six.shape[0] < 60


def test_the_same_film_gives_the_same_picture() -> None:
    findings = [finding(1, 400, 300, 460, 350)]
    assert np.array_equal(
        render_key_image(grey(900, 800), findings), render_key_image(grey(900, 800), findings)
    )


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(64, 700),
    columns=st.integers(64, 700),
    edges=st.lists(st.tuples(*[st.floats(0, 0.98)] * 2, *[st.floats(0.005, 1)] * 2), max_size=4),
)
def test_no_box_breaks_the_picture(
    rows: int, columns: int, edges: list[tuple[float, float, float, float]]
) -> None:
    found = [
        finding(n, top * rows, left * columns, min(1, top + height) * rows, min(1, left + width) * columns)
        for n, (top, left, height, width) in enumerate(edges, start=1)
    ]
    picture = render_key_image(grey(rows, columns), found)
    assert picture.ndim == 3
    assert picture.shape[1] <= 2048
