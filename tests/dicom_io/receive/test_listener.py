"""The listener with real sockets: what is kept, what is refused, and that it goes on."""

from __future__ import annotations

import errno
import logging
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from dicom_io.receive import inbox as inbox_module
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.receive.part10 import data_set_sha256
from dicom_io.receive.records import StoredInstance
from tests.dicom_io.receive.support import (
    CR,
    CT,
    EXPLICIT,
    IMPLICIT,
    MARKER,
    CountingObserver,
    MemoryRecorder,
    RawPeer,
    Sender,
    encoded,
    make_film,
    until,
)

Start = Callable[..., Listener]
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def still_works(listener: Listener) -> None:
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0x0000


# -- refused ------------------------------------------------------------------------------------------


def test_data_set_and_command_disagree_on_the_class(listener: Listener, recorder: MemoryRecorder) -> None:
    film = make_film(SOPClassUID=CT)
    with Sender(listener.port) as sender:
        assert sender.store(film) == 0xA900
        assert sender.store(make_film(), class_uid=CT) == 0xA900
    assert [item.reason_code for item in recorder.refused] == ["class-mismatch"] * 2
    assert not recorder.instances
    still_works(listener)


def test_data_set_and_command_disagree_on_the_instance(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    with Sender(listener.port) as sender:
        assert sender.store(make_film(), instance_uid=generate_uid()) == 0xA900
        assert sender.comment == "SOP instance UID of command and data set differ"
    assert recorder.refused[0].reason_code == "instance-mismatch"
    assert files(inbox.root) == []


def test_class_of_another_context(listener: Listener, recorder: MemoryRecorder) -> None:
    film = make_film(SOPClassUID=CT)
    with Sender(listener.port) as sender:
        assert sender.store(film, class_uid=CT) == 0x0122
    assert recorder.refused[0].reason_code == "class-not-negotiated"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"this is no data set, whatever the command says about it", "unparsable"),
        (bytes(4096), "missing-uid"),
        (b"\x08\x00\x16\x00UI", "truncated"),
    ],
)
def test_not_dicom(listener: Listener, recorder: MemoryRecorder, data: bytes, code: str) -> None:
    with Sender(listener.port) as sender:
        assert sender.store(data) == 0xC000
    assert recorder.refused[0].reason_code == code
    still_works(listener)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_cut_off_at_every_length(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, syntax: str
) -> None:
    film = make_film(rows=2)
    film.ReferencedStudySequence = [pydicom.Dataset()]
    film.ReferencedStudySequence[0].ReferencedSOPInstanceUID = "1.2.3"
    film["ReferencedStudySequence"].is_undefined_length = True
    data = encoded(film, syntax)
    with Sender(listener.port, [(CR, syntax)]) as sender:
        # cut between two elements it is a shorter data set, and nobody can tell
        between = {len(encoded(film[: element.tag], syntax)) for element in film}
        for length in set(range(1, len(data), 7)) - between:
            assert sender.store(data[:length], instance_uid=str(film.SOPInstanceUID)) == 0xC000, length
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
    assert {item.reason_code for item in recorder.refused} <= {"truncated", "missing-uid", "unparsable"}
    assert len(files(inbox.root)) == 1


def test_encapsulated_pixels_without_an_end(listener: Listener, recorder: MemoryRecorder) -> None:
    film = make_film()
    film.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8" + bytes(300)])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    data = encoded(film)
    syntax = "1.2.840.10008.1.2.4.50"
    with Sender(listener.port, [(CR, syntax)]) as sender:
        for cut in (1, 8, 9, 100):
            assert sender.store(data[:-cut], instance_uid=str(film.SOPInstanceUID)) == 0xC000
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
    assert {item.reason_code for item in recorder.refused} == {"truncated"}


@pytest.mark.parametrize(
    "uid", ["../../x", "1.2/../../3", "/etc/passwd", "1.2\\3.4", "..", "1..2", ".1", "1.", "1.2." + "3" * 62]
)
@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_uids_never_leave_the_inbox(
    listener: Listener, recorder: MemoryRecorder, tmp_path: Path, name: str, uid: str
) -> None:
    film = make_film()
    data = encoded(film)
    old = str(getattr(film, name)).encode()
    new = uid.encode() + b"\x00" * (len(uid) % 2)
    old += b"\x00" * (len(old) % 2)
    place = data.index(old)
    data = data[: place - 2] + len(new).to_bytes(2, "little") + new + data[place + len(old) :]
    command = uid if name == "SOPInstanceUID" and len(uid) <= 64 else str(film.SOPInstanceUID)
    with Sender(listener.port) as sender:
        assert sender.store(data, instance_uid=command) == 0xC000
    assert recorder.refused[0].reason_code == "invalid-uid"
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_missing_uids(listener: Listener, recorder: MemoryRecorder, name: str) -> None:
    film = make_film()
    uid = str(film.SOPInstanceUID)
    delattr(film, name)
    with Sender(listener.port) as sender:
        assert sender.store(film, instance_uid=uid) == 0xC000
    assert recorder.refused[0].reason_code == "missing-uid"


