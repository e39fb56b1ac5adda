"""What is no examination of the breasts: each with its outcome, its reason and its report, as from a folder.

docs/mammography-input.md has the same cases as a table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UltrasoundImageStorage

from dicom_io.mammogram_phantoms import MammogramOptions
from dicom_io.phantoms import write_chest_study
from dicom_io.send import collect_files
from flows.installation import Installation
from flows.offline import OfflineReader, StudyReport, sort_files
from flows.routing.rules import ReadingOptions
from models.detector import ExamDetector, open_exam_detector
from models.package import Package, load_package
from tests.conformance.checker import header_errors, template_errors
from tests.flows.breasts import FOUR, edited, exam, words_of
from tests.packages.mammograms import build_mammogram_package

Read = Callable[[Path], StudyReport]
R_CC, L_CC, R_MLO, L_MLO = range(4)
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_mammogram_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def detector(package: Package) -> ExamDetector:
    return open_exam_detector(package, threads=1)


@pytest.fixture
def read(package: Package, detector: ExamDetector, tmp_path: Path) -> Read:
    """Return what reads the one study of a folder."""

    def one(folder: Path) -> StudyReport:
        reader = OfflineReader(
            package,
            detector,
            Installation(tmp_path / "state"),
            input_folder=folder,
            output_folder=tmp_path / "out",
            options=ReadingOptions(cad_report=True, key_images=1),
        )
        (study,) = sort_files(collect_files(folder)).studies
        return reader.read(study)

    return one


def objects(report: StudyReport, folder: Path) -> dict[str, Dataset]:
    return {one.kind: pydicom.dcmread(folder / "out" / one.file) for one in report.objects}


def changed(**attributes: Any) -> Callable[[Path], object]:
    return lambda path: edited(path, **attributes)


def both_breasts(path: Path) -> None:
    edited(path, ImageLaterality="B")


def without_side(path: Path) -> None:
    edited(path, ImageLaterality=None)


def flat(path: Path) -> None:
    def change(dataset: Dataset) -> None:
        dataset.PixelData = np.full((dataset.Rows, dataset.Columns), 900, np.uint16).tobytes()

    edited(path, change)


def noise(path: Path) -> None:
    def change(dataset: Dataset) -> None:
        shape = dataset.Rows, dataset.Columns
        dataset.PixelData = np.random.default_rng(1).integers(0, 4095, shape, np.uint16).tobytes()

    edited(path, change)


def tomosynthesis(path: Path) -> None:
    def change(dataset: Dataset) -> None:
        dataset.PixelData = 2 * dataset.PixelData
        dataset.NumberOfFrames = 2

    edited(path, change, SOPClassUID=TOMOSYNTHESIS)


def unchanged(path: Path) -> None:
    pass


RAW = {"for_processing": True}
REFUSED: dict[str, tuple[dict[str, Any], Callable[[Path], object], str, str]] = {
    "raw data": (RAW, unchanged, "for-processing", "the image is For Processing, not For Presentation"),
    "spot views": ({"modifiers": ("S",)}, unchanged, "spot-view", "a spot compression view"),
    "magnification views": ({"modifiers": ("M",)}, unchanged, "magnification-view", "a magnification view"),
    "magnified without saying so": ({"magnification": 1.8}, unchanged, "magnification-view", "1.80 times"),
    "no laterality": ({}, without_side, "missing-laterality", "no attribute says which breast"),
    "both breasts": ({}, both_breasts, "both-breasts", "shows both breasts"),
    "a man": ({"sex": "M"}, unchanged, "male-patient", "the package is made for images of women"),
    "a specimen": ({}, changed(BodyPartExamined="BREAST SPECIMEN"), "specimen", "a tissue specimen"),
    "a biopsy": (
        {},
        changed(ImageType=["ORIGINAL", "PRIMARY", "STEREO"]),
        "biopsy-image",
        "stereotactic or biopsy procedure",
    ),
    "tomosynthesis": ({}, tomosynthesis, "tomosynthesis", "tomosynthesis is not supported"),
    "contrast medium": (
        {},
        changed(ImageType=["DERIVED", "PRIMARY", "SUBTRACTION"]),
        "contrast-enhanced",
        "contrast-enhanced mammography",
    ),
    "another view": ({"view": "ML"}, unchanged, "wrong-view", "the view is ML, not MLO or CC"),
    "an implant": ({"implant": True}, unchanged, "implant", "the breast has an implant"),
    "no contrast": ({}, flat, "constant-image", "the image is constant"),
    "no breast": ({}, noise, "no-breast", "no breast can be made out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_study_of_nothing_else_is_refused_with_a_report_that_says_why(
    case: str, read: Read, tmp_path: Path
) -> None:
    options, change, code, words = REFUSED[case]
    side = MammogramOptions(laterality="L", view="MLO")
    for path in exam(tmp_path / "in", (side, replace(side, laterality="R")), **options):
        change(path)
    report = read(tmp_path / "in")
    assert report.outcome == "refused"
    assert [one.code for one in report.not_read] == [code, code]
    assert words in report.reasons[0]
    made = objects(report, tmp_path)
    assert list(made) == ["structured-report", "cad-report"]
    structured, cad = made["structured-report"], made["cad-report"]
    assert structured.CompletionFlag == "PARTIAL"
    assert words in words_of(structured)
    assert words in words_of(cad)
    assert "did not read this study" in words_of(structured)
    if case in {"both breasts", "no breast"}:  # the validators are slow, and the reports alike
        written = [tmp_path / "out" / one.file for one in report.objects]
        assert [header_errors(path) for path in written] == [[], []]
        assert template_errors(written[0]) == []


@pytest.mark.parametrize("case", ["a man", "no laterality", "both breasts", "no contrast", "no breast"])
def test_of_what_is_refused_nothing_but_the_reason_is_said(case: str, read: Read, tmp_path: Path) -> None:
    options, change, _, _ = REFUSED[case]
    for path in exam(tmp_path / "in", FOUR[2:], **options):
        change(path)
    report = read(tmp_path / "in")
    assert report.exam is None
    assert report.films == report.findings == ()
    report_words = words_of(objects(report, tmp_path)["structured-report"])
    assert "No finding" not in report_words


@pytest.mark.parametrize(
    ("case", "partial"),
    [
        ("raw data", False),
        ("spot views", False),
        ("magnification views", False),
        ("a specimen", False),
        ("a biopsy", False),
        ("tomosynthesis", False),
        ("contrast medium", False),
        ("another view", False),
        ("no laterality", True),
        ("both breasts", True),
        ("no contrast", True),
        ("no breast", True),
    ],
)
def test_beside_a_whole_examination_it_is_said_and_the_rest_is_read(
    case: str, partial: bool, read: Read, tmp_path: Path
) -> None:
    options, change, code, _ = REFUSED[case]
    one_more = replace(FOUR[L_MLO], **options)
    paths = exam(tmp_path / "in", (*FOUR, one_more))
    change(paths[-1])
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 4, partial)
    assert [one.code for one in report.not_read] == [code]
    told = words_of(objects(report, tmp_path)["structured-report"])
    assert ("was not read: " if partial else "was set aside: ") + report.not_read[0].reason in told


def test_a_view_that_only_spot_images_show_of_a_breast_that_is_not_read_is_a_gap(
    read: Read, tmp_path: Path
) -> None:
    spot = replace(FOUR[L_MLO], modifiers=("S",))
    exam(tmp_path / "in", (FOUR[R_CC], FOUR[R_MLO], spot))
    report = read(tmp_path / "in")
    assert (report.outcome, report.partial) == ("completed", True)
    assert "nothing is said of the left breast" in " ".join(report.decision_reasons)


def test_ultrasound_in_the_study_is_another_kind(read: Read, tmp_path: Path) -> None:
    paths = exam(tmp_path / "in", (*FOUR, FOUR[0]))
    edited(
        paths[-1], Modality="US", SOPClassUID=UltrasoundImageStorage, PresentationIntentType=None,
        ImageLaterality=None, ViewCodeSequence=None,
    )  # fmt: skip
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 4, False)
    assert [one.code for one in report.not_read] == ["wrong-modality"]
    assert "was not read" not in words_of(objects(report, tmp_path)["structured-report"])


def test_a_study_of_ultrasound_alone_is_refused_without_a_report(read: Read, tmp_path: Path) -> None:
    edited(exam(tmp_path / "in", FOUR[:1])[0], Modality="US", SOPClassUID=UltrasoundImageStorage)
    report = read(tmp_path / "in")
    assert (report.outcome, report.objects) == ("refused", ())


@pytest.mark.parametrize(("modality", "code"), [("DX", "wrong-modality"), ("MG", "other-body-part")])
def test_a_chest_film_is_refused_whatever_it_calls_itself(
    modality: str, code: str, read: Read, tmp_path: Path
) -> None:
    for path in write_chest_study(tmp_path / "in", 1, rows=640, columns=640):
        edited(path, Modality=modality)
    report = read(tmp_path / "in")
    assert (report.outcome, report.objects) == ("refused", ())
    assert [one.code for one in report.not_read] == [code]


def test_a_chest_film_that_says_nothing_of_its_body_part_has_no_view_of_a_breast(
    read: Read, tmp_path: Path
) -> None:
    for path in write_chest_study(tmp_path / "in", 1, rows=640, columns=640):
        edited(path, Modality="MG", BodyPartExamined=None, AnatomicRegionSequence=None)
    report = read(tmp_path / "in")
    assert report.outcome == "refused"
    assert [one.code for one in report.not_read] == ["wrong-view"]
    assert [one.kind for one in report.objects] == ["structured-report", "cad-report"]


def test_a_digitised_film_is_read_and_said_to_be_one(read: Read, tmp_path: Path) -> None:
    for path in exam(tmp_path / "in", FOUR[2:]):
        edited(path, DetectorType="FILM")
    report = read(tmp_path / "in")
    assert report.outcome == "completed"
    assert report.warnings == (
        "The right MLO image is a digitised film", "The left MLO image is a digitised film",
    )  # fmt: skip


def test_a_synthesised_view_is_read_and_its_tomosynthesis_set_aside(read: Read, tmp_path: Path) -> None:
    paths = exam(tmp_path / "in", (*FOUR[2:], *FOUR[2:]))
    for path in paths[:2]:
        edited(path, ImageType=["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"])
    for path in paths[2:]:
        tomosynthesis(path)
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 2, False)
    assert {one.code for one in report.not_read} == {"tomosynthesis"}
    assert "synthesised from tomosynthesis" in report.warnings[0]


def test_images_of_two_patients_in_one_study_are_read_for_neither(read: Read, tmp_path: Path) -> None:
    paths = exam(tmp_path / "in")
    edited(paths[L_CC], PatientID="ANOTHER")
    report = read(tmp_path / "in")
    assert (report.outcome, report.objects) == ("refused", ())
    assert {one.code for one in report.not_read} == {"several-patients"}


def in_colour(path: Path) -> None:
    def change(dataset: Dataset) -> None:
        grey = (dataset.pixel_array >> 4).astype(np.uint8)
        dataset.PixelData = np.repeat(grey[..., None], 3, 2).tobytes()
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
        dataset.PlanarConfiguration, dataset.BitsAllocated = 0, 8
        dataset.BitsStored, dataset.HighBit = 8, 7

    edited(path, change)


STORED_OTHERWISE: dict[str, tuple[Callable[[Path], object], str]] = {
    "in colour": (in_colour, "bad-photometric"),
    "a capture": (
        changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.7", ConversionType="SD", DetectorType=None),
        "secondary-capture",
    ),
    "called a test object": (changed(QualityControlImage="YES"), "quality-control-image"),
    "of another body part": (
        changed(
            BodyPartExamined="CHEST", AnatomicRegionSequence=None, ViewCodeSequence=None, ViewPosition=None
        ),
        "other-body-part",
    ),
}


@pytest.mark.parametrize("case", STORED_OTHERWISE)
def test_what_names_breast_and_view_is_a_gap_however_it_is_stored(
    case: str, read: Read, tmp_path: Path
) -> None:
    change, code = STORED_OTHERWISE[case]
    change(exam(tmp_path / "in", FOUR, masses=(L_MLO,))[L_MLO])
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 3, True)
    assert [one.code for one in report.not_read] == [code]
    made = objects(report, tmp_path)
    assert made["structured-report"].CompletionFlag == "PARTIAL"
    assert report.not_read[0].reason in words_of(made["structured-report"])


@pytest.mark.parametrize("case", STORED_OTHERWISE)
def test_a_study_of_it_alone_is_refused_with_a_report(case: str, read: Read, tmp_path: Path) -> None:
    change, code = STORED_OTHERWISE[case]
    change(exam(tmp_path / "in", FOUR[:1])[0])
    report = read(tmp_path / "in")
    assert [one.code for one in report.not_read] == [code]
    assert [one.kind for one in report.objects] == ["structured-report", "cad-report"]


def two_values(path: Path) -> None:
    edited(path, ImageLaterality=None, Rows=[800, 800])


def three_bytes(path: Path) -> None:
    edited(path, ImageLaterality=None)
    content = path.read_bytes()
    at = content.index(b"\x28\x00\x10\x00US\x02\x00")
    element = b"\x28\x00\x10\x00US\x03\x00" + content[at + 8 : at + 10] + b"\0"
    path.write_bytes(content[:at] + element + content[at + 10 :])


@pytest.mark.parametrize("malform", [two_values, three_bytes])
def test_a_malformed_size_of_an_image_that_is_not_read_costs_nothing_but_that_image(
    malform: Callable[[Path], None], read: Read, tmp_path: Path
) -> None:
    malform(exam(tmp_path / "in", (*FOUR[2:], FOUR[L_MLO]))[-1])
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 2, True)
    made = objects(report, tmp_path)["structured-report"]
    assert made.CompletionFlag == "PARTIAL"
    assert "One image was not read: no attribute says which breast" in words_of(made)


@pytest.mark.parametrize("options", [{"view": "ML"}, {"magnification": 1.22}, {"modifiers": ("RL",)}])
def test_a_whole_view_is_a_gap_where_the_breast_has_not_both_standard_views(
    options: dict[str, Any], read: Read, tmp_path: Path
) -> None:
    exam(tmp_path / "in", (*FOUR[:3], replace(FOUR[L_MLO], **options)))
    report = read(tmp_path / "in")
    assert (len(report.films), report.partial) == (3, True)


@pytest.mark.parametrize("modifiers", [(), ("ID",)])
def test_an_implant_that_one_image_tells_is_that_of_the_breast(
    modifiers: tuple[str, ...], read: Read, tmp_path: Path
) -> None:
    told = replace(FOUR[L_MLO], modifiers=modifiers, implant=not modifiers)
    exam(tmp_path / "in", (*FOUR, told))
    report = read(tmp_path / "in")
    assert [one.laterality for one in report.films] == ["R", "R"]
    assert {one.code for one in report.not_read} == {"implant"}
    assert (len(report.not_read), report.partial) == (3, True)


def test_an_implant_of_an_unknown_side_may_be_in_either_breast(read: Read, tmp_path: Path) -> None:
    paths = exam(tmp_path / "in", (*FOUR[2:], replace(FOUR[L_MLO], modifiers=("ID",))))
    without_side(paths[-1])
    report = read(tmp_path / "in")
    assert (report.outcome, {one.code for one in report.not_read}) == ("refused", {"implant"})


def test_a_file_cut_off_inside_its_header_may_be_of_the_study_beside_it(read: Read, tmp_path: Path) -> None:
    path = exam(tmp_path / "in", FOUR[1:])[-1]
    path.write_bytes(path.read_bytes()[:900])
    report = read(tmp_path / "in")
    assert (report.outcome, len(report.films), report.partial) == ("completed", 2, True)
    (lost,) = report.not_read
    assert lost.file == "mammogram-1-3.dcm"
    assert "lies beside the study and may be an image of it" in lost.reason
    structured = objects(report, tmp_path)["structured-report"]
    assert structured.CompletionFlag == "PARTIAL"
    assert lost.reason in words_of(structured)
