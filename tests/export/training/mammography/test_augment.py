"""Geometry of samples: boxes stay on lesions, pasted lesions lie where their box says."""

# ruff: noqa: E402

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.mammography.augment import Strength, draw_warp, make_sample
from export.training.mammography.paste import paste
from export.training.mammography.training import batch_of
from models.mammography.channels import OUTSIDE

from .made_up import plain_view, view_with_spot

STRONG = Strength(angle=25.0, scale=(0.8, 1.25), shear=0.15, elastic=8.0, vertical_flip=0.5)


@pytest.mark.parametrize("seed", range(8))
def test_a_box_follows_its_lesion_through_every_warp(seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = view_with_spot(*rng.uniform((200, 90), (380, 200)))
    warp = draw_warp(rng, view.grey.shape, STRONG)
    warped = warp.sample(view.grey.astype(np.float32)[None])[0]
    ((top, left, bottom, right),) = warp.boxes(view.boxes)
    rows, columns = np.nonzero(warped > 0.65)
    assert len(rows) > 5
    assert abs(rows.mean() + 0.5 - (top + bottom) / 2) < 2
    assert abs(columns.mean() + 0.5 - (left + right) / 2) < 2
    assert 0.6 < (bottom - top) / (2 * 12 * STRONG.height / 576) < 1.8


def test_no_warp_is_a_plain_reduction() -> None:
    still = Strength(angle=0, scale=(1, 1), shear=0, shift=0, elastic=0, vertical_flip=0, height=288)
    warp = draw_warp(np.random.default_rng(0), (576, 320), still)
    assert warp.shape == (288, 160)
    assert np.allclose(warp.boxes(np.array([[100, 40, 140, 80]], np.float32)), [[50, 20, 70, 40]], atol=1e-4)


def test_upside_down_the_chest_wall_stays_on_the_left() -> None:
    how = Strength(angle=0, scale=(1, 1), shear=0, shift=0, elastic=0, vertical_flip=1, height=576)
    warp = draw_warp(np.random.default_rng(0), (576, 320), how)
    assert np.allclose(
        warp.boxes(np.array([[100, 40, 140, 80]], np.float32)), [[436, 40, 476, 80]], atol=1e-3
    )


def test_a_sample_has_a_centre_on_its_lesion_and_sides_of_32() -> None:
    rng = np.random.default_rng(3)
    sample = make_sample(rng, view_with_spot(288.0, 120.0), [], Strength())
    assert sample.tensor.shape[0] == 3 and sample.tensor.shape[1] == 448 and sample.tensor.shape[2] % 32 == 0
    ((row, column, height, width),) = sample.extents
    assert sample.heat[int(row), int(column)] == 1.0 and height > 10 and width > 10
    assert sample.labels == (1.0, 1.0, 0)
    assert np.isfinite(sample.tensor).all() and np.abs(sample.tensor).max() <= 1


def test_what_is_not_taught_has_no_weight_and_no_centre() -> None:
    view = view_with_spot(288.0, 120.0, kind="CALC")
    sample = make_sample(np.random.default_rng(3), view, [], Strength(calcifications=False))
    assert not len(sample.extents) and sample.heat.max() == 0
    assert (sample.weight == 0).any() and sample.labels[0] == 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_pasted_lesion_lies_in_its_box_inside_the_breast(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target, donor = plain_view(), view_with_spot(288.0, 120.0)
    made = paste(rng, target.grey.astype(np.float32), target.mask, [donor])
    assert made is not None
    grey, (top, left, bottom, right), lesion = made
    change = np.abs(grey - target.grey.astype(np.float32))
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert change.max() > 0.2 and top <= row <= bottom and left <= column <= right
    assert not change[~target.mask].any() and lesion.kind == "CIRC"


def test_a_normal_film_with_a_pasted_lesion_is_abnormal() -> None:
    donor, how = view_with_spot(288.0, 120.0), Strength(pasted=1.0, shift=0.0)
    sample = make_sample(np.random.default_rng(1), plain_view(), [donor], how)
    assert sample.labels == (1.0, 1.0, 2) and len(sample.extents) == 1


def test_distortions_are_not_donated() -> None:
    target, donor = plain_view(), view_with_spot(288.0, 120.0, kind="ARCH")
    assert paste(np.random.default_rng(0), target.grey.astype(np.float32), target.mask, [donor]) is None


def test_a_batch_is_padded_with_air() -> None:
    rng, how = np.random.default_rng(0), Strength(height=288)
    wide = make_sample(rng, view_with_spot(288.0, 120.0), [], how)
    narrow = make_sample(rng, plain_view(), [], how)
    narrow.tensor, narrow.heat, narrow.weight = (
        part[..., : part.shape[-1] // 2] for part in (narrow.tensor, narrow.heat, narrow.weight)
    )
    batch = batch_of([wide, narrow])
    added = batch["tensor"][1, :, :, narrow.tensor.shape[2] :]
    assert np.allclose(added.numpy(), np.array(OUTSIDE)[:, None, None])
    assert batch["weight"].shape == batch["heat"].shape == (2, 72, wide.tensor.shape[2] // 4)
    assert batch["extents"][1, 0, 0] == -1
