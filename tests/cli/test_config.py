"""``secondread config``: wrong settings are named, open doors are warned of, sources are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.cli import config as command
from tests.cli.conftest import Cli
from tests.peers import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


ROUTE = "[[routes]]\nname='a'\npackage='p'\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "secondread.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "no TOML"),
        ("bogus = 1", "bogus: there is no such setting"),
        ("[listener]\nport = 99999", "listener.port: Input should be less than or equal to 65535"),
        ("[listener]\nae_title = 'MUCH TOO LONG A TITLE'", "listener.ae_title: an AE title has 1 to 16"),
        (ROUTE + "when={tag='Modality', equals='CR'}\ndestinations=['x']", "unknown nodes: x"),
        (ROUTE + "when={tag='NoSuchTag', equals='CR'}", "no attribute keyword"),
        ("[prefect]\nembedded = false", "prefect.api_url is needed"),
        ("[nodes.p]\nkind='dicomweb'\nurl='http://a.example'", "plain http shows patient data"),
        ("[nodes.p]\nkind='dicomweb'\nurl='https://u:secret@a.example'", "no user or password in url"),
        ("[nodes.p]\nae_title='P'\nport=1\ntls={key_file='k'}", "come together"),
        ("[nodes.p]\nae_title='P'\nport=1\ncommitment='perhaps'", "nodes.p.dimse.commitment"),
    ],
)
def test_wrong_settings_are_one_line_and_status_two(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    answer = cli("--config", written(tmp_path, text), "config", "check")
    assert answer.status == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert "secret" not in answer.err


def test_a_missing_file_is_named(cli: Cli, tmp_path: Path) -> None:
    answer = cli("--config", tmp_path / "none.toml", "config", "check")
    assert (answer.status, "none.toml" in answer.err) == (2, True)


def test_the_defaults_are_right(cli: Cli) -> None:
    answer = cli("config", "check", "--json")
    assert answer.status == 0, answer
    assert answer.json["valid"] is True
    assert answer.json["errors"] == []


def test_an_open_listener_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, "[listener]\nhost = '0.0.0.0'\npeers = [{ae_title='*', address='10.0.0.0/8'}]")
    warnings = cli("--config", path, "config", "check", "--json").json["warnings"]
    assert any("listener.host 0.0.0.0 is reachable from other machines" in text for text in warnings)
    assert any("10.0.0.0/8 may send under any AE title" in text for text in warnings)


def test_an_unknown_package_is_an_error(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, "[[routes]]\nname='a'\npackage='no-such'\nwhen={tag='Modality', equals='CR'}")
    answer = cli("--config", path, "config", "check", "--json")
    assert answer.status == 1
    assert "no-such" in answer.json["errors"][0]


@pytest.mark.parametrize(
    ("package", "members", "said"),
    [
        ("mammography", 20, "has 10 members; 20 cannot take part"),
        ("chest-nodule", 2, "reads with those 5, not with 2"),
        ("mammography", 2, ""),
        ("chest-nodule", None, ""),
    ],
)
def test_a_number_of_members_that_a_package_cannot_read_with_is_an_error(
    cli: Cli, tmp_path: Path, package: str, members: int | None, said: str
) -> None:
    route = f"[[routes]]\nname='a'\npackage='{package}'\nwhen={{tag='Modality', equals='MG'}}\n"
    path = written(tmp_path, route if members is None else f"{route}members={members}\n")
    answer = cli("--config", path, "config", "check", "--json")
    assert answer.status == (1 if said else 0)
    errors = answer.json["errors"]
    assert len(errors) == (1 if said else 0)
    assert all("route 'a'" in text and said in text for text in errors)


@pytest.mark.parametrize(
    ("installed", "said"),
    [({"onnxruntime", "onnxruntime-gpu"}, "both installed"), (set(), "no ONNX Runtime")],
)
def test_the_two_runtimes_exclude_each_other(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, installed: set[str], said: str
) -> None:
    monkeypatch.setattr(command, "_installed", lambda name: name in installed)
    answer = cli("config", "check", "--json")
    assert answer.status == 1
    assert any(said in text for text in answer.json["errors"])


def test_a_node_that_does_not_answer_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, "[nodes.pacs]\nae_title = 'PACS'\nport = 1")
    without = cli("--config", path, "config", "check", "--json").json["warnings"]
    asked = cli("--config", path, "config", "check", "--nodes", "--json").json["warnings"]
    assert [text for text in asked if text not in without] != []
    assert "node 'pacs' does not answer" in asked[-1]


def test_show_says_where_each_value_comes_from(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(
        tmp_path, "[listener]\nport = 1234\n[journal]\nurl = 'postgresql+psycopg://me:secret@host/db'"
    )
    monkeypatch.setenv("SECONDREAD_WORKER__SPARES", "3")
    shown = cli("--config", path, "config", "show", "--json").json
    assert shown["listener.port"] == {"value": 1234, "source": "file"}
    assert shown["worker.spares"] == {"value": 3, "source": "environment"}
    assert shown["state_dir"]["source"] == "environment"
    assert shown["metrics.port"]["source"] == "default"
    assert shown["journal.url"]["value"] == "postgresql+psycopg://me:***@host/db"


@pytest.mark.parametrize("name", ["secondread.toml", "compose.toml"])
def test_a_shipped_example_is_right(cli: Cli, name: str) -> None:
    answer = cli("--config", REPOSITORY / "infra" / name, "config", "check", "--json")
    assert answer.json["errors"] == []


def test_nodes_of_every_kind_are_asked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "junk.pem").write_text("no certificate")
    path = written(
        tmp_path,
        f"""
