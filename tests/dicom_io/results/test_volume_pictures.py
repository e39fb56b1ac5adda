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
    render_volume,
    render_volume_finding,
)
from models.results import Box
from tests.dicom_io.results.every_kind import volume_image
from tests.dicom_io.results.volume_factory import affine_of, volume_context


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


def made() -> VolumeContext:
    masks = np.zeros((7, 40, 60, 1), dtype=bool)
    masks[2:5, 8:16, 30:50, 0] = True
    return volume_context(masks=masks, shape=(7, 40, 60), spacing=(3.0, 2.0, 1.0))


def test_the_outline_lies_on_the_lesion_in_true_proportions() -> None:
    context = made()
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
