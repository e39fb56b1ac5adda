"""The steps of a reading of mammograms on real files with the real networks of a test package."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_io.mammogram_phantoms import MammogramOptions
from dicom_io.reading import data_set_sha256, read_header
from dicom_io.reading.attributes import acquired_at
from dicom_io.results import EncodedObject, PackageIdentity, ResultIdentity
from flows.encoding import Basis
from flows.journal import KeptImage, PriorRecord
from flows.reading import MammographyReader, Refused, reader_of
from flows.reading.earlier_images import prior_views
from flows.reading.mammograms import ExamReading, PreparedExam, load_reading
from flows.routing.rules import ReadingOptions
from flows.summary import summary_markdown
from models.detector import ExamDetector, open_exam_detector
from models.package import Package, load_package
from tests.conformance.checker import header_errors, template_errors
from tests.flows.breasts import FOUR, edited, exam, words_of
from tests.flows.test_reconciler import job
from tests.packages.mammograms import build_mammogram_package

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
R_CC, L_CC, R_MLO, L_MLO = range(4)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_mammogram_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def detector(package: Package) -> ExamDetector:
    return open_exam_detector(package, threads=1)


@pytest.fixture
def reader(package: Package) -> MammographyReader:
    found = reader_of(package)
    assert isinstance(found, MammographyReader)
    return found


def prepared(reader: MammographyReader, paths: list[Path], folder: Path) -> PreparedExam:
    return reader.gate(reader.prepare(reader.gather(paths), folder))


def basis(package: Package, folder: Path, **options: Any) -> Basis:
    return Basis(
        package=PackageIdentity.of(package, serial="A1B2C3"),
        identity=ResultIdentity("f" * 64, package.content_hash, "c" * 64, 1),
        content_time=TIME,
        options=ReadingOptions(**options),
        folder=folder,
    )


def read(
    reader: MammographyReader, detector: ExamDetector, paths: list[Path], folder: Path
) -> tuple[PreparedExam, ExamReading]:
    images = prepared(reader, paths, folder)
    return images, reader.infer(images, detector, folder)


def encoded(
    reader: MammographyReader, images: PreparedExam, reading: ExamReading, folder: Path, **options: Any
) -> dict[str, EncodedObject]:
    made = reader.encode(basis(reader.package, folder, **options), images, reading, reader.assess(reading))
    return {one.kind: one for one in made}


def test_one_image_that_cannot_be_decoded_leaves_a_gap_that_is_told(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "in")
    content = paths[L_MLO].read_bytes()
    paths[L_MLO].write_bytes(content[: len(content) // 2])
    images, reading = read(reader, detector, paths, tmp_path / "scratch")
    assert [one.code for one in images.unread_films] == ["truncated"]
    assert images.partial
    assert [(one.laterality, one.view) for one in images.unread_views] == [("L", "MLO")]
    assert reading.notes == ("The left breast was read on one view only (CC).",)
    made = encoded(reader, images, reading, tmp_path / "out")
    report = pydicom.dcmread(made["structured-report"].path)
    assert report.CompletionFlag == "PARTIAL"
    assert "Not read: L MLO" in words_of(report)
    assert template_errors(made["structured-report"].path) == []


def test_an_examination_of_which_nothing_can_be_decoded_is_refused(
    reader: MammographyReader, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "in", FOUR[:2])
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Refused) as caught:
        prepared(reader, paths, tmp_path / "scratch")
    assert [one.code for one in caught.value.not_read] == ["truncated", "truncated"]


def test_images_come_in_hanging_order_whatever_the_files_are_called(
    reader: MammographyReader, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "in")
    images = prepared(reader, paths[::-1], tmp_path / "scratch")
    assert [(one.laterality, one.view) for one in images.views] == [
        ("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"),
    ]  # fmt: skip
    assert not images.partial
    film = images.films[0]
    assert film.load().film.shape == film.shape
    assert np.array_equal(film.film().pixels, film.load().film.pixels)


def test_a_mass_on_two_views_is_one_lesion_of_that_breast(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    images, reading = read(reader, detector, exam(tmp_path / "in", masses=(L_CC, L_MLO)), tmp_path / "s")
    views = {view.sop_instance_uid: view for view in images.views}
    assert [one.number for one in reading.findings] == [1, 2]
    assert {views[one.sop_instance_uid].laterality for one in reading.findings} == {"L"}
    assert [one.findings for one in reading.exam.groups] == [(1, 2)]
    left, right = reading.reading.breasts
    assert (left.laterality, left.score > 0.5 > right.score) == ("L", True)
    assert left.asymmetry == pytest.approx(-right.asymmetry) and left.asymmetry > 0.3
    for one in reading.findings:
        assert one.size_mm is not None and 5 < one.size_mm[0] < 60
        assert not one.size_is_calibrated
    kept = load_reading(tmp_path / "s" / "reading.json")
    assert kept == reading.reading


def test_what_the_package_was_not_measured_on_is_for_review(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    _, oblique = read(reader, detector, exam(tmp_path / "mlo", FOUR[2:]), tmp_path / "a")
    _, four = read(reader, detector, exam(tmp_path / "four"), tmp_path / "b")
    assert reader.assess(oblique).decision == "not-assessed"
    assessment = reader.assess(four)
    assert assessment.decision == "review"
    assert assessment.reasons[0] == "The figures of the package are not of CC views."
    assert {"member_support", "score_spread", "case_score"} <= set(assessment.components)
    assert oblique.notes == (
        "The right breast was read on one view only (MLO).",
        "The left breast was read on one view only (MLO).",
    )
    assert four.notes == ()


def test_images_of_detectors_that_were_not_measured_are_for_review(
    package: Package, detector: ExamDetector, tmp_path: Path
) -> None:
    other = tmp_path / "package"
    shutil.copytree(package.folder, other)
    manifest = (other / "package.toml").read_text()
    of_films = 'validated_views = ["MLO"]\nvalidated_detectors = ["film"]'
    (other / "package.toml").write_text(manifest.replace('validated_views = ["MLO"]', of_films))
    reader = MammographyReader(load_package(other))
    paths = exam(tmp_path / "in", FOUR[2:])
    _, digital = read(reader, detector, paths, tmp_path / "s")
    assessment = reader.assess(digital)
    assert assessment.decision == "review"
    assert assessment.reasons[0] == (
        "Full-field digital images were not part of training or validation of the package."
    )
    for path in paths:
        edited(path, DetectorType="FILM")
    _, films = read(reader, detector, paths, tmp_path / "t")
    assert reader.assess(films).decision == "not-assessed"


def test_a_reading_by_some_of_the_members_is_for_review(
    package: Package, reader: MammographyReader, tmp_path: Path
) -> None:
    some = open_exam_detector(package, threads=1, members=2)
    _, reading = read(reader, some, exam(tmp_path / "in", FOUR[2:]), tmp_path / "s")
    assessment = reader.assess(reading)
    assert assessment.decision == "review"
    assert assessment.reasons[0] == (
        "2 of 3 members answered: the operating point and the figures of the package are those of all 3."
    )


def test_men_and_implants_are_for_review_where_a_package_reads_them(
    package: Package, detector: ExamDetector, tmp_path: Path
) -> None:
    other = tmp_path / "package"
    shutil.copytree(package.folder, other)
    manifest = (other / "package.toml").read_text()
    accepting = 'validated_views = ["MLO"]\naccept_male = true\naccept_implants = true'
    (other / "package.toml").write_text(manifest.replace('validated_views = ["MLO"]', accepting))
    reader = MammographyReader(load_package(other))
    paths = exam(tmp_path / "in", FOUR[2:], sex="M", implant=True)
    images, reading = read(reader, detector, paths, tmp_path / "s")
    assessment = reader.assess(reading)
    assert assessment.decision == "review"
    assert assessment.reasons[:2] == (
        "The figures of the package are not of breasts with an implant.",
        "The figures of the package are not of men.",
    )
    assert any("implant" in one for one in images.statements)


def test_one_breast_alone_is_said_and_not_compared(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    images, reading = read(reader, detector, exam(tmp_path / "in", (FOUR[L_CC], FOUR[L_MLO])), tmp_path / "s")
    assert reading.reading.breasts[0].asymmetry is None
    (note,) = reading.notes
    assert note.startswith("Only images of the left breast were read: nothing is said of the right breast")
    assert not images.partial
    assert note in reader.assess(reading).reasons


def test_a_repeated_view_counts_once_and_every_image_is_read(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    repeated = (*FOUR, FOUR[L_MLO], FOUR[L_MLO])
    images, reading = read(reader, detector, exam(tmp_path / "in", repeated, masses=(5,)), tmp_path / "s")
    assert len(images.films) == 6
    scores = {one.sop_instance_uid: one.case_score for one in reading.reading.images}
    left = reading.reading.breasts[0]
    assert len(left.views) == 4
    assert left.score > 0.3 > sorted(scores.values())[-2]
    made = encoded(reader, images, reading, tmp_path / "out")
    assert list(made) == ["structured-report", "key-image-1", "key-image-2"]


def test_pixels_that_lie_other_than_the_orientation_says_are_for_review(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "in", FOUR[2:])
    turned = pydicom.dcmread(paths[0])
    turned.PixelData = np.ascontiguousarray(turned.pixel_array[:, ::-1]).tobytes()
    turned.save_as(paths[0])
    images, reading = read(reader, detector, paths, tmp_path / "s")
    assert reader.assess(reading).decision == "review"
    (remark,) = images.remarks
    assert remark.startswith(
        "The chest wall of the right MLO image lies right by its Patient Orientation and"
    )
    assert images.statements == (remark,)


def test_raw_data_beside_the_images_and_spot_views_leave_no_gap(
    reader: MammographyReader, tmp_path: Path
) -> None:
    more = (
        *(replace(one, for_processing=True) for one in FOUR),
        replace(FOUR[L_CC], modifiers=("S",)),
        replace(FOUR[R_CC], view="ML"),
    )
    images = prepared(reader, exam(tmp_path / "in", (*FOUR, *more)), tmp_path / "scratch")
    assert len(images.films) == 4
    assert not images.partial
    assert images.statements[-3:] == (
        "4 images were set aside: the image is For Processing, not For Presentation",
        "One image was set aside: the image is a spot compression view",
        "One image was set aside: the view is ML, not MLO or CC",
    )


def test_raw_data_of_a_view_that_is_not_there_leaves_a_gap(reader: MammographyReader, tmp_path: Path) -> None:
    alone = (*FOUR[:3], replace(FOUR[L_MLO], for_processing=True))
    images = prepared(reader, exam(tmp_path / "in", alone), tmp_path / "scratch")
    assert images.partial
    assert [one.code for one in images.unread_films] == ["for-processing"]


def test_the_objects_pass_the_validators_and_a_repeat_writes_the_same_bytes(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    images, reading = read(reader, detector, exam(tmp_path / "in", masses=(L_CC, L_MLO)), tmp_path / "s")
    options = {"cad_report": True, "presentation_states": True, "film_segmentations": True}
    made = encoded(reader, images, reading, tmp_path / "out", **options)
    assert list(made) == [
        "structured-report", "cad-report", "segmentation-1", "presentation-state-1", "segmentation-2",
        "presentation-state-2", "key-image-1", "key-image-2", "key-image-3",
    ]  # fmt: skip
    for kind, one in made.items():
        assert header_errors(one.path) == [], kind
    assert template_errors(made["structured-report"].path) == []
    cad = pydicom.dcmread(made["cad-report"].path)
    assert cad.SOPClassUID == "1.2.840.10008.5.1.4.1.1.88.50"
    again = encoded(reader, images, reading, tmp_path / "again", **options)
    assert [one.sha256 for one in again.values()] == [one.sha256 for one in made.values()]


def test_the_outcome_names_images_by_number_and_nobody(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "in", masses=(L_CC, L_MLO), marker="ZZYZX")
    images, reading = read(reader, detector, paths, tmp_path / "s")
    outcome = json.loads(json.dumps(reader.outcome(images, reading, reader.assess(reading))))
    assert outcome["views"] == ["R CC", "L CC", "R MLO", "L MLO"]
    assert [(one["laterality"], one["films"]) for one in outcome["breasts"]] == [("L", [2, 4]), ("R", [1, 3])]
    assert outcome["exam_score"] == max(one["score"] for one in outcome["breasts"])
    assert outcome["tissue"]["label"] in ("fatty", "fatty-glandular", "dense-glandular")
    assert [one["findings"] for one in outcome["lesions"]] == [[1, 2]]
    assert {one["film"] for one in outcome["findings"]} == {2, 4}
    assert outcome["prior_images"] == 0
    text = summary_markdown(job(), "Completed", outcome, {})
    for wanted in ("| Views | R CC, L CC, R MLO, L MLO |", "## Breasts: 2", "| left |", "for one lesion"):
        assert wanted in text
    told = json.dumps(outcome) + text + reader.told(reading)
    assert "ZZYZX" not in told
    assert not [view.sop_instance_uid for view in images.views if view.sop_instance_uid in told]
    assert reader.told(reading) == "4 mammograms of 2 breasts read by 3 members"


def as_prior(paths: list[Path]) -> PriorRecord:
    images = tuple(KeptImage(p, str(read_header(p).SOPInstanceUID), data_set_sha256(p)) for p in paths)
    at = acquired_at(read_header(paths[0]))
    assert at is not None
    return PriorRecord("bright-masses@0.0.1", "p" * 64, at, {"breasts": []}, 1, images)


def test_earlier_images_of_the_same_views_are_shown_beside(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    before = exam(tmp_path / "before", date="20240301", study="before")
    images, reading = read(reader, detector, exam(tmp_path / "now", FOUR[1:], masses=(0, 2)), tmp_path / "s")
    compared = reader.compared(reading, as_prior(before))
    assert compared.reading == reading.reading
    shown = prior_views(compared.prior, reader.package.manifest.input)
    assert sorted((one.view.laterality, one.view.view) for one in shown) == [
        ("L", "CC"), ("L", "MLO"), ("R", "MLO"),
    ]  # fmt: skip
    made = encoded(reader, images, compared, tmp_path / "out")
    assert list(made) == ["structured-report", *(f"key-image-{number}" for number in range(1, 5))]
    report = pydicom.dcmread(made["structured-report"].path)
    assert "an earlier examination of 2024-03-01 are shown beside these (L CC, L MLO, R MLO)" in words_of(
        report
    )
    beside = pydicom.dcmread(made["key-image-2"].path)
    (other,) = beside.StudiesContainingOtherReferencedInstancesSequence
    assert other.StudyInstanceUID == read_header(before[0]).StudyInstanceUID
    assert header_errors(made["key-image-2"].path) == []
    outcome = reader.outcome(images, compared, reader.assess(compared))
    assert outcome["prior_images"] == 3


@pytest.mark.parametrize("how", ["another patient", "later", "none of the views", "unreadable", "no images"])
def test_a_prior_that_cannot_be_shown_costs_nothing(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path, how: str
) -> None:
    date = "20270101" if how == "later" else "20240301"
    kept: tuple[MammogramOptions, ...] = FOUR[:2] if how == "none of the views" else FOUR[2:]
    before = exam(tmp_path / "before", kept, date=date, study="before")
    if how == "another patient":
        before = [edited(path, PatientID="SOMEBODY") for path in before]
    prior = as_prior(before)
    if how == "unreadable":
        for path in before:
            path.write_bytes(path.read_bytes()[:3000])
    if how == "no images":
        prior = replace(prior, images=())
    images, reading = read(reader, detector, exam(tmp_path / "now", FOUR[2:]), tmp_path / "s")
    made = encoded(reader, images, reader.compared(reading, prior), tmp_path / "out")
    assert list(made) == ["structured-report", "key-image-1"]
    assert "earlier examination" not in words_of(pydicom.dcmread(made["structured-report"].path))


def as_noise(path: Path) -> None:
    def change(dataset: pydicom.Dataset) -> None:
        shape = dataset.Rows, dataset.Columns
        dataset.PixelData = np.random.default_rng(1).integers(0, 4095, shape, np.uint16).tobytes()

    edited(path, change)


def test_an_earlier_image_that_would_be_refused_is_not_shown_and_one_in_doubt_is_said(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    before = exam(tmp_path / "before", date="20240301", study="before")
    as_noise(before[R_MLO])
    turned = pydicom.dcmread(before[L_MLO])
    turned.PixelData = np.ascontiguousarray(turned.pixel_array[:, ::-1]).tobytes()
    turned.save_as(before[L_MLO])
    images, reading = read(reader, detector, exam(tmp_path / "now", FOUR[2:]), tmp_path / "s")
    compared = reader.compared(reading, as_prior(before))
    made = encoded(reader, images, compared, tmp_path / "out")
    told = words_of(pydicom.dcmread(made["structured-report"].path))
    assert "are shown beside these (L MLO)" in told
    assert "The side of the earlier left MLO image is in doubt by its orientation" in told
    assert "Of the earlier examination are not shown, as they cannot be read: R MLO" in told
    assert reader.outcome(images, compared, reader.assess(compared))["prior_images"] == 1


def test_without_key_images_nothing_is_said_to_be_shown(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    before = exam(tmp_path / "before", date="20240301", study="before")
    images, reading = read(reader, detector, exam(tmp_path / "now", FOUR[2:]), tmp_path / "s")
    made = encoded(reader, images, reader.compared(reading, as_prior(before)), tmp_path / "out", key_images=0)
    assert list(made) == ["structured-report"]
    assert "earlier examination" not in words_of(pydicom.dcmread(made["structured-report"].path))


@pytest.mark.parametrize("attributes", [{"PatientBirthDate": "19900101"}, {"PatientSex": "O"}])
def test_another_birth_date_or_sex_is_another_person(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path, attributes: dict[str, str]
) -> None:
    before = exam(tmp_path / "before", FOUR[2:], date="20240301", study="before")
    prior = as_prior([edited(path, **attributes) for path in before])
    now = exam(tmp_path / "now", FOUR[2:])
    images, reading = read(reader, detector, now, tmp_path / "s")
    assert reader.compared(reading, prior).prior is None
    edited(now[0], **attributes)
    with pytest.raises(Refused) as caught:
        reader.gather(now)
    assert {one.code for one in caught.value.not_read} == {"several-patients"}
    assert len(images.films) == 2


def test_an_issuer_that_one_image_lacks_makes_no_second_patient(
    reader: MammographyReader, detector: ExamDetector, tmp_path: Path
) -> None:
    paths = exam(tmp_path / "now", FOUR[2:])
    edited(paths[1], IssuerOfPatientID="ONE SITE")
    edited(paths[0], IssuerOfPatientID=None)
    images, reading = read(reader, detector, paths, tmp_path / "s")
    made = encoded(reader, images, reading, tmp_path / "out")
    assert pydicom.dcmread(made["structured-report"].path).IssuerOfPatientID == "ONE SITE"
