"""Resampling: nothing made up, nothing skipped, nothing shifted."""

from __future__ import annotations

import numpy as np
import pytest
from highdicom import Volume

from models.geometry import axial_view, resample, to_source, working_grid
from models.geometry.resampling import as_image
from tests.models.geometry.heads import ORDERS, SIGNS, grid, head, rigid


def ramp(geometry):  # type: ignore[no-untyped-def]
    """Return a volume whose values are linear in the place in the patient."""
    index = np.indices(geometry.spatial_shape).reshape(3, -1)
    places = geometry.affine[:3, :3] @ index + geometry.affine[:3, 3:]
    values = (np.array([3.0, -2.0, 1.5]) @ places + 100).astype(np.float32)
    return Volume(values.reshape(geometry.spatial_shape), geometry.affine, "PATIENT")


def test_further_axes_are_refused() -> None:
    with_channels = Volume(
        np.zeros((2, 3, 4, 2)), np.eye(4), "PATIENT", channels={"OpticalPathIdentifier": ["1", "2"]}
    )
    with pytest.raises(ValueError, match="4 axes"):
        resample(with_channels, grid((1, 1, 1), (2, 3, 4)))


def test_an_unknown_interpolation_is_refused() -> None:
    with pytest.raises(ValueError, match="linear or nearest"):
        resample(ramp(grid((1, 1, 1), (4, 4, 4))), grid((1, 1, 1), (4, 4, 4)), interpolation="cubic")  # type: ignore[arg-type]


def test_skewed_axes_are_refused() -> None:
    skewed = np.eye(4)
    skewed[0, 1] = 0.1
    with pytest.raises(ValueError, match="right angles"):
        as_image(np.zeros((2, 2, 2), dtype=np.float32), skewed)


def test_probabilities_of_another_grid_are_refused() -> None:
    one = grid((1, 1, 1), (4, 5, 6))
    with pytest.raises(ValueError, match="do not lie on a grid"):
        to_source(np.zeros((6, 5, 4), dtype=np.float32), one, one)


def test_outside_of_the_field_of_view_is_the_minimum_and_not_covered() -> None:
    volume = head(grid((3, 2, 2), (60, 200, 200)), "T1")
    volume = volume.with_array(volume.array + np.int16(7))
    wide = grid((3, 2, 2), (180, 240, 240), centre_mm=(0.7, 0, 0))
    values, coverage = resample(volume, wide)
    assert 0 < np.count_nonzero(coverage) < coverage.size
    assert (values[~coverage] == 7).all()
    assert values.dtype == np.float32 and coverage.dtype == bool
    # The field of view reaches to the outer borders of the voxels: 20 of 60 slices, 100 of 120 rows.
    assert np.count_nonzero(coverage.any(axis=(1, 2))) == 20
    assert np.count_nonzero(coverage.any(axis=(0, 2))) == 100


def test_a_volume_that_is_nowhere_near_covers_nothing() -> None:
    values, coverage = resample(
        ramp(grid((1, 1, 1), (9, 9, 9))), grid((1, 1, 1), (9, 9, 9), centre_mm=(500, 0, 0))
    )
    assert not coverage.any() and len(np.unique(values)) == 1


@pytest.mark.parametrize("signs", SIGNS[::3])
@pytest.mark.parametrize("order", ORDERS)
def test_places_are_kept_between_any_two_grids(order, signs) -> None:  # type: ignore[no-untyped-def]
    volume = ramp(grid((4, 1.2, 0.9), (120, 120, 120), order=order, signs=signs, turned_deg=(8, -12, 5)))
    wanted = grid((5, 0.8, 0.8), (45, 40, 40), turned_deg=(-5, 3, 20), centre_mm=(4, 3, 2))
    values, coverage = resample(volume, wanted)
    assert coverage.all()
    assert np.allclose(values, ramp(wanted).array, atol=0.02)


def test_a_motion_leads_from_the_grid_to_the_volume() -> None:
    wanted, motion = grid((3, 1, 1), (30, 40, 40)), rigid((5, 8, -12), (4, -6, 9))
    at_rest = ramp(grid((2, 2, 2), (160, 160, 160)))
    # The volume as it lies after the motion has the same values at the moved places.
    moved = Volume(at_rest.array, motion @ at_rest.affine, "PATIENT")
    values, coverage = resample(moved, wanted, motion)
    assert coverage.all() and np.allclose(values, ramp(wanted).array, atol=0.02)


