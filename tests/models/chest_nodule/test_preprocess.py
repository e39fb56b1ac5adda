"""Trim, resampling and grey-mapping robustness of the chest nodule preprocessing."""

import numpy as np
import pytest

from models.chest_nodule.preprocess import (
    Placement,
    channels,
    content_bounds,
    pad_to_stride,
    prepare,
    resample,
    trim_and_scale,
)


def _film(rows: int = 600, columns: int = 500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / np.array([rows, columns])[:, None, None]
    lungs = np.exp(-(((y - 0.45) / 0.25) ** 2) - ((np.abs(x - 0.5) - 0.22) / 0.12) ** 2)
    film = 0.8 - 0.55 * lungs + 0.05 * np.sin(25 * y) + 0.01 * rng.standard_normal((rows, columns))
    return np.clip(film, 0, 1).astype(np.float32)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_collimation_is_trimmed_whatever_its_brightness(fill: float) -> None:
    framed = np.full((700, 640), fill, dtype=np.float32)
    framed[50:650, 70:570] = _film()
    top, left, bottom, right = content_bounds(framed)
    assert abs(top - 50) <= 3 and abs(bottom - 650) <= 3
    assert abs(left - 70) <= 3 and abs(right - 570) <= 3


def test_marker_in_a_black_border_does_not_save_the_border() -> None:
    framed = np.zeros((700, 640), dtype=np.float32)
    framed[50:650, 70:570] = _film()
    framed[10:30, 20:60] = 1.0
    top, left, _, _ = content_bounds(framed)
    assert top >= 45 and left >= 65


def test_trim_takes_at_most_a_quarter_and_a_blank_film_stays_whole() -> None:
    film = np.zeros((400, 400), dtype=np.float32)
    film[180:220, 180:220] = _film(40, 40)
    top, left, bottom, right = content_bounds(film)
    assert top <= 100 and left <= 100 and bottom >= 300 and right >= 300
    assert content_bounds(np.full((100, 120), 0.3, dtype=np.float32)) == (0, 0, 100, 120)


def test_boxes_go_to_source_and_back_exactly() -> None:
    _, placement = trim_and_scale(_film(2500, 3000))
    boxes = np.array([[100.0, 200.0, 180.5, 260.25], [0.0, 0.0, 2500.0, 3000.0]])
    back = placement.to_source(placement.to_network(boxes).astype(np.float32))
    np.testing.assert_allclose(back, boxes, atol=1e-3)


def test_corner_of_the_network_grid_is_the_corner_of_the_kept_part() -> None:
    placement = Placement(10, 20, 1000, 800, 0.64, 0.64)
    np.testing.assert_allclose(placement.to_source(np.array([[0, 0, 640, 512]])), [[10, 20, 1010, 820]])


@pytest.mark.parametrize("shape", [(1024, 1024), (2048, 2048), (2500, 3000), (300, 260)])
def test_input_fits_the_network(shape: tuple[int, int]) -> None:
    tensor, placement = prepare(_film(*shape))
    assert tensor.dtype == np.float32 and tensor.shape[:2] == (1, 3)
    assert tensor.shape[2] % 32 == 0 and tensor.shape[3] % 32 == 0 and max(tensor.shape[2:]) <= 672
    assert np.isfinite(tensor).all() and np.abs(tensor).max() <= 1.0
    assert placement.rows <= shape[0] and placement.columns <= shape[1]


def test_linear_grey_scale_does_not_matter() -> None:
    film = _film()
    first, second = channels(film), channels(film * 4095 + 12)
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_rank_channel_ignores_every_monotone_mapping() -> None:
    film = _film()
    np.testing.assert_allclose(channels(film)[1], channels(film**2.2)[1], atol=6e-3)


def test_depth_of_8_bit_is_enough_and_12_bit_agrees() -> None:
    film = _film()
    eight, twelve = np.round(film * 255) / 255, np.round(film * 4095) / 4095
    assert np.abs(channels(eight.astype(np.float32)) - channels(twelve.astype(np.float32))).mean() < 0.02


def test_constant_film_gives_zeros_and_not_nan() -> None:
    tensor, _ = prepare(np.full((512, 512), 0.5, dtype=np.float32))
    assert not tensor.any()


def test_not_finite_pixels_are_taken_out() -> None:
    film = _film()
    film[5, 5], film[6, 6] = np.nan, np.inf
    assert np.isfinite(prepare(film)[0]).all()


@pytest.mark.parametrize("shape", [(10, 500), (3, 64, 64)])
def test_absurd_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        trim_and_scale(np.zeros(shape, dtype=np.float32))


def test_resampling_keeps_the_mean_and_a_constant() -> None:
    film = _film()
    assert abs(float(resample(film, 150, 125).mean()) - float(film.mean())) < 2e-3
    np.testing.assert_allclose(resample(np.full((90, 70), 0.25, dtype=np.float32), 40, 100), 0.25, atol=1e-6)


def test_padding_is_at_the_far_edges() -> None:
    padded = pad_to_stride(np.ones((3, 33, 64), dtype=np.float32))
    assert padded.shape == (3, 64, 64) and padded.min() == 1.0
