from __future__ import annotations

from typing import Any

import pytest

from dicom_io.reading import check_header
from tests.dicom_io.reading.mammography.cases import CONTRACT, code, mammogram, refusal

# Neither view nor breast is stated, so that the body part decides first.
BARE: dict[str, Any] = {
    "ViewCodeSequence": None,
    "ViewPosition": None,
    "ImageLaterality": None,
    "AnatomicRegionSequence": None,
}


@pytest.mark.parametrize(
    "words",
    ["MAMMOGRAPHY", "MAMMO", "BRUST LI", "SEINS", "SENO", "PECHO", "XYZ", "CHEST", "BRUSTKORB", "HAND"],
)
def test_an_image_that_states_breast_and_view_is_read_whatever_the_body_part(words: str) -> None:
    check_header(mammogram(BodyPartExamined=words, AnatomicRegionSequence=None), CONTRACT)


@pytest.mark.parametrize("words", ["CHEST", "HAND", "THORAX AP", "BRUSTKORB", "BRUSTWIRBELSAEULE", "KNEE"])
def test_another_part_of_the_body_is_refused_where_no_breast_and_view_are_stated(words: str) -> None:
    error = refusal(mammogram(**{**BARE, "BodyPartExamined": words}))
    assert error.code == "other-body-part"
    assert words[:32] in error.reason


@pytest.mark.parametrize(
    ("words", "missing"),
    [("MAMMOGRAPHY", "missing-view"), ("XYZ", "missing-view"), ("", "missing-view"), (None, "missing-view")],
)
def test_a_word_that_is_not_known_is_no_evidence(words: str | None, missing: str) -> None:
    assert refusal(mammogram(**{**BARE, "BodyPartExamined": words})).code == missing


def test_the_breast_counts_before_another_part_beside_it() -> None:
    both = {**BARE, "BodyPartExamined": "CHEST", "AnatomicRegionSequence": [code("76752008")]}
    assert refusal(mammogram(**both)).code == "missing-view"


def test_a_package_that_asks_for_a_body_part_says_that_it_is_missing() -> None:
    strict = CONTRACT.model_copy(update={"accept_unknown_body_part": False})
    assert refusal(mammogram(**{**BARE, "BodyPartExamined": None}), strict).code == "missing-body-part"
    check_header(mammogram(BodyPartExamined=None, AnatomicRegionSequence=None), strict)
