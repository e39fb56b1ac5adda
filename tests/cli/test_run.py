"""``secondread run``: bad input first, then what is read, what is written and what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pydicom
import pytest

from dicom_io.phantoms import FilmOptions
from flows.cli import run as command
from models.film import Film
from models.results import FilmReading
from tests.cli.conftest import Cli
from tests.cli.material import SIDE, bad_folder, changed, good_film
from tests.packages.blobs import build_blob_package

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "run.schema.json").read_text())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_blob_package(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good_film(tmp_path_factory.mktemp("film"))


def report(path: Path) -> dict[str, Any]:
    """Return a written report after a look at the schema."""
    made: dict[str, Any] = json.loads(path.read_text())
    jsonschema.validate(made, SCHEMA)
    return made


def test_an_unknown_package_lists_what_there_is(cli: Cli, film: Path) -> None:
    answer = cli("run", "no-such", film.parent, "--output", "out")
    assert (answer.status, answer.out) == (1, "")
    assert "there is no package no-such; installed:" in answer.err


def test_a_changed_network_is_refused_before_anything_runs(cli: Cli, film: Path, tmp_path: Path) -> None:
    broken = build_blob_package(tmp_path / "broken")
    member = broken / "member-1.onnx"
    member.write_bytes(member.read_bytes()[:-1] + b"\x00")
    answer = cli("run", broken, film.parent, "--output", "out")
    assert answer.status == 1
    assert "member-1.onnx" in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_empty_folder_and_one_without_dicom_are_told_apart(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    answer = cli("run", package, tmp_path / "in", "--output", "out")
    assert (answer.status, "there is no file in" in answer.err) == (1, True)
    (tmp_path / "in" / "notes.txt").write_text("hello")
    answer = cli("run", package, tmp_path / "in", "--output", "out")
    assert (answer.status, "no DICOM study in" in answer.err) == (1, True)


def test_a_missing_folder_is_a_wrong_call(cli: Cli, package: Path) -> None:
    assert cli("run", package, "nowhere", "--output", "out").status == 2


def test_every_bad_file_gets_its_own_reason_and_the_good_one_is_read(
    cli: Cli, package: Path, film: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    expected = bad_folder(folder, film)
    changed(film, folder / "good.dcm", new_uids=False)
    answer = cli("run", package, folder, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    assert answer.status == 0, answer.err
    made = report(tmp_path / "run.json")
    codes = {item["file"]: item["code"] for item in made["files"]}
    for study in made["studies"]:
        codes |= {item["file"]: item["code"] for item in study["not_read"]}
    assert codes == expected
    refused = [study for study in made["studies"] if study["outcome"] == "refused"]
    assert all(study["reasons"] for study in refused)
    kinds = [[one["kind"] for one in study["objects"]] for study in refused]
    assert ["structured-report"] in kinds
    assert all(made in ([], ["structured-report"]) for made in kinds)
    (good,) = [study for study in made["studies"] if study["outcome"] == "completed"]
    assert good["films"][0]["file"] == "good.dcm"
    for name in expected:
        assert name in answer.out or codes[name] not in {"not-dicom", "empty-file"}


def test_what_is_written_is_what_is_told(cli: Cli, package: Path, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("run", package, film.parent, "--output", out, "--all-candidates")
    answer = cli(*arguments, "--json", tmp_path / "run.json")
    assert answer.status == 0, answer.err
    (study,) = report(tmp_path / "run.json")["studies"]
    source = pydicom.dcmread(film)
    assert study["study_instance_uid"] == source.StudyInstanceUID
    assert study["decision"] == "not-assessed"
    assert study["confidence"] is None
    assert {"member_support", "score_spread"} <= set(study["confidence_components"])
    assert {"gather", "prepare", "gate", "infer", "assess", "encode", "total"} == set(study["timings_s"])
    (read,) = study["films"]
    assert (read["rows"], read["columns"], read["members"]) == (SIDE, SIDE, 3)
    for one in study["objects"]:
        written = pydicom.dcmread(out / one["file"])
        assert written.SOPInstanceUID == one["sop_instance_uid"]
        assert written.SOPClassUID == one["sop_class_uid"]
        assert written.StudyInstanceUID == study["study_instance_uid"]
    pictures = 1 + min(len(study["findings"]), 3)
    assert [one["kind"] for one in study["objects"]] == [
        "structured-report",
        *(f"key-image-{number}" for number in range(1, pictures + 1)),
    ]
    assert study["pseudonym"] in answer.out
    assert str(source.PatientID) not in answer.out


def test_candidates_have_boxes_in_pixels_and_millimetres(
    cli: Cli, package: Path, film: Path, tmp_path: Path
) -> None:
    arguments = ("run", package, film.parent, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    assert cli(*arguments).status == 0
    assert report(tmp_path / "run.json")["studies"][0]["candidates"] is None
    assert cli(*arguments, "--all-candidates").status == 0
    (study,) = report(tmp_path / "run.json")["studies"]
    spacing = study["films"][0]["pixel_spacing_mm"]
    scores = [one["score"] for one in study["candidates"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) >= len(study["findings"]) > 0
    assert [one["is_finding"] for one in study["candidates"]].count(True) == len(study["findings"])
    for one in study["candidates"]:
        assert one["sop_instance_uid"] == study["films"][0]["sop_instance_uid"]
        pixels, millimetres = one["box_px"], one["box_mm"]
        assert 0 <= pixels["top"] < pixels["bottom"] <= SIDE
        assert millimetres["top"] == pytest.approx(pixels["top"] * spacing[0], abs=1e-3)
        assert millimetres["right"] == pytest.approx(pixels["right"] * spacing[1], abs=1e-3)


def test_a_repeat_writes_the_same_bytes(cli: Cli, package: Path, film: Path, tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        assert cli("run", package, film.parent, "--output", tmp_path / name).status == 0
        seen.append(
            {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.dcm")}
        )
    assert seen[0] == seen[1]
    assert len(seen[0]) >= 2


def test_the_inverted_twin_with_the_same_uid_is_read_apart_and_gives_the_same_findings(
    cli: Cli, package: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    plain = good_film(folder / "a", options=FilmOptions(values_of_interest="none"))
    inverted = FilmOptions(values_of_interest="none", photometric="MONOCHROME1")
    twin = good_film(folder / "b", options=inverted)
    uid = pydicom.dcmread(plain, stop_before_pixels=True).SOPInstanceUID
    changed(twin, twin, new_uids=False, SOPInstanceUID=uid)
    changed(plain, folder / "c" / "again.dcm", new_uids=False)
    answer = cli("run", package, folder, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    assert answer.status == 0, answer.err
    made = report(tmp_path / "run.json")
    first, second = made["studies"]
    assert (first["variant"], second["variant"]) == (1, 2)
    assert "the same SOP Instance UID and other content" in second["warnings"][0]
    assert [item["code"] for item in made["files"]] == ["duplicate"]
    assert len(first["findings"]) == len(second["findings"]) > 0
    for one, other in zip(first["findings"], second["findings"], strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-3)
        assert one["box_px"] == pytest.approx(other["box_px"], abs=0.1)
    uids = {one["sop_instance_uid"] for study in made["studies"] for one in study["objects"]}
    assert len(uids) == len(first["objects"]) + len(second["objects"])
    assert len(list((tmp_path / "out").rglob("*.dcm"))) == len(uids)


def test_standard_output_is_json_alone_when_asked(cli: Cli, package: Path, film: Path) -> None:
    answer = cli("run", package, film.parent, "--output", "out", "--json", "-")
    jsonschema.validate(answer.json, SCHEMA)


def test_a_study_that_fails_leaves_the_others_alone(
    cli: Cli, package: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    changed(film, folder / "a.dcm", StudyInstanceUID="1.2.1")
    changed(film, folder / "b.dcm", StudyInstanceUID="1.2.2")

    class Failing:
        """Fails on the first film and finds nothing on the second."""

        calls = 0

        def detect(self, read: Film) -> FilmReading:
            self.calls += 1
            if self.calls == 1:
                raise RuntimeError("the network exploded")
            return FilmReading(read.sop_instance_uid, 0.1, (), 3, 0.5)

    monkeypatch.setattr(command, "open_detector", lambda *_, **__: Failing())
    answer = cli("run", package, folder, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    assert answer.status == 1
    assert "1 of 2 studies failed" in answer.err
    outcomes = [study["outcome"] for study in report(tmp_path / "run.json")["studies"]]
    assert outcomes == ["failed", "completed"]
    assert len(list((tmp_path / "out").rglob("report.dcm"))) == 1


@pytest.mark.data
def test_the_real_chest_films_are_read(cli: Cli, package: Path, data_dir: Path, tmp_path: Path) -> None:
    folder = data_dir / "dicom" / "chest"
    answer = cli("run", package, folder, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    assert answer.status == 0, answer.err
    studies = report(tmp_path / "run.json")["studies"]
    by_file = {film["file"]: study for study in studies for film in study["films"]}
    assert set(by_file) == {"cr_a.dcm", "cr_monochrome1.dcm", "rg1_j2k.dcm"}
    assert by_file["cr_a.dcm"]["findings"] == by_file["cr_monochrome1.dcm"]["findings"]


def test_other_objects_are_written_on_request(cli: Cli, package: Path, film: Path, tmp_path: Path) -> None:
    arguments = ("run", package, film.parent, "--output", tmp_path / "out", "--json", tmp_path / "run.json")
    wanted = ("--cad-report", "--presentation-states", "--film-segmentations", "--key-images", "0")
    assert cli(*arguments, *wanted).status == 0
    (study,) = report(tmp_path / "run.json")["studies"]
    assert [one["kind"] for one in study["objects"]] == [
        "structured-report",
        "cad-report",
        "segmentation-1",
        "presentation-state-1",
    ]
