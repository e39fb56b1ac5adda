"""Measurements of masks against figures that geometry gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import pdist

from models.concepts import Concept
from models.laterality import Midplane
from models.measurements import box_on_slice, centre_mm, diameters_on_slice, largest_slice, parts, volume_ml
from models.results import Box
from models.volume_findings import measured_finding
from models.volume_results import Diameters, Segment

SEGMENT = Segment(
    1, "Tumour", Concept("49755003", "SCT", "Morphology"), Concept("108369006", "SCT", "Tumour")
)


def test_an_empty_mask_has_no_measurements() -> None:
    empty = np.zeros((3, 4, 5), dtype=bool)
    assert volume_ml(empty, (1, 1, 1)) == 0
    with pytest.raises(ValueError, match="empty"):
        largest_slice(empty)
    with pytest.raises(ValueError, match="empty"):
        box_on_slice(empty[0])
    with pytest.raises(ValueError, match="empty"):
        diameters_on_slice(empty[0], (1, 1), 0)
    with pytest.raises(ValueError, match="empty"):
        centre_mm(empty, np.eye(4))
    assert parts(empty) == 0


def test_volume_counts_voxels_of_their_size() -> None:
    mask = np.zeros((10, 20, 30), dtype=bool)
    mask[2:6, 3:8, 4:14] = True
    assert volume_ml(mask, (5.0, 0.5, 0.4)) == pytest.approx(4 * 5 * 10 * 1.0 / 1000)


def test_the_first_of_equal_slices_is_the_key_slice() -> None:
    mask = np.zeros((4, 5, 5), dtype=bool)
    mask[0, 0, 0] = mask[1:3, 1:3, 1:3] = True
    assert largest_slice(mask) == 1
    assert box_on_slice(mask[1]) == Box(1, 1, 3, 3)


def test_a_rectangle_measures_its_diagonal_and_the_chord_across_it() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[10:13, 5:9] = True  # 3 rows of 2 mm by 4 columns of 1 mm
    found = diameters_on_slice(mask, (2.0, 1.0), 7)
    height, width = 6.0, 4.0
    diagonal = np.hypot(height, width)
    assert found.slice_index == 7
    assert found.longest_mm == pytest.approx(diagonal)
    assert found.perpendicular_mm == pytest.approx(min(height / width, width / height) * diagonal)


def test_one_pixel_has_diameters() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    found = diameters_on_slice(mask, (1.0, 1.0), 0)
    assert found.longest_mm == pytest.approx(np.sqrt(2))
    assert found.perpendicular_mm == pytest.approx(np.sqrt(2))


def test_a_disc_measures_its_diameter_both_ways() -> None:
    rows, columns = np.mgrid[0:101, 0:101]
    found = diameters_on_slice(np.hypot(rows - 50, columns - 50) <= 30, (0.5, 0.5), 0)
    assert found.longest_mm == pytest.approx(30.5, abs=0.5)
    assert found.perpendicular_mm == pytest.approx(30.5, abs=0.5)


def test_only_the_largest_component_of_a_slice_is_measured() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[0:2, 0:2] = mask[20:28, 20:28] = True
    assert diameters_on_slice(mask, (1, 1), 0).longest_mm == pytest.approx(8 * np.sqrt(2))


def test_the_centre_of_mass_is_one_of_the_patient() -> None:
    mask = np.zeros((4, 6, 8), dtype=bool)
    mask[1:3, 2:5, 0] = mask[1:3, 2:5, 6] = True
    affine = np.array([[0, 0, 2, 10], [0, -3, 0, 20], [5, 0, 0, 30], [0, 0, 0, 1]], dtype=float)
    assert centre_mm(mask, affine) == pytest.approx((10 + 2 * 3, 20 - 3 * 3, 30 + 5 * 1.5))


def test_voxels_that_share_a_corner_are_one_part() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert parts(mask) == 1
    mask[3, 3, 3] = True
    assert parts(mask) == 2


def test_a_measured_finding_says_where_it_lies_as_far_as_that_is_known() -> None:
    mask = np.zeros((5, 6, 10), dtype=bool)
    mask[1:4, 2:4, 6:9] = mask[1, 0, 6] = True
    affine = np.array([[0, 0, 2, -10], [0, 1, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1]], dtype=float)
    without = measured_finding(SEGMENT, mask, (3.0, 1.0, 2.0))
    assert (without.centre_mm, without.side, without.parts) == (None, None, 2)
    placed = measured_finding(SEGMENT, mask, (3.0, 1.0, 2.0), affine=affine)
    assert placed.centre_mm == pytest.approx(centre_mm(mask, affine))
    assert placed.side is None
    plane = Midplane((0.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    assert measured_finding(SEGMENT, mask, (3.0, 1.0, 2.0), affine=affine, midplane=plane).side == "left"
    assert measured_finding(SEGMENT, mask, (3.0, 1.0, 2.0), midplane=plane).side is None


@given(
    seed=st.integers(0, 10_000),
    spacing=st.tuples(st.floats(0.2, 4.0), st.floats(0.2, 4.0)),
)
@settings(max_examples=60, deadline=None)
def test_diameters_of_any_shape(seed: int, spacing: tuple[float, float]) -> None:
    noise = np.random.default_rng(seed).random((24, 20))
    mask = ndimage.gaussian_filter(noise, 1.5) > 0.5
    if not mask.any():
        return
    found = diameters_on_slice(mask, spacing, 0)
    labelled, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    component = labelled == np.argmax(np.bincount(labelled.ravel())[1:]) + 1
    rows, columns = np.nonzero(component)
    corners = np.concatenate(
        [np.stack([rows + a, columns + b], axis=1) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
    ) * np.array(spacing)
    assert found.longest_mm == pytest.approx(pdist(corners).max(), rel=1e-9)
    ends = np.array([found.longest, found.perpendicular]) * np.array(spacing)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    assert lengths == pytest.approx([found.longest_mm, found.perpendicular_mm], rel=1e-6)
    directions = (ends[:, 1] - ends[:, 0]) / lengths[:, None]
    assert abs(directions[0] @ directions[1]) < 1e-6
    assert found.perpendicular_mm <= found.longest_mm + 1e-9
    low, high = corners.min(axis=0) - 1e-6, corners.max(axis=0) + 1e-6
    assert (ends >= low).all()
    assert (ends <= high).all()


def test_a_perpendicular_longer_than_the_longest_is_none() -> None:
    with pytest.raises(ValueError, match="perpendicular"):
        Diameters(0, ((0, 0), (1, 0)), ((0, 0), (0, 2)), 1.0, 2.0)
