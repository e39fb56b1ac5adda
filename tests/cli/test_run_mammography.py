"""``secondread run`` with a package for mammograms: a whole examination, one of raw data, a chest film."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest

from dicom_io.phantoms import write_chest_study
from tests.cli.conftest import Cli
from tests.cli.test_run import report
from tests.flows.breasts import FOUR, exam, words_of
from tests.packages.mammograms import build_mammogram_package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mammogram_package(tmp_path_factory.mktemp("packages"))


def test_every_study_of_a_folder_ends_with_its_outcome(cli: Cli, package: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    exam(folder / "four", masses=(1, 3), study="four")
    exam(folder / "raw", FOUR[2:], study="raw", for_processing=True)
    write_chest_study(folder / "chest", 1, rows=640, columns=640)
    arguments = ("run", package, folder, "--output", tmp_path / "out", "--all-candidates", "--cad-report")
    answer = cli(*arguments, "--json", tmp_path / "run.json")
    assert answer.status == 0, answer.err
    studies = {study["outcome"]: study for study in report(tmp_path / "run.json")["studies"]}
    read = studies["completed"]
    assert [(one["laterality"], one["view"]) for one in read["films"]] == [
        ("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"),
    ]  # fmt: skip
    assert read["exam"]["score"] == max(one["score"] for one in read["exam"]["breasts"])
    assert [one["findings"] for one in read["exam"]["lesions"]] == [[1, 2]]
    assert read["exam"]["views_compared"] is True
    assert f"{read['exam']['score']:.3f}" in answer.out
    assert len(read["candidates"]) >= len(read["findings"]) == 2
    assert read["decision"] == "review"
    refused = [one for one in report(tmp_path / "run.json")["studies"] if one["outcome"] == "refused"]
    kinds = sorted([one["kind"] for one in study["objects"]] for study in refused)
    assert kinds == [[], ["structured-report", "cad-report"]]
    (told,) = (tmp_path / "out" / study["objects"][0]["file"] for study in refused if study["objects"])
    assert "For Processing" in words_of(pydicom.dcmread(told))
    assert "the image is For Processing" in answer.out
    assert "Modality is DX, not MG" in answer.out
