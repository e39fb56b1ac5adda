"""dcmtk against the listener, and every file of the interop folder over the wire."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from dicom_io.receive.contexts import TRANSFER_SYNTAXES
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.receive.part10 import data_set_offset, data_set_sha256, transfer_syntax_uid
from tests.dicom_io.receive.support import MARKER, MemoryRecorder, Sender, make_film, save, until
from tests.peers import require_tool, run_tool

KNOWN = {0x0000, 0xA700, 0xA900, 0xC000}
PROPOSE = {  # storescu's option for each compressed syntax
    "1.2.840.10008.1.2": "-xi",
    "1.2.840.10008.1.2.1": "-xe",
    "1.2.840.10008.1.2.2": "-xb",
    "1.2.840.10008.1.2.1.99": "-xd",
    "1.2.840.10008.1.2.4.50": "-xy",
    "1.2.840.10008.1.2.4.51": "-xx",
    "1.2.840.10008.1.2.4.57": "-xs",
    "1.2.840.10008.1.2.4.70": "-xs",
    "1.2.840.10008.1.2.4.80": "-xt",
    "1.2.840.10008.1.2.4.81": "-xu",
    "1.2.840.10008.1.2.4.90": "-xv",
    "1.2.840.10008.1.2.4.91": "-xw",
    "1.2.840.10008.1.2.5": "-xr",
}


def data_folder() -> Path:
    named = os.environ.get("SECONDREAD_DATA")
    if not named:
        pytest.skip("SECONDREAD_DATA is not set")
    return Path(named) / "dicom"


@pytest.mark.peer
def test_echoscu(listener: Listener, recorder: MemoryRecorder) -> None:
    answer = run_tool("echoscu", "-v", "-aec", "SECONDREAD", "127.0.0.1", str(listener.port))
    assert answer.returncode == 0, answer.stderr
    assert "Received Echo Response (Success)" in answer.stderr
    assert recorder.ends() == ["released"]
    assert not recorder.instances


@pytest.mark.peer
def test_echoscu_with_another_title(listener: Listener) -> None:
    answer = run_tool("echoscu", "-aec", "OTHER", "127.0.0.1", str(listener.port))
    assert answer.returncode != 0
    assert "Called AE Title Not Recognized" in answer.stderr


@pytest.mark.peer
def test_storescu_aborting_and_going_on(
    start: Callable[..., Listener], recorder: MemoryRecorder, tmp_path: Path
) -> None:
    listener = start()
    path = save(make_film(), tmp_path / "a.dcm")
    arguments = ("-aec", "SECONDREAD", "--abort", "127.0.0.1", str(listener.port), path)
    assert run_tool("storescu", *arguments).returncode == 0
    assert recorder.ends() == ["aborted by peer"]
    assert len(recorder.instances) == 1


@pytest.mark.peer
def test_dcmtk_reads_what_is_kept(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, tmp_path: Path
) -> None:
    path = save(make_film(), tmp_path / "a.dcm")
    assert run_tool("storescu", "-aec", "SECONDREAD", "127.0.0.1", str(listener.port), path).returncode == 0
    (instance,) = recorder.instances.values()
    dump = run_tool("dcmdump", inbox.root / instance.path)
    assert dump.returncode == 0
    assert MARKER in dump.stdout
    assert not dump.stderr


@pytest.mark.peer
@pytest.mark.data
def test_storescu_with_every_compressed_file(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    """Send each interop file in its own syntax; the data set that is kept is the one sent."""
    require_tool("storescu")
    sent: dict[str, Path] = {}
    syntaxes = set()
    for path in sorted((data_folder() / "interop").glob("*.dcm")):
        syntax = transfer_syntax_uid(path)
        if syntax not in PROPOSE:
            continue
        target = ("127.0.0.1", str(listener.port), str(path))
        answer = run_tool("storescu", "-R", PROPOSE[syntax], "-aec", "SECONDREAD", *target)
        if answer.returncode == 0 and "failed" not in answer.stderr:
            sent.setdefault(str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID), path)
            syntaxes.add(syntax)
    assert len(syntaxes) >= 10
    assert set(sent) == set(recorder.instances)
    for uid, path in sent.items():
        instance = recorder.instances[uid]
        assert instance.transfer_syntax_uid == transfer_syntax_uid(path)
        kept, original = pydicom.dcmread(inbox.root / instance.path), pydicom.dcmread(path)
        # storescu writes group lengths and padding anew; pixel data is left alone
        assert kept.get("PixelData") == original.get("PixelData")
        assert kept.SOPInstanceUID == original.SOPInstanceUID
        assert run_tool("dcmdump", "-q", inbox.root / instance.path).returncode == 0
        assert instance.sha256 == data_set_sha256(inbox.root / instance.path)


@pytest.mark.data
def test_every_interop_file_gets_a_known_status(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    """Send the bytes of each file as they are, broken ones too; the listener goes on after each."""
    expected = _expected()
    outcomes: dict[str, int] = {}
    for path in sorted(data_folder().rglob("*.dcm")):
        if "brain" in path.parent.name:
            continue
        syntax = transfer_syntax_uid(path) or "1.2.840.10008.1.2"
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        class_uid, uid = str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))
        with path.open("rb") as file:
            file.seek(data_set_offset(file))
            data = file.read()
        with Sender(listener.port, [(class_uid or "1.2.840.10008.5.1.4.1.1.7", syntax)]) as sender:
            status = sender.store(data, class_uid or "1.2.840.10008.5.1.4.1.1.7", uid or "1.2.3")
        assert status in KNOWN, path.name
        outcomes[path.name] = int(status or 0)
        if status == 0x0000 and uid in recorder.instances:
            instance = recorder.instances[uid]
            if instance.sha256 == hashlib.sha256(data).hexdigest():
                assert (inbox.root / instance.path).read_bytes().endswith(data)
    assert len(outcomes) > 40
    for name, status in expected.items():
        assert outcomes.get(name, status) == status, name
    assert sum(status == 0x0000 for status in outcomes.values()) > 35
    assert len(recorder.refused) == sum(status != 0x0000 for status in outcomes.values())


def _expected() -> dict[str, int]:
    return {
        "data__pydicom__rtplan_truncated.dcm": 0xC000,
        "data__pydicom__MR_small_RLE.dcm": 0x0000,
        "data__pydicom__MR_small_bigendian.dcm": 0x0000,
        "data__pydicom__ExplVR_BigEnd.dcm": 0x0000,
        "data__WG04__JPLY__RG3_JPLY.dcm": 0x0000,
        "data__WG04__J2KI__US1_J2KI.dcm": 0x0000,
        "data__pydicom__emri_small_jpeg_2k_lossless_too_short.dcm": 0xC000,
        "data__pydicom__nested_priv_SQ.dcm": 0xC000,  # a fragment without UIDs
        "Tests__FO-DICOM.Tests__Test_Data__GH220.dcm": 0xC000,  # no Study Instance UID
        "data__pydicom__badVR.dcm": 0x0000,
        "FO-DICOM.Tests__Test_Data__Issue1097_FailToOpenDeflatedFileWithSQ.dcm": 0x0000,
    }


def test_every_syntax_is_accepted_and_kept(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    """Negotiate each syntax by itself; encapsulated pixel data of any content is kept as it is."""
    for number, syntax in enumerate(TRANSFER_SYNTAXES):
        film = make_film()
        if UID(syntax).is_private or syntax not in PROPOSE or UID(syntax).is_encapsulated:
            film.PixelData = pydicom.encaps.encapsulate([bytes(np.arange(100, dtype=np.uint8) + number)])
            film["PixelData"].VR = "OB"
            film["PixelData"].is_undefined_length = True
        elif UID(syntax).is_deflated:
            continue
        with Sender(listener.port, [(str(film.SOPClassUID), syntax)]) as sender:
            assert sender.store(_explicit(film, syntax), instance_uid=str(film.SOPInstanceUID)) == 0x0000
    assert {item.transfer_syntax_uid for item in recorder.instances.values()} == set(TRANSFER_SYNTAXES) - {
        "1.2.840.10008.1.2.1.99"
    }


def _explicit(film: pydicom.Dataset, syntax: str) -> bytes:
    from tests.dicom_io.receive.support import EXPLICIT, encoded

    plain = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"}
    return encoded(film, syntax if syntax in plain else EXPLICIT)


def test_manifest_names_the_files() -> None:
    manifest = data_folder() / "manifest.csv"
    with manifest.open(newline="") as file:
        assert len(list(csv.reader(file))) > 100


def test_open_study_while_a_slow_object_arrives(listener: Listener) -> None:
    """A study is open from the first quarter of a megabyte on, long before the object is complete."""
    from tests.dicom_io.receive.support import RawPeer, encoded

    film = make_film(rows=4000, columns=160)
    data = encoded(film)
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command(instance_uid=str(film.SOPInstanceUID))
        for first in range(0, 300_000, 16_000):
            peer.fragment(data[first : first + 16_000], 0x00)
        until(lambda: listener.open_study_uids() == {film.StudyInstanceUID})
