"""A file as sending sees it: its identifiers and where its data set begins, never its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.errors import InvalidDicomError

from dicom_io.receive.part10 import data_set_offset, transfer_syntax_uid
from dicom_io.send.nodes import SendResult

__all__ = ["Item", "Results", "examine", "is_permanent"]

_PERMANENT = frozenset(
    {
        0x0117,  # Invalid SOP instance
        0x0118,  # No such SOP class
        0x0122,  # SOP class not supported
        0x0124,  # Not authorized
    }
)


@dataclass(frozen=True, slots=True)
class Item:
    """A file that can be sent.

    Attributes
    ----------
    index : int
        Its place in what was given.
    offset : int
        Where the data set begins in the file, in bytes.
    """

    index: int
    path: Path
    offset: int
    sop_class_uid: str
    sop_instance_uid: str
    syntax_uid: str

    @property
    def pair(self) -> tuple[str, str]:
        """SOP class and transfer syntax, as a presentation context names them."""
        return self.sop_class_uid, self.syntax_uid

    def result(self, status: int | None, error: str | None = None, *, permanent: bool = False) -> SendResult:
        """Return what became of it."""
        return SendResult(self.path, self.sop_instance_uid, status, error, permanent)


class Results:
    """The results so far, told as they come.

    Parameters
    ----------
    on_progress : callable or None
        Told every result as soon as it is known.
    """

    def __init__(self, on_progress: Callable[[SendResult], None] | None) -> None:
        self._on_progress = on_progress
        self._results: dict[int, SendResult] = {}

    def note(self, index: int, result: SendResult) -> None:
        """Keep and tell a result."""
        self._results[index] = result
        if self._on_progress is not None:
            self._on_progress(result)

    def examine_all(self, paths: Iterable[Path]) -> list[Item]:
        """Return the files that can be sent, and note the others' results."""
        items = []
        for index, path in enumerate(paths):
            item = examine(index, path)
            if isinstance(item, SendResult):
                self.note(index, item)
            else:
                items.append(item)
        return items

    def in_order(self) -> list[SendResult]:
        """Return the results in the order of the files."""
        return [self._results[index] for index in sorted(self._results)]


def examine(index: int, path: Path) -> Item | SendResult:
    """Return the file as item, or why it cannot be sent."""

    def unusable(reason: str, instance_uid: str | None = None) -> SendResult:
        return SendResult(path, instance_uid, None, reason, permanent=True)

    try:
        header = pydicom.dcmread(
            path, specific_tags=["SOPClassUID", "SOPInstanceUID"], stop_before_pixels=True
        )
        syntax = transfer_syntax_uid(path)
        with path.open("rb") as file:
            offset = data_set_offset(file)
        class_uid, instance_uid = str(header.get("SOPClassUID", "")), str(header.get("SOPInstanceUID", ""))
    except InvalidDicomError:
        return unusable("not a DICOM file (no DICM prefix)")
    except OSError as error:
        return unusable(f"cannot be read: {error.strerror or type(error).__name__}")
    except Exception as error:  # whatever pydicom raises over a broken file concerns this file only
        return unusable(f"cannot be parsed ({type(error).__name__})")
    if not syntax:
        return unusable("names no transfer syntax (0002,0010)", instance_uid or None)
    if not class_uid or not instance_uid:
        return unusable("has no SOP Class UID or no SOP Instance UID", instance_uid or None)
    return Item(index, path, offset, class_uid, instance_uid, syntax)


def is_permanent(status: int) -> bool:
    """Return whether a failure status says that the same object will not be taken later either.

    References
    ----------
    PS3.4 Table B.2-1 (0xA9xx: data set does not match SOP class; 0xCxxx: cannot understand), PS3.7 Annex C.
    """
    return status in _PERMANENT or 0xA900 <= status <= 0xA9FF or 0xC000 <= status <= 0xCFFF