def test_too_large(start: Start, recorder: MemoryRecorder, inbox: Inbox) -> None:
    listener = start(maximum_object_bytes=20_000)
    with Sender(listener.port) as sender:
        assert sender.store(make_film(rows=2000)) == 0xA700
        assert sender.store(make_film()) == 0x0000
    assert recorder.refused[0].reason_code == "too-large"
    assert len(files(inbox.root)) == 1


def test_deflated_bomb(start: Start, recorder: MemoryRecorder) -> None:
    listener = start(maximum_object_bytes=1_000_000)
    film = make_film(rows=60_000)
    squeezer = zlib.compressobj(wbits=-15)
    data = squeezer.compress(encoded(film)) + squeezer.flush()
    assert len(data) < 20_000
    with Sender(listener.port, [(CR, DEFLATED)]) as sender:
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0xA700
    assert recorder.refused[0].reason_code == "too-large"


@pytest.mark.parametrize(
    ("error", "status"), [(OSError(errno.ENOSPC, "full"), 0xA700), (RuntimeError("row gone"), 0x0110)]
)
def test_recorder_fails_before_the_row(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, error: BaseException, status: int
) -> None:
    film = make_film()
    recorder.fail["record_instance"] = error
    with Sender(listener.port) as sender:
        assert sender.store(film) == status
        assert files(inbox.root) == []
        recorder.fail.clear()
        assert sender.store(film) == 0x0000
    assert len(files(inbox.root)) == 1
    assert len(recorder.refused) == 1


