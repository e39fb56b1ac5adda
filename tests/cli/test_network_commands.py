"""``send``, ``echo`` and ``package`` against a real node and real packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from dicom_io.archive import ArchiveNode
from tests.cli.conftest import Cli
from tests.cli.material import good_film
from tests.packages.blobs import NAME, REFERENCE, build_blob_package
from tests.peers import free_port


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ArchiveNode]:
    with ArchiveNode(tmp_path / "archive") as node:
        yield node


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good_film(tmp_path_factory.mktemp("film"))


def test_echo_answers_for_a_named_and_for_a_spelt_out_node(cli: Cli, archive: ArchiveNode) -> None:
    Path("secondread.toml").write_text(f"[nodes.here]\nae_title = 'ARCHIVE'\nport = {archive.port}\n")
    assert cli("echo", "here").status == 0
    told = cli("echo", f"ARCHIVE@127.0.0.1:{archive.port}", "--json").json
    assert told["answer"]["status"] == 0


@pytest.mark.parametrize(
    ("node", "status", "said"),
    [
        ("nowhere", 2, "no node 'nowhere' in the settings (there are: none); AE@HOST:PORT works as well"),
        ("A TITLE THAT IS TOO LONG@127.0.0.1:104", 2, "an AE title has 1 to 16"),
        ("X@127.0.0.1:{free}", 1, "nothing listens there"),
        ("WRONG@127.0.0.1:{archive}", 1, "WRONG"),
    ],
)
def test_echo_says_in_one_line_why_not(
    cli: Cli, archive: ArchiveNode, node: str, status: int, said: str
) -> None:
    answer = cli("echo", node.format(free=free_port(), archive=archive.port))
    assert answer.status == status
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_send_sends_what_is_dicom_and_names_what_is_not(
    cli: Cli, archive: ArchiveNode, film: Path, tmp_path: Path
) -> None:
    (film.parent / "notes.txt").write_text("no DICOM")
    answer = cli("send", film.parent, "--to", f"ARCHIVE@127.0.0.1:{archive.port}")
    assert answer.status == 0, answer.err
    assert "1 of 1 instances sent" in answer.out
    assert "1 files are no DICOM" in answer.out
    study = pydicom.dcmread(film, stop_before_pixels=True).StudyInstanceUID
    assert len(archive.received(study)) == 1


def test_send_fails_where_nothing_can_be_sent(cli: Cli, tmp_path: Path, film: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = cli("send", tmp_path / "empty", "--to", "A@127.0.0.1:104")
    assert (answer.status, "no DICOM file in" in answer.err) == (1, True)
    answer = cli("send", film, "--to", f"A@127.0.0.1:{free_port()}")
    assert (answer.status, "nothing listens there" in answer.err) == (1, True)
    assert cli("send", "nowhere", "--to", "A@127.0.0.1:104").status == 2


def test_send_to_a_folder_node_copies(cli: Cli, film: Path, tmp_path: Path) -> None:
    Path("secondread.toml").write_text("[nodes.drop]\nkind = 'folder'\npath = 'drop'\n")
    answer = cli("send", film, "--to", "drop", "--json")
    assert answer.status == 0, answer.err
    assert answer.json["sent"] == 1
    assert len(list((tmp_path / "drop").rglob("*.dcm"))) == 1
    assert "is a folder" in cli("echo", "drop").err


def test_packages_are_listed_shown_and_verified(cli: Cli, tmp_path: Path) -> None:
    folder = build_blob_package(tmp_path / "packages")
    Path("secondread.toml").write_text("[runtime]\npackage_dirs = ['packages']\n")
    listed = cli("package", "list", "--json").json
    assert NAME in {one["name"] for one in listed}
    shown = cli("package", "show", NAME, "--json").json
    assert shown["manifest"]["package"]["intended_use"].startswith("Tests of the service")
    assert shown["device_uid"].startswith("2.25.")
    text = cli("package", "show", NAME).out
    assert "It was not trained and must not be used on patients." in text
    assert cli("package", "verify", REFERENCE).status == 0
    member = folder / "member-0.onnx"
    member.write_bytes(member.read_bytes() + b"x")
    answer = cli("package", "verify", REFERENCE)
    assert (answer.status, "member-0.onnx" in answer.err) == (1, True)
    assert cli("package", "verify", REFERENCE, "--json").json["valid"] is False


def test_a_manifest_that_promises_other_outputs_is_no_sound_package(cli: Cli, tmp_path: Path) -> None:
    folder = build_blob_package(tmp_path / "packages")
    manifest = folder / "package.toml"
    manifest.write_text(manifest.read_text().replace('name = "presence"', 'name = "absence"'))
    answer = cli("package", "verify", folder)
    assert answer.status == 1
    assert "absence" in answer.err
