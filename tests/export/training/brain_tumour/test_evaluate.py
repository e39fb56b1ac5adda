"""The evaluation as one command, over a made-up data folder and networks that threshold FLAIR."""

# ruff: noqa: E402

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from export.training.brain_tumour.corruptions import AS_IS, MIRROR
from export.training.brain_tumour.packaging import VERSION, write_package
from export.training.brain_tumour.report import CASES, evaluate_run, read_cases
from export.training.brain_tumour.rules import load_rules
from models.package import load_package
from tests.export.training.brain_tumour.made_up import put_data, put_network
from tests.packages.lesions import member


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten members, five contrast members, one institution left out."""
    put_data(tmp_path / "data")
    monkeypatch.setenv("SECONDREAD_DATA", str(tmp_path / "data"))
    out = tmp_path / "run"
    for number in range(10):
        put_network(out, "member", f"member-{number}", member(12, 1, 2.0 + number / 1e3))
    for block in range(5):
        put_network(out, "contrast", f"member-{block}", member(1, 0, 2.0 + block / 1e3, (0.2, 0.7, 0.1)))
    put_network(out, "control", "institution-DU", member(12, 1, 9.0))
    row = {"network": "U-Net", "parameters": 10, "steps": 5}
    row |= {"mean Dice, all sequences": 0.61, "mean Dice, FLAIR alone": 0.5}
    (out / "candidates.json").write_text(json.dumps({"chosen": "U-Net", "candidates": [row]}))
    return out


def test_one_command_answers_and_judges_once(run: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    split.write_text("patient,block\n" + "".join(f"P{k},{k}\n" for k in range(5)))
    lines = list(evaluate_run(run, split=split, threads=1))
    assert "member-0: 2 patients it never saw" in lines and "institution-DU: 2 patients it never saw" in lines
    assert "Dice, acquired: 1.000 (1.000 to 1.000)" in lines
    report = json.loads((run / "metrics.json").read_text())
    assert report["patients"] == 5 and report["out of bag"]["FLAIR"]["dice"]["n"] == 5
    assert report["out of bag"]["FLAIR+T1C"]["dice"]["n"] == 4
    assert report["institution left out"]["DU"]["institution unseen"]["value"] == 0
    assert report["contrast-only"]["dice"]["value"] > 0.9
    assert report["flips"]["with"]["n"] == 2
    conditions = {line["condition"]: line for line in report["spoilt images"]["conditions"]}
    # The first of every fourth slice is the only one, and it holds no lesion.
    assert conditions[AS_IS]["dice"]["value"] == conditions[MIRROR]["dice"]["value"] == 1
    assert len(read_cases(run / CASES)) == 5 + 5 + 4 + 4
    assert "over 5 patients" in load_rules(run)[0].definition
    answers = {path: path.stat().st_mtime_ns for path in (run / "answers").rglob("*.np?")}
    list(evaluate_run(run, split=split, threads=1))
    again = {path: path.stat().st_mtime_ns for path in (run / "answers").rglob("*.np?")}
    assert again == answers, "a network was asked twice"
    assert json.loads((run / "metrics.json").read_text()) == report
    write_package(run, tmp_path / "brain-tumour" / VERSION)
    assert len(load_package(tmp_path / "brain-tumour" / VERSION).manifest.metrics) >= 10
