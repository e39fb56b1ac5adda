from __future__ import annotations

from typing import Any

import pytest
from pydicom.sr.codedict import codes

from dicom_io.reading.mammography.codes import MODIFIERS, VIEWS
from dicom_io.reading.mammography.position import Position, read_position
from dicom_io.reading.mammography.view import StatedView, view_of_mammogram
from models.mammography_results import MAMMOGRAPHY_VIEWS, VIEW_MODIFIERS
from tests.dicom_io.reading.mammography.cases import CONTRACT, code, contract, mammogram, refusal, view

EARLIER = {"399265009", "R-102CF", "Y-X1770", "Y-X1771"}


@pytest.mark.parametrize(("group", "table"), [("CID4014", VIEWS), ("CID4015", MODIFIERS)])
def test_the_tables_are_the_context_groups_with_their_old_codes(group: str, table: dict[str, str]) -> None:
    standard = {getattr(codes, group).__getattr__(name).value for name in getattr(codes, group).dir()}
    assert standard == {value for value in table if value.isdigit()} - EARLIER
    assert len(set(table.values())) * 2 == len(set(table) - {"Y-X1770", "Y-X1771"})


def test_the_tables_know_every_view_and_modifier() -> None:
    assert set(VIEWS.values()) == {*MAMMOGRAPHY_VIEWS, "XCC", "SPECIMEN"}
    assert set(MODIFIERS.values()) == VIEW_MODIFIERS


@pytest.mark.parametrize(
    "attributes",
    [
        {"ViewCodeSequence": None, "ViewPosition": None},
        {"ViewCodeSequence": [], "ViewPosition": ""},
        {"ViewCodeSequence": [], "ViewPosition": "OBLIQUE"},
        {"ViewCodeSequence": [], "ViewPosition": "MLOX"},
        {"ViewCodeSequence": [], "ViewPosition": "TAN"},
    ],
)
def test_a_missing_view(attributes: dict[str, Any]) -> None:
    assert refusal(mammogram(**attributes)).code == "missing-view"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (
            {"ViewCodeSequence": [], "ViewPosition": "PA"},
            "the view is PA, which is no view of the breast",
        ),
        (
            {"ViewCodeSequence": [], "ViewPosition": "LAT"},
            "the view is LAT, which is no view of the breast",
        ),
        (
            {"ViewCodeSequence": view("272479007"), "ViewPosition": None},
            "the view is 272479007, which is no view of the breast",
        ),
        (
            {"ViewCodeSequence": view("399368009", "99LOCAL"), "ViewPosition": None},
            "the view is 399368009, which is no view of the breast",
        ),
        ({"view": "ML"}, "the view is ML, not MLO or CC"),
        ({"view": "XCCL"}, "the view is XCCL, not MLO or CC"),
        (
            {"ViewCodeSequence": view("R-102CF", "SRT"), "ViewPosition": "XCC"},
            "the view is XCC, not MLO or CC",
        ),
    ],
)
def test_a_view_that_is_not_read(attributes: dict[str, Any], reason: str) -> None:
    error = refusal(mammogram(**attributes))
    assert (error.code, error.reason) == ("wrong-view", reason)


@pytest.mark.parametrize("position", ["CC", "RCC", "PA", "LAT", "ML"])
def test_code_and_text_must_agree(position: str) -> None:
    error = refusal(mammogram(ViewPosition=position, ImageLaterality="R", PatientOrientation=None))
    assert error.code == "view-contradiction"
    assert error.reason == f"the view is coded as MLO, but View Position is {position}"


def test_two_codes_are_a_contradiction() -> None:
    both = [*view("399368009"), *view("399162004")]
    assert refusal(mammogram(ViewCodeSequence=both)).code == "view-contradiction"
    twice = [*view("399368009"), *view("R-10226", "SNM3")]
    assert view_of_mammogram(mammogram(ViewCodeSequence=twice)).view == "MLO"


