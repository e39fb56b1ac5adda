from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_io.results import encode_structured_report, write_object
from tests.dicom_io.results.factory import context


def test_a_missing_folder_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_object(encode_structured_report(context()), tmp_path / "missing" / "report.dcm", "report")
    assert list(tmp_path.iterdir()) == []


def test_the_record_describes_the_file(tmp_path: Path) -> None:
    report = encode_structured_report(context())
    written = write_object(report, tmp_path / "report.dcm", "structured-report")
    data = written.path.read_bytes()
    assert written.kind == "structured-report"
    assert written.sha256 == hashlib.sha256(data).hexdigest()
    assert written.size_bytes == len(data)
    back = dcmread(written.path)
    assert back.SOPInstanceUID == written.sop_instance_uid == back.file_meta.MediaStorageSOPInstanceUID
    assert back.SeriesInstanceUID == written.series_instance_uid
    assert back.SOPClassUID == written.sop_class_uid
    assert str(back.file_meta.ImplementationVersionName).startswith("SECONDREAD")
    assert list(tmp_path.iterdir()) == [written.path]


def test_a_repeat_writes_the_same_bytes(tmp_path: Path) -> None:
    one = write_object(encode_structured_report(context()), tmp_path / "a.dcm", "structured-report")
    other = write_object(encode_structured_report(context()), tmp_path / "b.dcm", "structured-report")
    again = write_object(encode_structured_report(context()), tmp_path / "a.dcm", "structured-report")
    assert one.sha256 == other.sha256 == again.sha256
