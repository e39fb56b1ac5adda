"""``secondread demo``: what it refuses to start with, and one whole run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.demo import _own_studies
from flows.demo.system import LocalSystem, SystemFailed
from flows.demo.watch import DemoStudy, Nodule, StudyResult
from tests.cli.conftest import Cli
from tests.cli.material import changed, good_film


def demo(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "demo", "--folder", folder, *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_a_folder_of_somebody_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    answer = cli("demo", "--folder", tmp_path / "mine")
    assert answer.status == 2
    assert "was not made by the demo" in answer.err
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep me"


def test_a_service_that_does_not_start_says_why_and_where_its_log_is(tmp_path: Path) -> None:
    system = LocalSystem(tmp_path, nodes={}, settings={"listener": {"host": "192.0.2.1"}})
    try:
        with pytest.raises(SystemFailed, match="serve.log") as told:
            system.start(60)
    finally:
        system.stop()
    assert "192.0.2.1" in str(told.value)


def test_a_systems_settings_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECONDREAD_STATE_DIR", "/nowhere")
    assert LocalSystem(tmp_path, nodes={}).settings.state_dir == tmp_path / "state"


def test_a_second_object_with_a_used_uid_is_sent_with_its_study(tmp_path: Path) -> None:
    film = good_film(tmp_path)
    changed(film, tmp_path / "two.dcm", new_uids=False, PhotometricInterpretation="MONOCHROME1")
    (study,) = _own_studies(tmp_path)
    assert sorted(path.name for path in study.paths) == sorted([film.name, "two.dcm"])


def test_hit_and_missed_are_told_by_the_centre_of_the_box() -> None:
    nodule = Nodule(row=100, column=200, diameter_mm=20, spacing_mm=0.5)
    assert nodule.is_hit_by((90, 190, 110, 210))
    assert nodule.is_hit_by((105, 195, 125, 215))
    assert not nodule.is_hit_by((120, 200, 140, 220))
    study = DemoStudy("1.2.3", (), (nodule,))
    boxes = [{"box": box} for box in ((90, 190, 110, 210), (90, 195, 110, 215), (0, 0, 10, 10))]
    result = StudyResult(study, "S-1", "completed", None, {"findings": boxes}, came_back=True)
    assert result.verdict is not None
    assert (result.verdict.hits, result.verdict.missed, result.verdict.elsewhere) == (1, 0, 1)
    unread = StudyResult(study, "S-1", "failed", "why")
    assert unread.verdict is None


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_phantoms_go_in_and_readings_come_back(tmp_path: Path) -> None:
    done = demo(tmp_path / "demo", "--count", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 studies came back" in done.stdout
    assert "structured-report, key-image-1" in done.stdout
    assert len(re.findall(r"^S-[A-Z2-7]{10}", done.stdout, re.MULTILINE)) == 4
    assert re.search(r"Prefect UI +http://127\.0\.0\.1:\d+", done.stdout)
    assert "PHANTOM" not in done.stdout + done.stderr
    objects = re.findall(r"structured-report|key-image-\d", done.stdout)
    assert len(objects) >= 4
    assert len(list((tmp_path / "demo" / "archive").rglob("*.dcm"))) == len(objects)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_study_that_cannot_come_back_is_named_and_the_status_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    good = good_film(folder)
    lateral = {"ViewPosition": "LL", "PatientOrientation": ["A", "F"], "ViewCodeSequence": None}
    changed(good, folder / "lateral.dcm", **lateral)
    (folder / "notes.txt").write_text("no DICOM")
    done = demo(tmp_path / "demo", "--input", folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 of 2 studies came back" in done.stdout
    assert "not-routed: chest:" in done.stdout
    assert "notes.txt: the file is no DICOM" in done.stderr
    assert "1 of 2 studies did not come back; the log is" in done.stderr