def test_commit_whose_answer_was_lost_counts(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    recorder.fail["after_commit"] = ConnectionError("gone")
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0x0000
    assert len(files(inbox.root)) == 1


def test_recorder_is_down_altogether(listener: Listener, recorder: MemoryRecorder, inbox: Inbox) -> None:
    recorder.fail = {name: RuntimeError(MARKER) for name in ("find_instance", "record_refused")}
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0x0110
    assert files(inbox.root) == []
    recorder.fail["association_opened"] = RuntimeError("down")
    refused = Sender(listener.port).association
    assert refused.is_rejected
    assert (refused.acceptor.primitive.result, refused.acceptor.primitive.result_source) == (2, 3)
    recorder.fail.clear()
    still_works(listener)


def test_disk_full(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(inbox_module, "_write_all", full)
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0xA700
    assert recorder.refused[0].reason_code == "out-of-space"
    assert files(inbox.root) == []
    monkeypatch.undo()
    still_works(listener)


def test_observer_that_raises_costs_nothing(start: Start, observer: CountingObserver) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    observer.instance_stored = broken  # type: ignore[method-assign]
    observer.association_started = broken  # type: ignore[method-assign]
    still_works(start())


# -- kept ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_bytes_are_kept_as_sent(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, observer: CountingObserver, syntax: str
) -> None:
    film = make_film()
    data = encoded(film, syntax)
    with Sender(listener.port, [(CR, syntax)]) as sender:
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
    (instance,) = recorder.instances.values()
    path = inbox.root / instance.path
    assert instance.path == Path(film.StudyInstanceUID, film.SeriesInstanceUID, f"{film.SOPInstanceUID}.dcm")
    assert path.read_bytes().endswith(data)
    assert instance.size_bytes == len(data)
    assert instance.sha256 == data_set_sha256(path)
    assert (instance.modality, instance.transfer_syntax_uid) == ("CR", syntax)
    assert instance.received_at.tzinfo is not None
    assert not instance.own_result
    read = pydicom.dcmread(path)
    assert read.PatientName == MARKER
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.file_meta.SourceApplicationEntityTitle == "SENDER"
    if syntax != BIG:
        assert (read.pixel_array == 7).all()
    assert files(inbox.root) == [path]
    until(lambda: "ended" in observer.heard)
    assert observer.heard == ["started", "stored", "ended"]
    assert path.stat().st_mode & 0o077 == 0


def test_deflated(listener: Listener, recorder: MemoryRecorder, inbox: Inbox) -> None:
    film = make_film()
    squeezer = zlib.compressobj(wbits=-15)
    data = squeezer.compress(encoded(film)) + squeezer.flush()
    with Sender(listener.port, [(CR, DEFLATED)]) as sender:
        assert sender.store(data[:-10], instance_uid=str(film.SOPInstanceUID)) == 0xC000
        assert sender.store(b"no deflate stream", instance_uid=str(film.SOPInstanceUID)) == 0xC000
        data += b"\x00" * (len(data) % 2)
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
    (instance,) = recorder.instances.values()
    assert pydicom.dcmread(inbox.root / instance.path).PatientName == MARKER


def test_large_object_goes_through_a_file(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, observer: CountingObserver
) -> None:
    film = make_film(rows=40_000, columns=160)
    data = encoded(film)
    assert len(data) > 12_000_000
    with Sender(listener.port) as sender:
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
        assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
        other = data[:-1] + b"\x01"
        assert sender.store(other, instance_uid=str(film.SOPInstanceUID)) == 0x0000
        assert sender.store(data[:-1], instance_uid=str(film.SOPInstanceUID)) == 0xC000
    (instance,) = recorder.instances.values()
    path = inbox.root / instance.path
    assert path.read_bytes().endswith(data)
    assert pydicom.dcmread(path).file_meta.MediaStorageSOPInstanceUID == film.SOPInstanceUID
    assert (inbox.quarantine / recorder.quarantined[0].path).read_bytes().endswith(other)
    assert files(inbox.root) == [path]
    assert [name for name in observer.heard if name != "started"][:4] == [
        "stored",
        "repeated",
        "quarantined",
        "refused",
    ]


def test_identical_duplicate(listener: Listener, recorder: MemoryRecorder, inbox: Inbox) -> None:
    film = make_film()
    with Sender(listener.port) as sender:
        assert sender.store(film) == 0x0000
        (instance,) = recorder.instances.values()
        inode = (inbox.root / instance.path).stat().st_ino
        assert sender.store(film) == 0x0000
    assert recorder.rows == 1
    assert not recorder.quarantined
    assert (inbox.root / instance.path).stat().st_ino == inode
    assert recorder.ends() == ["released"]
    assert recorder.closed[0].instances == 2


def test_lost_file_is_restored_by_a_duplicate(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    film = make_film()
    with Sender(listener.port) as sender:
        sender.store(film)
        (instance,) = recorder.instances.values()
        (inbox.root / instance.path).unlink()
        (inbox.root / instance.path).parent.rmdir()
        assert sender.store(film) == 0x0000
    assert data_set_sha256(inbox.root / instance.path) == instance.sha256
    assert recorder.rows == 1


def test_same_uid_other_content(listener: Listener, recorder: MemoryRecorder, inbox: Inbox) -> None:
    film = make_film(value=1)
    first = encoded(film)
    film.PixelData = bytes(len(film.PixelData))
    second = encoded(film)
    with Sender(listener.port) as sender:
        for data in (first, second, second, first):
            assert sender.store(data, instance_uid=str(film.SOPInstanceUID)) == 0x0000
    (instance,) = recorder.instances.values()
    (kept,) = recorder.quarantined
    assert (inbox.root / instance.path).read_bytes().endswith(first)
    assert (inbox.quarantine / kept.path).read_bytes().endswith(second)
    assert kept.reason_code == "uid-conflict"
    assert str(film.SOPInstanceUID) not in kept.path.name
    assert kept.sha256 == data_set_sha256(inbox.quarantine / kept.path)


def test_quarantine_without_a_row_is_a_failure(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    film = make_film(value=1)
    with Sender(listener.port) as sender:
        assert sender.store(film) == 0x0000
        film.PixelData = bytes(len(film.PixelData))
        recorder.fail["record_quarantined"] = RuntimeError
        assert sender.store(film) == 0x0110
        assert files(inbox.quarantine) == []
        recorder.fail.clear()
        assert sender.store(film) == 0x0000
    assert len(files(inbox.quarantine)) == 1


def test_same_instance_in_two_series_conflicts(listener: Listener, recorder: MemoryRecorder) -> None:
    film = make_film()
    with Sender(listener.port) as sender:
        assert sender.store(film) == 0x0000
        film.SeriesInstanceUID = generate_uid()
        assert sender.store(film) == 0x0000
    assert len(recorder.instances) == len(recorder.quarantined) == 1


def test_the_same_uid_from_many_associations_at_once(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox
) -> None:
    film = make_film()
    contents = []
    for value in range(4):
        film.PixelData = bytes([value]) * len(film.PixelData)
        contents.append(encoded(film))
    statuses: list[int | None] = []
    barrier = threading.Barrier(8)

    def send(number: int) -> None:
        with Sender(listener.port) as sender:
            barrier.wait()
            statuses.append(sender.store(contents[number % 4], instance_uid=str(film.SOPInstanceUID)))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [0x0000] * 8
    assert recorder.rows == 1
    assert len(recorder.quarantined) == 3
    hashes = {item.sha256 for item in recorder.quarantined} | {i.sha256 for i in recorder.instances.values()}
    assert len(hashes) == 4
    assert len(files(inbox.root)) == 1


def test_own_results_are_kept_and_marked(start: Start, recorder: MemoryRecorder) -> None:
    seen: list[bool] = []

    def is_own(header: pydicom.Dataset) -> bool:
        seen.append("PixelData" in header)
        return str(header.get("Manufacturer", "")) == "OURS"

    listener = start(is_own_result=is_own)
    with Sender(listener.port) as sender:
        own, other = make_film(Manufacturer="OURS"), make_film()
        assert sender.store(own) == sender.store(other) == 0x0000
    assert recorder.instances[str(own.SOPInstanceUID)].own_result
    assert not recorder.instances[str(other.SOPInstanceUID)].own_result
    assert seen == [False, False]


def test_loop_guard_that_raises_does_not_lose_the_object(start: Start, recorder: MemoryRecorder) -> None:
    def is_own(_header: pydicom.Dataset) -> bool:
        raise KeyError(MARKER)

    still_works(start(is_own_result=is_own))
    assert not next(iter(recorder.instances.values())).own_result


def test_private_and_unknown_classes_are_kept(listener: Listener, recorder: MemoryRecorder) -> None:
    pairs = [
        ("1.3.12.2.1107.5.9.1", IMPLICIT),  # a vendor's private class
        ("1.2.840.10008.5.1.4.1.1.999.7", EXPLICIT),  # a class of a later edition
        ("1.2.840.10008.5.1.4.1.1.66.7", EXPLICIT),  # Label Map Segmentation
        ("1.2.840.10008.5.1.4.1.1.6", EXPLICIT),  # retired Ultrasound
    ]
    with Sender(listener.port, pairs) as sender:
        assert len(sender.association.accepted_contexts) == len(pairs)
        for number, (class_uid, _) in enumerate(pairs):
            film = make_film(SOPClassUID=class_uid)
            assert sender.store(film, class_uid=class_uid, context=number) == 0x0000
    assert {item.sop_class_uid for item in recorder.instances.values()} == {pair[0] for pair in pairs}


# -- what is being received ---------------------------------------------------------------------------


def test_open_studies(listener: Listener) -> None:
    first, second = make_film(), make_film()
    with Sender(listener.port) as one, Sender(listener.port) as two:
        assert listener.open_study_uids() == frozenset()
        one.store(first)
        two.store(second)
        two.store(make_film(StudyInstanceUID=first.StudyInstanceUID))
        assert listener.open_study_uids() == {first.StudyInstanceUID, second.StudyInstanceUID}
        one.association.release()
        until(lambda: listener.open_associations == 1)
        assert listener.open_study_uids() == {first.StudyInstanceUID, second.StudyInstanceUID}
    until(lambda: not listener.open_study_uids())


def test_study_is_open_before_its_row(listener: Listener, recorder: MemoryRecorder) -> None:
    seen: list[frozenset[str]] = []

    def look(_instance: StoredInstance) -> None:
        seen.append(listener.open_study_uids())

    recorder.before_commit = look
    film = make_film()
    with Sender(listener.port) as sender:
        sender.store(film)
    assert seen == [{film.StudyInstanceUID}]


# -- what is said -------------------------------------------------------------------------------------


def test_logs_hold_no_values(
    start: Start,
    recorder: MemoryRecorder,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    listener = start()
    film = make_film()
    marks = [MARKER, film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID, "Z-0001"]
    with Sender(listener.port) as sender:
        sender.store(film)
        film.PixelData = bytes(len(film.PixelData))
        sender.store(film)
        sender.store(encoded(film)[:-3], instance_uid=str(film.SOPInstanceUID))
        recorder.fail["find_instance"] = RuntimeError(" ".join(map(str, marks)))
        sender.store(film)
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command(instance_uid=f"{MARKER}/1")
        peer.fragment(encoded(film), 0x02)
        assert peer.answer()[0] == 4
    recorder.ends(2)
    listener.stop()
    assert MARKER not in "".join(capfd.readouterr())
    texts = [record.getMessage() + str(record.exc_text or "") for record in caplog.records]
    assert any("object refused with 0xC000" in text for text in texts)
    assert any("processing-failure: RuntimeError at support.py" in text for text in texts)
    assert not [text for text in texts for mark in marks if str(mark) in text]
