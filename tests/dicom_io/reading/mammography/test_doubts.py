from __future__ import annotations

from typing import Any

import pytest

from dicom_io.reading.mammography import (
    mammogram_doubts,
    orientation_doubt,
    paddle_doubt,
    unstated_orientation_doubt,
)
from models.mammography_results import ImageSide
from tests.dicom_io.reading.mammography.cases import code, mammogram, view
from tests.dicom_io.results.test_mammography_sizes import enhanced

PARTIAL_PADDLE = [
    "SPOT CONTACT 7.5CM",
    "LOC 10CM",
    "NEEDLE_LOC",
    "10CM BIOPSY",
    "MAG QUAD",
    "MAG10",
    "STEREO",
]


@pytest.mark.parametrize(
    ("side", "name", "orientation"),
    [
        ("R", "CC", ["A", "R"]),  # turned by 180 degrees, or the left breast as it always is
        ("L", "CC", ["P", "L"]),
        ("R", "CC", ["P", "R"]),
        ("L", "CC", ["A", "L"]),
        ("L", "CC", ["A", "LF"]),
        ("L", "CC", ["A", "F"]),
        ("R", "XCCL", ["A", "R"]),
        ("R", "MLO", ["A", "HR"]),
        ("L", "MLO", ["P", "HL"]),
        ("L", "ML", ["A", "H"]),
    ],
)
def test_an_image_that_is_turned_or_of_the_other_breast_is_in_doubt(
    side: str, name: str, orientation: list[str]
) -> None:
    dataset = mammogram(laterality=side, view=name, PatientOrientation=orientation)
    words = {"L": "left", "R": "right"}[side]
    said = (
        f"The Patient Orientation of the {words} {name} image is {orientation[0]}, {orientation[1]}: the "
        "image is turned by 180 degrees or stored upside down, or of the other breast."
    )
    assert orientation_doubt(dataset) == said
    assert orientation_doubt(enhanced(dataset)) == said
    assert mammogram_doubts(dataset) == (said,)


@pytest.mark.parametrize(
    ("side", "name", "orientation"),
    [
        ("L", "CC", ["A", "R"]),
        ("R", "CC", ["P", "L"]),
        ("L", "CC", ["P", "R"]),  # mirrored
        ("R", "CC", ["A", "L"]),
        ("L", "MLO", ["A", "FR"]),
        ("R", "MLO", ["P", "FL"]),
        ("L", "MLO", ["P", "FR"]),
        ("R", "ML", ["P", "F"]),
        ("R", "MLO", None),
        ("R", "CC", ["P", ""]),
        ("R", "CC", ["P"]),
        ("L", "CC", ["A", "X"]),
    ],
)
def test_orientations_of_the_breast_that_is_stated(
    side: str, name: str, orientation: list[str] | None
) -> None:
    assert orientation_doubt(mammogram(laterality=side, view=name, PatientOrientation=orientation)) is None


@pytest.mark.parametrize(
    ("side", "chest_wall", "doubted"),
    [("L", "left", False), ("R", "right", False), ("L", "right", True), ("R", "left", True)],
)
@pytest.mark.parametrize("orientation", [None, "", ["X", "Y"]])
def test_without_orientation_an_unusual_side_is_in_doubt(
    side: str, chest_wall: ImageSide, doubted: bool, orientation: Any
) -> None:
    dataset = mammogram(laterality=side, view="MLO", PatientOrientation=orientation)
    said = unstated_orientation_doubt(dataset, chest_wall)
    assert (said is not None) is doubted
    assert mammogram_doubts(dataset, chest_wall) == ((said,) if doubted else ())
    assert unstated_orientation_doubt(mammogram(laterality=side, view="MLO"), chest_wall) is None
    if said is not None:
        assert "states no Patient Orientation" in said
        assert "may be mirrored, or of the other breast" in said


@pytest.mark.parametrize("words", PARTIAL_PADDLE)
def test_a_special_paddle_without_a_modifier_is_in_doubt(words: str) -> None:
    said = paddle_doubt(mammogram(PaddleDescription=words))
    assert said is not None and "it may show only part of the breast" in said
    assert words not in said


@pytest.mark.parametrize(
    "words", ["", None, "24X30 FLEX", "MAMMO 18X24", "BLOCK", "IMAGE", "SCREENING", "VELOCITY"]
)
def test_a_paddle_of_whole_views_is_not(words: str | None) -> None:
    assert paddle_doubt(mammogram(PaddleDescription=words)) is None


def test_a_spot_view_that_says_so_is_no_doubt() -> None:
    spot = mammogram(
        PaddleDescription="SPOT", ViewCodeSequence=view("399368009", modifiers=[code("399055006")])
    )
    assert paddle_doubt(spot) is None


def test_an_image_without_a_view_has_no_doubts() -> None:
    nothing = mammogram(ViewCodeSequence=None, ViewPosition=None, PaddleDescription="SPOT")
    assert mammogram_doubts(nothing, "left") == ()
