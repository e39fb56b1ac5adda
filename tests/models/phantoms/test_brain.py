"""The computed head: one value for one place, whatever the grid, and nothing symmetric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.phantoms.brain import (
    SEQUENCES,
    BrainPhantom,
    BrainSample,
    Contrast,
    PhantomLesion,
    random_lesions,
)

SHAPE = (60, 72, 64)
AFFINE = np.array(
    [[0, 0, 2.7, -85.05], [0, 3.1, 0, -110.05], [3.3, 0, 0, -97.35], [0, 0, 0, 1]], dtype=np.float64
)


@pytest.fixture(scope="module")
def head() -> BrainPhantom:
    return BrainPhantom(3)


@pytest.fixture(scope="module")
def sampled(head: BrainPhantom) -> BrainSample:
    return head.sample(SHAPE, AFFINE)


@pytest.mark.parametrize(
    "values",
    [
        {"half_axes_mm": (0.0, 1.0, 1.0)},
        {"half_axes_mm": (1.0, 1.0, 61.0)},
        {"half_axes_mm": (1.0, 1.0)},
        {"centre_mm": (0.0, float("nan"), 0.0)},
        {"centre_mm": (0.0, 0.0)},
    ],
)
def test_what_is_no_lesion_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        PhantomLesion(**values)


def test_what_is_no_grid_is_refused(head: BrainPhantom) -> None:
    with pytest.raises(ValueError, match="4 x 4"):
        head.sample((2, 2, 2), np.eye(3))
    with pytest.raises(ValueError, match="positive"):
        head.sample((2, 0, 2), np.eye(4))


def test_more_lesions_than_a_label_map_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="200"):
        BrainPhantom(lesions=(PhantomLesion(),) * 201)


def test_lesions_without_room_are_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        random_lesions(0, 150)


@pytest.mark.parametrize("contrast", [*SEQUENCES, "CT"])
def test_a_grid_and_single_places_agree(head: BrainPhantom, sampled: BrainSample, contrast: Contrast) -> None:
    index = np.random.default_rng(1).integers(0, SHAPE, (4000, 3))
    places = index @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    assert np.array_equal(head.at(places, contrast), sampled.image(contrast)[tuple(index.T)])


def test_a_place_has_one_value_on_any_grid(head: BrainPhantom) -> None:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix() * (4.1, 2.3, 3.7)
    turned[:3, 3] = -turned[:3, :3] @ np.array([15, 25, 20])
    image = head.sample((30, 50, 40), turned).image("T2")
    index = np.indices(image.shape).reshape(3, -1)
    places = (turned[:3, :3] @ index).T + turned[:3, 3]
    assert np.mean(head.at(places, "T2") != image.reshape(-1)) < 1e-4


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_mirror_image_passes_for_the_head(axis: int) -> None:
    shape, affine = (61, 71, 61), np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 3.0], [0, 3.0, 0], [3.0, 0, 0]])
    affine[:3, 3] = (-90, -105, -90)
    tissue = BrainPhantom(lesions=()).sample(shape, affine).tissue
    # the grid lies evenly about the origin: a head with a mirror plane there would differ nowhere
    differing_ml = np.count_nonzero(tissue != np.flip(tissue, axis)) * 27 / 1000
    assert differing_ml > 20


def test_values_fit_the_bits_they_are_stored_in(sampled: BrainSample) -> None:
    for contrast in SEQUENCES:
        image = sampled.image(contrast)
        assert image.dtype == np.int16
        assert image.min() == 0
        assert 1000 < image.max() < 4096
    hounsfield = sampled.image("CT")
    assert hounsfield.min() == -1000
    assert 900 < hounsfield.max() < 1100


def test_the_rim_takes_up_contrast_and_the_core_does_not(head: BrainPhantom) -> None:
    centre = np.array(head.lesions[0].centre_mm)
    rim = centre + (0.8 * head.lesions[0].half_axes_mm[0], 0, 0)
    before, after = (head.at([centre, rim], contrast) for contrast in ("T1", "T1c"))
    assert after[1] > 2 * before[1]
    assert after[0] < 1.3 * before[0]


def test_a_lesion_has_the_volume_that_it_says(head: BrainPhantom, sampled: BrainSample) -> None:
    voxel_ml = abs(np.linalg.det(AFFINE[:3, :3])) / 1000
    measured = (sampled.lesions == 1).sum() * voxel_ml
    assert measured == pytest.approx(head.lesions[0].volume_ml, rel=0.06)


def test_the_later_of_two_lesions_is_seen() -> None:
    first, second = PhantomLesion((0.3, 0.3, 30.3)), PhantomLesion((8.3, 0.3, 30.3))
    both = BrainPhantom(lesions=(first, second)).sample(SHAPE, AFFINE).lesions
    alone = BrainPhantom(lesions=(second,)).sample(SHAPE, AFFINE).lesions
    assert np.array_equal(both == 2, alone == 1)
    assert (both == 1).any()


def test_a_head_without_lesions_has_none(sampled: BrainSample) -> None:
    healthy = BrainPhantom(3, lesions=()).sample(SHAPE, AFFINE)
    assert not healthy.lesions.any()
    outside = sampled.lesions == 0
    assert np.array_equal(healthy.image("FLAIR")[outside], sampled.image("FLAIR")[outside])


def test_seeds_decide_texture_and_nothing_else(sampled: BrainSample) -> None:
    again, other = (BrainPhantom(seed).sample(SHAPE, AFFINE) for seed in (3, 4))
    assert np.array_equal(again.texture, sampled.texture)
    assert not np.array_equal(other.texture, sampled.texture)
    assert np.array_equal(other.tissue, sampled.tissue)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_random_lesions_lie_apart_in_the_brain(count: int) -> None:
    lesions = random_lesions(5, count)
    assert lesions == random_lesions(5, count)
    assert len(lesions) == count
    healthy = BrainPhantom(lesions=()).sample(SHAPE, AFFINE)
    grid = BrainPhantom(lesions=lesions).sample(SHAPE, AFFINE).lesions
    assert set(np.unique(grid)) == set(range(count + 1))
    assert not np.any((healthy.tissue == 0) & (grid > 0))
    for number, lesion in enumerate(lesions, start=1):
        for other in lesions[number:]:
            gap = np.linalg.norm(np.subtract(lesion.centre_mm, other.centre_mm))
            assert gap > max(lesion.half_axes_mm) + max(other.half_axes_mm)
