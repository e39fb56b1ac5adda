"""A folder as destination: whole files appear, or none."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from dicom_io.send.nodes import SendError, SendResult

__all__ = ["copy_files"]


def copy_files(
    paths: Iterable[Path], folder: Path, on_progress: Callable[[SendResult], None] | None = None
) -> list[SendResult]:
    """Copy files into a folder under their own names, each atomically and durably.

    A file of the same name is replaced. The status of a copied file is 0x0000.

    Raises
    ------
    SendError
        The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SendError(f"the folder {folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SendError(f"the folder {folder} cannot be written: check its owner and permissions")
    results = []
    for path in paths:
        result = _copy(path, folder)
        results.append(result)
        if on_progress is not None:
            on_progress(result)
    _sync(folder)
    return results


def _copy(path: Path, folder: Path) -> SendResult:
    temporary = folder / f".{uuid.uuid4().hex}.part"
    try:
        with path.open("rb") as source, temporary.open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        temporary.replace(folder / path.name)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        reason = f"cannot be copied: {error.strerror or type(error).__name__}"
        return SendResult(path, None, None, reason, permanent=not os.access(path, os.R_OK))
    return SendResult(path, None, 0x0000)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
