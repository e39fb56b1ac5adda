"""What augmentation may change, and what never."""

# ruff: noqa: E402

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.brain_tumour import augment
from export.training.brain_tumour.augment import Strength
from export.training.brain_tumour.training import make_batch
from models.preprocessing.brain import member_input

QUIET = Strength(
    side=64, angle=0, zoom=(1, 1), stretch=0, flip=0, misregistered=0, coarse=0, blur=0, noise=0, field=0,
    gamma=0, context=0, dropout=0,
)  # fmt: skip


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _disc() -> tuple[np.ndarray, np.ndarray]:
    """One slice whose FLAIR is bright exactly in the mask, off the middle."""
    y, x = np.mgrid[:256, :256]
    mask = (y - 120) ** 2 + (x - 150) ** 2 < 20**2
    images = np.full((1, 3, 3, 256, 256), -1.0, dtype=np.float16)
    images[0, :, :, mask] = 2.0
    return images, mask[None]


def test_without_changes_a_crop_is_the_part_around_its_centre() -> None:
    image = torch.from_numpy(_rng().standard_normal((1, 3, 3, 256, 256)).astype(np.float32))
    maps, plain = augment.affine_maps(_rng(), np.array([[99.5, 131.5]]), 3, 256, QUIET)
    made = augment.crop(image, maps, 64)
    torch.testing.assert_close(made, image[..., 68:132, 100:164], atol=1e-4, rtol=0)
    assert torch.equal(maps[:, 1], plain)


@pytest.mark.parametrize("seed", range(4))
def test_the_mask_goes_where_flair_goes(seed: int) -> None:
    images, mask = _disc()
    how = replace(Strength(), noise=0, field=0, gamma=0, coarse=0, blur=0, side=160)
    batch = make_batch(
        _rng(seed), images, mask, np.ones((1, 3), dtype=bool), np.array([[120.0, 140.0]]), how=how
    )
    flair, marked = batch["tensor"][0, 1], batch["mask"][0, 0] > 0
    assert marked.any() and batch["tensor"].shape == (1, 12, 160, 160)
    bright = flair > (flair.max() + flair.min()) / 2
    assert float((bright & marked).sum()) > 0.98 * float((bright | marked).sum())


def test_flair_is_never_dropped_and_presence_says_what_was() -> None:
    how = replace(QUIET, dropout=0.5)
    acquired = torch.ones(400, 3)
    acquired[:100, 0] = 0
    kept = augment.drop_channels(_rng(), acquired, how)
    assert bool((kept[:, 1] == 1).all()) and not kept[:100, 0].any()
    assert 0.4 < float(kept[100:, 0].mean()) < 0.6 and 0.4 < float(kept[:, 2].mean()) < 0.6
    tensor = augment.as_input(torch.ones(400, 3, 3, 2, 2), kept)
    for channel in range(3):
        for plane in (channel, 3 + channel, 6 + channel, 9 + channel):
            assert torch.equal(tensor[:, plane, 0, 0], kept[:, channel])


def test_training_and_inference_lay_the_input_out_alike() -> None:
    volume = _rng().standard_normal((5, 3, 32, 32)).astype(np.float32)
    made = augment.as_input(
        torch.from_numpy(volume[[2, 1, 3]].transpose(1, 0, 2, 3)[None]), torch.tensor([[1.0, 1.0, 0.0]])
    )
    expected = member_input({"T1": volume[:, 0], "FLAIR": volume[:, 1]}, slice(2, 3))
    np.testing.assert_array_equal(made.numpy(), expected)


def test_neighbours_stay_in_the_stack_and_are_at_times_the_slice_itself() -> None:
    assert augment.neighbours(_rng(), 0, 1, 1, QUIET) == [0, 0, 0]
    drawn = {tuple(augment.neighbours(_rng(seed), 3, 2, 9, QUIET)) for seed in range(30)}
    assert drawn == {(3, 1, 5), (3, 5, 1)}
    assert augment.neighbours(_rng(), 3, 2, 9, replace(QUIET, context=1)) == [3, 3, 3]


def test_intensities_stay_finite_and_in_range_and_the_input_is_left_alone() -> None:
    how = replace(Strength(), noise=1, gamma=1, field=1, coarse=0.5, blur=1)
    images = torch.randn(6, 3, 3, 48, 48).clamp(-4, 4)
    before = images.clone()
    made = augment.intensities(_rng(), images, how)
    assert torch.equal(images, before) and made.shape == images.shape
    assert bool(torch.isfinite(made).all()) and float(made.abs().max()) <= 4
