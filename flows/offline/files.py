"""What lies in a folder: studies with their files, and what is no part of any study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from dicom_io.reading import InputError, read_header
from dicom_io.receive.part10 import data_set_sha256
from dicom_io.send import Collection

__all__ = ["FolderContents", "SetAside", "StudyFiles", "sort_files"]


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


def sort_files(collection: Collection, advance: Callable[[], None] = lambda: None) -> FolderContents:
    """Read the headers of files and sort them by study.

    A file is set aside where it is no DICOM, cannot be parsed, lacks its UIDs, or has the SOP Instance UID of
    an earlier file; of two files with one UID and different content only the first is read.
    """
    studies: dict[str, StudyFiles] = {}
    set_aside = [_no_dicom(path) for path in collection.others]
    seen: dict[str, Path] = {}
    for path in collection.files:
        outside = _take(path, studies, seen)
        if outside is not None:
            set_aside.append(outside)
        advance()
    set_aside.sort(key=lambda one: one.path)
    return FolderContents(tuple(studies[uid] for uid in sorted(studies)), tuple(set_aside))


def _no_dicom(path: Path) -> SetAside:
    try:
        size = path.stat().st_size
    except OSError as error:
        return SetAside(path, "unreadable", f"the file cannot be read: {error.strerror}")
    if size == 0:
        return SetAside(path, "empty-file", "the file is empty")
    return SetAside(path, "not-dicom", "the file is no DICOM: it has no prefix DICM")


def _take(path: Path, studies: dict[str, StudyFiles], seen: dict[str, Path]) -> SetAside | None:
    try:
        header = read_header(path)
    except InputError as error:
        return SetAside(path, error.code, str(error))
    except OSError as error:
        return SetAside(path, "unreadable", f"the file cannot be read: {error.strerror or error}")
    study, instance = str(header.get("StudyInstanceUID") or ""), str(header.get("SOPInstanceUID") or "")
    if header.get("SOPClassUID") == MediaStorageDirectoryStorage:
        return SetAside(path, "dicomdir", "the file is a DICOMDIR, an index without images")
    if not study or not instance:
        missing = "Study Instance UID" if not study else "SOP Instance UID"
        return SetAside(path, "missing-uid", f"the object has no {missing}")
    if instance in seen:
        return _second(path, seen[instance])
    seen[instance] = path
    studies.setdefault(study, StudyFiles(study)).paths[instance] = path
    return None


def _second(path: Path, first: Path) -> SetAside:
    if data_set_sha256(path) == data_set_sha256(first):
        return SetAside(path, "duplicate", f"the same object as {first.name}")
    reason = f"the SOP Instance UID of {first.name} with other content: not read"
    return SetAside(path, "conflicting-instance", reason)
