from __future__ import annotations

from typing import Any

import pytest

from dicom_io.reading import check_header, mammogram_statements
from dicom_io.reading.mammography import facts_of
from models.package import InputContract
from tests.dicom_io.reading.mammography.cases import (
    CONTRACT,
    MAMMOGRAPHY,
    code,
    contract,
    mammogram,
    refusal,
    view,
)

EVERYTHING = contract(refused_modifiers=(), accept_implants=True, accept_male=True)


def modified(*codes: str) -> dict[str, Any]:
    return {"ViewCodeSequence": view("399368009", modifiers=[code(one) for one in codes])}


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize("name", ["MLO", "CC"])
def test_the_four_views_are_read(side: str, name: str) -> None:
    check_header(mammogram(laterality=side, view=name), CONTRACT)


@pytest.mark.parametrize(
    ("attributes", "code_", "reason"),
    [
        ({"modifiers": ("S",)}, "spot-view", "the image is a spot compression view"),
        ({"modifiers": ("M",)}, "magnification-view", "the image is a magnification view"),
        ({"modifiers": ("M", "S")}, "magnification-view", "the image is a magnification view"),
        ({"ViewPosition": "SMLO"}, "spot-view", "the image is a spot compression view"),
        (
            {"modifiers": ("CV",)},
            "both-breasts",
            "the image is a cleavage view, which shows parts of both breasts",
        ),
        ({"modifiers": ("ID",)}, "implant", "the image is a view with the implant displaced"),
        ({"modifiers": ("AT",)}, "view-modifier-not-read", "the image is a view of the axillary tail"),
        ({"modifiers": ("RL",)}, "view-modifier-not-read", "the image is a rolled view"),
        ({"modifiers": ("RM", "S")}, "spot-view", "the image is a spot compression view"),
        ({"modifiers": ("TAN",)}, "view-modifier-not-read", "the image is a tangential view"),
        (modified("442593008"), "view-modifier-not-read", "the image is a view of the inframammary fold"),
        (modified("441752004"), "view-modifier-not-read", "the image is an anterior compression view"),
        ({"implant": True}, "implant", "the breast has an implant, which the package does not know"),
        (
            {"sex": "M"},
            "male-patient",
            "the package is made for images of women, and the patient is not one by the header",
        ),
    ],
)
def test_refusals_of_the_default_contract(attributes: dict[str, Any], code_: str, reason: str) -> None:
    error = refusal(mammogram(**attributes))
    assert (error.code, error.reason) == (code_, reason)


@pytest.mark.parametrize(
    "attributes",
    [
        {"EstimatedRadiographicMagnificationFactor": "1.2"},
        {"EstimatedRadiographicMagnificationFactor": "1.8"},
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "400"},
        {"EstimatedRadiographicMagnificationFactor": "0", "DistanceSourceToPatient": "360"},
    ],
)
def test_magnification_counts_without_its_modifier(attributes: dict[str, Any]) -> None:
    error = refusal(mammogram(**attributes))
    assert error.code == "magnification-view"
    assert error.reason.endswith("times: it is no contact view")
    dataset = mammogram(**attributes)
    check_header(dataset, EVERYTHING)
    assert facts_of(dataset).view.modifiers == ("M",)


@pytest.mark.parametrize(
    "attributes",
    [
        {"EstimatedRadiographicMagnificationFactor": "1.0433386837881"},
        {"EstimatedRadiographicMagnificationFactor": "1.14"},
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "600"},
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "0"},
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "-400"},
        {"EstimatedRadiographicMagnificationFactor": None, "DistanceSourceToPatient": "1"},
        {"EstimatedRadiographicMagnificationFactor": "", "DistanceSourceToDetector": None},
    ],
)
def test_contact_views(attributes: dict[str, Any]) -> None:
    dataset = mammogram(**attributes)
    check_header(dataset, CONTRACT)
    assert facts_of(dataset).view.modifiers == ()


