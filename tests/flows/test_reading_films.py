from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_io.phantoms import FilmOptions, chest_film, write_chest_study
from dicom_io.results import EncodedObject, PackageIdentity, Predecessor, ResultIdentity
from flows.encoding import Basis, configuration_hash, encode_films, encode_refusal
from flows.installation import Installation
from flows.reading import Gathered, Refused, SourceFile
from flows.reading import films as steps
from flows.reading.films import Prepared
from flows.reading.study import gather
from flows.routing.rules import ReadingOptions
from models.detector import FilmDetector, open_film_detector
from models.package import Package, load_package
from models.phantoms import chest_phantom
from models.results import Assessment, Box, Candidate, FilmReading
from tests.packages.blobs import build_blob_package

SIDE = 640
OPTIONS = ReadingOptions()
TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_blob_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def detector(package: Package) -> FilmDetector:
    return open_film_detector(package)


def study(folder: Path, seed: int = 1, films: int = 1, **options: object) -> list[Path]:
    how = FilmOptions(**options)  # type: ignore[arg-type]
    return write_chest_study(folder, seed, films=films, rows=SIDE, columns=SIDE, options=how)


def prepared(paths: list[Path], package: Package, folder: Path) -> Prepared:
    contract = package.manifest.input
    return steps.gate(steps.prepare(gather(paths, contract), contract, folder), contract)


def reading(films: Prepared, *scores: float) -> tuple[FilmReading, ...]:
    candidates = tuple(
        Candidate(Box(100 + 60 * n, 80, 140 + 60 * n, 140), score, (score, score, score), 1.0, 0.9)
        for n, score in enumerate(scores)
    )
    first, *others = (film.source.sop_instance_uid for film in films.films)
    empty = tuple(FilmReading(uid, 0.1, (), 3, 0.5) for uid in others)
    return (FilmReading(first, max(scores, default=0.1), candidates, 3, 0.5), *empty)


def encoded(
    films: Prepared,
    readings: tuple[FilmReading, ...],
    package: Package,
    folder: Path,
    *,
    revision: int = 1,
    predecessor: Predecessor | None = None,
    **options: Any,
) -> tuple[EncodedObject, ...]:
    made = basis(package, folder, revision=revision, predecessor=predecessor, **options)
    return encode_films(made, films, readings, Assessment("not-assessed", reasons=("Not fitted.",)))


def basis(
    package: Package,
    folder: Path,
    *,
    revision: int = 1,
    predecessor: Predecessor | None = None,
    **options: Any,
) -> Basis:
    return Basis(
        package=PackageIdentity.of(package, serial="A1B2C3"),
        identity=ResultIdentity("f" * 64, package.content_hash, "c" * 64, revision),
        content_time=TIME,
        options=ReadingOptions(**options),
        folder=folder,
        predecessors={} if predecessor is None else {"structured-report": predecessor},
    )


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"view": "LL"}, "lateral-view"),
        ({"body_part": "HAND"}, "wrong-body-part"),
    ],
)
def test_what_the_contract_does_not_name_is_refused_with_its_reason(
    package: Package, tmp_path: Path, options: dict[str, str], code: str
) -> None:
    paths = study(tmp_path, **options)
    with pytest.raises(Refused) as caught:
        gather(paths, package.manifest.input)
    assert [item.code for item in caught.value.not_read] == [code]
    assert str(caught.value) == caught.value.not_read[0].reason


def test_a_file_that_is_no_longer_dicom_is_named_and_the_others_are_read(
    package: Package, tmp_path: Path
) -> None:
    paths = study(tmp_path / "in")
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(b"\0" * 500)
    gathered = gather([damaged, *paths], package.manifest.input)
    assert len(gathered.selected) == 1
    assert [item.code for item in gathered.not_read] == ["not-dicom"]
    with pytest.raises(Refused, match="not a readable DICOM"):
        gather([damaged], package.manifest.input)


