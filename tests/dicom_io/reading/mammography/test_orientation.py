from __future__ import annotations

import pytest

from dicom_io.reading import check_header
from dicom_io.reading.mammography import chest_wall_of
from tests.dicom_io.reading.mammography.cases import CONTRACT, contract, mammogram, refusal

EVERY = contract(views=("CC", "MLO", "ML", "LM", "LMO", "SIO", "ISO"))


@pytest.mark.parametrize(
    ("side", "view", "orientation"),
    [
        ("R", "MLO", ["P", "FR"]),
        ("R", "MLO", ["A", "FR"]),
        ("R", "MLO", ["P", "HL"]),
        ("L", "MLO", ["A", "FL"]),
        ("L", "MLO", ["P", "LF"]),
        ("L", "LMO", ["A", "FL"]),
        ("L", "SIO", ["A", "FR"]),
        ("R", "ISO", ["P", "FL"]),
    ],
)
def test_the_columns_of_an_oblique_view_name_the_breast(side: str, view: str, orientation: list[str]) -> None:
    error = refusal(mammogram(laterality=side, view=view, PatientOrientation=orientation), EVERY)
    assert error.code == "laterality-contradiction"
    assert error.reason == (
        f"the laterality is {side}, but Patient Orientation is {', '.join(orientation)}: "
        f"that is {view} of the other breast"
    )


@pytest.mark.parametrize("orientation", [["R", "P"], ["L", "A"], ["F", "A"], ["HL", "P"]])
@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_a_chest_wall_at_the_top_or_bottom_is_refused(view: str, orientation: list[str]) -> None:
    error = refusal(mammogram(view=view, PatientOrientation=orientation))
    assert error.code == "rotated-image"
    assert error.reason.endswith("the chest wall lies at the top or the bottom of the image")


@pytest.mark.parametrize(
    ("side", "view", "orientation", "chest_wall"),
    [
        ("L", "MLO", ["A", "FR"], "left"),
        ("R", "MLO", ["P", "FL"], "right"),
        # Stored mirrored, or head down: Patient Orientation says so, and nothing contradicts it.
        ("L", "MLO", ["P", "FR"], "right"),
        ("R", "MLO", ["A", "HR"], "left"),
        ("L", "CC", ["A", "R"], "left"),
        ("L", "CC", ["A", "L"], "left"),
        ("R", "CC", ["P", "L"], "right"),
        ("R", "CC", ["A", "L"], "left"),
        ("L", "ML", ["A", "F"], "left"),
        ("R", "LM", ["P", "F"], "right"),
        ("R", "LMO", ["P", "FL"], "right"),
        ("L", "SIO", ["A", "FL"], "left"),
        ("R", "ISO", ["P", "FR"], "right"),
        # An old object: the side is not spelt.
        ("L", "MLO", ["A", "F"], "left"),
        ("L", "MLO", ["AR", "FR"], "left"),
        ("L", "MLO", None, None),
        ("L", "MLO", "", None),
        ("L", "MLO", "A", None),
        ("L", "MLO", ["X", "Y"], None),
        ("L", "MLO", ["A", "F", "L"], None),
    ],
)
def test_orientations_that_are_read(
    side: str, view: str, orientation: list[str] | None, chest_wall: str | None
) -> None:
    dataset = mammogram(laterality=side, view=view, PatientOrientation=orientation)
    check_header(dataset, EVERY)
    assert chest_wall_of(dataset) == chest_wall


@pytest.mark.parametrize("flip", ["YES", "NO", None])
@pytest.mark.parametrize("rotation", ["0", "90", "180", None])
def test_how_the_detector_was_turned_changes_nothing(flip: str | None, rotation: str | None) -> None:
    dataset = mammogram(FieldOfViewHorizontalFlip=flip, FieldOfViewRotation=rotation)
    check_header(dataset, CONTRACT)
    assert chest_wall_of(dataset) == "left"


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("view", ["CC", "MLO", "ML", "LM", "LMO", "SIO", "ISO"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_phantoms_are_oriented_as_they_say(side: str, view: str, mirrored: bool) -> None:
    dataset = mammogram(laterality=side, view=view, mirrored=mirrored)
    check_header(dataset, EVERY)
    assert chest_wall_of(dataset) == ("left" if (side == "L") is not mirrored else "right")
