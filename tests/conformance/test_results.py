"""Reports and key images before the validators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, JPEGBaseline8Bit

from dicom_io.results import (
    FilmContext,
    Predecessor,
    encode_overview,
    encode_structured_report,
    write_object,
)
from models.results import Assessment
from tests.conformance.checker import header_errors, template_errors
from tests.dicom_io.results import factory
from tests.dicom_io.results.factory import MANY, ONE, context, film, header
from tests.dicom_io.results.test_source import EXAMPLES, NAMES, sets, with_bytes

pytestmark = pytest.mark.peer


def jpeg() -> Dataset:
    source = header(
        LossyImageCompression="01",
        LossyImageCompressionRatio="10",
        LossyImageCompressionMethod="ISO_10918_1",
    )
    source.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return source


def lossy_without_a_word() -> Dataset:
    source = header()
    source.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    return source


def rich() -> Dataset:
    """Return a header with a request, codes, other identifiers, and a clinical trial."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "36643-5", "LN", "XR Chest 2 Views"
    request = Dataset()
    request.RequestedProcedureID, request.RequestedProcedureDescription = "RP1", "Chest"
    request.RequestedProcedureCodeSequence = [code]
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = "X9", "Elsewhere", "TEXT"
    return header(
        ProcedureCodeSequence=[code],
        RequestAttributesSequence=[request],
        OtherPatientIDsSequence=[other],
        PatientAge="071Y",
        PatientWeight="70.5",
        PatientComments="none",
        ClinicalTrialSponsorName="Sponsor",
        ClinicalTrialProtocolID="PR1",
        ClinicalTrialProtocolName="Protocol",
        ClinicalTrialSiteID="",
        ClinicalTrialSiteName="",
        ClinicalTrialSubjectID="S1",
        TimezoneOffsetFromUTC="+0100",
        BurnedInAnnotation="NO",
        Modality="DX",
        SOPClassUID=DigitalXRayImageStorageForPresentation,
    )


def faulty() -> Dataset:
    source = header(PatientComments="", StudyDescription="")
    for keyword, value in {"PatientAge": b"62", "PatientSex": b"U", "PatientBirthDate": b"1950.1.1"}.items():
        with_bytes(source, keyword, value)
    return source


def bare() -> Dataset:
    keywords = (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
        "StudyDate", "StudyTime", "ReferringPhysicianName", "SpecificCharacterSet", "BodyPartExamined",
        "PatientOrientation", "StudyDescription",
    )  # fmt: skip
    return header(**dict.fromkeys(keywords, ...))


def revision() -> FilmContext:
    old = encode_structured_report(context())
    predecessor = Predecessor(str(old.SOPClassUID), str(old.SOPInstanceUID), str(old.SeriesInstanceUID))
    return context(boxes=MANY[:2], identity=replace(factory.IDENTITY, revision=2), predecessor=predecessor)


def two_series() -> FilmContext:
    return context(header(), header(2), header(3, SeriesInstanceUID="2.25.9"), boxes=ONE)


CASES: dict[str, Callable[[], FilmContext]] = {
    "one finding": lambda: context(boxes=ONE),
    "no finding": context,
    "two findings": lambda: context(boxes=MANY[:2]),
    "many findings": lambda: context(boxes=MANY),
    "no pixel spacing": lambda: context(header(ImagerPixelSpacing=...), boxes=ONE),
    "calibrated": lambda: context(header(PixelSpacing=["0.45", "0.36"]), boxes=ONE),
    "negative film": lambda: context(header(PhotometricInterpretation="MONOCHROME1"), boxes=ONE),
    "revision": revision,
    "three films": two_series,
    "three films, no finding": lambda: context(header(), header(2), header(3)),
    "bare source": lambda: context(bare(), boxes=ONE),
    "rich source": lambda: context(rich(), boxes=ONE),
    "faulty source": lambda: context(faulty(), boxes=ONE),
    "JPEG source": lambda: context(jpeg(), boxes=ONE),
    "JPEG source that does not say so": lambda: context(lossy_without_a_word(), boxes=ONE),
    "partial": lambda: context(boxes=ONE, partial=True, statements=("One image was not read.",)),
    "everything at once": lambda: replace(
        revision(),
        partial=True,
        statements=("One image was not read.",),
        assessment=Assessment("review", 0.61, {"gate_distance": 3.2}, ("Members disagree.",)),
    ),
    "assessed": lambda: context(
        boxes=ONE, assessment=Assessment("review", 0.61, {"gate_distance": 3.2}, ("Members disagree.",))
    ),
}


def written(made: FilmContext, folder: Path) -> list[Path]:
    image = encode_overview(made, [film(h) for h in made.headers])
    return [
        write_object(encode_structured_report(made), folder / "report.dcm", "structured-report").path,
        write_object(image, folder / "key-image-1.dcm", "key-image-1").path,
    ]


@pytest.mark.parametrize("case", list(CASES))
def test_no_validator_finds_an_error(case: str, tmp_path: Path) -> None:
    assert header_errors(*written(CASES[case](), tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["one finding", "no finding", "three films", "everything at once"])
def test_the_templates_are_kept(case: str, tmp_path: Path) -> None:
    assert template_errors(*written(CASES[case](), tmp_path)) == []


# dciodvfy knows no ISO_IR 13 alone: it rejects the source just so.
@pytest.mark.parametrize("character_set", sorted((NAMES.keys() | EXAMPLES.keys()) - {"ISO_IR 13"}))
def test_no_validator_finds_an_error_in_any_character_set(character_set: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"SpecificCharacterSet": sets(character_set), "ReferringPhysicianName": "R"}
    if character_set in NAMES:
        source = header(**values, PatientName=NAMES[character_set])
    else:
        source = with_bytes(header(**values, PatientName="x"), "PatientName", EXAMPLES[character_set])
    assert header_errors(*written(context(source, boxes=ONE), tmp_path)) == []


def test_the_validators_see_a_broken_report(tmp_path: Path) -> None:
    """Keep the checks honest."""
    report = encode_structured_report(context(boxes=ONE))
    del report.CompletionFlag
    report.ContentSequence[-1].ValueType = "NOTHING"
    found = "\n".join(header_errors(write_object(report, tmp_path / "broken.dcm", "report").path))
    assert "CompletionFlag" in found
    assert "dsrdump" in found
