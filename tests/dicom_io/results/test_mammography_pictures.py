"""Mammograms as they hang: turned, marked, at one scale."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from dicom_io.results.pictures import mammography_pictures
from dicom_io.results.pictures.drawing import render, wrapped
from dicom_io.results.pictures.hanging import HungMammogram, chest_wall_of, hung_pixels
from dicom_io.results.pictures.mammography_pictures import (
    Pair,
    render_comparison,
    render_mammography,
    render_mammography_finding,
)
from dicom_io.results.pictures.mammography_words import exam_lines, interval_words
from dicom_io.results.pictures.marks import font
from dicom_io.results.pictures.panel import Panel
from models.film import Film
from models.mammography_results import ImageSide, LesionGroup
from models.results import Assessment, Box
from tests.dicom_io.results.mammography_factory import FOUR, Shot, examination, header_of, image_of, prior
from tests.dicom_io.results.test_mammography_sizes import enhanced

DISC = 0.95
LESION = (400.0, 120.0, 20.0)


def hung(shot: Shot, *, wall: ImageSide | None = None) -> HungMammogram:
    made = examination((shot,))
    (image,) = made.mammograms
    return HungMammogram.of(
        image, made.context.findings, header=made.context.headers[0], chest_wall=wall or shot.chest_wall
    )


def middle_of(picture: NDArray[Any], value: float = DISC) -> tuple[float, float]:
    rows, columns = np.nonzero(picture >= value - 0.1)
    return float(rows.mean()) + 0.5, float(columns.mean()) + 0.5


def panels_of(monkeypatch: pytest.MonkeyPatch) -> list[Panel]:
    """Gather the panels that are drawn."""
    gathered: list[Panel] = []

    def keeping(panels: list[Panel], *args: Any, **options: Any) -> NDArray[np.uint8]:
        gathered[:] = panels
        return render(panels, *args, **options)

    monkeypatch.setattr(mammography_pictures, "render", keeping)
    return gathered


@pytest.mark.parametrize("side", ["R", "L"])
@pytest.mark.parametrize("wall", ["left", "right"])
def test_chest_walls_come_to_the_middle(side: str, wall: ImageSide) -> None:
    image = hung(Shot(side, "MLO", wall=wall))
    assert image.mirrored is (wall == ("left" if side == "R" else "right"))
    shown = hung_pixels(image, 1.0)
    near, far = (shown[:, -40:], shown[:, :40]) if side == "R" else (shown[:, :40], shown[:, -40:])
    assert near.mean() > 2 * far.mean()


@pytest.mark.parametrize("side", ["R", "L"])
@pytest.mark.parametrize("wall", ["left", "right"])
@pytest.mark.parametrize("spacing", [0.3, 0.1, None])
def test_a_mark_lands_on_its_lesion_however_the_image_is_stored(
    side: str, wall: ImageSide, spacing: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    panels = panels_of(monkeypatch)
    image = hung(Shot(side, "CC", wall=wall, lesion=LESION, spacing=spacing))
    render_mammography([image], [], "title")
    (panel,) = (one for one in panels if one.marks)
    box = panel.marks[0].box
    assert box is not None
    row, column = middle_of(panel.pixels)
    assert box.centre == pytest.approx((row, column), abs=1.0)
    diameter = np.count_nonzero((panel.pixels >= DISC - 0.1).any(axis=1))
    assert box.height == pytest.approx(diameter, abs=2.0) and box.width == pytest.approx(diameter, abs=2.0)
    (finding,) = image.findings  # and the source is where it was
    assert finding.candidate.box == Box(380.0, 100.0, 420.0, 140.0)


@pytest.mark.parametrize("wall", ["left", "right"])
def test_corners_are_drawn_around_the_lesion_and_never_over_it(wall: ImageSide) -> None:
    image = hung(Shot("R", "CC", wall=wall, lesion=LESION))
    picture = render_mammography([image], [], "title").astype(int)
    parts, _ = ndimage.label(np.all(picture == round(DISC * 255), axis=-1))
    disc = parts == np.bincount(parts.ravel())[1:].argmax() + 1  # letters have that grey too
    rows, columns = np.nonzero(disc)
    inside = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert not ((inside[..., 0] - inside[..., 2]) > 60).any()
    around = picture[rows.min() - 60 : rows.max() + 60, max(columns.min() - 60, 0) : columns.max() + 60]
    assert ((around[..., 0] - around[..., 2]) > 100).sum() > 100


@settings(max_examples=40, deadline=None)
@given(
    mirrored=st.booleans(),
    upended=st.booleans(),
    row=st.floats(60, 580),
    column=st.floats(60, 450),
    scale=st.floats(0.5, 3),
)
def test_points_and_pixels_are_turned_alike(
    mirrored: bool, upended: bool, row: float, column: float, scale: float
) -> None:
    pixels = np.full((640, 512), 0.2, dtype=np.float32)
    grid = np.mgrid[0:640, 0:512] + 0.5
    pixels[(grid[0] - row) ** 2 + (grid[1] - column) ** 2 <= 15**2] = 1.0
    plain = image_of(header_of(1, Shot("R", "CC")), Shot("R", "CC"))
    shown = replace(plain, film=Film(plain.sop_instance_uid, pixels))
    image = HungMammogram(shown, (), mirrored, upended, (5, 7, 600, 500))
    found = middle_of(hung_pixels(image, scale), 1.0)
    place = image.place(row, column)
    assert found == pytest.approx((place[0] * scale, place[1] * scale), abs=1.5)


@pytest.mark.parametrize(
    ("side", "view", "orientation", "upended"),
    [
        ("R", "MLO", ["P", "F"], False),
        ("R", "MLO", ["P", "FL"], False),
        ("R", "MLO", ["P", "HR"], True),
        ("L", "MLO", ["A", "H"], True),
        ("R", "CC", ["P", "L"], False),
        ("R", "CC", ["P", "R"], False),  # lateral side below: as well of the other breast
        ("L", "CC", ["A", "R"], False),
        ("L", "CC", ["A", "L"], False),
        ("L", "CC", ["P", "L"], False),  # contradicts the chest wall: not trusted
        ("L", "CC", ["", ""], False),
    ],
)
def test_an_image_that_is_stored_upside_down_is_turned(
    side: str, view: str, orientation: list[str], upended: bool
) -> None:
    shot = Shot(side, view, more=(("PatientOrientation", orientation),))
    assert hung(shot).upended is upended
    header = enhanced(header_of(1, shot))
    assert HungMammogram.of(image_of(header, shot), header=header).upended is upended


@pytest.mark.parametrize("wall", ["left", "right"])
def test_the_chest_wall_is_found_where_nobody_states_it(wall: ImageSide) -> None:
    shot = Shot("R", "MLO", wall=wall)
    assert chest_wall_of(image_of(header_of(1, shot), shot)) == wall


@pytest.mark.parametrize("wall", ["left", "right"])
def test_the_header_says_it_where_no_breast_is_found(wall: ImageSide) -> None:
    shot = Shot("R", "CC", wall=wall)
    header = header_of(1, shot)
    plain = image_of(header, shot)
    noise = np.random.default_rng(1).random((640, 512)).astype(np.float32)
    blank = replace(plain, film=Film(plain.sop_instance_uid, noise))
    assert chest_wall_of(blank, header) == wall


def test_black_borders_are_left_out_and_findings_never() -> None:
    shot = Shot("R", "CC", lesion=LESION)
    header = header_of(1, shot)
    plain = image_of(header, shot)
    padded = np.zeros((640, 512), dtype=np.float32)
    padded[200:500, 150:350] = 0.5
    padded[210, :] = 0.5  # a scratch
    image = replace(plain, film=Film(plain.sop_instance_uid, padded))
    found = examination((shot,)).context.findings
    assert HungMammogram.of(image, chest_wall="right").part == (200, 150, 500, 350)
    assert HungMammogram.of(image, found, chest_wall="right").part == (200, 80, 500, 350)
    black = replace(plain, film=Film(plain.sop_instance_uid, np.zeros((640, 512), dtype=np.float32)))
    assert HungMammogram.of(black, chest_wall="right").part == (0, 0, 640, 512)


def test_views_hang_by_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    shots = (Shot("L", "MLO"), Shot("R", "MLO"), Shot("L", "CC"), Shot("R", "CC"))
    render_mammography([hung(shot) for shot in shots], [], "title")
    assert [panel.caption for panel in panels] == ["R CC", "L CC", "R MLO", "L MLO"]
    for right, left in (panels[:2], panels[2:]):
        assert right.pixels[:, -1].mean() > 0.1 and left.pixels[:, 0].mean() > 0.1
        assert right.pixels[:, 0].mean() < 0.05 and left.pixels[:, -1].mean() < 0.05


def test_missing_views_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    picture = render_mammography([hung(Shot("L", "MLO"))], [], "title", not_read=["R MLO"])
    words = ["no R CC image", "no L CC image", "R MLO could not be read", ""]
    assert [panel.words for panel in panels] == words
    assert panels[0].pixels.shape[0] < panels[2].pixels.shape[0]
    assert (picture > 120).any(axis=-1).sum() > 1000


def test_repeated_images_stand_below_by_falling_score(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    made = examination((Shot("R", "CC", score=0.2), Shot("R", "CC", score=0.6), Shot("L", "CC")))
    images = [HungMammogram.of(image) for image in made.mammograms]
    scores = {reading.sop_instance_uid: reading.case_score for reading in made.context.readings}
    render_mammography(images, [], "title", scores=scores)
    assert [panel.caption or panel.words for panel in panels] == [
        "R CC, image score 60 %",
        "L CC, image score 50 %",
        "R CC, image 2, image score 20 %",
        "no further L CC image",
        "no R MLO image",
        "no L MLO image",
    ]


def test_of_many_repeats_those_with_findings_are_all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    shots = [Shot("R", "CC", score=0.9)] * 7 + [Shot("R", "CC", lesion=LESION, score=0)]
    made = examination(shots)
    images = [HungMammogram.of(one, made.context.findings) for one in made.mammograms]
    scores = {reading.sop_instance_uid: reading.case_score for reading in made.context.readings}
    render_mammography(images, [], "title", scores=scores)
    assert sum(bool(panel.marks) for panel in panels) == 1


def test_other_views_alone_have_no_empty_standard_views(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    render_mammography([hung(Shot("R", "ML"))], [], "title")
    assert [panel.caption or panel.words for panel in panels] == ["R ML", "no L ML image"]


def test_all_breasts_are_shown_at_one_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    coarse = Shot("R", "CC", lesion=(300.0, 300.0, 30.0), spacing=0.2)
    fine = Shot("L", "CC", lesion=(600.0, 300.0, 60.0), spacing=0.1, shape=(1280, 1024))
    render_mammography([hung(coarse), hung(fine)], [], "title")
    right, left = (panel.marks[0].box for panel in panels[:2])
    assert right is not None and left is not None
    assert right.height == pytest.approx(left.height, rel=1e-6)
    assert [panel.width_mm is not None for panel in panels[:2]] == [False, True]


def test_an_image_without_spacing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    render_mammography([hung(Shot("R", "CC")), hung(Shot("L", "CC", spacing=None))], [], "title")
    assert [panel.caption for panel in panels[:2]] == ["R CC", "L CC, scale not known"]
    assert panels[1].width_mm is None


@pytest.mark.parametrize("wall", ["left", "right"])
def test_the_enlarged_finding_is_marked_where_it_is(wall: ImageSide, monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    image = hung(Shot("R", "CC", wall=wall, lesion=LESION))
    render_mammography_finding(image, image.findings[0], [], "title")
    whole, near = panels
    for panel in (whole, near):
        box = panel.marks[0].box
        assert box is not None
        assert box.centre == pytest.approx(middle_of(panel.pixels), abs=1.5)
    assert near.caption == "Finding 1, enlarged"
    first, second = whole.marks[0].box, near.marks[0].box
    assert first is not None and second is not None and second.height > 2 * first.height


def test_a_finding_at_the_border_is_enlarged_too() -> None:
    image = hung(Shot("L", "MLO", lesion=(20.0, 20.0, 20.0)))
    picture = render_mammography_finding(image, image.findings[0], [], "title")
    assert picture.dtype == np.uint8 and picture.ndim == 3


def test_now_and_before_have_one_scale_and_one_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    now = hung(Shot("R", "CC", lesion=LESION))
    before = prior(1, Shot("R", "CC", wall="left", lesion=(200.0, 392.0, 10.0), spacing=0.6))
    turned = HungMammogram.of(before.mammogram, (), header=before.header)
    picture = render_comparison([Pair(now, turned, "14 months before")], [], "title")
    earlier, current = panels
    assert (current.caption, earlier.caption) == ("Now: R CC", "Prior, 14 months before: R CC")
    assert not earlier.marks and current.marks
    assert earlier.pixels[:, -1].mean() > 0.1
    sizes = [np.count_nonzero((panel.pixels >= DISC - 0.1).any(axis=1)) for panel in panels]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)  # 6 mm each
    assert picture.shape[2] == 3


def test_a_view_without_an_earlier_image_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    panels = panels_of(monkeypatch)
    now, other = hung(Shot("R", "CC")), hung(Shot("L", "MLO"))
    render_comparison([Pair(now, now, "5 days before"), Pair(other, None)], [], "title")
    assert [panel.caption or panel.words for panel in panels] == [
        "Prior, 5 days before: R CC",
        "Now: R CC",
        "no L CC image",
        "",
        "no R MLO image",
        "",
        "Now: L MLO",
        "no earlier L MLO image",
    ]
    with pytest.raises(ValueError, match="at least one view of before"):
        render_comparison([Pair(now, None)], [], "title")


def test_nothing_to_show_is_no_picture() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        render_mammography([], [], "title")


def test_words_below_say_breasts_lesions_tissue_decision_and_what_was_not_read() -> None:
    made = examination(FOUR).context
    exam = replace(made.exam, groups=(LesionGroup(1, (1, 2), 0.9),), views_compared=True)
    assert exam_lines(replace(made, exam=exam)) == [
        "1:  L CC, score 81 %, box 12 x 12 mm (size not calibrated)",
        "2:  L MLO, score 81 %, box 13 x 13 mm (size not calibrated)",
        "1 and 2 are taken for one lesion, score 90 %",
        "Score of the breast:  right 12 %, left 88 %",
        "Background tissue, mini-MIAS class:  fatty-glandular",
        "Assessment: not assessed: No calibration is fitted for this package.",
    ]
    some = examination([replace(shot, fails=shot.side == "L", lesion=None) for shot in FOUR]).context
    assert exam_lines(some)[0] == "No finding at or above the operating point."
    assert exam_lines(some)[-1] == "2 images not read, see the report"
    assert "Not everything" in exam_lines(replace(made, partial=True))[-1]


@pytest.mark.parametrize(
    ("earlier", "later", "words"),
    [
        (datetime(2025, 1, 3), datetime(2026, 3, 4), "14 months before"),
        (datetime(2025, 1, 5), datetime(2026, 3, 4), "13 months before"),
        (datetime(2026, 3, 4, 1), datetime(2026, 3, 4, 9), "the same day"),
        (datetime(2026, 3, 3, 23), datetime(2026, 3, 4, 1), "1 day before"),
        (datetime(2026, 1, 4), datetime(2026, 3, 4), "59 days before"),
        (datetime(2026, 1, 3), datetime(2026, 3, 4), "2 months before"),
        (datetime(2020, 3, 5), datetime(2026, 3, 4), "5 years before"),
        (None, datetime(2026, 3, 4), "date not known"),
    ],
)
def test_how_long_before(earlier: datetime | None, later: datetime, words: str) -> None:
    assert interval_words(earlier, later) == words


def test_the_picture_says_what_the_package_states() -> None:
    made = examination(FOUR).context
    stating = replace(made, package=replace(made.package, statements=("No clips.", "Films only.")))
    assert "No clips. Films only." in exam_lines(stating)
    assert exam_lines(made) == [line for line in exam_lines(stating) if not line.startswith("No clips")]


def test_the_picture_says_the_first_reasons_and_how_many_more_there_are() -> None:
    made = examination(FOUR).context
    reasons = tuple(f"Reason {number}." for number in range(1, 8))
    said = exam_lines(replace(made, assessment=Assessment("review", reasons=reasons)))
    assert said[-6:] == [
        "Assessment: REVIEW: Reason 1.",
        *reasons[1:5],
        "and 2 more reasons in the report",
    ]
    said = exam_lines(replace(made, assessment=Assessment("review", reasons=reasons[:5])))
    assert said[-1] == "Reason 5."


def test_a_long_line_below_a_picture_goes_on_in_the_next_one() -> None:
    line = "Assessment: REVIEW: The figures of the package are not of CC views, nor of anything like it."
    parts = wrapped(line, 300, font(24))
    assert len(parts) > 1 and " ".join(part.strip() for part in parts) == line
    assert all(font(24).getlength(part) <= 300 for part in parts)
    assert wrapped("Short.", 300, font(24)) == ["Short."]
    assert wrapped("Incomprehensibilities", 20, font(24)) == ["Incomprehensibilities"]
    picture = [Panel(np.zeros((400, 320), dtype=np.float32))]
    plain, long = (render(picture, [words], "title") for words in ("Short.", 3 * line))
    assert long.shape[0] > plain.shape[0] and long.shape[1] == plain.shape[1]
