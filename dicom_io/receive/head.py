"""Reads the head of a data set that has just arrived, and checks cheaply that nothing of it is missing.

No pixel is decoded: every top-level element must end inside the data set, and encapsulated pixel data must
have its delimiter.
"""

from __future__ import annotations

import io
import re
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag

__all__ = ["Head", "UnreadableDataSet", "is_uid", "peek_study_uid", "read_head"]

_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_BIG = "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"

_SOP_CLASS, _SOP_INSTANCE, _MODALITY = 0x00080016, 0x00080018, 0x00080060
_STUDY, _SERIES = 0x0020000D, 0x0020000E
_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_UNDEFINED = 0xFFFFFFFF
_LARGE_VALUE = 1 << 20
_INFLATE_CHUNK = 1 << 16
_INFLATED_IN_MEMORY = 64 * 1024**2

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


class UnreadableDataSet(ValueError):
    """The data set cannot be kept as an instance.

    Attributes
    ----------
    code : str
        A key of :data:`dicom_io.receive.statuses.FAILURES`.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
    """What the listener needs of an instance; the UIDs are safe as names of files and folders.

    Attributes
    ----------
    header : Dataset
        Everything before the pixel data, without values larger than 1 MiB.
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    header: Dataset


def is_uid(text: str) -> bool:
    """Return whether a value is 1 to 64 characters of digits in dot-separated components.

    Components with leading zeros break PS3.5 9.1 and are common; they do no harm here.
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def read_head(data: BinaryIO, size: int, transfer_syntax_uid: str, maximum_bytes: int, folder: Path) -> Head:
    """Parse a data set up to its pixel data and check that it is complete.

    Parameters
    ----------
    data : file-like
        The encoded data set, readable and seekable, positioned at its start.
    size : int
        Its length in bytes.
    transfer_syntax_uid : str
        As negotiated.
    maximum_bytes : int
        A deflated data set must not inflate to more.
    folder : Path
        Where a large inflated data set may lie for the moment.

    Raises
    ------
    UnreadableDataSet
        It is empty, cannot be parsed, is cut off, or lacks a valid UID.
    """
    if size == 0:
        raise UnreadableDataSet("empty", "the data set is empty")
    if transfer_syntax_uid == _DEFLATED:
        with tempfile.SpooledTemporaryFile(_INFLATED_IN_MEMORY, dir=str(folder)) as inflated:
            target = cast(BinaryIO, inflated)
            length = _inflate(data, target, maximum_bytes)
            elements = _read_elements(target, length, False, True)
    else:
        elements = _read_elements(
            data, size, transfer_syntax_uid == _IMPLICIT_LITTLE, transfer_syntax_uid != _BIG
        )
    return Head(
        sop_class_uid=_uid(elements, _SOP_CLASS, "SOP Class UID"),
        sop_instance_uid=_uid(elements, _SOP_INSTANCE, "SOP Instance UID"),
        study_instance_uid=_uid(elements, _STUDY, "Study Instance UID"),
        series_instance_uid=_uid(elements, _SERIES, "Series Instance UID"),
        modality=_text(elements, _MODALITY)[:16],
        header=Dataset(elements),
    )


def peek_study_uid(start: bytes, transfer_syntax_uid: str) -> str | None:
    """Return the Study Instance UID from the first bytes of a data set, or None if it is not there yet."""
    if transfer_syntax_uid == _DEFLATED:
        try:
            start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(start, _LARGE_VALUE)
        except zlib.error:
            return None
    elements: dict[BaseTag, RawDataElement | DataElement] = {}
    walk = data_element_generator(
        io.BytesIO(start),
        transfer_syntax_uid == _IMPLICIT_LITTLE,
        transfer_syntax_uid != _BIG,
        stop_when=lambda tag, _vr, _length: tag > _STUDY,
    )
    try:
        for element in walk:
            elements[element.tag] = element
    except Exception:  # as above: what cannot be parsed yet has no answer yet
        return None
    uid = _text(elements, _STUDY)
    return uid if is_uid(uid) else None


def _inflate(data: BinaryIO, target: BinaryIO, maximum_bytes: int) -> int:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    length = 0
    try:
        while not inflater.eof:
            chunk = inflater.unconsumed_tail or data.read(_INFLATE_CHUNK)
            if not chunk:
                raise UnreadableDataSet("truncated", "the deflated data set is cut off")
            piece = inflater.decompress(chunk, _LARGE_VALUE)
            length += len(piece)
            if length > maximum_bytes:
                raise UnreadableDataSet(
                    "too-large", f"the data set inflates to more than {maximum_bytes} bytes"
                )
            target.write(piece)
    except zlib.error as error:
        raise UnreadableDataSet("unparsable", "the data set is not a deflate stream") from error
    target.seek(0)
    return length


def _read_elements(
    data: BinaryIO, size: int, implicit: bool, little: bool
) -> dict[BaseTag, RawDataElement | DataElement]:
    try:
        return _Walk(data, size, implicit, little).elements()
    except UnreadableDataSet:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnreadableDataSet("truncated", "a sequence is cut off") from error
    except EOFError as error:
        raise UnreadableDataSet("truncated", "a sequence is cut off") from error
    except Exception as error:  # a parser may raise anything over bytes from the network
        # the message may hold a value of the data set: keep the type only
        raise UnreadableDataSet(
            "unparsable", f"the data set cannot be parsed ({type(error).__name__})"
        ) from error


class _Walk:
    """One pass over the top-level elements."""

    def __init__(self, data: BinaryIO, size: int, implicit: bool, little: bool) -> None:
        self._data = data
        self._size = size
        self._implicit = implicit
        self._little = little
        self._stopped_at: tuple[int, int] | None = None
        self._first = True

    def elements(self) -> dict[BaseTag, RawDataElement | DataElement]:
        head = self._pass()
        while self._stopped_at is not None:
            self._skip_pixels(*self._stopped_at)
            self._stopped_at = None
            self._pass()
        return head

    def _pass(self) -> dict[BaseTag, RawDataElement | DataElement]:
        found: dict[BaseTag, RawDataElement | DataElement] = {}
        end = self._data.tell()
        walk = data_element_generator(
            self._data, self._implicit, self._little, stop_when=self._stop, defer_size=_LARGE_VALUE
        )
        for element in walk:
            end = self._data.tell()
            if not (isinstance(element, RawDataElement) and element.value is None and element.length):
                found[element.tag] = element
        if self._stopped_at is None:
            self._check_end(end)
        return found

    def _stop(self, tag: BaseTag, _vr: str | None, length: int) -> bool:
        start = self._data.tell()
        if self._first and tag.group > 0x0008:
            raise UnreadableDataSet("unparsable", "the data set does not begin as a SOP instance does")
        self._first = False
        if length != _UNDEFINED and start + length > self._size:
            raise UnreadableDataSet(
                "truncated", f"element ({tag.group:04X},{tag.element:04X}) ends after the data set"
            )
        if tag in _PIXELS:
            self._stopped_at = (start, length)
            return True
        return False

    def _check_end(self, end: int) -> None:
        self._data.seek(end)
        rest = self._data.read(64)
        # big endian: a zero may be the first byte of a group
        if rest.strip(b"\x00" if self._little else b""):
            code = "truncated" if len(rest) < 8 else "unparsable"
            raise UnreadableDataSet(code, "bytes after the last element are not an element")

    def _skip_pixels(self, start: int, length: int) -> None:
        if length != _UNDEFINED:
            self._data.seek(start + length)
            return
        unpack = struct.Struct("<HHL" if self._little else ">HHL").unpack
        position = start
        while True:
            self._data.seek(position)
            item = self._data.read(8)
            if len(item) < 8:
                raise UnreadableDataSet("truncated", "encapsulated pixel data has no end")
            group, element, size = unpack(item)
            position += 8
            if (group, element) == (0xFFFE, 0xE0DD):
                self._data.seek(position)
                return
            if (group, element) != (0xFFFE, 0xE000):
                raise UnreadableDataSet(
                    "unparsable", "encapsulated pixel data holds something else than items"
                )
            position += size
            if position > self._size:
                raise UnreadableDataSet("truncated", "a fragment of the pixel data is cut off")


def _text(elements: dict[BaseTag, RawDataElement | DataElement], tag: int) -> str:
    element = elements.get(BaseTag(tag))
    value = getattr(element, "value", None)
    if not isinstance(value, bytes):
        return ""
    return value.strip(b"\x00 ").decode("ascii", errors="replace")


def _uid(elements: dict[BaseTag, RawDataElement | DataElement], tag: int, name: str) -> str:
    value = _text(elements, tag)
    if not value:
        raise UnreadableDataSet("missing-uid", f"{name} is missing")
    if not is_uid(value):
        raise UnreadableDataSet("invalid-uid", f"{name} is not a UID")
    return value