@pytest.mark.parametrize("turned", [(0, 0, 0), (17, 9, -6)])
def test_a_coarser_grid_averages_what_it_would_skip(turned) -> None:  # type: ignore[no-untyped-def]
    geometry = grid((1, 1, 1), (80, 80, 80))
    noise = np.random.default_rng(0).normal(0, 100, geometry.spatial_shape).astype(np.float32)
    coarse = grid((5, 2, 2), (40, 40, 40), turned_deg=turned)
    values, _ = resample(Volume(noise + 1000, geometry.affine, "PATIENT"), coarse)
    assert values.mean() == pytest.approx(1000, abs=5)
    # 20 voxels weighted by a Gaussian of this width leave 100 / sqrt(5 * 2 * 2) * 0.74 and a little more.
    assert values.std() < 25
    # Averaging does not shift.
    assert np.allclose(resample(ramp(geometry), coarse)[0], ramp(coarse).array, atol=0.05)


def test_a_thick_slice_does_not_blur_within_itself() -> None:
    """A line along the slice normal of an oblique grid stays as thin as its pixels."""
    coarse = grid((7, 1, 1), (70, 60, 60), turned_deg=(20, 0, 0))
    fine = grid((1, 1, 1), (120, 120, 120))
    normal = coarse.unit_vectors()[0]
    places = np.moveaxis(np.indices(fine.spatial_shape), 0, -1) @ fine.affine[:3, :3].T + fine.affine[:3, 3]
    apart = np.linalg.norm(places - (places @ normal)[..., None] * normal, axis=-1)
    line = Volume(np.exp(-(apart**2) / 2 / 1.2**2).astype(np.float32), fine.affine, "PATIENT")
    values, _ = resample(line, coarse)
    profile = values[5].sum(axis=1)
    at = np.arange(60) - np.average(np.arange(60), weights=profile)
    assert np.sqrt(np.average(at**2, weights=profile)) == pytest.approx(np.sqrt(1.2**2 + 0.3), abs=0.15)


def test_pieces_make_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    volume, coarse = head(grid((1, 1, 1), (90, 120, 120)), "T2"), grid((5, 2, 2), (90, 120, 120))
    whole, _ = resample(volume, coarse)
    monkeypatch.setattr("models.geometry.resampling._LARGEST_PIECE", 1)
    assert np.array_equal(resample(volume, coarse)[0], whole)


def test_nearest_takes_no_value_that_is_not_there() -> None:
    labels = head(grid((3, 1, 1), (90, 100, 100)), "T1", noise=0)
    values, _ = resample(
        labels, grid((2, 1.5, 1.5), (90, 100, 100), turned_deg=(5, 5, 5)), interpolation="nearest"
    )
    assert set(np.unique(values)) <= set(np.unique(labels.array).astype(np.float32))


def test_probabilities_go_back_to_a_finer_source() -> None:
    source = grid((5, 0.45, 0.45), (100, 200, 200), order=(2, 1, 0), signs=(-1, 1, 1), turned_deg=(8, 2, 1))
    working = working_grid(source, 0.92)
    inside = head(working, "T1", noise=0).array > 500
    back = to_source(inside.astype(np.float32), working, source)
    assert back.shape == tuple(source.spatial_shape) and back.dtype == np.float32
    assert back.min() >= 0 and back.max() <= 1
    truth = head(source, "T1", noise=0).array > 500
    both = (
        np.count_nonzero((back > 0.5) & truth) * 2 / (np.count_nonzero(back > 0.5) + np.count_nonzero(truth))
    )
    assert both > 0.97


def test_probabilities_outside_of_the_working_grid_are_zero() -> None:
    working, source = grid((2, 2, 2), (20, 20, 20)), grid((2, 1, 1), (40, 40, 40))
    back = to_source(np.ones(working.spatial_shape, dtype=np.float32), working, source)
    assert np.count_nonzero(back) == 10 * 20 * 20


def test_the_working_grid_of_a_source_covers_it() -> None:
    for extent in (199.7, 200.0, 201.3):
        source = grid((6, 0.7, 0.7), (120, extent, extent), order=(0, 2, 1), signs=(-1, -1, 1))
        working = working_grid(source, 0.92)
        ones = np.ones(working.spatial_shape, dtype=np.float32)
        assert (to_source(ones, working, source) == 1).all()
        assert axial_view(source).geometry.spatial_shape[0] == working.spatial_shape[0]
