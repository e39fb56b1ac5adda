from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from dicom_io.results import (
    FilmContext,
    Predecessor,
    ResultInvalid,
    encode_structured_report,
    encoded_bytes,
)
from models.results import Assessment
from tests.dicom_io.results import factory
from tests.dicom_io.results.factory import COLUMNS, MANY, ONE, ROWS, context, header


def walk(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield child
        yield from walk(child)


def report_of(made: FilmContext) -> Dataset:
    return dcmread(io.BytesIO(encoded_bytes(encode_structured_report(made))))


def groups(report: Dataset, template: str) -> list[Dataset]:
    return [
        item
        for item in walk(report)
        if "ContentTemplateSequence" in item
        and item.ContentTemplateSequence[0].TemplateIdentifier == template
    ]


def named(item: Dataset, meaning: str) -> list[Dataset]:
    return [c for c in walk(item) if c.ConceptNameCodeSequence[0].CodeMeaning == meaning]


def number(item: Dataset, meaning: str) -> tuple[float, str]:
    (found,) = named(item, meaning)
    value = found.MeasuredValueSequence[0]
    unit = value.MeasurementUnitsCodeSequence[0]
    assert unit.CodingSchemeDesignator == "UCUM"
    return float(value.NumericValue), unit.CodeValue


def texts(item: Dataset) -> list[str]:
    return [c.TextValue for c in walk(item) if c.ValueType == "TEXT"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"headers": ()}, "there is no header"),
        ({"headers": (header(), header(2, StudyInstanceUID="2.25.9"))}, "not of one study"),
        ({"headers": (header(), header())}, "a header comes twice"),
        ({"headers": (header(Rows=...),)}, "header 1 lacks Rows"),
        ({"readings": ()}, "one failure per header"),
        ({"content_time": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
        ({"headers": (header(Rows=200),)}, "the box of finding 1 leaves its image"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ResultInvalid, match=message):
        replace(context(boxes=ONE), **change)  # type: ignore[arg-type]


def test_a_finding_on_a_film_that_was_not_read_is_refused() -> None:
    made = context(boxes=ONE)
    with pytest.raises(ResultInvalid, match="finding 1 lies on an image that was not read"):
        replace(made, findings=(replace(made.findings[0], sop_instance_uid="2.25.4711"),))


def test_two_findings_with_one_number_are_refused() -> None:
    made = context(boxes=MANY[:2])
    with pytest.raises(ResultInvalid, match="finding numbers must differ"):
        replace(made, findings=(made.findings[0], replace(made.findings[1], number=1)))


def test_a_package_without_a_serial_number_is_refused() -> None:
    with pytest.raises(ResultInvalid, match="lacks serial"):
        replace(factory.PACKAGE, serial="")


def test_a_finding_says_where_how_sure_and_how_large() -> None:
    report = report_of(context(boxes=ONE))
    (group,) = groups(report, "1410")
    assert named(group, "Tracking Identifier")[0].TextValue == "Nodule 1"
    assert named(group, "Finding")[0].ConceptCodeSequence[0].CodeValue == "27925004"
    (region,) = named(group, "Image Region")
    assert region.GraphicType == "POLYLINE"
    assert list(region.GraphicData) == [130, 180, 170, 180, 170, 220, 130, 220, 130, 180]
    (source,) = region.ContentSequence
    assert source.RelationshipType == "SELECTED FROM"
    assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.3331"
    assert number(group, "Certainty of Finding") == (90.0, "%")
    assert number(group, "Member support (fraction of all members)") == (1.0, "{ratio}")
    assert number(group, "Spread of member scores (standard deviation)") == (0.08165, "1")
    assert number(group, "Height") == (20.0, "mm")
    assert number(group, "Width") == (16.0, "mm")
    methods = {item.ConceptCodeSequence[0].CodeValue for item in named(group, "Measurement Method")}
    assert methods == {"detector-plane"}
    assert any("plane of the detector" in text for text in texts(group))
    assert "AI result, research use" in texts(group)


def test_a_calibrated_size_is_not_called_one_of_the_detector() -> None:
    (group,) = groups(report_of(context(header(PixelSpacing=["0.45", "0.36"]), boxes=ONE)), "1410")
    methods = {item.ConceptCodeSequence[0].CodeValue for item in named(group, "Measurement Method")}
    assert methods == {"calibrated-plane"}
    assert not any("plane of the detector" in text for text in texts(group))


def test_an_estimated_magnification_is_named() -> None:
    source = header(EstimatedRadiographicMagnificationFactor="1.25")
    (group,) = groups(report_of(context(source, boxes=ONE)), "1410")
    assert number(group, "Height") == (16.0, "mm")
    methods = {item.ConceptCodeSequence[0].CodeValue for item in named(group, "Measurement Method")}
    assert methods == {"estimated-plane"}
    assert any("an estimate" in text for text in texts(group))


def test_without_pixel_spacing_there_is_no_size() -> None:
    (group,) = groups(report_of(context(header(ImagerPixelSpacing=...), boxes=ONE)), "1410")
    assert not named(group, "Height")
    assert not named(group, "Width")
    assert any("no pixel spacing" in text for text in texts(group))


@pytest.mark.parametrize("boxes", [(), ONE, MANY])
def test_the_film_as_a_whole_is_always_evaluated(boxes: tuple[tuple[float, ...], ...]) -> None:
    report = report_of(context(boxes=boxes))  # type: ignore[arg-type]
    assert len(groups(report, "1410")) == len(boxes)
    film, reading = groups(report, "1501")
    assert number(film, "Score that the film shows: Nodule") == (90.0 if boxes else 12.0, "%")
    assert number(film, "Number of findings") == (len(boxes), "1")
    assert number(film, "Number of ensemble members") == (3, "1")
    summary = named(film, "Finding")[0].ConceptCodeSequence[0]
    assert summary.CodeValue == ("111242" if boxes else "111241")
    assert any("No finding" in text for text in texts(film)) is not bool(boxes)
    decision = named(reading, "Assessment of the reading")[0].ConceptCodeSequence[0]
    assert decision.CodeMeaning == "Not assessed"
    assert "No calibration is fitted for this package." in texts(reading)
    assert any(text.startswith("AI result, research use. Not for diagnosis.") for text in texts(reading))


def test_every_group_is_tracked_by_a_uid_of_its_own() -> None:
    report = report_of(context(header(), header(2), boxes=MANY))
    every = groups(report, "1410") + groups(report, "1501")
    uids = [named(group, "Tracking Unique Identifier")[0].UID for group in every]
    assert len(every) == len(MANY) + 3
    assert len(set(uids)) == len(every)
    assert all(UID(uid).is_valid and uid.startswith("2.25.") for uid in uids)


def test_highdicom_reads_the_report_back() -> None:
    report = hd.sr.Comprehensive3DSR.from_dataset(report_of(context(boxes=MANY)))
    planar = report.content.get_planar_roi_measurement_groups()
    assert len(planar) == len(MANY)
    assert planar[0].finding_type == codes.SCT.Nodule
    np.testing.assert_allclose(planar[2].roi.value, [
        [90, 140], [125.25, 140], [125.25, 175.5], [90, 175.5], [90, 140],
    ])  # fmt: skip
    assert len(report.content.get_image_measurement_groups()) == 2


def test_a_confidence_is_reported_with_its_decision() -> None:
    assessment = Assessment("review", 0.61, {"gate_distance": 3.25}, ("Members disagree.",))
    _, reading = groups(report_of(context(assessment=assessment)), "1501")
    assert number(reading, "Predicted quality of the reading") == (61.0, "%")
    assert number(reading, "Gate distance") == (3.25, "1")
    assert named(reading, "Assessment of the reading")[0].ConceptCodeSequence[0].CodeMeaning == "Review"


def test_a_box_at_the_border_stays_inside() -> None:
    (group,) = groups(report_of(context(boxes=((0.0, 0.0, float(ROWS), float(COLUMNS)),))), "1410")
    data = np.asarray(named(group, "Image Region")[0].GraphicData).reshape(-1, 2)
    assert data.min() == 0
    assert tuple(data.max(axis=0)) == (COLUMNS, ROWS)


def test_the_evidence_is_every_film_by_series() -> None:
    films = (header(), header(2), header(3, SeriesInstanceUID="2.25.555"))
    report = report_of(context(*films, boxes=ONE))
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    found = {
        (series.SeriesInstanceUID, reference.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert found == {(f.SeriesInstanceUID, f.SOPInstanceUID) for f in films}
    assert len(study.ReferencedSeriesSequence) == 2


def test_the_order_that_it_answers_is_named() -> None:
    attributes = Dataset()
    attributes.RequestedProcedureID = "RP1"
    attributes.RequestedProcedureDescription = "Chest PA"
    report = report_of(context(header(RequestAttributesSequence=[attributes])))
    (request,) = report.ReferencedRequestSequence
    assert (request.AccessionNumber, request.RequestedProcedureID) == ("A1", "RP1")
    assert "ReferencedRequestSequence" not in report_of(context(header(AccessionNumber=...)))


def test_the_order_is_named_in_the_character_set_of_the_source() -> None:
    attributes = Dataset()
    attributes.RequestedProcedureDescription = "Рентген"
    source = header(
        SpecificCharacterSet="ISO_IR 144",
        PatientName="Иванов",
        AccessionNumber="Ж7",
        RequestAttributesSequence=[attributes],
    )
    (request,) = report_of(context(source)).ReferencedRequestSequence
    assert (request.AccessionNumber, request.RequestedProcedureDescription) == ("Ж7", "Рентген")


def test_the_procedure_reported_is_the_one_of_the_source() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "36643-5", "LN", "XR Chest 2 Views"
    incomplete = Dataset()
    incomplete.CodeValue = "1"
    report = report_of(context(header(ProcedureCodeSequence=[code, incomplete])))
    stated = [item.ConceptCodeSequence[0].CodeValue for item in named(report, "Procedure reported")]
    assert stated == ["36643-5"]
    fallback = named(report_of(context()), "Procedure reported")[0].ConceptCodeSequence[0]
    assert fallback.CodeMeaning == "Plain chest X-ray"


def test_a_partial_study_says_so() -> None:
    report = report_of(context(partial=True, statements=("One image was not read: lateral view",)))
    assert report.CompletionFlag == "PARTIAL"
    _, reading = groups(report, "1501")
    assert named(reading, "Finding")[0].ConceptCodeSequence[0].CodeValue == "111243"
    assert "One image was not read: lateral view" in texts(reading)


def test_a_revision_names_its_predecessor() -> None:
    old = encode_structured_report(context())
    predecessor = Predecessor(str(old.SOPClassUID), str(old.SOPInstanceUID), str(old.SeriesInstanceUID))
    new = report_of(context(identity=replace(factory.IDENTITY, revision=2), predecessor=predecessor))
    (study,) = new.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert study.StudyInstanceUID == old.StudyInstanceUID
    assert series.SeriesInstanceUID == old.SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert new.SOPInstanceUID != old.SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in old


def test_the_header_says_who_made_it_and_when() -> None:
    report = report_of(context())
    assert (report.Manufacturer, report.ManufacturerModelName) == ("SecondRead", "SecondRead")
    assert report.DeviceSerialNumber == "SR-TEST-0001"
    assert report.SoftwareVersions[1] == "chest-nodule@0.1.0"
    assert (report.VerificationFlag, report.CompletionFlag) == ("UNVERIFIED", "COMPLETE")
    assert (report.Modality, report.SeriesNumber) == ("SR", 9301)
    assert report.SeriesDescription.startswith("AI report, research use: ")
    assert (report.ContentDate, report.ContentTime) == ("20260304", "050607.891011")
    assert report.TimezoneOffsetFromUTC == "+0000"
    (item,) = report.ContributingEquipmentSequence
    purpose = item.PurposeOfReferenceCodeSequence[0]
    assert (purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning) == (
        "Newcode1",
        "99IHE",
        "Processing Algorithm",
    )
    assert item.DeviceUID == factory.PACKAGE.device_uid
    assert (item.ManufacturerModelName, item.SoftwareVersions) == ("chest-nodule", "0.1.0")


@pytest.mark.parametrize(
    ("stated", "moment", "expected"),
    [
        ("+0530", datetime(2026, 3, 4, 22, 0, tzinfo=UTC), ("20260305", "033000.000000", "+0530")),
        ("-0400", datetime(2026, 3, 4, 2, 0, tzinfo=UTC), ("20260303", "220000.000000", "-0400")),
        ("soon", datetime(2026, 3, 4, 2, 0, tzinfo=UTC), ("20260304", "020000.000000", "+0000")),
        (
            ...,
            datetime(2026, 3, 4, 2, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            ("20260304", "020000.000000", "-0330"),
        ),
    ],
)
def test_times_are_in_the_zone_of_the_source(
    stated: str, moment: datetime, expected: tuple[str, str, str]
) -> None:
    report = report_of(context(header(TimezoneOffsetFromUTC=stated), content_time=moment))
    assert (report.ContentDate, report.ContentTime, report.TimezoneOffsetFromUTC) == expected


def test_words_outside_the_character_set_become_ascii() -> None:
    package = replace(
        factory.PACKAGE, title="Lungenrundherde ≥ 10 mm – Prüfung", intended_use="Näher → schauen"
    )
    report = report_of(
        context(header(SpecificCharacterSet="ISO_IR 144", PatientName="Иванов"), package=package)
    )
    assert "Lungenrundherde >= 10 mm - Prufung"[:20] in report.SeriesDescription
    assert "Naher -> schauen" in texts(report)
    assert str(report.PatientName) == "Иванов"


def test_a_long_component_name_gets_a_short_code() -> None:
    assessment = Assessment("not-assessed", None, {"a_component_with_a_very_long_name": 1.0})
    _, reading = groups(report_of(context(assessment=assessment)), "1501")
    (item,) = named(reading, "A component with a very long name")
    assert len(item.ConceptNameCodeSequence[0].CodeValue) <= 16


@pytest.mark.parametrize("boxes", [(), ONE, MANY])
def test_the_same_reading_gives_the_same_bytes(boxes: tuple[tuple[float, ...], ...]) -> None:
    films = [header(), header(2)]
    one, other = (encoded_bytes(encode_structured_report(context(*films, boxes=boxes))) for _ in range(2))  # type: ignore[arg-type]
    again = encoded_bytes(encode_structured_report(context(header(), header(2), boxes=boxes)))  # type: ignore[arg-type]
    assert one == other == again


def test_images_of_two_patients_make_no_result() -> None:
    with pytest.raises(ResultInvalid, match="not of one patient"):
        context(header(), header(2, PatientID="P2"))
    with pytest.raises(ResultInvalid, match="not of one patient"):
        context(header(), header(2, IssuerOfPatientID="Elsewhere"))


def test_a_size_that_the_box_does_not_have_makes_no_result() -> None:
    made = context(boxes=ONE)
    wrong = replace(made.findings[0], size_mm=(999.0, 1.0))
    with pytest.raises(ResultInvalid, match="size of finding 1"):
        replace(made, findings=(wrong,))
