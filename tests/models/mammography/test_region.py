"""The breast is found whatever a scanner left around it, and what is no breast is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.mammography.region import InvertedImage, NoBreast, find_breast, reduced
from models.phantoms.breast import BreastPhantom, breast_phantom
from models.phantoms.chest import chest_phantom


def _overlap(phantom: BreastPhantom) -> float:
    region = find_breast(phantom.pixels)
    block = np.ones((region.step, region.step), dtype=bool)
    rows, columns = phantom.pixels.shape
    mask = np.kron(region.mask, block)[:rows, :columns]
    return 2 * float((mask & phantom.tissue).sum()) / float(mask.sum() + phantom.tissue.sum())


def _two_breasts() -> np.ndarray:
    left, right = (breast_phantom(3, side, "CC", label=False).pixels[:, :] for side in ("L", "R"))
    return np.hstack([right, left])


def _noise(spread: float) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.clip(0.5 + spread * rng.standard_normal((600, 480)), 0, 1).astype(np.float32)


def _disc() -> np.ndarray:
    y, x = np.mgrid[:400, :300]
    return (((y - 200) ** 2 + (x - 150) ** 2 < 100**2) * (0.4 + y / 800)).astype(np.float32)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.full((300, 300), 0.5, dtype=np.float32), "no contrast"),
        (np.zeros((300, 300), dtype=np.float32), "no contrast"),
        (_noise(0.001), "no contrast"),
        (_noise(0.2), "no region of the size of a breast"),
        (np.zeros((20, 300), dtype=np.float32), "at least 64 pixels"),
        (np.tile(np.linspace(0, 1, 300, dtype=np.float32), (300, 1)), "both sides are straight"),
        (_disc(), "no straight side"),
        (_two_breasts(), "no single breast|no straight side|more than one"),
        (1 - breast_phantom(1).pixels, "evenly bright|filled|straight|shape|wide"),
        (np.rot90(breast_phantom(1, "L", "CC").pixels), "wider than high"),
        (chest_phantom(1, rows=600, columns=600).pixels.astype(np.float32) / 4095, "."),
    ],
    ids=["grey", "black", "faint", "noise", "tiny", "ramp", "disc", "two", "inverted", "turned", "chest"],
)
def test_what_is_no_breast_is_refused_with_a_reason(pixels: np.ndarray, reason: str) -> None:
    with pytest.raises(NoBreast, match=reason):
        find_breast(pixels)


def test_a_refusal_is_a_value_error() -> None:
    assert issubclass(NoBreast, ValueError)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("view", ["MLO", "CC"])
@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_breast_and_chest_wall_are_found(side: str, view: str, film: bool, seed: int) -> None:
    phantom = breast_phantom(seed, side, view, film=film, implant=seed == 2)
    assert find_breast(phantom.pixels).chest_wall == phantom.chest_wall
    assert _overlap(phantom) > 0.98


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_padding_of_either_colour_stays_outside(value: float) -> None:
    phantom = breast_phantom(4, "L", "MLO", label=False)
    plain = find_breast(phantom.pixels)
    padded = np.pad(phantom.pixels, ((0, 0), (0, 240)), constant_values=value)
    found = find_breast(padded)
    assert found.chest_wall == "left"
    assert np.allclose(found.box, plain.box, atol=3 * found.step)


def test_black_padding_behind_the_chest_wall_stays_outside() -> None:
    phantom = breast_phantom(4, "R", "MLO")
    found = find_breast(np.pad(phantom.pixels, ((60, 60), (0, 200))))
    assert found.chest_wall == "right"
    assert abs(found.box[3] - 720) <= 2 * found.step
    assert abs(found.box[0] - 60) <= 2 * found.step


def test_a_saturated_muscle_is_no_frame() -> None:
    phantom = breast_phantom(0, "L", "MLO")
    found = find_breast(np.clip(phantom.pixels * 1.6, 0, 1))
    assert found.box[0] == 0 and found.box[1] == 0
    assert found.mask[2:30, 2:20].all()


def test_the_result_hardly_depends_on_the_grey_mapping() -> None:
    phantom = breast_phantom(2, "R", "MLO", film=True)
    plain = find_breast(phantom.pixels)
    for power in (0.6, 1.5):
        found = find_breast(phantom.pixels**power)
        assert found.chest_wall == plain.chest_wall
        assert np.mean(found.mask != plain.mask) < 0.03


def test_the_box_and_the_mask_agree() -> None:
    found = find_breast(breast_phantom(6, "L", "CC", rows=1003, columns=777).pixels)
    top, left, bottom, right = found.box
    assert found.step == 4 and found.mask.shape == (251, 195)
    assert found.mask[:, : left // 4].sum() == 0 and found.mask[: top // 4].sum() == 0
    assert bottom <= 1003 and right <= 777
    assert found.area == found.mask.sum() * 16


def test_blocks_are_averaged_to_the_last_row() -> None:
    values = np.arange(35, dtype=np.float32).reshape(5, 7)
    assert reduced(values, 3).shape == (2, 3)
    assert reduced(values, 3)[1, 2] == pytest.approx((27 + 34) / 2)
    assert reduced(values, 1) is values or np.array_equal(reduced(values, 1), values)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_a_negative_is_no_breast(view: str, seed: int) -> None:
    phantom = breast_phantom(seed, "L", view)
    with pytest.raises(NoBreast):
        find_breast(1 - phantom.pixels)


@pytest.mark.parametrize("around", [0.0, 0.5])
def test_what_is_white_for_the_most_part_is_known_for_a_negative(around: float) -> None:
    rows, columns = np.mgrid[:400, :300].astype(np.float32)
    inside = np.hypot((rows - 200) / 190, columns / 280) < 1
    white = 0.95 + 0.05 * columns / 300
    pixels = np.where(inside, white, around * (0.6 + 0.8 * columns / 300)).astype(np.float32)
    with pytest.raises(InvertedImage, match="most of the image is white"):
        find_breast(pixels)
    grey = np.where(inside, 0.3 + 0.5 * columns / 300, around / 10).astype(np.float32)
    assert find_breast(grey).chest_wall == "left"
