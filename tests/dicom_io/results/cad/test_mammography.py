"""What a Mammography CAD SR says of a reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dicom_io.results import MammographyContext, ResultInvalid, encoded_bytes
from dicom_io.results.asserts import walk
from dicom_io.results.cad import encode_mammography_cad_report
from models.mammography_results import LesionGroup, MammographyExam, MammographyView
from models.results import Assessment
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.cad.cases import ALONE, COMPARED, OTHER, PAIRED, SPOT, VIEWS, breasts
from tests.dicom_io.results.cad.context_groups import group
from tests.dicom_io.results.cad.test_chest import named, number, value
from tests.dicom_io.results.mammography_factory import FOUR, examination


def exam_of_other_study() -> MammographyExam:
    return MammographyExam((*VIEWS, MammographyView("2.25.99", "L", "CC")))


def view_missing() -> MammographyExam:
    return MammographyExam(VIEWS[1:])


def group_of_unknown_finding() -> MammographyExam:
    return MammographyExam(VIEWS, (LesionGroup(1, (1, 9), 0.5),), views_compared=True)


def group_of_both_breasts() -> MammographyExam:
    return MammographyExam(VIEWS, (LesionGroup(1, (1, 3), 0.5),), views_compared=True)


def group_on_one_image() -> MammographyExam:
    return MammographyExam(VIEWS, (LesionGroup(1, (1, 2), 0.5),), views_compared=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (exam_of_other_study, "of an image that the reading does not have"),
        (view_missing, "whose breast and view are not stated"),
        (group_of_unknown_finding, "a finding that the reading does not have"),
        (group_of_both_breasts, "findings of both breasts"),
        (group_on_one_image, "two findings on one image"),
    ],
)
def test_examination_of_another_reading_is_refused(make: Callable[[], MammographyExam], words: str) -> None:
    made = breasts({1: (SPOT, OTHER), 2: (SPOT,)})
    with pytest.raises(ResultInvalid, match=words):
        encode_mammography_cad_report(made, make())


@pytest.mark.parametrize(
    ("name", "summary", "detections", "analyses"),
    [
        ("no finding", "111241", "111222", "111225"),
        ("no finding, compared", "111241", "111222", "111222"),
        ("one finding", "111242", "111222", "111222"),
        ("partly failed without findings", "111243", "111223", "111225"),
        ("partly failed with findings", "111244", "111223", "111223"),
        ("failed", "111245", "111224", "111225"),
        ("failed without a side", "111245", "111224", "111225"),
    ],
)
def test_silence_is_no_negative_reading(name: str, summary: str, detections: str, analyses: str) -> None:
    make, exam = cases.BREASTS[name]
    report = encode_mammography_cad_report(make(), exam)
    assert value(report, "111017") == summary
    assert value(report, "111064") == detections
    assert value(report, "111065") == analyses


def test_not_attempted_is_not_failed() -> None:
    make, exam = cases.BREASTS["failed"]
    report = encode_mammography_cad_report(make(), exam, attempted=False)
    assert value(report, "111064") == "111225"
    assert not named(report, "111022")


def test_one_lesion_on_two_views_is_one_composite() -> None:
    made = breasts({1: (SPOT,), 3: (OTHER,), 4: (SPOT,)})
    report = encode_mammography_cad_report(made, PAIRED)
    first, second = named(report, "111034")
    (composite,) = named(first, "111015")
    assert composite.ConceptCodeSequence[0].CodeValue == "129788004"
    assert number(composite, "111011") == pytest.approx(93.75)
    assert value(composite, "111016") == "111154" and value(composite, "111057") == "111158"
    assert [f.ConceptCodeSequence[0].CodeValue for f in named(composite, "111059")] == ["129793001"] * 2
    assert [f.RelationshipType for f in named(composite, "111059")] == ["INFERRED FROM"] * 2
    (alone,) = named(second, "111059")
    assert alone.RelationshipType == "CONTAINS" and not named(second, "111015")


def test_library_has_side_view_and_modifiers() -> None:
    report = encode_mammography_cad_report(breasts(), ALONE)
    entries = list(named(report, "111028")[0].ContentSequence)
    assert [value(entry, "111027") for entry in entries] == ["73056007", "80248007", "73056007", "80248007"]
    assert [value(entry, "111031") for entry in entries] == [
        "399162004",
        "399162004",
        "399368009",
        "399368009",
    ]
    modifiers = [[m.ConceptCodeSequence[0].CodeValue for m in named(e, "111032")] for e in entries]
    assert modifiers == [[], [], [], ["399209000", "399055006"]]
    assert [number(entry, "111026") for entry in entries] == [pytest.approx(70)] * 4
    assert [number(entry, "112011") for entry in entries] == [pytest.approx(45.5)] * 4


def test_impression_is_said_in_words() -> None:
    (item,) = named(encode_mammography_cad_report(breasts(), COMPARED), "111033")
    assert "AI result, research use" in item.TextValue
    assert "does not exclude disease" in item.TextValue
    assert "not BI-RADS: fatty-glandular" in item.TextValue


def test_impression_says_why_something_was_not_read() -> None:
    make, exam = cases.BREASTS["partly failed with findings"]
    (item,) = named(encode_mammography_cad_report(make(), exam), "111033")
    assert "Not every image of the study was read" in item.TextValue
    assert "Not read: The pixels cannot be decoded." in item.TextValue


def test_findings_of_a_rejected_reading_are_optional() -> None:
    made = breasts({1: (SPOT,), 3: (OTHER,)}, assessment=Assessment("reject", reasons=("Blurred.",)))
    report = encode_mammography_cad_report(made, PAIRED)
    intents = {item.ConceptCodeSequence[0].CodeValue for item in named(report, "111056")}
    assert intents == {"111151"}


def test_no_probability_of_cancer_is_claimed() -> None:
    make, exam = cases.BREASTS["a lesion and a finding"]
    assert not named(encode_mammography_cad_report(make(), exam), "111047")


def test_no_spacing_no_size() -> None:
    made = breasts({1: (SPOT,)})
    made = replace(made, findings=tuple(replace(f, size_mm=None) for f in made.findings))
    assert not named(encode_mammography_cad_report(made, ALONE), "121207")


def test_header_and_bytes() -> None:
    made = breasts({2: (SPOT,)})
    report = encode_mammography_cad_report(made, ALONE)
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.50"
    assert (report.SeriesNumber, report.Modality) == (9304, "SR")
    assert encoded_bytes(report) == encoded_bytes(encode_mammography_cad_report(made, ALONE))


def test_an_examination_that_knows_its_views_needs_no_other() -> None:
    made = examination(FOUR).context
    report = encode_mammography_cad_report(made)
    assert encoded_bytes(report) == encoded_bytes(encode_mammography_cad_report(made, made.exam))
    (item,) = named(report, "111033")
    assert "Views read: R CC, L CC, R MLO, L MLO." in item.TextValue
    assert "Score of the left breast: 88 %" in item.TextValue
    assert "not BI-RADS: fatty-glandular" in item.TextValue
    with pytest.raises(ResultInvalid, match="needs their examination"):
        encode_mammography_cad_report(breasts())


def test_tissue_has_no_code_of_breast_composition() -> None:
    report = encode_mammography_cad_report(examination(FOUR).context)
    refused = {code for number in (6000, 6001) for code, _ in group(number)}
    values = {
        str(code.CodeValue)
        for item in walk(report)
        for sequence in ("ConceptNameCodeSequence", "ConceptCodeSequence")
        for code in item.get(sequence) or ()
    }
    assert not refused & values


def test_several_images_of_one_view_of_one_breast() -> None:
    made = examination((FOUR[3], FOUR[3], replace(FOUR[3], lesion=None))).context
    report = encode_mammography_cad_report(made)
    entries = list(named(report, "111028")[0].ContentSequence)
    assert [value(entry, "111031") for entry in entries] == ["399368009"] * 3
    assert len(named(report, "111059")) == 2 and not named(report, "111015")
    (item,) = named(report, "111033")
    assert "Views not read: R CC, L CC, R MLO" in item.TextValue


@pytest.mark.parametrize("known", [True, False])
def test_an_image_that_was_not_read_may_have_a_view_or_none(known: bool) -> None:
    whole = examination((FOUR[2], replace(FOUR[3], fails=True))).context
    made = whole if known else replace(whole, exam=MammographyExam(whole.exam.views[:1]))
    report = encode_mammography_cad_report(made)
    entries = list(named(report, "111028")[0].ContentSequence)
    assert len(named(entries[1], "111031")) == int(known)
    assert value(report, "111064") == "111223" and value(report, "111017") == "111243"


def test_nothing_read_of_an_examination() -> None:
    made = examination([replace(shot, fails=True) for shot in FOUR]).context
    report = encode_mammography_cad_report(made)
    assert value(report, "111017") == "111245" and value(report, "111064") == "111224"


def test_the_impression_says_what_the_package_states() -> None:
    made = examination(FOUR).context
    stating = replace(made, package=replace(made.package, statements=("Clips are not looked for.",)))
    assert "Clips are not looked for." in impression(stating)
    assert "Clips" not in impression(made)


def test_the_impression_says_the_shares_of_the_classes_of_tissue() -> None:
    said = impression(examination(FOUR).context)
    shares = "fatty-glandular (fatty 20 %, fatty-glandular 70 %, dense-glandular 10 %)"
    assert f"not BI-RADS: {shares}." in said


def test_the_impression_says_once_why_an_image_was_not_read() -> None:
    made = examination((*FOUR[:3], replace(FOUR[3], fails=True))).context
    (failure,) = made.failures
    told = replace(made, statements=(f"One image was not read: {failure.reason}",))
    for one in (made, told):
        assert impression(one).count(failure.reason.rstrip(".")) == 1


def impression(made: MammographyContext) -> str:
    (item,) = named(encode_mammography_cad_report(made), "111033")
    return str(item.TextValue)
