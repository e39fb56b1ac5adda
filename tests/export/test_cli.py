from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from export.cli import app

_RUNNER = CliRunner()


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_missing_data_is_said_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECONDREAD_DATA", raising=False)
    done = _RUNNER.invoke(app, [command, "brain-tumour", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert done.output.strip() == "SECONDREAD_DATA is not set: it names the folder of training data"
    monkeypatch.setenv("SECONDREAD_DATA", str(tmp_path / "nowhere"))
    done = _RUNNER.invoke(app, [command, "brain-tumour", "--out", str(tmp_path)])
    assert (done.exit_code, "names no folder" in done.output) == (2, True)


@pytest.mark.parametrize("command", ["train", "onnx", "evaluate"])
def test_missing_torch_is_said_in_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("export.cli.find_spec", lambda name: None if name == "torch" else found(name))
    done = _RUNNER.invoke(app, [command, "chest-nodule", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert done.output.startswith("torch is not installed") and len(done.output.splitlines()) == 1