def test_an_empty_study_is_refused(package: Package) -> None:
    with pytest.raises(Refused, match="has no instance"):
        gather([], package.manifest.input)


def test_a_film_whose_pixels_are_cut_off_is_left_out_and_the_other_is_read(
    package: Package, tmp_path: Path
) -> None:
    paths = study(tmp_path / "in", films=2)
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[: len(content) // 2])
    contract = package.manifest.input
    gathered = gather([paths[0]], contract)
    both = Gathered((*gathered.selected, SourceFile(paths[1], "1.2.3", "0" * 64)), gathered.not_read)
    films = steps.prepare(both, contract, tmp_path / "scratch")
    assert len(films.films) == 1
    assert films.partial
    assert [item.code for item in films.not_read] == ["truncated"]
    assert films.statements[0].startswith("One image was not read")


def test_a_constant_film_is_stopped_at_the_gate(package: Package, tmp_path: Path) -> None:
    dataset = chest_film(chest_phantom(1, rows=SIDE, columns=SIDE), 1)
    dataset.PixelData = np.full((SIDE, SIDE), 700, np.uint16).tobytes()
    path = tmp_path / "constant.dcm"
    dataset.save_as(path, enforce_file_format=True)
    with pytest.raises(Refused) as caught:
        prepared([path], package, tmp_path / "scratch")
    assert [item.code for item in caught.value.not_read] == ["constant-image"]


def test_a_lateral_view_beside_a_frontal_one_is_not_a_partial_reading(
    package: Package, tmp_path: Path
) -> None:
    paths = study(tmp_path / "pa") + study(tmp_path / "ll", view="LL")
    films = prepared(paths, package, tmp_path / "scratch")
    assert len(films.films) == 1
    assert [item.code for item in films.not_read] == ["lateral-view"]
    assert not films.partial


def test_only_the_selected_instances_make_the_fingerprint(package: Package, tmp_path: Path) -> None:
    paths, lateral = study(tmp_path / "pa", films=2), study(tmp_path / "ll", view="LL")
    contract = package.manifest.input
    whole = gather(paths, contract).fingerprint
    assert gather(paths[::-1] + lateral, contract).fingerprint == whole
    assert gather(paths[:1], contract).fingerprint != whole


def test_a_twin_that_only_claims_to_be_monochrome1_is_read_like_its_original(
    package: Package, detector: FilmDetector, tmp_path: Path
) -> None:
    (path,) = study(tmp_path / "a", modality="CR")
    twin = pydicom.dcmread(path)
    twin.PhotometricInterpretation = "MONOCHROME1"
    other = tmp_path / "twin.dcm"
    twin.save_as(other)
    films = [prepared([file], package, tmp_path / name) for name, file in (("one", path), ("two", other))]
    first, second = (
        steps.infer(item.films, detector, tmp_path / f"{number}.json") for number, item in enumerate(films)
    )
    assert first == second
    assert not films[0].statements
    assert "greyscale inverted" in films[1].statements[0]


def test_a_true_monochrome1_film_is_not_touched(package: Package, tmp_path: Path) -> None:
    plain = prepared(study(tmp_path / "a"), package, tmp_path / "one")
    inverse = prepared(study(tmp_path / "b", photometric="MONOCHROME1"), package, tmp_path / "two")
    assert inverse.statements == ()
    assert np.abs(plain.films[0].load().pixels - inverse.films[0].load().pixels).max() < 1 / 2048


def test_readings_survive_the_disk(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")

    class Fixed:
        def detect(self, film: object) -> FilmReading:
            return reading(films, 0.9, 0.3)[0]

    kept = tmp_path / "readings.json"
    assert steps.load_readings(kept if steps.infer(films.films, Fixed(), kept) else kept) == (
        reading(films, 0.9, 0.3)
    )


def test_findings_are_numbered_by_score_and_measured_from_the_spacing(
    package: Package, tmp_path: Path
) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    found = steps.findings_of(films.films, reading(films, 0.9, 0.7, 0.2))
    spacing = films.films[0].pixel_spacing_mm
    assert spacing is not None
    assert [(item.number, item.candidate.score) for item in found] == [(1, 0.9), (2, 0.7)]
    assert found[0].size_mm == pytest.approx((40 * spacing[0], 60 * spacing[1]))
    assert not found[0].size_is_calibrated


def test_the_same_reading_twice_gives_the_same_bytes(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    one = encoded(films, reading(films, 0.9), package, tmp_path / "one")
    two = encoded(films, reading(films, 0.9), package, tmp_path / "two")
    assert [item.kind for item in one] == ["structured-report", "key-image-1", "key-image-2"]
    assert [item.path.read_bytes() for item in one] == [item.path.read_bytes() for item in two]


def test_a_revision_is_another_object_that_names_its_predecessor(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    report = encoded(films, reading(films, 0.9), package, tmp_path / "one")[0]
    before = Predecessor(report.sop_class_uid, report.sop_instance_uid, report.series_instance_uid)
    after = encoded(films, reading(films), package, tmp_path / "two", revision=2, predecessor=before)[0]
    assert after.sop_instance_uid != report.sop_instance_uid
    named = pydicom.dcmread(after.path).PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == report.sop_instance_uid


def test_an_overview_and_one_key_image_per_finding(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in", films=3), package, tmp_path / "scratch")
    found = encoded(films, reading(films, 0.9, 0.8), package, tmp_path / "one")
    without = encoded(films, reading(films), package, tmp_path / "two")
    assert [item.kind for item in found] == ["structured-report", *(f"key-image-{n}" for n in (1, 2, 3))]
    assert [item.kind for item in without] == ["structured-report", "key-image-1"]
    first, every = films.films[0].source.sop_instance_uid, [f.source.sop_instance_uid for f in films.films]
    for item in found[1:]:
        sources = pydicom.dcmread(item.path).SourceImageSequence
        assert [source.ReferencedSOPInstanceUID for source in sources] == [first]
    sources = pydicom.dcmread(without[1].path).SourceImageSequence
    assert [source.ReferencedSOPInstanceUID for source in sources] == every


@pytest.mark.parametrize(("most", "expected"), [(0, 0), (1, 2), (20, 4)])
def test_key_images_are_no_more_than_asked_for(
    package: Package, tmp_path: Path, most: int, expected: int
) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    found = encoded(films, reading(films, 0.9, 0.8, 0.7), package, tmp_path / "out", key_images=most)
    assert sum(item.kind.startswith("key-image") for item in found) == expected


def test_every_kind_of_object_on_request(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    wanted = {"cad_report": True, "presentation_states": True, "film_segmentations": True, "key_images": 0}
    made = encoded(films, reading(films, 0.9), package, tmp_path / "out", **wanted)
    assert [item.kind for item in made] == [
        "structured-report",
        "cad-report",
        "segmentation-1",
        "presentation-state-1",
    ]
    assert len({item.series_instance_uid for item in made}) == 4
    assert all(item.path.is_file() for item in made)


def constant(paths: list[Path]) -> None:
    """Make the pixels of files all the same."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = bytes(len(dataset.PixelData))
        dataset.save_as(path)


def test_a_film_that_fails_beside_one_that_does_not_is_a_failure_in_the_report(
    package: Package, tmp_path: Path
) -> None:
    paths = study(tmp_path / "in", films=2)
    constant(paths[1:])
    films = prepared(paths, package, tmp_path / "scratch")
    made = encoded(films, reading(films), package, tmp_path / "out", cad_report=True)
    report, cad = (pydicom.dcmread(made[number].path) for number in (0, 1))
    assert report.CompletionFlag == cad.CompletionFlag == "PARTIAL"
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    assert sum(len(series.ReferencedSOPSequence) for series in evidence.ReferencedSeriesSequence) == 2
    assert "did not read this image: the image is constant" in report.to_json()
    assert "111243" in cad.to_json()


def test_a_study_that_cannot_be_read_is_reported_as_such(package: Package, tmp_path: Path) -> None:
    paths = study(tmp_path / "in")
    constant(paths)
    with pytest.raises(Refused) as caught:
        prepared(paths, package, tmp_path / "scratch")
    made = encode_refusal(basis(package, tmp_path / "out", cad_report=True), caught.value.not_read)
    assert [item.kind for item in made] == ["structured-report", "cad-report"]
    report, cad = (pydicom.dcmread(item.path) for item in made)
    assert "The algorithm did not read this study" in report.to_json()
    assert "No algorithms succeeded; without findings" in report.to_json()
    assert "111245" in cad.to_json()


def test_a_study_of_two_patients_is_refused_and_nothing_is_written(package: Package, tmp_path: Path) -> None:
    paths = study(tmp_path / "in", films=2)
    other = pydicom.dcmread(paths[1])
    other.PatientID = "SOMEBODY-ELSE"
    other.save_as(paths[1])
    with pytest.raises(Refused, match="several patients") as caught:
        gather(paths, package.manifest.input)
    assert "SOMEBODY" not in str(caught.value)
    assert encode_refusal(basis(package, tmp_path / "out"), caught.value.not_read) == ()


def test_an_extra_that_cannot_be_written_does_not_cost_the_report(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("an odd attribute")

    monkeypatch.setattr("flows.encoding.encode_presentation_state", fail)
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    made = encoded(
        films, reading(films, 0.9), package, tmp_path / "out", presentation_states=True, key_images=0
    )
    assert [item.kind for item in made] == ["structured-report"]
    assert "The presentation state could not be written" in pydicom.dcmread(made[0].path).to_json()


def test_every_document_names_the_predecessor_of_its_own_kind(package: Package, tmp_path: Path) -> None:
    films = prepared(study(tmp_path / "in"), package, tmp_path / "scratch")
    old = encoded(films, reading(films, 0.9), package, tmp_path / "one", cad_report=True, key_images=0)
    before = {o.kind: Predecessor(o.sop_class_uid, o.sop_instance_uid, o.series_instance_uid) for o in old}
    made = basis(package, tmp_path / "two", revision=2, cad_report=True, key_images=0)
    new = encode_films(replace(made, predecessors=before), films, reading(films), Assessment("not-assessed"))
    for one, replaced in zip(new, old, strict=True):
        (named,) = pydicom.dcmread(one.path).PredecessorDocumentsSequence
        reference = named.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == replaced.sop_instance_uid
    first = replace(made, predecessors={"structured-report": before["structured-report"]})
    cad = encode_films(first, films, reading(films), Assessment("not-assessed"))[1]
    assert "PredecessorDocumentsSequence" not in pydicom.dcmread(cad.path)


def test_a_study_of_another_kind_gets_no_report(package: Package, tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        gather(study(tmp_path / "in", view="LL"), package.manifest.input)
    assert encode_refusal(basis(package, tmp_path / "out"), caught.value.not_read) == ()
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_installation_remembers_when_a_result_was_first_made(tmp_path: Path) -> None:
    here = Installation(tmp_path / "here")
    later = datetime(2026, 5, 5, 5, 5, 5, 999, tzinfo=UTC)
    assert here.content_time("2.25.1", TIME) == TIME
    assert here.content_time("2.25.1", later) == TIME
    assert here.content_time("2.25.2", later) == later.replace(microsecond=0)
    assert Installation(tmp_path / "here").content_time("2.25.1") == TIME


def test_two_installations_differ_in_serial_and_configuration(tmp_path: Path) -> None:
    one, two = Installation(tmp_path / "one"), Installation(tmp_path / "two")
    assert one.serial == Installation(tmp_path / "one").serial != two.serial
    assert configuration_hash(one.serial, OPTIONS) != configuration_hash(two.serial, OPTIONS)
    assert configuration_hash(one.serial, OPTIONS) != configuration_hash(
        one.serial, ReadingOptions(key_images=2)
    )
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