@pytest.mark.parametrize("sex", ["F", "O", "", None])
def test_only_a_man_by_the_header_is_refused(sex: str | None) -> None:
    check_header(mammogram(PatientSex=sex), CONTRACT)


def test_a_contract_may_read_what_others_refuse() -> None:
    how: dict[str, Any] = {"modifiers": ("ID", "M", "S"), "implant": True, "sex": "M", "magnification": 1.8}
    check_header(mammogram(**how), EVERYTHING)
    facts = facts_of(mammogram(**how))
    assert facts.view.modifiers == ("ID", "M", "S")
    assert facts.implant
    assert facts_of(mammogram(modifiers=("ID",))).implant  # whatever Breast Implant Present says


def test_a_contract_without_mammography_is_as_before() -> None:
    plain = InputContract(modalities=("MG",))
    check_header(mammogram(ImageLaterality=None, sex="M", modifiers=("S",)), plain)
    assert refusal(mammogram(NumberOfFrames="3"), plain).code == "multi-frame"


@pytest.mark.parametrize(
    ("attributes", "code_"),
    [
        ({"Rows": 100}, "bad-dimensions"),
        ({"BitsAllocated": 32}, "bad-bit-depth"),
        ({"Rows": None}, "no-pixel-data"),
    ],
)
def test_geometry_comes_last(attributes: dict[str, Any], code_: str) -> None:
    assert refusal(mammogram(**attributes)).code == code_
    assert refusal(mammogram(ImageLaterality=None, **attributes)).code == "missing-laterality"


@pytest.mark.parametrize(
    ("attributes", "statements"),
    [
        ({}, ()),
        ({"PartialViewDescription": "", "PartialView": ""}, ()),
        ({"laterality": "R"}, ()),
        ({"view": "CC"}, ("The CC view is read, but the figures of the package are of other views",)),
        ({"ConversionType": "DF"}, ("The left MLO image is a digitised film",)),
        (
            {"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]},
            ("The left MLO image was synthesised from tomosynthesis; the tomosynthesis itself was not read",),
        ),
        (
            {"SeriesDescription": "C-View"},
            ("The left MLO image may have been synthesised from tomosynthesis, by the name of its series",),
        ),
        ({"partial": True}, ("The left MLO image shows only part of the breast",)),
        ({"PartialViewDescription": "lower half"}, ("The left MLO image shows only part of the breast",)),
        (
            {"BurnedInAnnotation": "YES"},
            (
                "The left MLO image has writing burned into it, which may be taken for tissue and is shown "
                "in key images",
            ),
        ),
        ({"modifiers": ("M",)}, ("The left MLO image is magnified: sizes are estimates",)),
        (
            {"implant": True},
            ("The left MLO image is of a breast with an implant, which may hide tissue",),
        ),
        (
            {"modifiers": ("ID",)},
            ("The left MLO image is of a breast with an implant, displaced for this view",),
        ),
        ({"sex": "M"}, ("The patient is a man by the header; the figures of the package are of women",)),
        (
            {"laterality": "R", "view": "CC", "partial": True, "ConversionType": "DF"},
            (
                "The CC view is read, but the figures of the package are of other views",
                "The right CC image is a digitised film",
                "The right CC image shows only part of the breast",
            ),
        ),
    ],
)
def test_statements(attributes: dict[str, Any], statements: tuple[str, ...]) -> None:
    assert mammogram_statements(mammogram(**attributes), MAMMOGRAPHY) == statements


def test_no_statement_and_no_refusal_repeats_free_text() -> None:
    marked = mammogram(
        marker="LEAKED", partial=True, PartialViewDescription="LEAKED", SeriesDescription="LEAKED C-VIEW"
    )
    assert "LEAKED" not in " ".join(mammogram_statements(marked, MAMMOGRAPHY))
    for attributes in ({"ImageLaterality": None}, {"sex": "M"}, {"modifiers": ("S",)}, {"view": "ML"}):
        assert "LEAKED" not in refusal(mammogram(marker="LEAKED", **attributes)).reason
