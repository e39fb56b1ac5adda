"""What a Chest CAD SR says of a reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from dicom_io.results import (
    Predecessor,
    ResultInvalid,
    encode_structured_report,
    encoded_bytes,
    is_own_result,
)
from dicom_io.results.cad import encode_chest_cad_report
from models.concepts import Concept
from models.results import Assessment
from tests.dicom_io.results import factory
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.factory import MANY, ONE, context, header


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def named(report: Dataset, code: str) -> list[Dataset]:
    return [
        item
        for item in walk(report)
        if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeValue == code
    ]


def value(report: Dataset, code: str) -> str:
    (item,) = named(report, code)
    return str(item.ConceptCodeSequence[0].CodeValue)


def number(item: Dataset, code: str) -> float:
    (found,) = named(item, code)
    return float(found.MeasuredValueSequence[0].NumericValue)


def test_finding_without_a_code_is_refused() -> None:
    made = cases.with_package(context(), Concept("60046008", "SCT", "Pleural effusion"))
    with pytest.raises(ResultInvalid, match="60046008"):
        encode_chest_cad_report(made)


def test_a_detection_that_read_images_was_attempted() -> None:
    with pytest.raises(ResultInvalid, match="was attempted"):
        encode_chest_cad_report(context(), attempted=False)


@pytest.mark.parametrize(
    ("name", "summary", "detections"),
    [
        ("no finding", "111241", "111222"),
        ("one finding", "111242", "111222"),
        ("partly failed without findings", "111243", "111223"),
        ("partly failed with findings", "111244", "111223"),
        ("failed", "111245", "111224"),
        ("something missing", "111243", "111222"),
    ],
)
def test_silence_is_no_negative_reading(name: str, summary: str, detections: str) -> None:
    report = encode_chest_cad_report(cases.CHEST[name]())
    assert value(report, "111017") == summary
    assert value(report, "111064") == detections
    assert value(report, "111065") == "111225"
    assert report.CompletionFlag == ("COMPLETE" if summary in {"111241", "111242"} else "PARTIAL")


def test_not_attempted_is_not_failed() -> None:
    report = encode_chest_cad_report(cases.failed(), attempted=False)
    assert value(report, "111017") == "111245"
    assert value(report, "111064") == "111225"
    assert not named(report, "111022")


def test_failed_and_read_images_are_named_apart() -> None:
    made = cases.CHEST["partly failed with findings"]()
    report = encode_chest_cad_report(made)
    assert report.CompletionFlag == "PARTIAL"
    (successful,), (failed,) = named(report, "111063"), named(report, "111025")
    places = [
        [list(item.ReferencedContentItemIdentifier) for item in walk(container) if "ValueType" not in item]
        for container in (successful, failed)
    ]
    assert places == [[[1, 2, 1]], [[1, 2, 2]]]


def test_place_certainty_and_size_are_those_of_the_reading() -> None:
    made = context(boxes=ONE)
    (finding,) = named(encode_chest_cad_report(made), "111059")
    assert finding.ConceptCodeSequence[0].CodeValue == "112033"
    assert value(finding, "112024") == "27925004"
    assert value(finding, "111056") == "111150"
    (centre,), (outline,) = named(finding, "111010"), named(finding, "111041")
    assert list(centre.GraphicData) == [150, 200]
    assert list(outline.GraphicData) == [130, 180, 170, 180, 170, 220, 130, 220, 130, 180]
    assert number(finding, "111012") == pytest.approx(90)
    assert number(finding, "121207") == pytest.approx(40 * 0.5)
    assert number(finding, "103355008") == pytest.approx(40 * 0.4)
    assert [list(path.GraphicData) for path in named(finding, "121055")] == [
        [150, 180, 150, 220],
        [130, 200, 170, 200],
    ]


def test_no_spacing_no_size() -> None:
    report = encode_chest_cad_report(context(header(ImagerPixelSpacing=...), boxes=ONE))
    assert not named(report, "121207") and not named(report, "103355008")
    assert not named(report, "111026") and not named(report, "111066")


def test_findings_of_a_rejected_reading_are_optional() -> None:
    report = encode_chest_cad_report(context(boxes=ONE, assessment=Assessment("reject", reasons=("x",))))
    assert value(report, "111056") == "111151"


def test_findings_come_by_their_number_on_their_image() -> None:
    made = context(header(), header(2), boxes=MANY)
    made = replace(
        made,
        findings=tuple(
            replace(f, sop_instance_uid="2.25.3332" if f.number % 2 else "2.25.3331")
            for f in reversed(made.findings)
        ),
    )
    report = encode_chest_cad_report(made)
    assert [item.TextValue for item in named(report, "112039")] == [f"Nodule {n}" for n in range(1, 11)]
    for n, centre in enumerate(named(report, "111010"), start=1):
        assert list(centre.ContentSequence[0].ReferencedContentItemIdentifier) == [1, 2, 2 if n % 2 else 1]


def test_tracking_is_that_of_the_measurement_report() -> None:
    made = context(boxes=MANY)
    cad, measured = encode_chest_cad_report(made), encode_structured_report(made)
    assert {item.UID for item in named(cad, "112040")} <= {item.UID for item in named(measured, "112040")}


def test_library_says_what_the_header_says() -> None:
    report = encode_chest_cad_report(
        context(header(PixelSpacing=["0.3", "0.2"], ImageLaterality="B", ContentDate="20260304"), boxes=())
    )
    (entry,) = named(report, "111028")[0].ContentSequence
    assert value(entry, "111027") == "51440002"
    assert value(entry, "111031") == "272479007"
    assert number(entry, "111026") == pytest.approx(200) and number(entry, "111066") == pytest.approx(300)
    assert [item.Date for item in named(entry, "111018")] == ["20260304"]


def test_library_leaves_out_what_is_malformed() -> None:
    source = header()
    for keyword, raw in {"StudyTime": "25:00", "StudyDate": "2026-03-04"}.items():
        source[keyword]._value = raw
    report = encode_chest_cad_report(context(source))
    assert not named(report, "111061") and not named(report, "111060")


def test_coded_view_with_its_modifier() -> None:
    report = encode_chest_cad_report(cases.CHEST["coded view"]())
    assert value(report, "111031") == "399348003"
    assert [item.ConceptCodeSequence[0].CodeValue for item in named(report, "111032")] == ["399196006"]


def test_header_is_that_of_every_result() -> None:
    made = context(boxes=ONE)
    report = encode_chest_cad_report(made)
    assert report.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.65"
    assert report.SOPInstanceUID == made.identity.uid("cad-report")
    assert report.SeriesInstanceUID == made.identity.uid("series:cad-report")
    assert (report.SeriesNumber, report.Modality) == (9304, "SR")
    assert report.StudyInstanceUID == factory.STUDY
    assert report.VerificationFlag == "UNVERIFIED" and report.CompletionFlag == "COMPLETE"
    assert is_own_result(report)


def test_same_context_same_bytes() -> None:
    one, other = (encoded_bytes(encode_chest_cad_report(context(boxes=MANY))) for _ in range(2))
    assert one == other


def test_revision_names_its_predecessor() -> None:
    old = encode_chest_cad_report(context())
    predecessor = Predecessor(str(old.SOPClassUID), str(old.SOPInstanceUID), str(old.SeriesInstanceUID))
    new = encode_chest_cad_report(
        context(boxes=ONE, identity=replace(factory.IDENTITY, revision=2), predecessor=predecessor)
    )
    (item,) = new.PredecessorDocumentsSequence
    named_uid = item.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named_uid == old.SOPInstanceUID != new.SOPInstanceUID
