"""The folders: what a full disk or a crash at any point leaves, and what the next start does."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_io.receive import inbox as inbox_module
from dicom_io.receive.inbox import Inbox, InboxError
from dicom_io.receive.listener import Listener
from dicom_io.receive.part10 import data_set_sha256, encode_file_meta
from dicom_io.receive.spool import MEMORY_BYTES, Spool
from tests.dicom_io.receive.support import MemoryRecorder, Sender, encoded, make_film

REPOSITORY = Path(__file__).resolve().parents[3]
RELATIVE = Path("1.2", "3.4", "5.6.dcm")


def spool(inbox: Inbox, data: bytes) -> Spool:
    content = Spool(1 << 30, inbox.new_file, lambda: b"meta")
    for start in range(0, len(data), 100_000):
        content.write(data[start : start + 100_000])
    return content


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("not a folder")
    with pytest.raises(InboxError, match="cannot be used"):
        Inbox(tmp_path / "inbox", tmp_path / "quarantine")


def test_two_file_systems(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    with pytest.raises(InboxError, match="one file system"):
        Inbox(tmp_path / "inbox", other / f"quarantine-{os.getpid()}")
    (other / f"quarantine-{os.getpid()}").rmdir()


@pytest.mark.parametrize(
    "parts", [("..", "1", "2"), ("1", "", "2"), ("1", "2", "/etc/passwd"), ("1", "2", "a")]
)
def test_only_uids_become_paths(inbox: Inbox, parts: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="only UIDs"):
        inbox.instance_path(*parts)


@pytest.mark.parametrize("size", [1000, MEMORY_BYTES + 1])
def test_store_and_settle(inbox: Inbox, size: int) -> None:
    data = os.urandom(size)
    content = spool(inbox, data)
    mark = inbox.store(content, b"meta", RELATIVE)
    assert (inbox.root / RELATIVE).read_bytes() == b"meta" + data
    assert inbox.unsettled() == [mark]
    inbox.settle(mark)
    content.discard()
    assert names(inbox.root) == [str(RELATIVE)]


@pytest.mark.parametrize("size", [1000, MEMORY_BYTES + 1])
def test_take_back(inbox: Inbox, size: int) -> None:
    mark = inbox.store(spool(inbox, bytes(size)), b"meta", RELATIVE)
    inbox.take_back(mark, RELATIVE)
    assert names(inbox.root) == []


def test_a_file_without_a_row_is_replaced(inbox: Inbox) -> None:
    inbox.settle(inbox.store(spool(inbox, b"old"), b"", RELATIVE))
    inbox.settle(inbox.store(spool(inbox, b"new"), b"", RELATIVE))
    assert (inbox.root / RELATIVE).read_bytes() == b"new"
    assert names(inbox.root) == [str(RELATIVE)]


def test_every_new_name_is_synced(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(inbox_module, "_sync_folder", synced.append)
    inbox.store(spool(inbox, b"x"), b"", RELATIVE)
    study = inbox.root / "1.2"
    assert synced == [inbox.root, study, study / "3.4"]
    synced.clear()
    inbox.store(spool(inbox, b"x"), b"", RELATIVE.with_name("5.7.dcm"))
    assert synced == [study / "3.4"]


def test_file_is_synced_before_it_gets_its_name(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_sync, real_name = os.fsync, inbox_module._name

    def sync(descriptor: int) -> None:
        calls.append("sync")
        real_sync(descriptor)

    def name(*arguments: Path) -> Path | None:
        calls.append("name")
        return real_name(*arguments)

    inbox.settle(inbox.store(spool(inbox, b"x"), b"", RELATIVE))
    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(inbox_module, "_name", name)
    inbox.store(spool(inbox, b"y"), b"", RELATIVE.with_name("7.dcm"))
    assert calls == ["sync", "name", "sync"]


def test_file_system_without_links(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    assert inbox.store(spool(inbox, b"x"), b"", RELATIVE) is None
    inbox.settle(None)
    assert names(inbox.root) == [str(RELATIVE)]


@pytest.mark.parametrize("call", ["_make_folder", "_write"])
def test_errors_leave_nothing(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Inbox, call, full)
    with pytest.raises(OSError, match="full"):
        inbox.store(spool(inbox, b"x"), b"", RELATIVE)
    assert names(inbox.root) == []


def test_spool_keeps_the_error_of_a_full_disk(inbox: Inbox) -> None:
    def full() -> Path:
        raise OSError(errno.ENOSPC, "full")

    content = Spool(1 << 30, full, lambda: b"")
    for _ in range(3):
        content.write(bytes(MEMORY_BYTES // 2))
        content.write(bytes(1))
    assert content.getbuffer().nbytes == 0
    with pytest.raises(OSError, match="full"):
        content.check()
    assert content.size == 3 * (MEMORY_BYTES // 2 + 1)


def test_half_received_files_are_swept(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox", tmp_path / "quarantine")
    inbox.new_file().write_bytes(b"half")
    assert Inbox(tmp_path / "inbox", tmp_path / "quarantine").swept == 1
    assert names(tmp_path) == []


CRASH = """
import os, sys
from pathlib import Path
from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from tests.dicom_io.receive.support import MemoryRecorder

