"""Fetch the viewer's site: ``python -m flows.viewer.fetch``, which ``make viewer`` calls.

It needs the standard library and npm, and no virtual environment. Nothing is unpacked that does not hash to
the pinned value, and the folder appears as a whole or not at all.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from flows.viewer.release import FOLDER, INTEGRITY, PACKAGE, STAMP

__all__ = ["FetchError", "fetch", "is_fetched", "main", "unpack"]

_TIMEOUT_S: Final = 600
_WANTED: Final = ("package/dist/", "package/LICENSE")
_CHUNK: Final = 1 << 20


class FetchError(Exception):
    """The site could not be fetched; nothing was changed."""


def is_fetched(folder: Path, integrity: str = INTEGRITY) -> bool:
    """Return whether ``folder`` holds the site of the pinned archive."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text(encoding="ascii").strip() == integrity


def fetch(folder: Path, archive: Path | None = None, integrity: str = INTEGRITY) -> bool:
    """Put the site into ``folder``, unless it is there already.

    Parameters
    ----------
    folder : pathlib.Path
        Replaced as a whole where it holds another release.
    archive : pathlib.Path, optional
        The npm archive, where it was brought by other means; otherwise npm fetches it.
    integrity : str
        ``sha512-`` and the base64 digest that the archive must have.

    Returns
    -------
    bool
        False where nothing had to be done; no network was used then.

    Raises
    ------
    FetchError
        npm is missing or failed, the archive hashes to something else or is no archive, or ``folder`` is a
        folder of something else.
    """
    if is_fetched(folder, integrity):
        return False
    if folder.exists() and not (folder / STAMP).is_file() and any(folder.iterdir()):
        raise FetchError(f"{folder} exists and holds something else; remove it or choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        found = archive or _pack(work)
        _check(found, integrity)
        made = work / "site"
        unpack(found, made)
        (made / STAMP).write_text(integrity + "\n", encoding="ascii")
        if folder.exists():
            folder.rename(work / "old")
        made.rename(folder)
    except OSError as error:
        raise FetchError(f"the viewer could not be put into {folder}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return True


def _pack(work: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise FetchError("npm is missing: install Node.js, or give the package's archive by --archive")
    command = [npm, "pack", PACKAGE, "--ignore-scripts", "--pack-destination", str(work)]
    try:
        done = subprocess.run(
            command,
            cwd=work,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"npm pack {PACKAGE} took longer than {_TIMEOUT_S} s") from error
    archives = list(work.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        raise FetchError(f"npm pack {PACKAGE} failed: {done.stderr.strip()[-600:] or done.returncode}")
    return archives[0]


def _check(archive: Path, integrity: str) -> None:
    digest = hashlib.sha512()
    with archive.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    found = "sha512-" + base64.b64encode(digest.digest()).decode("ascii")
    if found != integrity:
        raise FetchError(
            f"the archive of {PACKAGE} is not the one that is pinned: it hashes to {found} and must hash to "
            f"{integrity}. Nothing was unpacked"
        )


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the site (``package/dist``) and its licence from an npm archive into ``folder``.

    Raises
    ------
    FetchError
        It is no archive, or a member is a link or leaves the folder: npm packs neither.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                if member.isdir() or not member.name.startswith(_WANTED):
                    continue
                target = folder.joinpath(*_inside(member))
                target.parent.mkdir(parents=True, exist_ok=True)
                content = opened.extractfile(member)
                if content is None:
                    raise FetchError(f"{member.name!r} in the archive cannot be read")
                with content, target.open("xb") as stream:
                    shutil.copyfileobj(content, stream, _CHUNK)
    except (tarfile.TarError, EOFError) as error:
        raise FetchError(f"{archive.name} is no npm archive: {error}") from error
    if not (folder / "index.html").is_file():
        raise FetchError(f"{archive.name} holds no site")


def _inside(member: tarfile.TarInfo) -> tuple[str, ...]:
    parts = PurePosixPath(member.name.removeprefix("package/").removeprefix("dist/")).parts
    if not member.isfile() or ".." in parts or not parts or PurePosixPath(*parts).is_absolute():
        raise FetchError(f"{member.name!r} in the archive is no plain file inside it")
    return parts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.viewer.fetch", description="Fetch the viewer's site."
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(FOLDER))
    parser.add_argument("--archive", type=Path, help="the npm archive, where it was brought by other means")
    given = parser.parse_args(arguments)
    try:
        made = fetch(Path(os.path.abspath(given.folder)), given.archive)
    except FetchError as error:
        print(f"viewer: {error}", file=sys.stderr)
        return 1
    print(f"viewer: {PACKAGE} {'is now' if made else 'was already'} in {given.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
