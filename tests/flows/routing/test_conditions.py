from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from flows.routing.conditions import (
    QUOTABLE,
    candidate_routes,
    could_pass,
    definite_failures,
    failures,
)
from flows.routing.rules import Condition, Route


def _condition(**form: Any) -> Condition:
    return Condition.model_validate(form)


@pytest.fixture
def header() -> Dataset:
    made = Dataset()
    made.Modality = "DX"
    made.BodyPartExamined = "CHEST"
    made.ViewPosition = ""
    made.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
    made.Rows = 2048
    made.PixelSpacing = [0.143, 0.2]
    made.PatientName = "Secret^Marker"
    made.StudyDescription = "Thorax of Mr Marker"
    made.AnatomicRegionSequence = [Dataset()]
    return made


@pytest.mark.parametrize(
    ("form", "reasons"),
    [
        ({"tag": "Modality", "equals": "DX"}, []),
        ({"tag": "Modality", "equals": "CT"}, ["Modality is 'DX', 'CT' is needed"]),
        ({"tag": "Modality", "in": ["CR", "DX"]}, []),
        ({"tag": "Modality", "in": ["CR", "CT"]}, ["Modality is 'DX', one of 'CR', 'CT' is needed"]),
        ({"tag": "BodyPartExamined", "matches": "^(CHEST|THORAX)$"}, []),
        (
            {"tag": "BodyPartExamined", "matches": "HAND"},
            ["BodyPartExamined is 'CHEST', a match of /HAND/ is needed"],
        ),
        ({"tag": "Rows", "range": [512, 4096]}, []),
        ({"tag": "Rows", "range": [2048, 2048]}, []),
        ({"tag": "Rows", "range": [1, 1024]}, ["Rows is '2048', 1 to 1024 is needed"]),
        ({"tag": "Rows", "equals": 2048}, []),
        ({"tag": "Rows", "equals": "2048"}, []),
        ({"tag": "Rows", "equals": 2047}, ["Rows is '2048', 2047 is needed"]),
        ({"tag": "Modality", "range": [0, 1]}, ["Modality is 'DX', 0 to 1 is needed"]),
        ({"tag": "PixelSpacing", "range": [0.19, 0.21]}, []),
        ({"tag": "ImageType", "equals": "PRIMARY"}, []),
        (
            {"tag": "ImageType", "equals": "LOCALIZER"},
            ["ImageType is 'DERIVED\\\\PRIMARY\\\\AXIAL', 'LOCALIZER' is needed"],
        ),
        ({"tag": "BodyPartExamined", "present": True}, []),
        ({"tag": "BodyPartExamined", "present": False}, ["BodyPartExamined is present"]),
        ({"tag": "ViewPosition", "present": False}, []),
        ({"tag": "ViewPosition", "present": True}, ["ViewPosition is absent"]),
        ({"tag": "Laterality", "present": False}, []),
        ({"tag": "Laterality", "equals": "L"}, ["Laterality is absent, 'L' is needed"]),
        ({"tag": "ViewPosition", "matches": ""}, ["ViewPosition is absent, a match of // is needed"]),
        ({"tag": "AnatomicRegionSequence", "present": True}, []),
        (
            {"tag": "AnatomicRegionSequence", "equals": "x"},
            ["AnatomicRegionSequence is a sequence and can only be tested for presence"],
        ),
        ({"all": []}, []),
        ({"any": []}, ["none of: "]),
        (
            {"all": [{"tag": "Modality", "equals": "CT"}, {"tag": "Rows", "equals": 1}]},
            ["Modality is 'DX', 'CT' is needed", "Rows is '2048', 1 is needed"],
        ),
        ({"any": [{"tag": "Modality", "equals": "CT"}, {"tag": "Rows", "equals": 2048}]}, []),
        (
            {"any": [{"tag": "Modality", "equals": "CT"}, {"tag": "Rows", "equals": 1}]},
            ["none of: Modality is 'DX', 'CT' is needed; Rows is '2048', 1 is needed"],
        ),
        ({"not": {"tag": "Modality", "equals": "CT"}}, []),
        ({"not": {"tag": "Modality", "equals": "DX"}}, ["excluded because Modality is 'DX'"]),
        (
            {"not": {"any": [{"tag": "Modality", "equals": "DX"}, {"tag": "Rows", "equals": 1}]}},
            ["excluded because Modality is 'DX'"],
        ),
        ({"not": {"not": {"tag": "Modality", "equals": "CT"}}}, None),
        ({"not": {"tag": "Modality", "present": True}}, ["excluded because Modality is present"]),
    ],
)
def test_tests_and_their_reasons(header: Dataset, form: dict[str, Any], reasons: list[str] | None) -> None:
    found = failures(_condition(**form), header)
    if reasons is None:
        assert found
    else:
        assert found == reasons


@pytest.mark.parametrize(
    "form",
    [
        {"tag": "PatientName", "equals": "Other"},
        {"tag": "StudyDescription", "matches": "hand"},
        {"not": {"tag": "PatientName", "matches": "Secret"}},
        {"not": {"all": [{"tag": "StudyDescription", "matches": "Thorax"}]}},
        {"any": [{"tag": "PatientName", "in": ["A", "B"]}]},
    ],
)
def test_values_that_may_name_the_patient_are_withheld(header: Dataset, form: dict[str, Any]) -> None:
    (reason,) = failures(_condition(**form), header)
    assert "Marker" not in reason
    assert "value withheld" in reason


