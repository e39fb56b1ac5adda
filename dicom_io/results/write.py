"""Encoded results on disk: the bytes that are kept and sent."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

__all__ = ["EncodedObject", "encoded_bytes", "sync_folder", "write_object"]


@dataclass(frozen=True, slots=True)
class EncodedObject:
    """One result object in its file.

    Parameters
    ----------
    kind : str
        What it is within the result: ``structured-report``, ``key-image-1``, ...
    sop_class_uid, sop_instance_uid, series_instance_uid : str
        Its UIDs.
    path : pathlib.Path
        The file.
    sha256 : str
        Of the whole file.
    size_bytes : int
        Of the whole file.
    """

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    path: Path
    sha256: str
    size_bytes: int


def encoded_bytes(dataset: Dataset) -> bytes:
    """Return ``dataset`` as a PS3.10 file; the same data set gives the same bytes."""
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def write_object(dataset: Dataset, path: Path, kind: str) -> EncodedObject:
    """Write a result so that its file is whole and durable once it is there.

    Parameters
    ----------
    dataset : Dataset
        With file meta information.
    path : pathlib.Path
        In an existing folder; an older file of that name is replaced.
    kind : str
        What it is within the result.
    """
    data = encoded_bytes(dataset)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return EncodedObject(
        kind=kind,
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
