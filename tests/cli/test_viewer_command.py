"""``viewer``: how it refuses to start."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

_NODES = """
[nodes.store]
kind = "folder"
path = "results"

[nodes.web]
kind = "dicomweb"
url = "https://pacs.example/dicom-web"
authorization_env = "NO_SUCH_VARIABLE"

[nodes.strange]
kind = "dicomweb"
url = "https://pacs.example/dicom-web"
ca_file = "none.pem"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("<html>")
    return tmp_path / "site"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--node", "store"], 2, "the node 'store' speaks no DICOMweb"),
        (["--node", "nowhere"], 2, "no node 'nowhere' in the settings"),
        (["--node", "web"], 2, "NO_SUCH_VARIABLE must hold one line"),
        (["--node", "strange"], 1, "none.pem cannot be used"),
        (["--node", "web", "--dicomweb", "http://127.0.0.1/x"], 2, "exclude each other"),
        (["--dicomweb", "127.0.0.1:8042"], 2, "must look like http://HOST:PORT/dicom-web"),
        (["--host", "192.0.2.1"], 1, "cannot listen at 192.0.2.1 port 8080"),
    ],
)
def test_it_says_in_one_line_why_not(
    cli: Cli, site: Path, arguments: list[str], status: int, said: str
) -> None:
    Path("secondread.toml").write_text(_NODES)
    answer = cli("viewer", "--site", site, *arguments)
    assert answer.status == status
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_a_site_that_was_not_fetched_is_told_with_what_to_do(cli: Cli, tmp_path: Path) -> None:
    answer = cli("viewer", "--site", tmp_path / "none")
    assert answer.status == 1
    assert "fetch it with `make viewer`" in answer.err


def test_a_taken_port_is_told(cli: Cli, site: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = cli("viewer", "--site", site, "--port", str(taken.getsockname()[1]))
    assert answer.status == 1
    assert "Address already in use" in answer.err
    assert answer.out == ""
