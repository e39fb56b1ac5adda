"""Pictures of volumes: marks on the lesion, true proportions, and the directions of the patient."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from dicom_io.results import VolumeContext
from dicom_io.results.pictures.drawing import render
from dicom_io.results.pictures.panel import Mark, Panel
from dicom_io.results.pictures.volume_pictures import (
    directions_of,
    outlines_of,
    position_of,
    render_volume,
    render_volume_finding,
    shown_slices,
)
from dicom_io.results.pictures.volume_words import finding_line, study_lines
from models.results import Assessment, Box
from tests.dicom_io.results.every_kind import volume_image
from tests.dicom_io.results.volume_factory import affine_of, change_to, placed, suggested, volume_context


def area(outline: NDArray[np.float64]) -> float:
    """Return the area inside a closed outline."""
    rows, columns = outline[:, 0], outline[:, 1]
    return abs(float(rows @ np.roll(columns, 1) - columns @ np.roll(rows, 1))) / 2


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 9999), smooth=st.sampled_from([0.0, 1.0, 2.0]))
def test_outlines_run_round_the_pixels_of_each_component(seed: int, smooth: float) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random((20, 17)), smooth)
    mask = noise > np.median(noise)
    found = outlines_of(mask)
    labelled, count = ndimage.label(mask)
    assert len(found) == count
    for number, outline in enumerate(found, start=1):
        filled = ndimage.binary_fill_holes(labelled == number)
        assert area(outline) == pytest.approx(np.count_nonzero(filled))
        rows, columns = np.nonzero(filled)
        assert (outline.min(axis=0) == (rows.min(), columns.min())).all()
        assert (outline.max(axis=0) == (rows.max() + 1, columns.max() + 1)).all()
        steps = np.abs(np.diff(np.vstack([outline, outline[:1]]), axis=0)).sum(axis=1)
        assert (steps == 1).all()


@pytest.mark.parametrize(
    ("orientation", "letters"),
    [
        ("axial", ("R", "L", "A", "P")),
        ("sagittal", ("A", "P", "F", "H")),
        ("coronal", ("R", "L", "F", "H")),
    ],
)
def test_the_edges_say_where_they_point(orientation: str, letters: tuple[str, ...]) -> None:
    affine = affine_of(orientation)
    found = directions_of(affine)
    right, down = affine[:3, 2], affine[:3, 1]
    axes = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "H": (2, 1), "F": (2, -1)}
    for direction, letter in zip((-right, right, -down, down), found, strict=True):
        axis, sign = axes[letter[0]]
        assert np.argmax(np.abs(direction)) == axis
        assert np.sign(direction[axis]) == sign
    assert {one[0] for one in found} == set(letters)


def coloured(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(picture.astype(int) - colour).max(axis=-1) < 30)


def made(slices: slice = slice(2, 5)) -> VolumeContext:
    masks = np.zeros((7, 40, 60, 1), dtype=bool)
    masks[slices, 8:16, 30:50, 0] = True
    return volume_context(masks=masks, shape=(7, 40, 60), spacing=(3.0, 2.0, 1.0))


def test_the_outline_lies_on_the_lesion_in_true_proportions() -> None:
    context = made(slice(2, 3))
    picture = render_volume(context.reading, volume_image(context), title="t")
    # 40 rows of 2 mm by 60 columns of 1 mm: the panel is 80 by 60 mm
    top = int(np.flatnonzero((picture[:, 2] != 16).any(axis=-1))[0])
    assert top < 80
    scale = picture.shape[1] / 60
    amber = coloured(picture, (255, 191, 0))
    columns = np.flatnonzero(amber[top + round(12 * 2 * scale)]) / scale
    assert columns.min() == pytest.approx(30, abs=0.4)
    assert columns.max() == pytest.approx(50, abs=0.4)
    rows = np.flatnonzero(amber[top:, round(45 * scale)]) / (2 * scale)
    assert rows[rows > 5].min() == pytest.approx(8, abs=0.3)
    assert rows.max() == pytest.approx(16, abs=0.3)


def test_a_finding_stands_beside_its_slice_without_marks() -> None:
    context = made()
    image = volume_image(context)
    picture = render_volume_finding(context.reading, image, context.reading.findings[0], title="t")
    below = picture[100:]
    half = picture.shape[1] // 2
    assert coloured(below[:, :half], (255, 191, 0)).sum() > 200
    assert coloured(below[:, half:], (255, 191, 0)).sum() == 0


def test_nothing_found_shows_the_volume_without_marks() -> None:
    context = volume_context(empty=True)
    picture = render_volume(context.reading, volume_image(context), title="t")
    assert coloured(picture[60:], (255, 191, 0)).sum() == 0
    assert picture.shape[1] <= 2100


def tall(*extents: tuple[int, int], spacing: float = 1.0) -> VolumeContext:
    """Return findings in slices of 120, each between two slices and largest in the middle."""
    masks = np.zeros((120, 40, 40, len(extents)), dtype=bool)
    for number, (first, last) in enumerate(extents):
        middle = (first + last) // 2
        for index in range(first, last + 1):
            half = 1 + max(0, 9 - abs(index - middle))
            masks[index, 20 - half : 20 + half, 4 + 18 * number : 6 + 18 * number, number] = True
    return volume_context(masks=masks, spacing=(spacing, 1.0, 1.0))


def test_the_mosaic_has_nine_slices_apart_with_the_key_slice_among_them() -> None:
    reading = tall((20, 80)).reading
    slices = shown_slices(reading)
    assert len(slices) == 9
    assert slices == sorted(slices)
    assert min(np.diff(slices)) >= 61 / 10
    assert reading.findings[0].key_slice in slices
    assert all(reading.mask(1)[index].any() for index in slices)


def test_slices_a_hair_apart_are_not_shown_beside_each_other() -> None:
    slices = shown_slices(tall((50, 60)).reading)
    assert len(slices) == 3
    assert min(np.diff(slices)) >= 4


def test_every_finding_has_its_key_slice_in_the_mosaic() -> None:
    reading = tall((10, 90), (100, 104)).reading
    assert {finding.key_slice for finding in reading.findings} <= set(shown_slices(reading))


def test_overlapping_findings_have_a_mosaic() -> None:
    context = volume_context(findings=2, overlapping=True)
    assert {one.key_slice for one in context.reading.findings} <= set(shown_slices(context.reading))


def test_a_single_slice_is_shown_once() -> None:
    masks = np.zeros((1, 8, 8, 1), dtype=bool)
    assert shown_slices(volume_context(masks=masks[..., :0]).reading) == [0]
    masks[0, 2:4, 2:4] = True
    assert shown_slices(volume_context(masks=masks).reading) == [0]


@pytest.mark.parametrize(
    ("orientation", "letters"),
    [("axial", "HF"), ("sagittal", "LR"), ("coronal", "PA"), ("oblique-axial", "HF")],
)
def test_a_slice_says_where_it_lies(orientation: str, letters: str) -> None:
    context = volume_context(orientation=orientation, origin=(-9.0, -8.0, -7.0))
    image = volume_image(context)
    axis = {"L": 0, "P": 1, "H": 2}[letters[0]]
    for index in (0, 6):
        middle = image.affine[axis] @ np.array([index, 23 / 2, 19 / 2, 1])
        letter, number, unit = position_of(image, index).split()
        assert (letter, unit) == (letters[0 if middle >= 0 else 1], "mm")
        assert float(number) == pytest.approx(abs(middle), abs=0.51)


def bar_of(picture: NDArray[np.uint8]) -> float:
    """Return the length of the longest grey line of a picture in pixels."""
    grey = coloured(picture, (170, 170, 170))
    longest = 0
    for row in grey:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        longest = max(longest, int(max(edges[1::2] - edges[::2], default=0)))
    return float(longest)


@pytest.mark.parametrize(("width_mm", "length"), [(240.0, 50), (180.0, 50), (100.0, 20), (9.0, 2)])
def test_the_bar_is_as_long_as_it_says(width_mm: float, length: int) -> None:
    panel = Panel(np.zeros((100, 100), dtype=np.float32), width_mm=width_mm)
    picture = render([panel], [], "")
    assert bar_of(picture) == pytest.approx(length * picture.shape[1] / width_mm, abs=6)


def test_without_a_round_length_there_is_no_bar() -> None:
    panel = Panel(np.zeros((100, 100), dtype=np.float32), width_mm=2.0)
    assert bar_of(render([panel], [], "")) == 0
    with pytest.raises(ValueError, match="width of a panel"):
        Panel(np.zeros((2, 3), dtype=np.float32), width_mm=0)


def test_the_words_say_what_was_read_and_decided() -> None:
    plain = tall((50, 60))
    total = plain.reading.volume_ml
    reading = placed(
        plain,
        parts=2,
        classifications=(suggested(),),
        change=change_to(total),
        series_used=("FLAIR", "T1"),
        series_missing=("T1 with contrast",),
    ).reading
    assert finding_line(reading.findings[0]).endswith("mm, left, 2 parts")
    assert study_lines(reading, Assessment("review", reasons=("Members disagree.", "And more."))) == [
        f"On 2025-03-01: {total / 2:.2g} ml; now {total:.2g} ml, change {total / 2:+.2g} ml (+100 %)",
        "Type of tumour, suggested by algorithm: Meningioma 71 %, Glioma 24 %",
        "Read: FLAIR, T1; not there: T1 with contrast",
        "Assessment: REVIEW: Members disagree.",
    ]


def test_what_is_not_comparable_shows_no_change() -> None:
    plain = tall((50, 60))
    change = change_to(plain.reading.volume_ml, 0.0, comparable=False, reason="thicker slices")
    lines = study_lines(placed(plain, change=change).reading, None)
    assert lines == ["On 2025-03-01: 0.0 ml, not comparable: thicker slices", "Read: FLAIR"]


def test_the_same_volume_gives_the_same_picture() -> None:
    context = made()
    one, two = (render_volume(context.reading, volume_image(context), title="t") for _ in range(2))
    assert np.array_equal(one, two)


def test_a_picture_needs_a_panel_and_a_panel_an_image() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        render([], [], "t")
    with pytest.raises(ValueError, match="one image"):
        Panel(np.zeros((2, 3, 4), dtype=np.float32))
    with pytest.raises(ValueError, match="positive"):
        Panel(np.zeros((2, 3), dtype=np.float32), aspect=0)
    with pytest.raises(ValueError, match="directions"):
        Panel(np.zeros((2, 3), dtype=np.float32), directions=("L",))
    with pytest.raises(ValueError, match="something to point at"):
        Mark("nothing")
    assert Mark("box", Box(0, 0, 1, 1)).label == "box"
