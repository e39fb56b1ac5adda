"""From a mammogram to the network's input and back."""

from __future__ import annotations

import time

import numpy as np
import pytest

from models.film import Film
from models.mammogram import Mammogram
from models.mammography.channels import OUTSIDE, channels_of
from models.mammography.preprocess import NoBreast, grey_view, prepare
from models.mammography_results import MammographyView
from models.phantoms.breast import BreastPhantom, PhantomMass, breast_phantom


def _mammogram(
    phantom: BreastPhantom, pixels: np.ndarray | None = None, spacing: tuple[float, float] | None = None
) -> Mammogram:
    film = Film(
        "1.2.3",
        np.asarray(phantom.pixels if pixels is None else pixels, dtype=np.float32),
        pixel_spacing_mm=spacing or phantom.pixel_spacing_mm,
    )
    return Mammogram(film, MammographyView("1.2.3", phantom.laterality, phantom.view))


def test_an_empty_image_is_refused() -> None:
    phantom = breast_phantom(0)
    with pytest.raises(NoBreast, match="no contrast"):
        prepare(_mammogram(phantom, np.zeros((400, 300))))


@pytest.mark.parametrize("height", [0, -32, 100])
def test_a_height_that_no_network_takes_is_refused(height: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        prepare(_mammogram(breast_phantom(0)), height)


def test_channels_need_sides_that_fit() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        channels_of(np.zeros((34, 32), dtype=np.float32), np.zeros((34, 32), dtype=bool))
    with pytest.raises(ValueError, match="same sides"):
        channels_of(np.zeros((32, 32), dtype=np.float32), np.zeros((32, 64), dtype=bool))


def test_an_empty_mask_or_a_flat_breast_gives_the_outside() -> None:
    flat = np.full((64, 64), 0.4, dtype=np.float32)
    for mask in (np.zeros((64, 64), dtype=bool), np.ones((64, 64), dtype=bool)):
        tensor = channels_of(flat, mask)
        assert tensor.shape == (3, 64, 64)
        assert all((tensor[i] == OUTSIDE[i]).all() for i in range(3))


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("view", ["MLO", "CC"])
def test_the_grid_holds_the_breast_with_its_chest_wall_on_the_left(side: str, view: str) -> None:
    prepared = prepare(_mammogram(breast_phantom(1, side, view, film=True)))
    _, channels, height, width = prepared.tensor.shape
    assert prepared.tensor.dtype == np.float32 and channels == 3
    assert height % 32 == 0 and width % 32 == 0 and height <= 576 and width <= 384
    assert prepared.mask.shape == (height, width) == prepared.placement.shape
    assert prepared.mask[:, :8].mean() > 1.5 * prepared.mask[:, width // 2 :].mean()
    assert np.abs(prepared.tensor).max() <= 1.0
    assert prepared.placement.flipped == (side == "R")
    assert prepared.anatomy.chest_wall == ("left" if side == "L" else "right")
    assert (prepared.anatomy.pectoral is None) == (view == "CC")
    for channel, value in enumerate(OUTSIDE):
        assert (prepared.tensor[0, channel][~prepared.mask] == value).all()


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_mass_lies_where_the_placement_says(side: str) -> None:
    phantom = breast_phantom(2, side, "MLO", [PhantomMass(100, 58, 6, contrast=0.6)])
    prepared = prepare(_mammogram(phantom))
    box = phantom.masses[0].box
    source = np.array([[box.top, box.left, box.bottom, box.right]])
    top, left, bottom, right = prepared.placement.to_network(source)[0].round().astype(int)
    assert prepared.mask[top:bottom, left:right].all()
    grey = prepared.tensor[0, 0]
    ring = grey[top - 12 : bottom + 12, left - 12 : right + 12]
    assert grey[top + 3 : bottom - 3, left + 3 : right - 3].mean() > ring.mean() + 0.2
    assert np.allclose(prepared.placement.to_source(prepared.placement.to_network(source)), source)


def test_both_breasts_of_a_phantom_look_the_same_to_the_network() -> None:
    one, other = (prepare(_mammogram(breast_phantom(3, side, "MLO", label=False))) for side in ("L", "R"))
    assert one.tensor.shape == other.tensor.shape
    assert np.corrcoef(one.tensor[0, 0].ravel(), other.tensor[0, 0].ravel())[0, 1] > 0.98


def test_pixels_become_square_in_millimetres() -> None:
    phantom = breast_phantom(1, "L", "CC")
    plain = prepare(_mammogram(phantom)).placement
    pitch = phantom.pixel_spacing_mm[0]
    stretched = np.repeat(phantom.pixels, 2, axis=0)
    found = prepare(_mammogram(phantom, stretched, (pitch / 2, pitch))).placement
    assert found.scale_x / found.scale_y == pytest.approx(2, rel=0.03)
    assert found.content == pytest.approx(plain.content, abs=12)


def test_channels_hardly_depend_on_the_grey_mapping() -> None:
    view = grey_view(_mammogram(breast_phantom(1, "L", "MLO", [PhantomMass(130, 45, 7)])))
    plain = channels_of(view.grey, view.mask)
    scaled = channels_of(0.3 + 0.5 * view.grey, view.mask)
    assert np.allclose(plain, scaled, atol=0.02)
    bent = channels_of(view.grey**1.3, view.mask)
    for channel in range(3):
        assert np.corrcoef(plain[channel][view.mask], bent[channel][view.mask])[0, 1] > 0.95


def test_the_muscle_can_be_left_out() -> None:
    phantom = breast_phantom(0, "R", "MLO")
    whole = prepare(_mammogram(phantom))
    without = prepare(_mammogram(phantom), without_muscle=True)
    assert whole.mask[5:60, 5:30].all() and not without.mask[5:60, 5:30].any()
    lower = slice(whole.mask.shape[0] * 2 // 3, None)
    assert np.array_equal(whole.mask[lower], without.mask[lower])


def test_a_full_field_image_and_the_channels_are_fast() -> None:
    mammogram = _mammogram(breast_phantom(1, "L", "MLO", rows=4000, columns=3000))
    begin = time.process_time()
    view = grey_view(mammogram)
    tensor = channels_of(view.grey, view.mask)
    assert time.process_time() - begin < 1.2
    assert tensor.shape[1] == 576