@pytest.mark.parametrize("value", [value for value in VIEWS if VIEWS[value] != "SPECIMEN"])
def test_every_code_is_read(value: str) -> None:
    schemes = ("SCT",) if value.isdigit() else ("SRT", "SNM3", "99SDM")
    for scheme in schemes:
        dataset = mammogram(ViewCodeSequence=view(value, scheme), ViewPosition=None)
        assert view_of_mammogram(dataset) == StatedView(VIEWS[value])


@pytest.mark.parametrize("value", list(MODIFIERS))
@pytest.mark.parametrize("inside", [True, False])
def test_every_modifier_is_read_inside_the_view_and_beside_it(value: str, inside: bool) -> None:
    modifiers = [code(value, "SCT" if value.isdigit() else "SNM3")]
    attributes: dict[str, Any] = (
        {"ViewCodeSequence": view("399368009", modifiers=modifiers)}
        if inside
        else {"ViewModifierCodeSequence": modifiers}
    )
    assert view_of_mammogram(mammogram(**attributes)).modifiers == (MODIFIERS[value],)


def test_a_modifier_of_another_scheme_is_refused_as_what_it_does_is_unknown() -> None:
    error = refusal(mammogram(ViewCodeSequence=view("399368009", modifiers=[code("PADDLE", "99LOCAL")])))
    assert error.code == "unknown-view-modifier"
    assert error.reason == "the view has the modifier PADDLE, which is none of mammography"
    check = mammogram(ViewCodeSequence=view("399368009", modifiers=[code("", "")]))
    assert view_of_mammogram(check).modifiers == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", Position()),
        ("AP", Position()),
        ("OBLIQUE", Position()),
        ("MLO", Position("MLO")),
        ("mlo", Position("MLO")),
        ("LM", Position("LM")),
        ("LMO", Position("LMO")),
        ("ML", Position("ML")),
        ("LML", Position("ML", (), "L")),
        ("RML", Position("ML", (), "R")),
        ("LLM", Position("LM", (), "L")),
        ("LMLO", Position("MLO", (), "L")),
        ("L MLO", Position("MLO", (), "L")),
        ("R-CC", Position("CC", (), "R")),
        ("RLMO", Position("LMO", (), "R")),
        ("SMLO", Position("MLO", ("S",))),
        ("MCC", Position("CC", ("M",))),
        ("LMSCC", Position("CC", ("M", "S"), "L")),
        ("CCID", Position("CC", ("ID",))),
        ("MLOID", Position("MLO", ("ID",))),
        ("RCCRL", Position("CC", ("RL",), "R")),
        ("CCIDNP", Position("CC", ("ID", "NP"))),
        ("XCCL", Position("XCCL")),
        ("LXCCL", Position("XCCL", (), "L")),
        ("XCC", Position("XCC")),
        ("CV", Position("CC", ("CV",))),
        ("AT", Position("MLO", ("AT",))),
        ("RAT", Position("MLO", ("AT",), "R")),
        ("LAT", Position()),
        ("TAN", Position("", ("TAN",))),
        ("FB", Position("FB")),
    ],
)
def test_the_text_of_view_position(value: str, expected: Position) -> None:
    assert read_position(value) == expected


def test_the_text_stands_in_for_a_missing_code_and_adds_its_modifiers() -> None:
    assert view_of_mammogram(mammogram(ViewCodeSequence=None, ViewPosition="SMLO")) == StatedView(
        "MLO", ("S",)
    )
    assert view_of_mammogram(mammogram(modifiers=("M",), ViewPosition="SMLO")).modifiers == ("M", "S")
    exaggerated = mammogram(view="XCCL", ViewPosition="XCC")
    assert view_of_mammogram(exaggerated).view == "XCCL"


def test_the_contract_says_which_views_are_read() -> None:
    other = mammogram(view="ML")
    assert refusal(other, CONTRACT).code == "wrong-view"
    assert refusal(mammogram(), contract(views=("ML",))).reason == "the view is MLO, not ML"
