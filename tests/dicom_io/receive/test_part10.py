from __future__ import annotations

import hashlib
import tempfile
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.errors import InvalidDicomError

from dicom_io.receive.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, is_storage_class
from dicom_io.receive.head import UnreadableDataSet, is_uid, peek_study_uid, read_head
from dicom_io.receive.part10 import (
    data_set_offset,
    data_set_sha256,
    encode_file_meta,
    is_part10,
    read_header,
    transfer_syntax_uid,
)
from tests.dicom_io.receive.support import CR, EXPLICIT, IMPLICIT, encoded, make_film, save

FOLDER = Path(tempfile.gettempdir())
BIG = "1.2.840.10008.1.2.2"


def test_not_dicom(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    assert not is_part10(path)
    assert transfer_syntax_uid(path) is None
    assert data_set_sha256(path) == hashlib.sha256(b"hello").hexdigest()
    with pytest.raises(InvalidDicomError):
        read_header(path)


@pytest.mark.parametrize("cut", range(128, 200, 7))
def test_cut_off_meta(cut: int) -> None:
    assert data_set_offset(BytesIO(encode_file_meta(CR, "1.2.3", EXPLICIT)[:cut])) <= cut


def test_meta_reads_back(tmp_path: Path) -> None:
    film = make_film()
    path = tmp_path / "a.dcm"
    prefix = encode_file_meta(CR, film.SOPInstanceUID, EXPLICIT, " PACS ")
    path.write_bytes(prefix + encoded(film))
    read = pydicom.dcmread(path)
    assert read.file_meta.FileMetaInformationGroupLength == len(prefix) - 144
    assert read.file_meta.MediaStorageSOPInstanceUID == film.SOPInstanceUID
    assert read.file_meta.SourceApplicationEntityTitle == "PACS"
    assert read == film
    assert is_part10(path)
    assert transfer_syntax_uid(path) == EXPLICIT
    assert "PixelData" not in read_header(path)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_digest_is_that_of_the_data_set(tmp_path: Path, syntax: str) -> None:
    film = make_film()
    data = encoded(film, syntax)
    path = save(film, tmp_path / "a.dcm", syntax)
    assert data_set_sha256(path) == hashlib.sha256(data).hexdigest()
    path.write_bytes(encode_file_meta(CR, film.SOPInstanceUID, syntax, "OTHER") + data)
    assert data_set_sha256(path) == hashlib.sha256(data).hexdigest()


def test_wrong_group_length_does_not_matter(tmp_path: Path) -> None:
    path = save(make_film(), tmp_path / "a.dcm")
    whole = path.read_bytes()
    expected = data_set_sha256(path)
    path.write_bytes(whole[:140] + b"\x07\x00\x00\x00" + whole[144:])
    assert data_set_sha256(path) == expected


@given(st.binary(max_size=400))
def test_head_of_anything_is_a_head_or_an_error(data: bytes) -> None:
    for syntax in (EXPLICIT, IMPLICIT, BIG, "1.2.840.10008.1.2.1.99"):
        with pytest.raises(UnreadableDataSet):
            read_head(BytesIO(data), len(data), syntax, 1 << 20, FOLDER)
        peek_study_uid(data, syntax)


@given(st.data())
def test_head_of_a_damaged_film(data: st.DataObject) -> None:
    film = make_film(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4", SOPInstanceUID="1.2.5")
    whole = bytearray(encoded(film))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    try:
        head = read_head(BytesIO(whole), len(whole), EXPLICIT, 1 << 20, FOLDER)
    except UnreadableDataSet as error:
        assert error.code in {"unparsable", "truncated", "missing-uid", "invalid-uid"}
    else:
        assert all(
            is_uid(uid) for uid in (head.study_instance_uid, head.series_instance_uid, head.sop_instance_uid)
        )


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_peek(syntax: str) -> None:
    film = make_film()
    data = encoded(film, syntax)
    assert peek_study_uid(data, syntax) == film.StudyInstanceUID
    assert peek_study_uid(data[:-100], syntax) == film.StudyInstanceUID
    assert peek_study_uid(data[:100], syntax) is None


def test_contexts() -> None:
    assert len(STORAGE_CLASSES) >= 170
    assert len(set(TRANSFER_SYNTAXES)) == len(TRANSFER_SYNTAXES)
    assert all(is_storage_class(uid) for uid in STORAGE_CLASSES)
    refused = {
        "1.2.840.10008.1.1",  # Verification
        "1.2.840.10008.1.20.1",  # Storage Commitment
        "1.2.840.10008.1.3.10",  # DICOMDIR
        "1.2.840.10008.5.1.4.1.2.2.1",  # C-FIND
        "1.2.840.10008.5.1.4.1.2.2.2",  # C-MOVE
        "1.2.840.10008.5.1.4.31",  # worklist
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol: no study
        "1.2.840.10008.1.2.1",  # a transfer syntax
        "not a uid",
        "",
    }
    assert not [uid for uid in refused if is_storage_class(uid)]
