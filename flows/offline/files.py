"""What lies in a folder: studies with their files, and what is no part of any study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from dicom_io.reading import UnsuitableImage, read_header
from dicom_io.receive.part10 import data_set_sha256
from dicom_io.send import Collection

__all__ = ["FolderContents", "SetAside", "StudyFiles", "sort_files"]

_DAMAGED = frozenset({"missing-uid", "not-dicom", "truncated"})


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that belongs to no study here, and why."""

    path: Path
    code: str
    reason: str


@dataclass(slots=True)
class StudyFiles:
    """The files of one study by SOP Instance UID.

    Parameters
    ----------
    variant : int
        1, or more for objects whose SOP Instance UID an earlier file has with other content: nobody can say
        which is the right one, so each content is read apart.
    remarks : list of str
        What people must know about the variant.
    damaged : list of SetAside
        Files beside those of the study that no longer tell which study they are of.
    """

    study_instance_uid: str
    variant: int = 1
    paths: dict[str, Path] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    damaged: list[SetAside] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FolderContents:
    """All studies by UID, and all other files."""

    studies: tuple[StudyFiles, ...]
    set_aside: tuple[SetAside, ...]


def sort_files(collection: Collection, advance: Callable[[], None] = lambda: None) -> FolderContents:
    """Read the headers of files and sort them by study.

    A file is set aside where it is no DICOM, cannot be parsed, lacks its UIDs, or is the same object as an
    earlier file. A file with the SOP Instance UID of an earlier one and other content goes to a further
    variant of the study. A file that is cut off inside its header may be of any study of its own folder, and
    each of these is told of it.
    """
    studies: dict[tuple[str, int], StudyFiles] = {}
    others = set(collection.others)
    set_aside = [_no_dicom(path) for path in collection.others]
    for path in collection.files:
        outside = _take(path, studies)
        if outside is not None:
            set_aside.append(outside)
        advance()
    set_aside.sort(key=lambda one: one.path)
    for one in set_aside:
        if one.code in _DAMAGED and one.path not in others:
            for study in studies.values():
                if any(path.parent == one.path.parent for path in study.paths.values()):
                    study.damaged.append(one)
    return FolderContents(tuple(studies[key] for key in sorted(studies)), tuple(set_aside))


def _no_dicom(path: Path) -> SetAside:
    try:
        size = path.stat().st_size
    except OSError as error:
        return SetAside(path, "unreadable", f"the file cannot be read: {error.strerror}")
    if size == 0:
        return SetAside(path, "empty-file", "the file is empty")
    return SetAside(path, "not-dicom", "the file is no DICOM: it has no prefix DICM")


def _take(path: Path, studies: dict[tuple[str, int], StudyFiles]) -> SetAside | None:
    try:
        header = read_header(path)
    except UnsuitableImage as error:
        return SetAside(path, error.code, str(error))
    except OSError as error:
        return SetAside(path, "unreadable", f"the file cannot be read: {error.strerror or error}")
    study, instance = str(header.get("StudyInstanceUID") or ""), str(header.get("SOPInstanceUID") or "")
    if header.get("SOPClassUID") == MediaStorageDirectoryStorage:
        return SetAside(path, "dicomdir", "the file is a DICOMDIR, an index without images")
    if not study or not instance:
        missing = "Study Instance UID" if not study else "SOP Instance UID"
        return SetAside(path, "missing-uid", f"the object has no {missing}")
    return _place(path, study, instance, studies)


def _place(
    path: Path, study: str, instance: str, studies: dict[tuple[str, int], StudyFiles]
) -> SetAside | None:
    first: Path | None = None
    variant = 1
    while True:
        files = studies.setdefault((study, variant), StudyFiles(study, variant))
        held = files.paths.get(instance)
        if held is None:
            files.paths[instance] = path
            if first is not None:
                files.remarks.append(
                    f"{path.name}: another file of this folder ({first.name}) has the same SOP Instance UID "
                    "and other content; each is read on its own"
                )
            return None
        if data_set_sha256(path) == data_set_sha256(held):
            return SetAside(path, "duplicate", f"the same object as {held.name}")
        first = first or held
        variant += 1
