"""Every code of every CAD report is looked up in the context group of its row, and in its coding scheme."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts

from dicom_io.results.cad import codes
from models.concepts import Concept
from models.mammography_results import MAMMOGRAPHY_VIEWS, VIEW_MODIFIERS
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.cad.context_groups import dicom_terms, group, plain

REPORTS = cases.all_reports()

# Value set by concept name: (chest, mammography); TID 4100 to 4104, TID 4000 to 4006, TID 4015 to 4020
VALUE_SETS = {
    "111017": (6047, 6047),
    "111056": (6034, 6034),
    "111059": (6101, 6014),
    "112024": (6102, None),
    "111015": (6101, 6016),
    "111016": (6035, 6035),
    "111057": (6036, 6036),
    "111064": (6042, 6042),
    "111065": (6042, 6042),
    "111022": (6102, 6014),
    "111004": (6137, 6043),
    "111027": (244, 6022),
    "111031": (4010, 4014),
    "111032": (4011, 4015),
}
LANGUAGE = "121049"  # CID 5000: a tag of RFC 5646
UNITS = {"%": "Percent", "mm": "mm", "um": "micrometer", "deg": "deg", "{pixels}": "pixels"}


def walk(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence", ()):
        yield from walk(child)


@pytest.mark.parametrize("name", REPORTS)
def test_values_are_of_their_context_groups(name: str) -> None:
    column = 0 if name.startswith("chest") else 1
    seen = set()
    for item in walk(REPORTS[name]):
        if item.get("ValueType") != "CODE":
            continue
        concept, value = item.ConceptNameCodeSequence[0].CodeValue, item.ConceptCodeSequence[0]
        seen.add(concept)
        if concept == LANGUAGE:
            assert (value.CodeValue, value.CodingSchemeDesignator) == ("en", "RFC5646")
            continue
        number = VALUE_SETS[concept][column]
        assert number is not None, f"{concept} has no place here"
        meaning = group(number)[(value.CodeValue, value.CodingSchemeDesignator)]
        assert meaning == value.CodeMeaning, f"{concept}: CID {number} says {meaning!r}"
    assert {LANGUAGE, "111017", "111064", "111065"} <= seen


@pytest.mark.parametrize("name", REPORTS)
def test_names_and_units_are_of_their_schemes(name: str) -> None:
    linear = group(7470)
    for item in walk(REPORTS[name]):
        for concept in item.get("ConceptNameCodeSequence", ()):
            if concept.CodingSchemeDesignator == "DCM":
                assert dicom_terms()[concept.CodeValue] == concept.CodeMeaning
            else:
                assert linear[(concept.CodeValue, concept.CodingSchemeDesignator)] == concept.CodeMeaning
        for measured in item.get("MeasuredValueSequence", ()):
            (unit,) = measured.MeasurementUnitsCodeSequence
            assert unit.CodingSchemeDesignator == "UCUM"
            assert UNITS[unit.CodeValue] == unit.CodeMeaning


@pytest.mark.parametrize(
    ("number", "used"),
    [
        (244, codes.SIDES.values()),
        (4010, codes.CHEST_VIEWS.values()),
        (4011, codes.CHEST_VIEW_MODIFIERS.values()),
        (4014, codes.MAMMOGRAPHY_VIEWS.values()),
        (4015, codes.MAMMOGRAPHY_VIEW_MODIFIERS.values()),
        (6014, [codes.BREAST_DENSITY]),
        (6016, [codes.BREAST_MASS]),
        (6022, codes.BREASTS.values()),
        (6034, [codes.PRESENTATION_REQUIRED, codes.PRESENTATION_OPTIONAL]),
        (6035, [codes.RELATED_SPATIALLY]),
        (6036, [codes.ON_MULTIPLE_IMAGES]),
        (6042, codes.STATUS.values()),
        (6043, [codes.SPATIAL_COLLOCATION]),
        (6101, [codes.ABNORMAL_OPACITY]),
        (6102, codes.CHEST_FINDINGS.values()),
        (6104, codes.CHEST_FINDINGS.values()),
        (7470, [codes.HEIGHT, codes.WIDTH]),
    ],
)
def test_constants_are_of_their_context_groups(number: int, used: list[Concept]) -> None:
    assert {(one.code, one.scheme): one.meaning for one in used}.items() <= group(number).items()


def test_whole_context_groups_are_known() -> None:
    summaries = {
        (one.code, one.scheme): one.meaning
        for one in (
            codes.ALL_WITHOUT_FINDINGS,
            codes.ALL_WITH_FINDINGS,
            codes.SOME_WITHOUT_FINDINGS,
            codes.SOME_WITH_FINDINGS,
            codes.NONE_WITHOUT_FINDINGS,
        )
    }
    assert summaries == group(6047)
    assert {(one.code, one.scheme) for one in codes.STATUS.values()} == group(6042).keys()
    # all views but the tissue specimen, all modifiers
    assert {one.code for one in codes.MAMMOGRAPHY_VIEWS.values()} == {
        code for code, _ in group(4014) if code != "127457009"
    }
    assert {one.code for one in codes.MAMMOGRAPHY_VIEW_MODIFIERS.values()} == {
        code for code, _ in group(4015)
    }


def test_every_view_of_the_types_has_a_code() -> None:
    assert codes.MAMMOGRAPHY_VIEWS.keys() == MAMMOGRAPHY_VIEWS
    assert codes.MAMMOGRAPHY_VIEW_MODIFIERS.keys() == VIEW_MODIFIERS


def test_mass_is_no_single_image_finding_of_mammography() -> None:
    assert ("129788004", "SCT") not in group(6014)
    assert ("129788004", "SCT") in group(6016)


def test_breast_density_is_never_a_category() -> None:
    categories = group(6000).keys()
    for report in cases.mammography_reports().values():
        for item in walk(report):
            for value in item.get("ConceptCodeSequence", ()):
                assert (value.CodeValue, value.CodingSchemeDesignator) not in categories


def test_units_are_the_ones_of_ucum() -> None:
    known = {
        code: plain(meaning) for entry in concepts["UCUM"].values() for code, (meaning, _) in entry.items()
    }
    assert known["%"] == UNITS["%"]
    assert known["mm"] == UNITS["mm"]
    assert known["um"] == UNITS["um"]
