from __future__ import annotations

from typing import Any

import pytest

from dicom_io.reading import UnsuitableImage, check_header
from dicom_io.reading.mammography.laterality import laterality_of
from tests.dicom_io.reading.mammography.cases import CONTRACT, code, item, mammogram, refusal


def frame(*sides: str) -> list[Any]:
    return [item(FrameAnatomySequence=[item(FrameLaterality=side)]) for side in sides]


def region(value: str, scheme: str = "SCT") -> dict[str, Any]:
    return {"AnatomicRegionSequence": [code(value, scheme)]}


def region_side(value: str, scheme: str = "SCT") -> dict[str, Any]:
    modifier = code(value, scheme)
    return {"AnatomicRegionSequence": [code("76752008", AnatomicRegionModifierSequence=[modifier])]}


def structure_side(value: str, scheme: str = "SCT") -> dict[str, Any]:
    side = code(value, scheme)
    return {
        "PrimaryAnatomicStructureSequence": [
            code("76752008", PrimaryAnatomicStructureModifierSequence=[side])
        ]
    }


NOTHING: dict[str, Any] = {"ImageLaterality": None, "PatientOrientation": None}


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageLaterality": None},
        {"ImageLaterality": ""},
        {"ImageLaterality": "U"},
        {"ImageLaterality": "X"},
        {"ImageLaterality": None, "Laterality": ""},
        {"ImageLaterality": None, "Laterality": "B"},
        # Unpaired is said of the image: what the series says is of no use.
        {"ImageLaterality": "U", "Laterality": "L"},
        {"ImageLaterality": None, "SharedFunctionalGroupsSequence": frame("")},
        # Neither where the chest wall lies nor a text tells the breast.
        {"ImageLaterality": None, "ViewPosition": "LMLO"},
        {"ImageLaterality": None, "SeriesDescription": "Left MLO"},
        {"ImageLaterality": None, **region("76752008")},
        {"ImageLaterality": None, **region("80248007", "99LOCAL")},
    ],
)
def test_laterality_is_never_guessed(attributes: dict[str, Any]) -> None:
    error = refusal(mammogram(**attributes))
    assert (error.code, error.reason) == (
        "missing-laterality",
        "no attribute says which breast the image shows",
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageLaterality": "B"},
        {"ImageLaterality": "B", "Laterality": "L"},
        {"ImageLaterality": None, "SharedFunctionalGroupsSequence": frame("B")},
        region("63762007"),
        region("T-04080", "SNM3"),
        structure_side("51440002"),
        {"ImageLaterality": None, **region_side("G-A102", "SRT")},
    ],
)
def test_both_breasts_in_one_image(attributes: dict[str, Any]) -> None:
    assert refusal(mammogram(**attributes)).code == "both-breasts"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Laterality": "R"}, "Image Laterality is L, but Laterality of the series is R"),
        ({"ViewPosition": "RMLO"}, "Image Laterality is L, but View Position is R"),
        (
            {"SharedFunctionalGroupsSequence": frame("R")},
            "Image Laterality is L, but Frame Laterality is R",
        ),
        (region("73056007"), "Image Laterality is L, but Anatomic Region is R"),
        (region("T-04020", "SRT"), "Image Laterality is L, but Anatomic Region is R"),
        (region_side("24028007"), "Image Laterality is L, but Anatomic Region Modifier is R"),
        (
            structure_side("G-A100", "SNM3"),
            "Image Laterality is L, but Primary Anatomic Structure Modifier is R",
        ),
    ],
)
def test_two_sides_are_a_contradiction(attributes: dict[str, Any], reason: str) -> None:
    error = refusal(mammogram(**attributes))
    assert (error.code, error.reason) == ("laterality-contradiction", reason)


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(
    "where",
    [
        lambda side: {"ImageLaterality": side},
        lambda side: {"ImageLaterality": {"L": "LEFT", "R": "RIGHT"}[side]},
        lambda side: {"Laterality": side},
        lambda side: {"ImageLaterality": "", "Laterality": side},
        lambda side: {"SharedFunctionalGroupsSequence": frame(side)},
        lambda side: {"PerFrameFunctionalGroupsSequence": frame(side)},
        lambda side: region({"L": "80248007", "R": "73056007"}[side]),
        lambda side: region_side({"L": "7771000", "R": "24028007"}[side]),
        lambda side: structure_side({"L": "G-A101", "R": "G-A100"}[side], "SRT"),
    ],
)
def test_every_place_that_may_say_it(side: str, where: Any) -> None:
    dataset = mammogram(**{**NOTHING, **where(side)})
    check_header(dataset, CONTRACT)
    assert laterality_of(dataset) == side


def test_the_same_said_everywhere() -> None:
    everywhere = {
        "Laterality": "L",
        "ViewPosition": "LMLO",
        "SharedFunctionalGroupsSequence": frame("L"),
        **region_side("7771000"),
        **structure_side("7771000"),
    }
    assert laterality_of(mammogram(**everywhere)) == "L"


def test_a_refusal_of_the_function_itself_has_the_code() -> None:
    with pytest.raises(UnsuitableImage) as caught:
        laterality_of(item())
    assert caught.value.code == "missing-laterality"