[nodes.pacs]
ae_title = "PACS"
port = {free_port()}
tls = {{ ca_file = "junk.pem" }}
[nodes.web]
kind = "dicomweb"
url = "http://127.0.0.1:{free_port()}/dicom-web"
[nodes.cloud]
kind = "dicomweb"
url = "https://127.0.0.1:{free_port()}/dicom-web"
authorization_env = "CLOUD_TOKEN"
[nodes.share]
kind = "folder"
path = "share"
""",
    )
    answer = cli("--config", path, "config", "check", "--nodes", "--json")
    assert answer.status == 0, answer
    told = {text.split("'")[1]: text for text in answer.json["warnings"] if text.startswith("node ")}
    assert sorted(told) == ["cloud", "pacs", "web"]
    assert "junk.pem cannot be used: it is not PEM" in told["pacs"]
    assert "authorization_env CLOUD_TOKEN" in told["cloud"]


@pytest.mark.parametrize(
    ("node", "peers", "warned"),
    [
        ("host='192.0.2.10'", "[{ae_title='*', address='127.0.0.1'}]", True),
        ("host='192.0.2.10'", "[{ae_title='OTHER', address='192.0.2.10'}]", True),
        ("host='192.0.2.10'\ncommitment='off'", "[]", False),
        ("host='192.0.2.10'", "[{ae_title='PACS', address='192.0.2.0/24'}]", False),
        ("host='pacs.example'", "[]", False),
        ("host='localhost'", "[{ae_title='*'}]", False),
    ],
)
def test_an_archive_that_could_not_report_is_warned_of(
    cli: Cli, tmp_path: Path, node: str, peers: str, warned: bool
) -> None:
    path = written(tmp_path, f"[listener]\npeers={peers}\n[nodes.pacs]\nae_title='PACS'\nport=104\n{node}")
    answer = cli("--config", path, "config", "check", "--json")
    assert any("may report storage commitment" in text for text in answer.json["warnings"]) is warned, answer


def test_what_a_node_names_and_this_machine_lacks_is_an_error(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    text = """
[nodes.tls]
ae_title = "PACS"
port = 104
tls = { ca_file = "missing.pem" }
[nodes.web]
kind = "dicomweb"
url = "https://pacs.example/dicom-web"
authorization_file = "no-token"
[nodes.share]
kind = "folder"
path = "file/below"
"""
    answer = cli("--config", written(tmp_path, text), "config", "check", "--json")
    assert answer.status == 1
    errors = "\n".join(answer.json["errors"])
    assert "node 'tls': ca_file" in errors
    assert "node 'web': authorization_file" in errors
    assert "node 'share': the folder" in errors


def test_nodes_that_answer_are_named(cli: Cli, tmp_path: Path) -> None:
    path = written(tmp_path, '[nodes.share]\nkind = "folder"\npath = "share"\n')
    answer = cli("--config", path, "config", "check", "--nodes")
    assert answer.status == 0
    assert "node 'share' (folder" in answer.out
