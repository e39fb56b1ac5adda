"""CAD reports before the validators, and through a real archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.results import is_own_result, write_object
from dicom_io.results.cad import encode_chest_cad_report, encode_mammography_cad_report
from dicom_io.send import NodeAddress, send_files
from models.mammography_results import MammographyExam, MammographyView
from models.results import FilmReading, Finding
from tests import peers
from tests.conformance.checker import header_errors, template_errors
from tests.conformance.test_results import bare, faulty, jpeg, rich
from tests.dicom_io.results.cad import cases
from tests.dicom_io.results.factory import ONE, candidate, context, header
from tests.dicom_io.results.test_source import EXAMPLES, NAMES, raw, sets, with_bytes

pytestmark = pytest.mark.peer

REPORTS = cases.all_reports()


def written(report: Dataset, folder: Path) -> Path:
    return write_object(report, folder / "cad-report.dcm", "cad-report").path


@pytest.mark.parametrize("name", REPORTS)
def test_no_validator_finds_an_error(name: str, tmp_path: Path) -> None:
    assert header_errors(written(REPORTS[name], tmp_path)) == []


# PixelMed has no TID 4100.
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in REPORTS if name.startswith("mammography")])
def test_the_templates_are_kept(name: str, tmp_path: Path) -> None:
    assert template_errors(written(REPORTS[name], tmp_path)) == []


@pytest.mark.parametrize("source", [bare, faulty, jpeg, rich])
def test_no_validator_finds_an_error_whatever_the_source(source: object, tmp_path: Path) -> None:
    assert callable(source)
    report = encode_chest_cad_report(context(source(), boxes=ONE))
    assert header_errors(written(report, tmp_path)) == []


# dciodvfy knows no ISO_IR 13 alone: it rejects the source just so.
@pytest.mark.parametrize("character_set", sorted((NAMES.keys() | EXAMPLES.keys()) - {"ISO_IR 13"}))
def test_no_validator_finds_an_error_in_any_character_set(character_set: str, tmp_path: Path) -> None:
    values = {"SpecificCharacterSet": sets(character_set), "ReferringPhysicianName": "R"}
    if character_set in NAMES:
        source = header(**values, PatientName=NAMES[character_set])
    else:
        source = with_bytes(header(**values, PatientName="x"), "PatientName", EXAMPLES[character_set])
    report = encode_chest_cad_report(context(source, boxes=ONE))
    assert raw(report, "PatientName") == raw(source, "PatientName")
    assert header_errors(written(report, tmp_path)) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_report_on_a_real_mammogram(data_dir: Path, tmp_path: Path) -> None:
    source = dcmread(data_dir / "dicom" / "mammography" / "gh133_ge_mlo.dcm", stop_before_pixels=True)
    image = str(source.SOPInstanceUID)
    found = candidate(1000.0, 1200.0, 1100.0, 1320.0, score=0.7)
    spacing = [float(value) for value in source.ImagerPixelSpacing]
    made = context(
        source,
        findings=(Finding(1, image, found, (100 * spacing[0], 120 * spacing[1])),),
        readings=(FilmReading(image, 0.7, (found,), 3, 0.4),),
        package=cases.MAMMOGRAPHY,
    )
    report = encode_mammography_cad_report(made, MammographyExam((MammographyView(image, "R", "MLO"),)))
    assert template_errors(written(report, tmp_path)) == []


def test_reports_come_back_from_an_archive_as_they_left(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    archive = NodeAddress(orthanc.ae_title, orthanc.host, orthanc.dicom_port)
    chest = cases.CHEST["many findings"]()
    breasts, exam = cases.BREASTS["a lesion and a finding"]
    reports = (
        encode_chest_cad_report(chest),
        encode_mammography_cad_report(
            replace(breasts(), identity=replace(chest.identity, package_hash="cd" * 32)), exam
        ),
    )
    for report in reports:
        path = written(report, tmp_path)
        assert [result.delivered for result in send_files([path], archive, "SECONDREAD")] == [True]
        sent = dcmread(path)
        back = dcmread(orthanc.download(str(sent.SOPInstanceUID), tmp_path / "back.dcm"))
        assert back == sent
        assert is_own_result(back)


def test_the_validators_see_a_broken_report(tmp_path: Path) -> None:
    """Keep the checks honest."""
    report = encode_chest_cad_report(context(boxes=ONE))
    del report.CompletionFlag
    report.ContentSequence[2].ContentSequence[0].ContentSequence[-1].ValueType = "NOTHING"
    found = "\n".join(header_errors(written(report, tmp_path)))
    assert "CompletionFlag" in found
    assert "dsrdump" in found
