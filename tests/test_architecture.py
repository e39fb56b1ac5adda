"""The arrows between the rooms point one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def test_the_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_architecture_check_sees_a_breach(tmp_path: Path) -> None:
    """Keep the check honest: a models module that imports Prefect must fail the contract."""
    for room in ("flows", "models", "dicom_io", "export"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("import prefect\n" if room == "models" else "")
    (tmp_path / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "models knows neither DICOM networking nor Prefect BROKEN" in done.stdout.replace("\n", " ")


@pytest.mark.parametrize("command", [["--help"], ["package", "list"], ["config", "check", "--json"]])
def test_the_core_starts_without_heavy_imports(command: list[str]) -> None:
    """A command that neither serves nor reads must not load Prefect, ONNX Runtime or torch."""
    code = (
        "import sys\n"
        "from flows.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'prefect', 'onnxruntime', 'torch'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    assert done.stderr.strip().endswith("[]"), done.stderr
