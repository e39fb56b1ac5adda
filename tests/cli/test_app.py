"""The frame of the command line: help, version, errors, plug-ins."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from flows.cli import app as frame
from tests.cli.conftest import Cli


def test_help_names_every_command(cli: Cli) -> None:
    answer = cli("--help")
    assert answer.status == 0
    for name in frame.COMMANDS:
        assert (name in answer.out) == (name != "reference"), name


@pytest.mark.parametrize("name", sorted(frame.COMMANDS))
def test_every_command_has_help(cli: Cli, name: str) -> None:
    answer = cli(name, "--help")
    assert answer.status == 0
    assert f"secondread {name}" in answer.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out.startswith("secondread 0.")


def test_an_unknown_command_is_a_wrong_call(cli: Cli) -> None:
    answer = cli("frobnicate")
    assert (answer.status, answer.out) == (2, "")
    assert "No such command 'frobnicate'" in answer.err


def test_a_plug_in_that_cannot_be_imported_leaves_the_rest_alone(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("broken", "no_such_module.cli:app", frame.PLUGIN_GROUP)
    monkeypatch.setattr(frame, "entry_points", lambda group: [broken])
    assert "Commands of no_such_module.cli (plug-in)." in cli("--help").out
    answer = cli("broken")
    assert answer.status == 1
    assert "no_such_module" in answer.err
    assert "secondread[broken]" in answer.err
    assert "Traceback" not in answer.err
    assert cli("--version").status == 0


def test_the_module_runs_as_the_program_does(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "status"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin", "SECONDREAD_STATE_DIR": str(tmp_path), "PYTHONPATH": str(_repository())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "no journal at" in done.stderr


def _repository() -> Path:
    return Path(__file__).resolve().parents[2]