def test_no_quotable_attribute_is_about_the_patient() -> None:
    personal = ("Patient", "Physician", "Operator", "Institution", "Accession", "Description", "Date", "Time")
    allowed = {"PatientPosition", "PatientOrientation", "EchoTime", "RepetitionTime"}
    assert [word for word in QUOTABLE if word not in allowed and any(p in word for p in personal)] == []


def test_long_and_unprintable_values_are_cut(header: Dataset) -> None:
    header.Manufacturer = "a\x1b[31m" + "b" * 100
    (reason,) = failures(_condition(tag="Manufacturer", equals="x"), header)
    assert "\x1b" not in reason
    assert len(reason) < 120


def test_a_value_that_cannot_be_decoded_fails_its_test() -> None:
    broken = Dataset()
    tag = Tag("Rows")
    broken._dict[tag] = RawDataElement(tag, "US", 3, b"abc", 0, False, True)
    assert failures(_condition(tag="Rows", range=[1, 10]), broken) == ["Rows cannot be decoded"]
    broken._dict[Tag("NumberOfFrames")] = RawDataElement(
        Tag("NumberOfFrames"), "IS", 4, b"many", 0, False, True
    )
    (reason,) = failures(_condition(tag="NumberOfFrames", range=[1, 10]), broken)
    assert reason.startswith("NumberOfFrames")


def test_empty_values_among_several_are_skipped() -> None:
    header = Dataset()
    header.add(DataElement(Tag("ImageType"), "CS", ["", "PRIMARY"]))
    assert failures(_condition(tag="ImageType", equals="PRIMARY"), header) == []
    assert failures(_condition(tag="ImageType", matches="^$"), header) != []


KNOWN = {"Modality": "DX", "SOPClassUID": "1.2"}


@pytest.mark.parametrize(
    ("form", "possible"),
    [
        ({"tag": "Modality", "equals": "DX"}, True),
        ({"tag": "Modality", "equals": "CT"}, False),
        ({"tag": "Rows", "equals": 1}, True),
        ({"not": {"tag": "Rows", "equals": 1}}, True),
        ({"not": {"tag": "Modality", "equals": "DX"}}, False),
        ({"all": [{"tag": "Rows", "equals": 1}, {"tag": "Modality", "equals": "CT"}]}, False),
        ({"all": [{"tag": "Rows", "equals": 1}, {"tag": "Modality", "equals": "DX"}]}, True),
        ({"any": [{"tag": "Rows", "equals": 1}, {"tag": "Modality", "equals": "CT"}]}, True),
        ({"any": [{"tag": "SOPClassUID", "equals": "1.3"}, {"tag": "Modality", "equals": "CT"}]}, False),
        ({"not": {"any": [{"tag": "Rows", "equals": 1}, {"tag": "Modality", "equals": "DX"}]}}, False),
        ({"not": {"all": [{"tag": "Rows", "equals": 1}, {"tag": "Modality", "equals": "DX"}]}}, True),
    ],
)
def test_what_is_not_known_leaves_a_condition_open(form: dict[str, Any], possible: bool) -> None:
    condition = _condition(**form)
    assert could_pass(condition, KNOWN) is possible
    assert bool(definite_failures(condition, KNOWN)) is not possible
    assert not any("Rows" in reason for reason in definite_failures(condition, KNOWN))


_TESTS = st.one_of(
    st.builds(lambda v: {"tag": "Modality", "equals": v}, st.sampled_from(["DX", "CT"])),
    st.builds(lambda v: {"tag": "Rows", "range": [0, v]}, st.integers(0, 4000)),
    st.builds(lambda v: {"tag": "ViewPosition", "present": v}, st.booleans()),
)
_FORMS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)


@given(_FORMS, st.sampled_from(["DX", "CT"]), st.integers(1, 4000))
def test_a_condition_that_holds_was_never_ruled_out(form: dict[str, Any], modality: str, rows: int) -> None:
    condition = _condition(**form)
    header = Dataset()
    header.Modality = modality
    header.Rows = rows
    if not failures(condition, header):
        assert could_pass(condition, {"Modality": modality, "SOPClassUID": "1.2"})
    if failures(condition, header) == []:
        assert failures(_condition(**{"not": form}), header)
    else:
        assert failures(_condition(**{"not": form}), header) == []


def test_candidates_by_modality_and_class() -> None:
    def route(name: str, **test: Any) -> Route:
        return Route.model_validate({"name": name, "package": "p", "when": [test]})

    routes = [
        route("dx", tag="Modality", equals="DX"),
        route("class", tag="SOPClassUID", equals="1.2"),
        route("any", tag="BodyPartExamined", equals="CHEST"),
        route("ct", tag="Modality", equals="CT"),
    ]
    assert [r.name for r in candidate_routes([("DX", "1.1"), ("", "1.2")], routes)] == ["dx", "class", "any"]
    assert candidate_routes([], routes) == []
