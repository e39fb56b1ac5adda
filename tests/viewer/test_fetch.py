from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from flows.viewer import fetch
from flows.viewer.fetch import FetchError, is_fetched, unpack
from flows.viewer.release import STAMP
from tests.viewer.running import REPOSITORY

_SITE = {"package/dist/index.html": b"<html>", "package/dist/ort/a.wasm": b"\0asm", "package/LICENSE": b"MIT"}


def packed(path: Path, members: dict[str, bytes] | None = None, *more: tarfile.TarInfo) -> str:
    """Write an npm archive and return its integrity."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (_SITE if members is None else members).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def npm_that(folder: Path, does: str) -> str:
    """Return a PATH whose npm is a script."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{does}\n")
    (folder / "npm").chmod(0o755)
    return f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"


def test_an_archive_that_is_not_the_pinned_one_is_not_unpacked(tmp_path: Path) -> None:
    archive = tmp_path / "a.tgz"
    integrity = packed(archive)
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(FetchError, match="not the one that is pinned"):
        fetch.fetch(tmp_path / "site", archive, integrity)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz"]


@pytest.mark.parametrize("name", ["package/dist/../../out.js", "package/dist//etc/x", "package/dist/a/../.."])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    packed(tmp_path / "a.tgz", {**_SITE, name: b"x"})
    with pytest.raises(FetchError, match="no plain file inside it"):
        unpack(tmp_path / "a.tgz", tmp_path / "deep" / "site")
    assert not list(tmp_path.rglob("out.js"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_in_the_archive_is_refused(tmp_path: Path, kind: bytes) -> None:
    link = tarfile.TarInfo("package/dist/link.js")
    link.type, link.linkname = kind, "/etc/passwd"
    packed(tmp_path / "a.tgz", _SITE, link)
    with pytest.raises(FetchError, match="no plain file inside it"):
        unpack(tmp_path / "a.tgz", tmp_path / "site")


@pytest.mark.parametrize(("content", "message"), [(b"nothing", "no npm archive"), (None, "holds no site")])
def test_something_else_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    archive = tmp_path / "a.tgz"
    if content is None:
        packed(archive, {"package/dist/other.html": b""})
    else:
        archive.write_bytes(content)
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    with pytest.raises(FetchError, match=message):
        fetch.fetch(tmp_path / "site", archive, integrity)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "thesis.txt").write_text("mine")
    with pytest.raises(FetchError, match="holds something else"):
        fetch.fetch(site, tmp_path / "a.tgz", "sha512-x")
    assert (site / "thesis.txt").read_text() == "mine"


def test_without_npm_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match=r"npm is missing.*--archive"):
        fetch.fetch(tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", npm_that(tmp_path / "bin", "echo 'npm error network' >&2; exit 1"))
    with pytest.raises(FetchError, match="failed: npm error network"):
        fetch.fetch(tmp_path / "site")
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_the_site_appears_whole_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, site = tmp_path / "a.tgz", tmp_path / "site"
    integrity = packed(archive)
    monkeypatch.setenv("PATH", npm_that(tmp_path / "bin", f'cp "{archive}" "$5/ohif-app.tgz"'))
    assert fetch.fetch(site, integrity=integrity)
    assert is_fetched(site, integrity)
    found = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert found == {"index.html", "ort/a.wasm", "LICENSE", STAMP}
    monkeypatch.setenv("PATH", str(tmp_path / "no-npm-here"))
    assert not fetch.fetch(site, integrity=integrity)


def test_another_release_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    archive, site = tmp_path / "a.tgz", tmp_path / "site"
    fetch.fetch(site, archive, packed(archive, {**_SITE, "package/dist/old.js": b""}))
    fetch.fetch(site, archive, packed(archive))
    assert not (site / "old.js").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "site"]


def test_the_program_fails_loudly(tmp_path: Path) -> None:
    packed(tmp_path / "a.tgz")
    command = [sys.executable, "-m", "flows.viewer.fetch", str(tmp_path / "site"), "--archive", "a.tgz"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "not the one that is pinned" in done.stderr
    assert not (tmp_path / "site").exists()


def test_it_needs_the_standard_library_only() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c",
         f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import flows.viewer.fetch"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
