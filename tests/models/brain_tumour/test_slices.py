from __future__ import annotations

import numpy as np
import pytest

from models.brain_tumour.slices import SIDE, Window, context_tensors, contrast_tensors, window_of
from models.preprocessing.brain import contrast_input, member_input, normalised


def block(shape: tuple[int, int, int], *ranges: tuple[int, int]) -> np.ndarray:
    """Return a box of ones with a brighter corner in noise-free air."""
    volume = np.zeros(shape, dtype=np.float32)
    place = tuple(slice(*ends) for ends in ranges)
    volume[place] = np.linspace(80, 120, ranges[2][1] - ranges[2][0])
    return volume


def test_a_grid_without_a_head_has_no_slices() -> None:
    window = window_of(np.zeros((5, 40, 40), dtype=np.float32))
    assert window.count == 0 and list(window.pieces(8)) == []


def test_slices_outside_the_head_are_not_read_and_small_grids_are_read_whole() -> None:
    window = window_of(block((12, 256, 200), (3, 9), (50, 90), (60, 100)))
    assert window == Window(slice(3, 9), slice(0, 256), slice(0, 200))


@pytest.mark.parametrize("start", [0, 11, 150, 300])
def test_large_grids_are_cut_to_the_head_by_multiples_of_32(start: int) -> None:
    volume = block((4, 512, 500), (0, 4), (start, start + 200), (100, 400))
    window = window_of(volume)
    rows, columns = window.rows, window.columns
    assert rows.stop - rows.start == SIDE and 0 <= rows.start <= start
    assert min(rows.stop, 512) >= start + 200
    assert (columns.start, columns.stop) == (90, 410)
    assert np.count_nonzero(volume[window.place]) == np.count_nonzero(volume)


def test_a_head_that_fills_a_large_grid_is_read_whole() -> None:
    window = window_of(block((2, 300, 300), (0, 2), (0, 300), (1, 299)))
    assert (window.rows, window.columns) == (slice(0, 300), slice(0, 300))


def test_pieces_cover_every_slice_once() -> None:
    window = Window(slice(2, 13), slice(0, 1), slice(0, 1))
    assert [(piece.start, piece.stop) for piece in window.pieces(4)] == [(2, 6), (6, 10), (10, 13)]


def test_tensors_are_those_of_training_with_a_border() -> None:
    rng = np.random.default_rng(4)
    volumes = {name: rng.random((9, 50, 70), dtype=np.float32) for name in ("FLAIR", "T1")}
    window = Window(slice(1, 8), slice(0, 50), slice(0, 70))
    whole = member_input({name: normalised(volume) for name, volume in volumes.items()}, step=2)
    pieces = list(context_tensors(volumes, window, 3, 2))
    assert [piece for piece, _ in pieces] == list(window.pieces(3))
    for piece, tensor in pieces:
        assert tensor.shape == (piece.stop - piece.start, 12, 64, 96) and tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor[:, :, :50, :70], whole[piece])
        np.testing.assert_array_equal(tensor[:, 11], 0)


def test_contrast_slices_are_normalised_before_they_are_cut() -> None:
    volume = np.random.default_rng(5).random((6, 60, 90), dtype=np.float32)
    window = Window(slice(2, 6), slice(10, 42), slice(0, 80))
    for piece, tensor in contrast_tensors(volume, window, 3):
        expected = contrast_input(volume[piece])[:, :, 10:42, 0:80]
        np.testing.assert_array_equal(tensor[:, :, :32, :80], expected)
        assert tensor.shape[1:] == (1, 32, 96)
