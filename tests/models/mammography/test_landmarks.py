"""The edge of the pectoral muscle and the nipple."""

from __future__ import annotations

import numpy as np
import pytest

from models.mammography.nipple import find_nipple
from models.mammography.pectoral import find_pectoral
from models.mammography.region import find_breast
from models.phantoms.breast import breast_phantom


@pytest.mark.parametrize("seed", range(3))
def test_no_muscle_is_seen_on_a_craniocaudal_view(seed: int) -> None:
    phantom = breast_phantom(seed, "L", "CC")
    assert find_pectoral(phantom.pixels, find_breast(phantom.pixels)) is None


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("film", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_edge_of_the_muscle_is_found(side: str, film: bool, seed: int) -> None:
    phantom = breast_phantom(seed, side, "MLO", film=film)
    region = find_breast(phantom.pixels)
    line = find_pectoral(phantom.pixels, region)
    assert line is not None and phantom.pectoral is not None
    pitch = phantom.pixel_spacing_mm[0]
    for found, true in zip(line, phantom.pectoral, strict=True):
        assert np.hypot(found[0] - true[0], found[1] - true[1]) * pitch < 8


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("view", ["MLO", "CC"])
@pytest.mark.parametrize("seed", range(3))
def test_the_nipple_is_found_within_five_millimetres(side: str, view: str, seed: int) -> None:
    phantom = breast_phantom(seed, side, view)
    region = find_breast(phantom.pixels)
    line = find_pectoral(phantom.pixels, region) if view == "MLO" else None
    row, column = find_nipple(region, line)
    error = np.hypot(row - phantom.nipple[0], column - phantom.nipple[1]) * phantom.pixel_spacing_mm[0]
    assert error < 5


def test_the_two_breasts_of_a_phantom_are_mirror_images() -> None:
    lines = []
    for side in ("L", "R"):
        phantom = breast_phantom(1, side, "MLO", label=False)
        region = find_breast(phantom.pixels)
        lines.append((find_pectoral(phantom.pixels, region), find_nipple(region)))
    (left, left_nipple), (right, right_nipple) = lines
    assert left is not None and right is not None
    assert [720 - point[1] for point in right] == pytest.approx([point[1] for point in left], abs=6)
    assert 720 - right_nipple[1] == pytest.approx(left_nipple[1], abs=6)
