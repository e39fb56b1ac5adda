from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_io.reading.sequences.choose import choose_by_features
from dicom_io.reading.sequences.describe import describe_series
from tests.dicom_io.reading.sequences import series as made
from tests.dicom_io.reading.sequences.looks import Features, features_like
from tests.dicom_io.reading.sequences.series import series

_ATTRIBUTES = (
    "ProtocolName",
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)
_OTHERS = ["KNEE ROUTINE", "MRI Lumbar Spine", "MRT LWS nativ", "C_SPINE", "NEURO^SPINE",
           "Facet joints L-Spine", "MR Sprunggelenk re.", "IRM GENOU", "RM rachis lombaire",
           "Schulter rechts"]  # fmt: skip
_HEADS = ["HEAD AND NECK", "BRAIN AND C-SPINE", "MRI Brain/Cervical Spine", "MRT Schädel + HWS",
          "IRM cerebrale", "Gehirn", "NEURO", "RM encefalo e colonna", "orbits, neck"]  # fmt: skip


def code_of(description: str, **attributes: object) -> str:
    found = describe_series(series(description, **{**made.T1, **attributes}))
    return "" if found.set_aside is None else found.set_aside.code


def region(meaning: str) -> Sequence:
    item = Dataset()
    item.CodeMeaning = meaning
    return Sequence([item])


@pytest.mark.parametrize("keyword", _ATTRIBUTES)
@pytest.mark.parametrize("words", _OTHERS)
def test_an_examination_of_another_body_part_is_not_read(keyword: str, words: str) -> None:
    found = describe_series(series("AX T1 FS POST", **{**made.T1, keyword: words}))
    assert found.set_aside is not None
    assert found.set_aside.code == "wrong-body-part"
    assert found.set_aside.reason == (
        "the protocol or the examination is named after another body part than the head"
    )
    assert found.sequence is None
    assert not found.names_head


def test_a_request_and_a_coded_region_name_body_parts_too() -> None:
    request = Dataset()
    request.ScheduledProcedureStepDescription = "MR Knie"
    assert code_of("AX T1 POST", RequestAttributesSequence=Sequence([request])) == "wrong-body-part"
    assert code_of("AX T1 POST", AnatomicRegionSequence=region("Knee")) == "wrong-body-part"
    assert code_of("AX T1 POST", AnatomicRegionSequence=region("Head and Neck")) == ""


@pytest.mark.parametrize("keyword", _ATTRIBUTES)
@pytest.mark.parametrize("words", _HEADS)
def test_an_examination_that_names_the_head_is_read(keyword: str, words: str) -> None:
    found = describe_series(series("AX T1 POST", **{**made.T1, keyword: words}))
    assert found.set_aside is None
    assert found.names_head


@pytest.mark.parametrize(
    ("description", "more"),
    [
        ("AX T1 BRAIN POST", {"StudyDescription": "MRI C-SPINE"}),
        ("AX T1 HEAD AND NECK", {"ProtocolName": "NECK"}),
        ("AX T1", {"ProtocolName": "CERVICAL SPINE", "StudyDescription": "MRI BRAIN AND C-SPINE"}),
        ("COR T2 hippocampus", {"BodyPartExamined": "HIPPOCAMPUS"}),
        ("AX T1", {"StudyDescription": "MRI C-SPINE", "BodyPartExamined": "BRAIN"}),
    ],
)
def test_what_names_the_head_anywhere_near_leads(description: str, more: dict) -> None:
    assert code_of(description, **more) == ""


@pytest.mark.parametrize("words", ["", "Routine", "With and without contrast", "T1 HAND INJ", "Gamma Knife"])
def test_an_examination_of_no_named_part_stays_and_is_of_no_named_head(words: str) -> None:
    found = describe_series(series("AX T1 POST", StudyDescription=words, **made.T1))
    assert found.set_aside is None
    assert not found.names_head


def test_a_body_part_that_says_neither_leaves_it_to_the_examination() -> None:
    assert code_of("AX T1", BodyPartExamined="OTHER", StudyDescription="MRI KNEE") == "wrong-body-part"
    assert code_of("AX T1", BodyPartExamined="OTHER", StudyDescription="MRI BRAIN") == ""


def nothing_seen(_: str) -> Features | None:
    return None


@pytest.mark.parametrize(
    ("description", "acquisition"), [("T2 FLAIR", made.FLAIR), ("FLAIR", {}), ("AX", {})]
)
def test_where_nothing_names_the_head_its_image_must_show_one(description: str, acquisition: dict) -> None:
    one = describe_series(series(description, **acquisition))
    found = choose_by_features([one], nothing_seen, ["FLAIR"])
    assert found.by_sequence == {}
    assert found.codes == {one.series_instance_uid: "no-head"}
    assert found.not_used == {
        one.series_instance_uid: "no attribute says that it is of the head, and its image shows none"
    }


def test_a_series_that_shows_no_head_gives_way_to_one_that_does() -> None:
    limb = describe_series(series("FLAIR", name="a", slices=48, gap=3.0, **made.FLAIR))
    head = describe_series(series("FLAIR", name="b", **made.FLAIR))
    found = choose_by_features(
        [limb, head],
        lambda uid: None if uid == limb.series_instance_uid else features_like("FLAIR"),
        ["FLAIR"],
    )
    assert found.by_sequence == {"FLAIR": head.series_instance_uid}


@pytest.mark.parametrize("more", [{"BodyPartExamined": "HEAD"}, {"StudyDescription": "MRI BRAIN"}])
def test_a_named_head_need_not_be_seen(more: dict) -> None:
    one = describe_series(series("T2 FLAIR", **{**made.FLAIR, **more}))
    assert choose_by_features([one], nothing_seen, ["FLAIR"]).by_sequence == {
        "FLAIR": one.series_instance_uid
    }
