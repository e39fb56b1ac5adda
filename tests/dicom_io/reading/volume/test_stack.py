"""Planes to grids: what is refused, and where the voxels of the others lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from dicom_io.reading import UnsuitableImage
from dicom_io.reading.volume import Plane, stack_planes
from models.volume_results import SliceSource
from tests.dicom_io.results.volume_factory import ORIENTATIONS, affine_of


def planes(affine: NDArray[np.float64] | None = None, count: int = 12, digits: int = 6) -> list[Plane]:
    affine = affine_of("axial", (2.5, 0.75, 1.25)) if affine is None else affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = np.round(affine[:3, :3] / spacing, digits)
    return [
        Plane(
            source=SliceSource("1.2.840.10008.5.1.4.1.1.4", f"2.25.{index + 1}"),
            position=tuple(np.round((affine @ [index, 0, 0, 1])[:3], digits)),
            orientation=(*directions[:, 2], *directions[:, 1]),
            pixel_spacing=(float(spacing[1]), float(spacing[2])),
            shape=(24, 20),
        )
        for index in range(count)
    ]


def moved(plane: Plane, by: tuple[float, float, float]) -> Plane:
    x, y, z = np.add(plane.position, by)
    return replace(plane, position=(float(x), float(y), float(z)))


def turned(plane: Plane, degrees: float, axis: str = "x") -> Plane:
    rotation = Rotation.from_euler(axis, degrees, degrees=True)
    row, column = (rotation.apply(plane.orientation[start : start + 3]) for start in (0, 3))
    return replace(plane, orientation=(*row, *column))


def tilted(stack: list[Plane]) -> list[Plane]:
    return [moved(plane, (0, 0.5 * number, 0)) for number, plane in enumerate(stack)]


BAD: dict[str, tuple[Callable[[list[Plane]], list[Plane]], str, str]] = {
    "one slice": (lambda s: s[:1], "few-slices", "1 slices"),
    "a slice twice": (
        lambda s: [*s, replace(s[3], source=s[0].source)],
        "duplicate-slice",
        "1 of 12 positions",
    ),
    "two time points": (lambda s: [*s, *s], "duplicate-slice", "every one of 12 positions has 2 slices"),
    "one slice missing": (
        lambda s: s[:4] + s[5:],
        "missing-slice",
        "1 slice is missing.*after slice 4 of 11",
    ),
    "three slices missing": (lambda s: s[:4] + s[6:8] + s[9:], "missing-slice", "3 slices are missing"),
    "one gap of half a slice": (
        lambda s: s[:6] + [moved(one, (0, 0, 1.25)) for one in s[6:]],
        "irregular-spacing",
        "2.50 to 3.75 mm",
    ),
    "gaps that drift": (
        lambda s: [moved(one, (0, 0, 0.04 * n if n < 6 else 0.04 * (12 - n))) for n, one in enumerate(s)],
        "irregular-spacing",
        "drift",
    ),
    "gantry tilt": (tilted, "gantry-tilt", "11.3 degrees"),
    "a shifted slice": (lambda s: [*s[:5], moved(s[5], (3, 0, 0)), *s[6:]], "shifted-slice", "sideways"),
    "a turned slice": (lambda s: [*s[:5], turned(s[5], 2), *s[6:]], "non-parallel-slices", "2.00 degrees"),
    "a slice turned in its plane": (
        lambda s: [*s[:5], turned(s[5], 5, "z"), *s[6:]],
        "non-parallel-slices",
        "turned",
    ),
    "a localiser": (lambda s: [*s[:10], turned(s[10], 90), turned(s[11], 90)], "mixed-orientation", "90"),
    "another size": (lambda s: [*s[:5], replace(s[5], shape=(20, 24)), *s[6:]], "mixed-sizes", "20 x 24"),
    "another pixel spacing": (
        lambda s: [*s[:5], replace(s[5], pixel_spacing=(0.75, 1.3)), *s[6:]],
        "mixed-pixel-spacing",
        "different",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_what_is_no_regular_grid_is_refused_with_its_reason(case: str) -> None:
    change, code, words = BAD[case]
    with pytest.raises(UnsuitableImage, match=words) as caught:
        stack_planes(change(planes()))
    assert caught.value.code == code


@pytest.mark.parametrize("case", list(BAD))
def test_the_order_of_the_files_changes_no_refusal(case: str) -> None:
    change, code, _ = BAD[case]
    with pytest.raises(UnsuitableImage) as caught:
        stack_planes(change(planes())[::-1])
    assert caught.value.code == code


@pytest.mark.parametrize("orientation", list(ORIENTATIONS))
@pytest.mark.parametrize("digits", [3, 6])
def test_every_voxel_lies_where_its_plane_says(orientation: str, digits: int) -> None:
    given_planes = planes(affine_of(orientation, (2.5, 0.75, 1.25)), digits=digits)
    mixed = list(np.random.default_rng(3).permutation(len(given_planes)))
    stack = stack_planes([given_planes[index] for index in mixed])
    for index, plane in enumerate(stack.planes):
        row, column = np.array(plane.orientation[:3]), np.array(plane.orientation[3:])
        for r, c in ((0, 0), (23, 0), (0, 19), (11, 7)):
            place = np.array(plane.position) + column * r * 0.75 + row * c * 1.25
            assert np.abs((stack.affine @ [index, r, c, 1])[:3] - place).max() < 0.02
        assert plane is given_planes[mixed[stack.order[index]]]
    assert stack.spacing == pytest.approx((2.5, 0.75, 1.25), abs=1e-3)


@settings(max_examples=50, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8)] * 3),
    count=st.integers(3, 40),
    seed=st.integers(0, 99),
)
def test_any_regular_stack_is_read_in_any_order(
    angles: tuple[float, float, float], spacing: tuple[float, float, float], count: int, seed: int
) -> None:
    directions = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    stack_in = planes(affine_of(directions, spacing), count)
    stack = stack_planes([stack_in[i] for i in np.random.default_rng(seed).permutation(count)])
    uids = [plane.source.sop_instance_uid for plane in stack.planes]
    assert uids in (
        [p.source.sop_instance_uid for p in stack_in],
        [p.source.sop_instance_uid for p in stack_in[::-1]],
    )
    assert stack.spacing == pytest.approx(spacing, rel=1e-3)
    for index, plane in enumerate(stack.planes):
        assert np.allclose((stack.affine @ [index, 0, 0, 1])[:3], plane.position, atol=1e-3)
