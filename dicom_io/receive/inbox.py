"""Folders that outlive a power cut: ``inbox/study/series/instance.dcm`` and the quarantine.

A file gets its name only when its bytes are on the disk, and the name is on the disk when a method returns.
Nothing is ever written outside the two folders: names are UIDs that were checked, or random.

Until the row is committed a file keeps its temporary name beside its final one (a hard link). What has both
names when the next process starts is what a crash left between file and row.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
import uuid
from pathlib import Path

from dicom_io.receive.head import is_uid
from dicom_io.receive.spool import Spool

__all__ = ["Inbox", "InboxError"]

_LOGGER = logging.getLogger(__name__)
_INCOMING = ".incoming"
_REMEMBERED_FOLDERS = 10_000
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


class InboxError(OSError):
    """The folders cannot serve as an inbox."""


class Inbox:
    """The two folders that the listener writes to.

    Parameters
    ----------
    root : Path
        The inbox; made when missing, with access for the owner only.
    quarantine : Path
        Objects that are kept and never processed; must be on the same file system.

    Raises
    ------
    InboxError
        A folder cannot be made or written, or the two are on different file systems.
    """

    def __init__(self, root: Path, quarantine: Path) -> None:
        self.root = root
        self.quarantine = quarantine
        self.incoming = root / _INCOMING
        try:
            for folder in (root, quarantine, self.incoming):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if len({folder.stat().st_dev for folder in (root, quarantine)}) != 1:
                raise InboxError(
                    f"{root} and {quarantine} must be on one file system: files are renamed between them"
                )
            for folder in (root, quarantine):
                _sync_folder(folder.parent)
                _sync_folder(folder)
        except InboxError:
            raise
        except OSError as error:
            raise InboxError(f"the inbox cannot be used: {error}") from error
        self._durable: set[Path] = set()
        self._lock = threading.Lock()
        self.swept = self._sweep()

    def _sweep(self) -> int:
        """Remove what an earlier process left half received; its senders got no success for it."""
        count = 0
        for path in self.incoming.iterdir():
            if path.stat().st_nlink == 1:
                path.unlink()
                count += 1
        if count:
            _LOGGER.info("removed %d half-received objects", count)
        return count

    def new_file(self) -> Path:
        """Return the path of a temporary file that does not exist yet."""
        return self.incoming / f"{uuid.uuid4().hex}.part"

    def instance_path(self, study_uid: str, series_uid: str, instance_uid: str) -> Path:
        """Return where an instance lies, relative to the inbox.

        Raises
        ------
        ValueError
            A part is not a UID, so it must not become a path.
        """
        for uid in (study_uid, series_uid, instance_uid):
            if not is_uid(uid):
                raise ValueError("only UIDs may become parts of a path")
        return Path(study_uid, series_uid, f"{instance_uid}.dcm")

    def store(self, spool: Spool, prefix: bytes, relative: Path) -> Path | None:
        """Keep a data set under its name, durably; a file of that name is replaced.

        The caller then commits the row and calls :meth:`settle`, or :meth:`take_back`.

        Parameters
        ----------
        spool : Spool
            The data set.
        prefix : bytes
            Preamble and file meta information.
        relative : Path
            From :meth:`instance_path`.

        Returns
        -------
        Path or None
            The temporary name that marks the row as missing; None where the file system has no links.
        """
        temporary = self._write(spool, prefix)
        target = self.root / relative
        try:
            self._make_folder(target.parent)
            try:
                mark = _name(temporary, target)
            except FileNotFoundError:
                # the folder was removed since it was made: an emptied study
                self._forget(target.parent)
                self._make_folder(target.parent)
                mark = _name(temporary, target)
            _sync_folder(target.parent)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        spool.keep()
        return mark

    def settle(self, mark: Path | None) -> None:
        """Note that the row of a stored file is committed."""
        if mark is not None:
            mark.unlink(missing_ok=True)

    def take_back(self, mark: Path | None, relative: Path) -> None:
        """Remove a stored file that got no row."""
        (self.root / relative).unlink(missing_ok=True)
        self.settle(mark)

    def unsettled(self) -> list[Path]:
        """Return the marks that an earlier process left; call before anything is stored."""
        return sorted(self.incoming.glob("*.part"))

    def store_quarantined(self, spool: Spool, prefix: bytes) -> Path:
        """Keep a data set in quarantine under a random name, durably; return the name."""
        temporary = self._write(spool, prefix)
        name = Path(f"{uuid.uuid4().hex}.dcm")
        try:
            temporary.replace(self.quarantine / name)
            _sync_folder(self.quarantine)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        spool.keep()
        return name

    def remove_quarantined(self, name: Path) -> None:
        """Remove a quarantined object that has no row."""
        (self.quarantine / name).unlink(missing_ok=True)

    def holds(self, relative: Path) -> bool:
        """Return whether the file of an instance is there."""
        return (self.root / relative).is_file()

    def set_aside(self, relative: Path) -> Path:
        """Move an instance file to quarantine under a random name; return the name."""
        name = Path(f"{uuid.uuid4().hex}.dcm")
        (self.root / relative).replace(self.quarantine / name)
        _sync_folder(self.quarantine)
        return name

    def free_bytes(self) -> int:
        """Return the space left on the inbox's file system."""
        return shutil.disk_usage(self.root).free

    def _write(self, spool: Spool, prefix: bytes) -> Path:
        file = spool.file()
        if file is not None and spool.path is not None:
            file.flush()
            os.fsync(file.fileno())
            return spool.path
        path = self.new_file()
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with spool.getbuffer() as content:
                    _write_all(descriptor, prefix, content)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _make_folder(self, folder: Path) -> None:
        """Make study and series folder; each new name is synced in its parent."""
        if folder in self._durable:
            return
        for part in (folder.parent, folder):
            part.mkdir(exist_ok=True, mode=0o700)
            _sync_folder(part.parent)
        with self._lock:
            if len(self._durable) >= _REMEMBERED_FOLDERS:
                self._durable.clear()
            self._durable.add(folder)

    def _forget(self, folder: Path) -> None:
        with self._lock:
            self._durable.discard(folder)


def _write_all(descriptor: int, prefix: bytes, content: memoryview) -> None:
    written = os.writev(descriptor, (prefix, content))
    while written < len(prefix) + len(content):
        rest = (prefix[written:], content) if written < len(prefix) else (content[written - len(prefix) :],)
        written += os.writev(descriptor, rest)


def _name(temporary: Path, target: Path) -> Path | None:
    """Give a file its final name; return the temporary one if it still has that too."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        second = temporary.with_suffix(".link")
        second.hardlink_to(temporary)
        second.replace(target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        temporary.replace(target)
        return None
    return temporary


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
