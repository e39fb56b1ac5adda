"""What lies in a folder: studies with their files, and what is no part of any study."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.reading import InputError, read_header
from pydicom.uid import MediaStorageDirectoryStorage

from dicom_io.receive.part10 import data_set_sha256

__all__ = ["FolderContents", "SetAside", "StudyFiles", "find_files", "is_dicom", "sort_files"]


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that belongs to no study here, and why."""

    path: Path
    code: str
    reason: str


@dataclass(slots=True)
class StudyFiles:
    """The files of one study by SOP Instance UID."""

    study_instance_uid: str
    paths: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FolderContents:
    """All studies by UID, and all other files."""

    studies: tuple[StudyFiles, ...]
    set_aside: tuple[SetAside, ...]


def find_files(folder: Path) -> list[Path]:
    """Return all files below ``folder`` in a stable order, hidden ones left out; a file stands for itself."""
    if folder.is_file():
        return [folder]
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def is_dicom(path: Path) -> bool:
    """Return whether a file looks like DICOM: the magic word, or a first element of group 0002 or 0008."""
    with path.open("rb") as file:
        start = file.read(132)
    if start[128:132] == b"DICM":
        return True
    if len(start) < 8:
        return False
    # Files without a preamble: an element of a low group comes first, little or big endian.
    groups = {struct.unpack_from(order + "H", start)[0] for order in ("<", ">")}
    return bool(groups & {0x0002, 0x0008})


def sort_files(paths: Iterable[Path], advance: Callable[[], None] = lambda: None) -> FolderContents:
    """Read the headers of files and sort them by study.

    A file is set aside where it is no DICOM, cannot be parsed, lacks its UIDs, or has the SOP Instance UID of
    an earlier file; of two files with one UID and different content only the first is read.
    """
    studies: dict[str, StudyFiles] = {}
    set_aside: list[SetAside] = []
    seen: dict[str, Path] = {}
    for path in paths:
        outside = _take(path, studies, seen)
        if outside is not None:
            set_aside.append(outside)
        advance()
    return FolderContents(tuple(studies[uid] for uid in sorted(studies)), tuple(set_aside))


def _take(  # noqa: PLR0911 - one return per reason
    path: Path, studies: dict[str, StudyFiles], seen: dict[str, Path]
) -> SetAside | None:
    try:
        if path.stat().st_size == 0:
            return SetAside(path, "empty-file", "the file is empty")
        if not is_dicom(path):
            return SetAside(path, "not-dicom", "the file is no DICOM")
        header = read_header(path)
    except InputError as error:
        return SetAside(path, error.code, str(error))
    except OSError as error:
        return SetAside(path, "unreadable", f"the file cannot be read: {error.strerror or error}")
    if header.get("SOPClassUID") == MediaStorageDirectoryStorage or "DirectoryRecordSequence" in header:
        return SetAside(path, "dicomdir", "the file is a DICOMDIR, an index without images")
    study, instance = str(header.get("StudyInstanceUID") or ""), str(header.get("SOPInstanceUID") or "")
    if not study or not instance:
        missing = "Study Instance UID" if not study else "SOP Instance UID"
        return SetAside(path, "missing-uid", f"the object has no {missing}")
    if instance in seen:
        if data_set_sha256(path) == data_set_sha256(seen[instance]):
            return SetAside(path, "duplicate", f"the same object as {seen[instance].name}")
        return SetAside(
            path,
            "conflicting-instance",
            f"the SOP Instance UID of {seen[instance].name} with other content: not read",
        )
    seen[instance] = path
    studies.setdefault(study, StudyFiles(study)).paths[instance] = path
    return None
