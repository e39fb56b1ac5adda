"""The package of a made-up run: interim without figures, then with all of them."""

# ruff: noqa: E402

import json
from datetime import date
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the export extra is not installed")
pytest.importorskip("matplotlib", reason="the export extra is not installed")

from export.training.brain_tumour.analysis import OutOfBag, main_report, main_rules
from export.training.brain_tumour.card import markdown, table, training_rows
from export.training.brain_tumour.data import TYPES
from export.training.brain_tumour.evaluation import ACQUIRED, VARIANTS, unseen_by
from export.training.brain_tumour.packaging import (
    TYPE_CODES,
    VERSION,
    manifest,
    metric_rows,
    write_package,
)
from export.training.brain_tumour.report import CASES, read_cases, write_cases
from export.training.brain_tumour.rules import Rules, load_rules, save_rules
from models.detector import check_networks
from models.package import MAIN, PackageManifest, load_package
from tests.export.training.brain_tumour.made_up import patient, put_answer, put_network, truth
from tests.packages.lesions import member

FIGURE = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 12}
LINE = {"condition": "as it is", "strength": 0.0, "dice": FIGURE, "pairwise_dice": FIGURE}
CONTRAST = {
    "slices": 12, "dice": FIGURE | {"median": 0.7}, "dice by type": {kind: FIGURE for kind in TYPES},
    "nothing in common with the tumour": 0.1, "type accuracy": FIGURE, "type macro AUROC": FIGURE,
    "largest type alone": 0.4, "confusion": {"types": list(TYPES), "true by suggested": [[1, 2, 3]] * 3},
}  # fmt: skip
ROW = {"network": "U-Net", "parameters": 10, "steps": 5}
CANDIDATES = {"candidates": [ROW | {"mean Dice, all sequences": 0.61, "mean Dice, FLAIR alone": 0.5}]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten members of which the last two are of the contrast branch, exported and nothing else."""
    out = tmp_path / "run"
    for number in range(10):
        put_network(out, "member", f"member-{number}")
    for block in range(5):
        put_network(out, "contrast", f"member-{block}", member(1, 0, 2.0 + block / 1e3, (0.2, 0.7, 0.1)))
    return out


@pytest.fixture
def evaluated(run: Path) -> Path:
    """The same with answers, figures, candidates and training records."""
    answer = patient("P").mask * 240
    names = {json.loads(p.read_text())["sha256"][:12]: p.stem for p in run.glob("onnx/member/*.json")}
    kept = {int(stem[-1]): f"member-{stem}-{digest}" for digest, stem in names.items()}
    for block in range(5):
        for number in unseen_by(block):
            for variant in VARIANTS:
                put_answer(run, variant, kept[number], f"P{block}", answer)
    blocks = {f"P{block}": block for block in range(5)}
    found = OutOfBag([truth(name) for name in blocks], blocks, run)
    report, rows = main_report(found)
    save_rules(run, main_rules(found), Rules(0.6, "of the branch"))
    report |= {
        "institution left out": {
            "all": {"institution unseen": FIGURE, "patient unseen": FIGURE, "difference": FIGURE}
        },
        "channel dropout": {},
        "spoilt images": {"patients": ["P0"], "slices": "every 4th", "conditions": [LINE]},
        "contrast-only": CONTRAST,
    }
    write_cases(rows, run / CASES)
    (run / "metrics.json").write_text(json.dumps(report))
    (run / "candidates.json").write_text(json.dumps(CANDIDATES))
    (run / "member-0.json").write_text(json.dumps({"steps": 900, "seconds": 240, "plan": {}}))
    return run


def test_an_interim_package_loads_without_figures(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "brain-tumour" / VERSION
    write_package(run, folder)
    package = load_package(folder)
    check_networks(package)
    content = package.manifest
    assert content.ensemble == 5 and len(content.members) == 10 and content.metrics == ()
    assert content.operating_point.definition.startswith("Preliminary")
    assert content.members[9].left_out_blocks == (4, 1)
    assert not (folder / "MODEL_CARD.md").exists()


def test_members_of_a_run_that_is_not_finished_make_a_package(tmp_path: Path) -> None:
    put_network(tmp_path / "run", "member", "member-0")
    write_package(tmp_path / "run", tmp_path / "brain-tumour" / VERSION)
    content = load_package(tmp_path / "brain-tumour" / VERSION).manifest
    assert content.ensemble == 1 and content.branches == () and content.classifications == ()


def test_which_networks_read_which_studies(run: Path, tmp_path: Path) -> None:
    write_package(run, tmp_path / "brain-tumour" / VERSION)
    content = load_package(tmp_path / "brain-tumour" / VERSION).manifest
    plan = content.choose({"T1", "T1C", "FLAIR", "T2"})
    assert plan.branch == MAIN and set(plan.sequences) == {"T1", "T1C", "FLAIR"} and not plan.missing
    assert content.choose({"FLAIR", "T2"}).missing == ("T1", "T1C")
    alone = content.choose({"T1", "T1C"})
    assert alone.branch == "contrast-only" and "for review" in " ".join(alone.statements)


def test_types_stand_in_the_order_of_the_network() -> None:
    assert tuple(code["key"] for code in TYPE_CODES) == TYPES


def test_the_rules_of_sequences_are_those_of_the_reader() -> None:
    rules = pytest.importorskip("dicom_io.reading.sequences")
    content = PackageManifest.model_validate(
        manifest(
            [{"file": "member-0.onnx", "sha256": "0" * 64, "bytes": 1, "opset": 20, "ir_version": 10}],
            [],
            (Rules(), Rules()),
            [],
            created=date(2026, 1, 1),
        )
    )
    assert content.input.volume is not None
    assert content.input.volume.recognition == tuple(rules.RECOGNITION_RULES)
    assert content.input.volume.ranking == tuple(rules.RANKING_RULES)


def test_a_package_with_figures(evaluated: Path, tmp_path: Path) -> None:
    folder = tmp_path / "brain-tumour" / VERSION
    write_package(evaluated, folder)
    content = load_package(folder).manifest
    by_name = {metric.name: metric for metric in content.metrics}
    assert by_name["Dice, acquired"].value == 1 and by_name["Dice, acquired"].n == "5 patients"
    assert by_name["Dice, institution unseen"].low == 0.6
    assert "not a patient split" in by_name["contrast-only: macro AUROC of the type"].definition
    assert content.operating_point.score == 0.5 and content.branches[0].operating_point.score == 0.6
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {
        "package.toml", "parity.json", "LICENSE", "split.csv", "contrast_split.csv", "candidates.json",
        "metrics.json", "training.json", "MODEL_CARD.md", CASES, "dice.png", "rules.png", "spoilt.png",
    }  # fmt: skip
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| acquired | 5 | 1.000 (1.000 to 1.000) | 1.000 | 0 |" in card
    assert "Not finished in this version." in card and "0.610" in card


def test_a_file_that_is_the_same_is_left_alone(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "brain-tumour" / VERSION
    write_package(run, folder)
    before = (folder / "members/member-0.onnx").stat().st_mtime_ns
    write_package(run, folder)
    assert (folder / "members/member-0.onnx").stat().st_mtime_ns == before


def test_no_report_no_figures() -> None:
    assert metric_rows({}) == []


def test_rules_and_cases_survive_writing(tmp_path: Path) -> None:
    assert load_rules(tmp_path) == (Rules(), Rules())
    save_rules(tmp_path, Rules(0.9, "why", minimum_volume_ml=0.5), Rules())
    assert load_rules(tmp_path)[0].minimum_volume_ml == 0.5
    rows = [{"patient": "P", "institution": "DU", "sequences": ACQUIRED, "dice": 0.123456, "hd95": None}]
    write_cases(rows, tmp_path / CASES)
    assert read_cases(tmp_path / CASES) == [rows[0] | {"dice": 0.12346}]


def test_training_rows_name_their_stage(evaluated: Path) -> None:
    (evaluated / "contrast-0.json").write_text(json.dumps({"steps": 2000, "seconds": 500, "plan": {}}))
    assert [(row["run"], row["steps"]) for row in training_rows(evaluated)] == [
        ("member-0", 900),
        ("contrast-0", 2000),
    ]


def test_a_table_of_the_card() -> None:
    assert table(("a", "b"), [[1, "x"]]) == ["| a | b |", "| --- | --- |", "| 1 | x |", ""]


def test_the_card_says_what_was_not_finished(evaluated: Path) -> None:
    report = json.loads((evaluated / "metrics.json").read_text()) | {"contrast-only": {}}
    text = markdown(report, [], [CANDIDATES, CANDIDATES])
    assert text.count("Not finished in this version.") == 3
    assert "Research use, not for diagnosis" in text and "{" not in text
