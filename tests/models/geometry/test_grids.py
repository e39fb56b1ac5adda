"""Axial views and working grids: exact, whatever the orientation."""

from __future__ import annotations

import numpy as np
import pytest
from highdicom import Volume

from models.geometry import axial_view, resample, to_source, working_grid
from models.geometry.grids import is_same_grid, regridded, view_between
from tests.models.geometry.heads import ORDERS, SIGNS, grid

OBLIQUE = [(0, 0, 0), (14, -9, 11)]


@pytest.mark.parametrize("spacing", [0.0, -1.0, float("nan"), float("inf")])
def test_a_working_grid_has_a_positive_spacing(spacing: float) -> None:
    with pytest.raises(ValueError, match="positive length"):
        working_grid(grid((3, 1, 1), (90, 80, 70)), spacing)


def test_other_voxels_are_no_view() -> None:
    one = grid((3, 1, 1), (90, 80, 70))
    assert view_between(one, grid((3, 1, 1), (93, 80, 70))) is None
    assert view_between(one, grid((3, 1, 1), (90, 80, 70), centre_mm=(0.02, 0, 0))) is None
    assert view_between(one, grid((3, 1, 1), (90, 80, 70), turned_deg=(0.1, 0, 0))) is None
    assert view_between(one, grid((1, 1, 1), (90, 80, 70))) is None
    assert not is_same_grid(one, grid((3, 1, 1), (90, 80, 70), signs=(-1, 1, 1)))


@pytest.mark.parametrize("turned", OBLIQUE)
@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("order", ORDERS)
def test_every_orientation_comes_back_to_the_voxel(order, signs, turned) -> None:  # type: ignore[no-untyped-def]
    given = grid(
        (3, 1.5, 1), (27, 24, 20), order=order, signs=signs, turned_deg=turned, centre_mm=(5, -7, 30)
    )
    values = np.random.default_rng(1).integers(-2000, 4000, given.spatial_shape).astype(np.int16)
    view = axial_view(given)
    shown = view.apply(values)
    directions = view.geometry.affine[:3, :3]
    assert directions[2, 0] > 0 and directions[1, 1] > 0 and directions[0, 2] > 0
    assert np.array_equal(view.undo(shown), values)
    # A voxel is at the same place of the patient in both.
    rng = np.random.default_rng(2)
    for _ in range(5):
        at = [int(rng.integers(size)) for size in shown.shape]
        place = view.geometry.affine @ [*at, 1]
        back = np.linalg.inv(given.affine) @ place
        assert np.allclose(back[:3], np.rint(back[:3]), atol=1e-9)
        assert values[tuple(np.rint(back[:3]).astype(int))] == shown[tuple(at)]
    between = view_between(given, view.geometry)
    assert between is not None and (between.order, between.flipped) == (view.order, view.flipped)
    resampled, coverage = resample(Volume(values, given.affine, "PATIENT"), view.geometry)
    assert np.array_equal(resampled, shown) and coverage.all()
    chances = np.random.default_rng(3).random(shown.shape, dtype=np.float32)
    assert np.array_equal(to_source(chances, view.geometry, given), view.undo(chances))


def test_channels_stay_behind() -> None:
    view = axial_view(grid((3, 1.5, 1), (27, 24, 20), order=(0, 2, 1), signs=(1, -1, 1)))
    values = np.random.default_rng(1).random((9, 16, 20, 2))
    assert view.apply(values).shape == (16, 20, 9, 2)
    assert np.array_equal(view.undo(view.apply(values)), values)


@pytest.mark.parametrize(
    ("pixel", "same"), [(0.92, True), (0.9, True), (0.947, True), (0.95, False), (0.5, False)]
)
def test_spacings_that_are_near_enough_are_kept(pixel: float, same: bool) -> None:
    reference = grid((5, pixel, pixel), (100, 150, 140))
    working = working_grid(reference, 0.92)
    assert is_same_grid(working, axial_view(reference).geometry) is same
    if not same:
        assert working.spacing == pytest.approx((5, 0.92, 0.92))


def test_one_axis_that_is_off_regrids_both() -> None:
    working = working_grid(grid((5, 0.92, 1.2), (100, 150, 140)), 0.92)
    assert working.spacing == pytest.approx((5, 0.92, 0.92))


def test_a_working_grid_keeps_slices_centre_and_field_of_view() -> None:
    reference = grid((1, 1.2, 6.5), (200, 180, 130), order=(0, 1, 2), signs=(-1, 1, -1), turned_deg=(5, 3, 8))
    view, working = axial_view(reference).geometry, working_grid(reference, 0.92)
    assert working.spatial_shape[0] == view.spatial_shape[0] == 20
    for one in (view, working):
        assert np.allclose(one.affine @ [*((np.array(one.spatial_shape) - 1) / 2), 1], [0, 0, 0, 1])
    for axis in (1, 2):
        assert working.physical_extent[axis] >= view.physical_extent[axis] - 1e-6
    assert np.allclose(working.unit_vectors(), view.unit_vectors())
    assert working.frame_of_reference_uid == reference.frame_of_reference_uid


def test_lengths_that_divide_take_no_voxel_more() -> None:
    assert tuple(regridded(grid((3, 0.9, 0.9), (30, 90, 90)), (3, 0.3, 1.8)).spatial_shape) == (10, 300, 50)
