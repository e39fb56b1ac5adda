"""The body of a STOW-RS request, piece by piece: no file is ever in memory as a whole.

References
----------
PS3.18 8.6.1.2 (Multipart Payload), RFC 2387 (multipart/related).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from dicom_io.send.item import Item

__all__ = ["Multipart", "UnreadablePart"]

_PIECE_BYTES = 1 << 20


class UnreadablePart(OSError):
    """A file could not be read, or changed, while it was sent.

    Attributes
    ----------
    item : Item
        The file.
    """

    def __init__(self, item: Item, reason: str) -> None:
        super().__init__(reason)
        self.item = item
        self.reason = reason


class Multipart:
    """Files as one ``multipart/related`` payload; the length is known before the first byte.

    Raises
    ------
    UnreadablePart
        A file is not there.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        # random, so that it stands in no file
        self._boundary = uuid.uuid4().hex
        self._parts = [(item, _size(item)) for item in items]

    @property
    def headers(self) -> dict[str, str]:
        """Content type and length."""
        return {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={self._boundary}',
            "Content-Length": str(self.length),
        }

    @property
    def length(self) -> int:
        """The payload's bytes."""
        around = len(self._head()) + len(_TAIL)
        return sum(size + around for _, size in self._parts) + len(self._end())

    def __iter__(self) -> Iterator[bytes]:
        """Yield the payload.

        Raises
        ------
        UnreadablePart
            A file cannot be read, or has another size than before.
        """
        for item, size in self._parts:
            yield self._head()
            yield from _pieces(item, size)
            yield _TAIL
        yield self._end()

    def _head(self) -> bytes:
        return f"--{self._boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode("ascii")


_TAIL = b"\r\n"


def _size(item: Item) -> int:
    try:
        return Path(item.path).stat().st_size
    except OSError as error:
        raise UnreadablePart(item, error.strerror or type(error).__name__) from error


def _pieces(item: Item, size: int) -> Iterator[bytes]:
    remaining = size
    try:
        with item.path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                remaining -= len(piece)
                if remaining < 0:
                    break
                yield piece
    except OSError as error:
        raise UnreadablePart(item, error.strerror or type(error).__name__) from error
    if remaining:
        raise UnreadablePart(item, "the file changed while it was sent")
