"""The data set of one C-STORE while it arrives: small ones in memory, large ones in a file of the inbox."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["MEMORY_BYTES", "Spool"]

MEMORY_BYTES = 8 * 1024**2
_PEEK_BYTES = 256 * 1024

_LOGGER = logging.getLogger(__name__)


class Spool(io.BytesIO):
    """A write-once buffer that pynetdicom fills fragment by fragment.

    Parameters
    ----------
    maximum_bytes : int
        What comes after so many bytes is counted and thrown away.
    new_file : callable
        Returns the path of a new temporary file; called once, when the data set outgrows memory.
    prefix : callable
        Returns the bytes that stand before the data set in the file (preamble and file meta information).
    on_peek : callable, optional
        Called once with the first bytes of an object larger than 256 KiB, before the rest has arrived.
    """

    def __init__(
        self,
        maximum_bytes: int,
        new_file: Callable[[], Path],
        prefix: Callable[[], bytes],
        on_peek: Callable[[bytes], None] | None = None,
    ) -> None:
        super().__init__()
        self._maximum = maximum_bytes
        self._new_file = new_file
        self._prefix = prefix
        self._on_peek = on_peek
        self._digest = hashlib.sha256()
        self._file: BinaryIO | None = None
        self._offset = 0
        self._error: OSError | None = None
        self.path: Path | None = None
        self.size = 0

    def write(self, data: Any) -> int:
        """Append a fragment; errors of the file system are kept for :meth:`check`."""
        self.size += len(data)
        if self.size > self._maximum:
            self.discard()
            return len(data)
        if self._error is not None:
            return len(data)
        self._digest.update(data)
        if self._file is None:
            super().write(data)
            if self._on_peek is not None and self.size >= _PEEK_BYTES:
                on_peek, self._on_peek = self._on_peek, None
                on_peek(self.getvalue())
            if self.size > MEMORY_BYTES:
                self._guarded(self._spill)
        else:
            self._guarded(lambda: self._append(data))
        return len(data)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            self._error = error
            self.discard()

    def _append(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101
        self._file.write(data)

    def _spill(self) -> None:
        prefix = self._prefix()
        self._offset = len(prefix)
        self.path = self._new_file()
        self._file = self.path.open("w+b")
        self._file.write(prefix)
        self._file.write(self.getbuffer())
        self.seek(0)
        self.truncate()

    @property
    def too_large(self) -> bool:
        """Whether more bytes arrived than are accepted."""
        return self.size > self._maximum

    def check(self) -> None:
        """Raise the OSError that stopped the spool from keeping the data set."""
        if self._error is not None:
            raise self._error

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of what was written."""
        return self._digest.hexdigest()

    def reader(self) -> BinaryIO:
        """Return a file-like object positioned at the data set; positions count from the data set."""
        if self._file is None:
            self.seek(0)
            return self
        self._file.flush()
        assert self.path is not None  # noqa: S101
        return _Tail(self.path, self._offset)

    def file(self) -> BinaryIO | None:
        """Return the open file that holds prefix and data set, or None while they are in memory."""
        return self._file

    def keep(self) -> None:
        """Close the file and leave it: it has got its final name."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self.path = None

    def discard(self) -> None:
        """Free memory and remove the file."""
        self.seek(0)
        self.truncate()
        path = self.path
        self.keep()
        if path is not None:
            path.unlink(missing_ok=True)


class _Tail(io.BufferedReader):
    """A file without its first bytes."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(io.FileIO(path, "rb"))
        self._offset = offset
        super().seek(offset)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        shift = self._offset if whence == io.SEEK_SET else 0
        return super().seek(position + shift, whence) - self._offset

    def tell(self) -> int:
        return super().tell() - self._offset
