"""The real mammograms of the data folder through the steps, with the networks of a test package."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_io.send import collect_files
from flows.installation import Installation
from flows.offline import OfflineReader, StudyReport, sort_files
from models.detector import open_exam_detector
from models.package import load_package
from tests.packages.mammograms import build_mammogram_package

pytestmark = [pytest.mark.data, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def reports(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, StudyReport]:
    """Return what becomes of each file's study, by file."""
    folder = data_dir / "dicom" / "mammography"
    work = tmp_path_factory.mktemp("run")
    package = load_package(build_mammogram_package(work / "packages"))
    reader = OfflineReader(
        package,
        open_exam_detector(package, threads=1),
        Installation(work / "state"),
        input_folder=folder,
        output_folder=work / "out",
    )
    studies = sort_files(collect_files(folder)).studies
    return {next(iter(study.paths.values())).name: reader.read(study) for study in studies}


def test_a_full_field_image_is_read_and_reported(reports: dict[str, StudyReport]) -> None:
    report = reports["gh133_ge_mlo.dcm"]
    assert report.outcome == "completed"
    assert report.exam is not None
    assert [one.laterality for one in report.exam.breasts] == ["R"]
    assert {one.kind for one in report.objects} >= {"structured-report", "key-image-1"}


def test_a_stereotactic_image_is_refused_with_a_report(reports: dict[str, StudyReport]) -> None:
    report = reports["out_of_bounds_overlay.dcm"]
    assert report.outcome == "refused"
    assert [one.code for one in report.not_read] == ["biopsy-image"]
    assert [one.kind for one in report.objects] == ["structured-report"]


def test_a_digitised_film_of_another_modality_that_names_breast_and_view_is_refused_with_a_report(
    reports: dict[str, StudyReport],
) -> None:
    report = reports["wg04_mg1_j2k.dcm"]
    assert report.outcome == "refused"
    assert [one.kind for one in report.objects] == ["structured-report"]
    assert [one.code for one in report.not_read] == ["wrong-modality"]
