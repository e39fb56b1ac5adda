"""Words without ASCII, which no code and no label may be made of: they are replaced, never emptied."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import VolumeContext, encoded_bytes
from dicom_io.results.vocabulary import component_concept, concept, own
from models.concepts import Concept
from models.results import Assessment
from tests.dicom_io.results.every_kind import film_objects, volume_objects
from tests.dicom_io.results.factory import ONE, PACKAGE, context
from tests.dicom_io.results.volume_factory import volume_context

WORDS = st.text(min_size=1, max_size=40) | st.sampled_from(
    ["確信", "確信a", "疑a", "a b", "a_b", "A_b", "a-b"]
)


def test_a_meaning_without_ascii_is_that_of_its_code() -> None:
    assert concept("108369006", "SCT", "腫瘍").meaning == "108369006"
    assert concept("108369006", "SCT", "Tumör").meaning == "Tumor"


@pytest.mark.parametrize("name", ["member_support", "mean_iou", "pairwise_dice", "case_score"])
def test_plain_names_are_their_own_code(name: str) -> None:
    assert component_concept(name).value == name.replace("_", "-")


@given(one=WORDS, other=WORDS)
def test_two_names_are_two_codes_and_none_is_empty(one: str, other: str) -> None:
    for made in (component_concept(one), own(one, one)):
        assert 0 < len(made.value) <= 16
        assert made.value.isascii()
        assert made.meaning.strip()
    assert (component_concept(one).value == component_concept(other).value) is (one == other)
    assert (own(one, "x").value == own(other, "x").value) is (one == other)


def japanese(empty: bool = False) -> VolumeContext:
    """Return a reading whose package says everything in Japanese."""
    made = volume_context(findings=2, empty=empty)
    tumour = Concept("108369006", "SCT", "腫瘍")

    def words(segment: Any) -> Any:
        return replace(segment, label="腫瘍", type=tumour, category=tumour, site=tumour)

    reading = replace(
        made.reading,
        searched=tuple(words(segment) for segment in made.reading.searched),
        findings=tuple(
            replace(finding, segment=words(finding.segment), components={"確信": 0.9, "疑": 0.8})
            for finding in made.reading.findings
        ),
    )
    package = replace(PACKAGE, title="検出", finding=tumour)
    assessment = Assessment("accept", 0.91, {"確信": 0.93, "疑": 0.5}, ("一致",))
    return replace(made, reading=reading, package=package, assessment=assessment)


def empty_codes(dataset: Dataset) -> Iterator[str]:
    """Yield type 1 words that are empty."""
    for element in dataset.iterall():
        words = {"CodeMeaning", "CodeValue", "SegmentLabel", "TrackingID", "TextValue", "AlgorithmSource"}
        if element.keyword in words and not str(element.value or "").strip():
            yield element.keyword


@pytest.mark.parametrize("kind", ["binary", "labelmap"])
@pytest.mark.parametrize("empty", [False, True])
def test_a_reading_of_a_volume_in_japanese_is_encoded(kind: str, empty: bool) -> None:
    made = volume_objects(japanese(empty), kind=kind)
    read = {name: dcmread(io.BytesIO(encoded_bytes(dataset))) for name, dataset in made.items()}
    for name, dataset in read.items():
        assert list(empty_codes(dataset)) == [], name
    segments = [item for item in read["segmentation"].SegmentSequence if item.SegmentNumber]
    assert [item.SegmentLabel for item in segments] == [f"Segment {n + 1}" for n in range(len(segments))]
    if not empty:
        report = read["structured-report"].to_json()
        for item in segments:
            assert f'"{item.TrackingID}"' in report
            assert f'"{item.TrackingUID}"' in report


def test_a_reading_of_films_in_japanese_is_encoded() -> None:
    nodule = Concept("27925004", "SCT", "結節")
    made = replace(context(boxes=ONE), package=replace(japanese().package, finding=nodule))
    for name, dataset in film_objects(made).items():
        assert list(empty_codes(dcmread(io.BytesIO(encoded_bytes(dataset))))) == [], name
