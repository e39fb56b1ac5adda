"""Nodes in the settings: no secrets in them, plain http on this machine only, paths from the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dicom_io.send import SendError
from flows.addresses import dimse_address, web_address
from flows.nodes import DicomwebNode, DimseNode
from flows.settings import FolderNode, load_settings


def web(**values: Any) -> DicomwebNode:
    return DicomwebNode(**({"kind": "dicomweb", "url": "https://pacs.example/dicom-web"} | values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "ftp://pacs.example"}, "url is http"),
        ({"url": "https:///dicom-web"}, "url is http"),
        ({"url": "https://pacs.example/?a=b"}, "without query"),
        ({"url": "https://user:secret@pacs.example/"}, "no user or password in url"),
        ({"url": "http://pacs.example/"}, "plain http shows patient data"),
        ({"url": "http://127.0.0.1:8042/", "ca_file": "ca.pem"}, "certificates are for https"),
        ({"certificate_file": "a.pem"}, "come together"),
        ({"authorization_file": "a", "authorization_env": "B"}, "not both"),
        ({"authorization": "Bearer secret"}, "Extra inputs"),
        ({"first_pause_s": 10, "longest_pause_s": 5}, "shorter"),
    ],
)
def test_wrong_dicomweb_nodes(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        web(**values)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8042/dicom-web", "http://localhost", "http://[::1]:80/x"])
def test_plain_http_on_this_machine(url: str) -> None:
    assert web(url=url).url == url


def test_plain_http_elsewhere_on_purpose() -> None:
    node = web(url="http://pacs.example/dicom-web/", allow_plain_http=True)
    assert web_address(node).url == "http://pacs.example/dicom-web"


@pytest.mark.parametrize(
    "values",
    [{"commitment": "maybe"}, {"commitment_timeout_s": 0}, {"attempts": 0}, {"tls": {"key_file": "k"}}],
)
def test_wrong_dimse_nodes(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DimseNode(ae_title="PACS", port=104, **values)


@pytest.mark.parametrize("title", ["", " PACS", "PACS ", "A" * 17, "A\\B", "Ä", "A\tB"])
def test_wrong_ae_titles(title: str) -> None:
    with pytest.raises(ValidationError, match="an AE title has 1 to 16"):
        DimseNode(ae_title=title, port=104)


def test_authorization_comes_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert web_address(web()).authorization is None
    file = tmp_path / "token"
    file.write_text("Bearer abc\n")
    address = web_address(web(authorization_file=file))
    assert address.authorization == "Bearer abc"
    assert "abc" not in repr(address)
    monkeypatch.setenv("PACS_TOKEN", "Basic eHl6")
    assert web_address(web(authorization_env="PACS_TOKEN")).authorization == "Basic eHl6"


@pytest.mark.parametrize("content", [b"", b"\n", b"Bearer a\nX-Other: b", "Bearer ä".encode()])
def test_unusable_authorization_is_told_without_its_value(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SendError, match="token") as caught:
        web_address(web(authorization_file=file))
    assert "Bearer" not in str(caught.value)


def test_missing_authorization(tmp_path: Path) -> None:
    with pytest.raises(SendError, match="FileNotFoundError"):
        web_address(web(authorization_file=tmp_path / "none"))
    with pytest.raises(SendError, match="authorization_env NO_SUCH_TOKEN"):
        web_address(web(authorization_env="NO_SUCH_TOKEN"))


def test_paths_count_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "secondread.toml").write_text(
        """
[nodes.pacs]
ae_title = "PACS"
port = 2762
[nodes.pacs.tls]
ca_file = "tls/ca.pem"
certificate_file = "tls/own.pem"
key_file = "/etc/own.key"
[nodes.web]
kind = "dicomweb"
url = "https://pacs.example/dicom-web"
ca_file = "ca.pem"
authorization_file = "token"
[nodes.share]
kind = "folder"
path = "share"
attempts = 1
"""
    )
    nodes = load_settings(tmp_path / "secondread.toml").nodes
    pacs, cloud, share = nodes["pacs"], nodes["web"], nodes["share"]
    assert isinstance(pacs, DimseNode) and isinstance(cloud, DicomwebNode) and isinstance(share, FolderNode)
    identity = dimse_address(pacs).tls
    assert identity is not None
    assert (identity.ca_file, identity.certificate_file, identity.key_file, identity.verify_host) == (
        tmp_path / "tls" / "ca.pem",
        tmp_path / "tls" / "own.pem",
        Path("/etc/own.key"),
        True,
    )
    assert (cloud.ca_file, cloud.authorization_file) == (tmp_path / "ca.pem", tmp_path / "token")
    assert (share.path, share.attempts) == (tmp_path / "share", 1)
    assert dimse_address(DimseNode(ae_title="PACS", port=104)).tls is None