class Dying(MemoryRecorder):
    def record_instance(self, instance):
        if "{when}" == "after":
            Path(sys.argv[1], "row").write_text(instance.sha256)
        os.kill(os.getpid(), 9)

folder = Path(sys.argv[1])
listener = Listener(Inbox(folder / "inbox", folder / "quarantine"), Dying(), port=0)
listener.start()
print(listener.port, flush=True)
input()
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_file_and_row(
    tmp_path: Path, recorder: MemoryRecorder, start: Callable[..., Listener], when: str
) -> None:
    film = make_film()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CRASH).replace("{when}", when), str(tmp_path)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        text=True,
    )
    assert process.stdout is not None
    sender = Sender(int(process.stdout.readline()))
    assert sender.store(film) is None
    assert process.wait(10) == -9
    inbox = Inbox(tmp_path / "inbox", tmp_path / "quarantine")
    relative = inbox.instance_path(film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID)
    assert inbox.holds(relative)
    if when == "after":
        known = _row(film, relative, (tmp_path / "row").read_text())
        recorder.instances[known.sop_instance_uid] = known
    listener = start()
    if when == "after":
        assert inbox.holds(relative)
        assert not recorder.quarantined
    else:
        (orphan,) = recorder.quarantined
        assert orphan.reason_code == "no-row"
        assert orphan.sha256 == data_set_sha256(inbox.quarantine / orphan.path)
        assert not inbox.holds(relative)
    assert inbox.unsettled() == []
    with Sender(listener.port) as again:
        assert again.store(film) == 0x0000
    assert inbox.holds(relative)
    assert recorder.rows == (0 if when == "after" else 1)


def _row(film: object, relative: Path, sha256: str) -> object:
    from datetime import UTC, datetime

    from dicom_io.receive.records import StoredInstance

    return StoredInstance(
        relative.parts[0],
        relative.parts[1],
        relative.stem,
        film.SOPClassUID,
        "1.2.840.10008.1.2.1",
        sha256,
        1,
        relative,
        "CR",
        datetime.now(UTC),
        "a",
    )


def test_unreadable_mark_does_not_stop_the_start(
    inbox: Inbox, recorder: MemoryRecorder, start: Callable[..., Listener]
) -> None:
    inbox.store(spool(inbox, b"no DICOM at all"), b"", RELATIVE)
    start()
    assert names(inbox.incoming) == []


def test_unsettled_file_that_came_again_is_left(
    inbox: Inbox, recorder: MemoryRecorder, start: Callable[..., Listener]
) -> None:
    film = make_film()
    prefix = encode_file_meta(film.SOPClassUID, film.SOPInstanceUID, "1.2.840.10008.1.2.1")
    relative = inbox.instance_path(film.StudyInstanceUID, film.SeriesInstanceUID, film.SOPInstanceUID)
    inbox.store(spool(inbox, encoded(film)), prefix, relative)
    start()
    assert [item.reason_code for item in recorder.quarantined] == ["no-row"]
    assert names(inbox.root) == []
