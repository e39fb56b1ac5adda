"""Finds the DICOM files under a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dicom_io.receive.part10 import is_part10

__all__ = ["Collection", "collect_files"]


@dataclass(frozen=True, slots=True)
class Collection:
    """What lies under a folder.

    Attributes
    ----------
    files : tuple of Path
        Files with the preamble and prefix of PS3.10, sorted.
    others : tuple of Path
        All other files, and those that cannot be read, sorted.
    """

    files: tuple[Path, ...]
    others: tuple[Path, ...]


def collect_files(folder: Path) -> Collection:
    """Look through a folder and all folders in it, or at one file.

    Hidden files and folders and a DICOMDIR are left out; links to folders are not followed.

    Raises
    ------
    FileNotFoundError
        There is nothing at this path.
    """
    if not folder.exists():
        raise FileNotFoundError(f"there is no file or folder at {folder}")
    candidates = [folder] if folder.is_file() else _walk(folder)
    files: list[Path] = []
    others: list[Path] = []
    for path in sorted(candidates):
        (files if _is_dicom(path) else others).append(path)
    return Collection(tuple(files), tuple(others))


def _walk(folder: Path) -> list[Path]:
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(base, name) for name in names if not name.startswith(".") and name != "DICOMDIR"]
    return found


def _is_dicom(path: Path) -> bool:
    try:
        return path.is_file() and is_part10(path)
    except OSError:
        return False
