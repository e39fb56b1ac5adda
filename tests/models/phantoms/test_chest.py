from __future__ import annotations

import numpy as np
import pytest

from models.phantoms import ChestPhantom, PhantomNodule, chest_phantom, random_nodules
from models.polarity import chest_layout_correlation


@pytest.fixture(scope="module")
def plain() -> ChestPhantom:
    return chest_phantom(1, rows=512, columns=512)


def as_shown(phantom: ChestPhantom) -> np.ndarray:
    return (phantom.pixels / 4095).astype(np.float32)


def test_stored_values(plain: ChestPhantom) -> None:
    assert plain.pixels.dtype == np.uint16
    assert plain.pixels.shape == (512, 512)
    assert plain.pixels.max() <= 4095
    assert plain.pixel_spacing_mm == (352 / 512, 352 / 512)
    assert plain.nodules == ()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_it_is_laid_out_like_a_chest(seed: int) -> None:
    assert chest_layout_correlation(as_shown(chest_phantom(seed, rows=256, columns=256))) > 0.7


def test_lungs_are_darker_than_mediastinum_and_abdomen(plain: ChestPhantom) -> None:
    shown = as_shown(plain)
    lung = np.median(shown[220:280, 130:170])
    assert lung < np.median(shown[220:280, 245:265]) - 0.15
    assert lung < np.median(shown[440:480, 200:300]) - 0.15
    assert shown[60, 20] < lung


def test_the_same_seed_gives_the_same_pixels(plain: ChestPhantom) -> None:
    np.testing.assert_array_equal(chest_phantom(1, rows=512, columns=512).pixels, plain.pixels)
    assert np.any(chest_phantom(2, rows=512, columns=512).pixels != plain.pixels)


def test_quantum_noise_is_larger_where_less_gets_through(plain: ChestPhantom) -> None:
    other = chest_phantom(1, (PhantomNodule(-60.0, 150.0, 1.0),), rows=512, columns=512)
    assert other.pixels.shape == plain.pixels.shape
    shown = plain.pixels.astype(float)
    fine = shown[:, 1:] - shown[:, :-1]
    assert fine[440:480, 180:200].std() > 1.2 * fine[230:240, 140:160].std() > 0


def test_a_nodule_brightens_its_box_and_nothing_else(plain: ChestPhantom) -> None:
    nodule = PhantomNodule(x_mm=-70.0, y_mm=150.0, diameter_mm=24.0)
    phantom = chest_phantom(1, (nodule,), rows=512, columns=512)
    (truth,) = phantom.nodules
    assert truth.centre == pytest.approx((150 / 352 * 512, 256 - 70 / 352 * 512))
    assert truth.box.height == truth.box.width == pytest.approx(24 / 352 * 512)
    top, left, bottom, right = (
        round(side) for side in (truth.box.top, truth.box.left, truth.box.bottom, truth.box.right)
    )
    change = phantom.pixels.astype(float) - plain.pixels
    inside = change[top + 8 : bottom - 8, left + 8 : right - 8].mean()
    assert inside > 100
    outside = change.copy()
    outside[top - 40 : bottom + 40, left - 40 : right + 40] = 0
    assert abs(outside.mean()) < 0.1 * inside


def test_larger_nodules_are_brighter(plain: ChestPhantom) -> None:
    def brightness(diameter: float) -> float:
        phantom = chest_phantom(1, (PhantomNodule(-70.0, 150.0, diameter),), rows=512, columns=512)
        row, column = (round(place) for place in phantom.nodules[0].centre)
        near = np.s_[row - 2 : row + 3, column - 2 : column + 3]
        return float(phantom.pixels[near].mean() - plain.pixels[near].mean())

    assert brightness(30) > brightness(15) > 0


def test_the_box_of_a_tilted_nodule_bounds_it() -> None:
    flat = PhantomNodule(0, 0, 20, aspect=4.0)
    assert flat.reach_mm == pytest.approx((5.0, 20.0))
    upright = PhantomNodule(0, 0, 20, aspect=4.0, angle=np.pi / 2)
    assert upright.reach_mm == pytest.approx((20.0, 5.0))


def test_places_in_the_lungs() -> None:
    nodules = random_nodules(5, 4)
    assert nodules == random_nodules(5, 4)
    assert len(nodules) == 4
    phantom = chest_phantom(5, nodules, rows=256, columns=256)
    for truth, nodule in zip(phantom.nodules, nodules, strict=True):
        assert 10 <= truth.diameter_mm <= 30
        assert abs(nodule.x_mm) > 20
        assert 40 < nodule.y_mm < 280
    assert random_nodules(5, 0) == ()


@pytest.mark.parametrize(("rows", "columns"), [(300, 256), (256, 300), (1024, 1024)])
def test_sizes(rows: int, columns: int) -> None:
    assert chest_phantom(1, rows=rows, columns=columns).pixels.shape == (rows, columns)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="rows must lie in"):
        chest_phantom(1, rows=10)
    with pytest.raises(ValueError, match="outside the film"):
        chest_phantom(1, (PhantomNodule(500, 100, 10),), rows=256, columns=256)
    with pytest.raises(ValueError, match="diameter_mm"):
        PhantomNodule(0, 0, 0)
    with pytest.raises(ValueError, match="aspect"):
        PhantomNodule(0, 0, 10, aspect=0.5)
    with pytest.raises(ValueError, match="find no place"):
        random_nodules(1, 200)
