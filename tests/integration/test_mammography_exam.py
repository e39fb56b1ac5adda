"""A mammography examination and the one after it through the whole service and a real Orthanc."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dicom_io.mammogram_phantoms import MammogramOptions
from dicom_io.send import NodeAddress, send_files
from flows.demo import LocalSystem
from flows.journal import JobRecord
from flows.manifest import read_manifest
from flows.settings import DimseNode
from tests.conformance.checker import header_errors, template_errors
from tests.flows.breasts import FOUR, edited, exam, words_of
from tests.integration.discretion import assert_nobody_is_named
from tests.integration.test_prefect_study import ended
from tests.packages.mammograms import NAME, build_mammogram_package
from tests.peers import Orthanc, free_port, start_orthanc, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

_PATIENCE_S = 240.0
_MARKER = "ZQBREAST9"
_REPORT, _CAD, _PICTURE = (
    "1.2.840.10008.5.1.4.1.1.88.34",
    "1.2.840.10008.5.1.4.1.1.88.50",
    "1.2.840.10008.5.1.4.1.1.7",
)
R_CC, L_CC, R_MLO, L_MLO = range(4)


@dataclass(frozen=True)
class Site:
    """A PACS, and SecondRead with one route for mammograms."""

    orthanc: Orthanc
    system: LocalSystem

    def read(self, paths: Sequence[Path]) -> JobRecord:
        """Play the modality, and wait for the end of the job."""
        pacs = NodeAddress(self.orthanc.ae_title, self.orthanc.host, self.orthanc.dicom_port)
        assert all(result.delivered for result in send_files(list(paths), pacs, "MAMMO"))
        uid = str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
        with self.system.journal() as journal:
            return ended(journal, uid)

    def results(self, job: JobRecord, sop_class: str, number: int, folder: Path) -> list[pydicom.Dataset]:
        """Wait for the instances of a SOP class that come back to the PACS, and fetch them."""
        study = job.study_instance_uid

        def found() -> list[str]:
            every = self.orthanc.instances(study)
            return [one["00080018"]["Value"][0] for one in every if one["00080016"]["Value"] == [sop_class]]

        uids = wait_until("the results in the PACS", lambda: len(found()) == number and found(), 60)
        return [pydicom.dcmread(self.orthanc.download(uid, folder / f"{uid}.dcm")) for uid in uids]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    build_mammogram_package(folder / "packages")
    port = free_port()
    with start_orthanc(folder, secondread_port=port, route_results=True) as orthanc:
        system = LocalSystem(
            folder / "secondread",
            nodes={"pacs": DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port)},
            package=NAME,
            quiet_time_s=2.0,
            route={
                "name": "mammography",
                "when": [{"tag": "Modality", "equals": "MG"}],
                "cad_report": True,
                "key_images": 1,
            },
            settings={
                "listener": {"port": port},
                "runtime": {"package_dirs": [str(folder / "packages")]},
            },
        )
        try:
            system.start(_PATIENCE_S)
            yield Site(orthanc, system)
        finally:
            system.stop()


def written(folder: Path, images: Sequence[MammogramOptions] = FOUR, **options: Any) -> list[Path]:
    return exam(folder, images, marker=_MARKER, **options)


@pytest.fixture(scope="module")
def jobs(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobRecord, JobRecord]:
    """Return the jobs of an examination and of the one two years later, with a new mass."""
    first = written(tmp_path_factory.mktemp("first"), study="first", date="20240105")
    second = written(tmp_path_factory.mktemp("second"), study="second", date="20260105", masses=(L_CC, L_MLO))
    return site.read(first), site.read(second)


def test_four_views_come_back_as_report_cad_report_and_pictures(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    job = jobs[0]
    assert (job.state, job.outcome["views"]) == ("completed", ["R CC", "L CC", "R MLO", "L MLO"])
    assert job.outcome["decision"] == "review"
    assert (job.outcome["findings"], job.outcome["prior_images"]) == ([], 0)
    assert job.outcome["objects"] == ["structured-report", "cad-report", "key-image-1"]
    (report,) = site.results(job, _REPORT, 1, tmp_path)
    (cad,) = site.results(job, _CAD, 1, tmp_path)
    (picture,) = site.results(job, _PICTURE, 1, tmp_path)
    for one in (report, cad, picture):
        assert header_errors(Path(one.filename)) == []
        assert one.StudyInstanceUID == job.study_instance_uid
    assert template_errors(Path(report.filename)) == []
    assert picture.ImageLaterality == "B"
    assert "Views read: R CC, L CC, R MLO, L MLO" in words_of(report)


def test_the_next_examination_is_shown_beside_the_one_before(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    first, second = jobs
    assert second.outcome["prior_images"] == 4
    assert [one["findings"] for one in second.outcome["lesions"]] == [[1, 2]]
    pictures = site.results(second, _PICTURE, 3, tmp_path)
    beside = [one for one in pictures if "StudiesContainingOtherReferencedInstancesSequence" in one]
    assert len(beside) == 2  # all views beside those of before, and the finding beside its view of before
    for one in beside:
        (other,) = one.StudiesContainingOtherReferencedInstancesSequence
        assert other.StudyInstanceUID == first.study_instance_uid
        assert header_errors(Path(one.filename)) == []
    (report,) = site.results(second, _REPORT, 1, tmp_path)
    assert "2024-01-05 are shown beside these (L CC, L MLO, R CC, R MLO)" in words_of(report)


def test_a_repeat_makes_the_same_objects(site: Site, jobs: tuple[JobRecord, JobRecord]) -> None:
    with site.system.journal() as journal:
        results = journal.job_results(jobs[1].id)
        before = {one.kind: one.path.read_bytes() for one in results}
        for one in results:
            one.path.unlink()
        journal.create_attempt(jobs[1].id, "asked for by a test")
        again = ended(journal, jobs[1].study_instance_uid)
    assert (again.state, again.attempt) == ("completed", 2)
    assert {one.kind: one.path.read_bytes() for one in results} == before
    manifest = read_manifest(results[0].path.parent)
    assert manifest["reading"]["views"] == ["R CC", "L CC", "R MLO", "L MLO"]
    assert manifest["reading"]["prior_images"] == 4


def test_a_prior_whose_file_is_gone_gives_way_to_the_one_before_it(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    with site.system.journal() as journal:
        files = [site.system.settings.inbox / one.path for one in journal.job_instances(jobs[1].id)]
    content = files[0].read_bytes()
    files[0].unlink()
    try:
        job = site.read(written(tmp_path, study="third", date="20270105"))
    finally:
        files[0].write_bytes(content)
    assert (job.state, job.outcome["prior_images"]) == ("completed", 4)
    (report,) = site.results(job, _REPORT, 1, tmp_path)
    words = words_of(report)
    assert "2024-01-05 are shown beside these" in words
    assert "2026-01-05" not in words


def test_raw_data_alone_is_refused_and_the_pacs_is_told(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    job = site.read(written(tmp_path / "in", study="raw", for_processing=True))
    assert (job.state, job.reason) == ("refused", "the image is For Processing, not For Presentation")
    (report,) = site.results(job, _REPORT, 1, tmp_path)
    assert "the image is For Processing, not For Presentation" in words_of(report)
    assert template_errors(Path(report.filename)) == []
    site.results(job, _CAD, 1, tmp_path)


def test_images_without_a_breast_are_refused_at_the_gate(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    paths = written(tmp_path / "in", FOUR[2:], study="empty")
    for path in paths:
        edited(path, lambda dataset: setattr(dataset, "PixelData", _noise(dataset)))
    job = site.read(paths)
    assert job.state == "refused"
    assert "no breast can be made out" in str(job.reason)
    assert [one["code"] for one in job.outcome["not_read"]] == ["no-breast", "no-breast"]
    site.results(job, _REPORT, 1, tmp_path)


def _noise(dataset: pydicom.Dataset) -> bytes:
    shape = dataset.Rows, dataset.Columns
    return np.random.default_rng(1).integers(0, 4095, shape, np.uint16).tobytes()


def test_nobody_outside_inbox_and_results_learns_whose_breasts_they_are(
    site: Site, jobs: tuple[JobRecord, JobRecord]
) -> None:
    assert_nobody_is_named(site.system.folder, site.system.settings.state_dir, _MARKER)
