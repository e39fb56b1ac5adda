"""Results through a real archive and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_io.results import is_own_result
from tests import peers
from tests.conformance.test_results import written
from tests.dicom_io.results.factory import ONE, STUDY, context, header
from tests.dicom_io.results.test_source import raw

pytestmark = pytest.mark.peer


def test_results_come_back_from_an_archive_as_they_left(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    source = header(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎")
    for path in written(context(source, boxes=ONE), tmp_path):
        orthanc.upload(path)
        sent = dcmread(path)
        back = dcmread(orthanc.download(str(sent.SOPInstanceUID), tmp_path / "back.dcm"))
        assert is_own_result(back)
        assert raw(back, "PatientName") == raw(source, "PatientName")
        assert back == sent
    found = orthanc.instances(STUDY)
    assert {instance["00080060"]["Value"][0] for instance in found} == {"SR", "OT"}
    assert {instance["0020000E"]["Value"][0] for instance in found} != {STUDY}


def test_an_archive_draws_the_key_image(orthanc: peers.Orthanc, tmp_path: Path) -> None:
    _, image = written(context(boxes=ONE), tmp_path)
    identifier = orthanc.upload(image)["ID"]
    assert orthanc.get(f"/instances/{identifier}/simplified-tags")["PhotometricInterpretation"] == "RGB"
    assert len(orthanc.get(f"/instances/{identifier}/frames")) == 1
