"""Network input for brain volumes: invariances and the layout of channels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preprocessing.brain import (
    CHANNELS,
    SEQUENCES,
    contrast_input,
    head_mask,
    member_input,
    normalised,
    padded,
    without_padding,
)


def _head(seed: int = 0, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (6, 40, 32)), indexing="ij")
    head = (z / 1.4) ** 2 + (y / 0.8) ** 2 + (x / 0.7) ** 2 < 1
    values = np.where(head, 600 + 120 * rng.standard_normal(head.shape), 8 * rng.random(head.shape))
    return (scale * values).astype(np.float32)


def test_the_head_has_mean_zero_and_deviation_one() -> None:
    volume = _head()
    mask, result = head_mask(volume), normalised(volume)
    assert mask[3, 20, 16] and not mask[3, 0, 0]
    assert result.dtype == np.float32 and result.shape == volume.shape
    assert abs(float(result[mask].mean())) < 0.01 and abs(float(result[mask].std()) - 1) < 0.02
    assert result.min() == -4 and result[3, 0, 0] < -3


@given(st.floats(1e-3, 1e3))
def test_a_factor_of_the_raw_values_changes_nothing(factor: float) -> None:
    np.testing.assert_allclose(normalised(_head(scale=factor)), normalised(_head()), atol=2e-3)


@pytest.mark.parametrize("value", [0.0, -3.0, 7.0])
def test_a_constant_volume_becomes_zero(value: float) -> None:
    assert not normalised(np.full((2, 8, 8), value)).any()


@pytest.mark.parametrize(
    "volume", [np.zeros((4, 4)), np.zeros((0, 4, 4)), np.full((2, 4, 4), np.nan), np.full((2, 4, 4), np.inf)]
)
def test_what_is_no_volume_is_refused(volume: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"volume"):
        normalised(volume)


def _numbered(start: float, depth: int = 4) -> np.ndarray:
    """Slice z is filled with start + z."""
    return np.broadcast_to((start + np.arange(depth, dtype=np.float32))[:, None, None], (depth, 3, 2)).copy()


def test_channels_are_the_slice_the_one_below_the_one_above_and_presence() -> None:
    volumes = {"T1": _numbered(100), "FLAIR": _numbered(200), "T1C": _numbered(300)}
    made = member_input(volumes)
    assert made.shape == (4, CHANNELS, 3, 2) and made.dtype == np.float32
    assert SEQUENCES == ("T1", "FLAIR", "T1C")
    assert made[1, :, 0, 0].tolist() == [101, 201, 301, 100, 200, 300, 102, 202, 302, 1, 1, 1]
    assert made[0, :, 2, 1].tolist() == [100, 200, 300, 100, 200, 300, 101, 201, 301, 1, 1, 1]
    assert made[3, :, 0, 0].tolist() == [103, 203, 303, 102, 202, 302, 103, 203, 303, 1, 1, 1]


def test_an_absent_sequence_is_zero_with_presence_zero() -> None:
    made = member_input({"FLAIR": _numbered(200), "T1": None}, slice(2, 3))
    assert made[:, :, 0, 0].tolist() == [[0, 202, 0, 0, 201, 0, 0, 203, 0, 0, 1, 0]]


def test_a_wider_step_looks_further_and_a_part_sees_the_whole() -> None:
    volumes = {"FLAIR": _numbered(200, 7)}
    made = member_input(volumes, slice(2, 6), step=2)
    assert made[:, 4, 0, 0].tolist() == [200, 201, 202, 203]
    assert made[:, 7, 0, 0].tolist() == [204, 205, 206, 205]
    np.testing.assert_array_equal(member_input(volumes, step=2)[2:6], made)


@pytest.mark.parametrize(
    ("sequences", "step"),
    [({}, 1), ({"FLAIR": None}, 1), ({"T2": _numbered(0)}, 1), ({"FLAIR": _numbered(0)}, 0),
     ({"FLAIR": _numbered(0), "T1": _numbered(0, 5)}, 1)],
)  # fmt: skip
def test_impossible_requests_are_refused(sequences: dict[str, np.ndarray | None], step: int) -> None:
    with pytest.raises(ValueError, match=r"sequences|step"):
        member_input(sequences, step=step)


def test_padding_repeats_the_last_row_and_column() -> None:
    volume = np.arange(2 * 33 * 5, dtype=np.float32).reshape(2, 33, 5)
    made = padded(volume)
    assert made.shape == (2, 64, 32)
    np.testing.assert_array_equal(made[:, :33, :5], volume)
    assert (made[:, 40, :5] == volume[:, 32]).all() and (made[:, :33, 31] == volume[:, :, 4]).all()
    assert padded(made).shape == made.shape


def test_contrast_slices_are_normalised_one_by_one() -> None:
    volume = _head()
    volume[4] *= 3
    made = contrast_input(volume)
    assert made.shape == (6, 1, 40, 32) and made.dtype == np.float32
    np.testing.assert_array_equal(made[4, 0], normalised(volume[4:5])[0])
    np.testing.assert_allclose(made[3], contrast_input(7 * volume[3:4])[0], atol=1e-4)


@pytest.mark.parametrize("offset", [-1024.0, -300.0, 300.0, 1000.0, 20000.0])
def test_an_offset_of_the_values_changes_nothing(offset: float) -> None:
    head = _head()
    assert np.array_equal(head_mask(head + offset), head_mask(head))
    assert np.allclose(normalised(head + offset), normalised(head), atol=2e-3)


def test_what_lies_outside_the_field_of_view_counts_as_air() -> None:
    head = _head()
    rows, columns = np.mgrid[-19.5:20, -15.5:16]
    outside = np.broadcast_to(np.hypot(rows, columns) > 19, head.shape)
    padded_head = np.where(outside, -2000, head)
    whole = without_padding(padded_head)
    assert whole.min() == head[~outside].min()
    assert np.array_equal(whole[~outside], head[~outside])
    assert np.count_nonzero(head_mask(whole) ^ head_mask(head)) < 0.01 * head.size


def test_dark_voxels_of_a_head_are_no_padding() -> None:
    head = _head()
    assert without_padding(head) is head
    assert without_padding(np.zeros((3, 4, 4), np.float32)).max() == 0
