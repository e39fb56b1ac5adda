"""A brain study and its follow-up through the whole service and a real Orthanc."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest

from dicom_io.phantom_markers import marker_values
from dicom_io.send import NodeAddress, send_files
from dicom_io.volume_phantoms import VolumeOptions, WrittenVolume, write_volume_series
from flows.demo import LocalSystem
from flows.journal import JobRecord
from flows.settings import DimseNode
from models.phantoms.brain import PhantomLesion
from tests.conformance.checker import header_errors, template_errors
from tests.integration.discretion import assert_nobody_is_named
from tests.integration.test_prefect_study import ended
from tests.packages.lesions import NAME, build_lesion_package
from tests.peers import Orthanc, free_port, start_orthanc, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

_PATIENCE_S = 240.0
_MARKER = "ZQHEAD9"
# What tells one sequence from the other stays as the scanner says it.
_TOLD = ("ContrastBolusAgent", "ProtocolName", "SeriesDescription", "StudyInstanceUID")
_MARKS = {name: value for name, value in marker_values(_MARKER).items() if name not in _TOLD}
SMALL = PhantomLesion((31.0, -23.0, 27.0), (13.19, 11.23, 12.17))
LARGE = PhantomLesion((31.0, -23.0, 27.0), (19.19, 16.23, 17.17))


@dataclass(frozen=True)
class Site:
    """A PACS, and SecondRead with one route for MR."""

    orthanc: Orthanc
    system: LocalSystem

    def read(self, written: dict[str, WrittenVolume]) -> JobRecord:
        """Play the scanner, and wait for the end of the job."""
        pacs = NodeAddress(self.orthanc.ae_title, self.orthanc.host, self.orthanc.dicom_port)
        paths = [path for series in written.values() for path in series.paths]
        assert all(result.delivered for result in send_files(paths, pacs, "SCANNER"))
        with self.system.journal() as journal:
            return ended(journal, uid_of(written))

    def results(self, study: str, sop_class: str) -> list[str]:
        """Return the instances of a SOP class that the PACS has."""
        found = self.orthanc.instances(study)
        return [one["00080018"]["Value"][0] for one in found if one["00080016"]["Value"] == [sop_class]]


def uid_of(written: dict[str, WrittenVolume]) -> str:
    path = next(iter(written.values())).paths[0]
    return str(pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID)


def write(
    folder: Path, study: str, lesion: PhantomLesion, contrasts: tuple[str, ...], **attributes: Any
) -> dict[str, WrittenVolume]:
    values = {"StudyInstanceUID": study, **_MARKS, **attributes}
    options = VolumeOptions(
        seed=4, shape=(26, 112, 104), spacing=(6.0, 1.84, 1.84), lesions=(lesion,), attributes=values
    )
    return {
        contrast: write_volume_series(folder / contrast, replace(options, contrast=contrast), number)  # type: ignore[arg-type]
        for number, contrast in enumerate(contrasts, start=1)
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    build_lesion_package(folder / "packages")
    port = free_port()
    with start_orthanc(folder, secondread_port=port, route_results=True) as orthanc:
        system = LocalSystem(
            folder / "secondread",
            nodes={"pacs": DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port)},
            package=NAME,
            quiet_time_s=2.0,
            route={"name": "brain", "when": [{"tag": "Modality", "equals": "MR"}]},
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


@pytest.fixture(scope="module")
def jobs(site: Site, tmp_path_factory: pytest.TempPathFactory) -> tuple[JobRecord, JobRecord]:
    """Return the jobs of a study and of its follow-up half a year later."""
    contrasts = ("FLAIR", "T1", "T1c", "T2")
    dates = ({"AcquisitionDateTime": "20250601100000"}, {"AcquisitionDateTime": "20251201100000"})
    made = [
        write(tmp_path_factory.mktemp("study"), f"2.25.40{number}", lesion, contrasts, **date)
        for number, (lesion, date) in enumerate(zip((SMALL, LARGE), dates, strict=True))
    ]
    first, second = (site.read(one) for one in made)
    return first, second


def test_both_studies_are_read_and_segmented(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    for job, lesion in zip(jobs, (SMALL, LARGE), strict=True):
        assert job.state == "completed"
        assert job.outcome["sequences"] == ["T1", "FLAIR", "T1 with contrast"]
        assert job.outcome["volume_ml"] == pytest.approx(lesion.volume_ml, rel=0.4)
        study = job.study_instance_uid
        (uid,) = wait_until(
            "the segmentation in the PACS",
            lambda study=study: site.results(study, "1.2.840.10008.5.1.4.1.1.66.4"),
            60,
        )
        path = site.orthanc.download(uid, tmp_path / f"{study}.dcm")
        assert header_errors(path) == []
        voxels = highdicom.seg.segread(path).get_volume(combine_segments=True, allow_missing_positions=True)
        found = np.count_nonzero(voxels.array) * float(np.prod(voxels.spacing)) / 1000
        assert found == pytest.approx(job.outcome["volume_ml"], rel=1e-3)


def test_the_report_of_the_follow_up_tells_the_change(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    first, second = (job.outcome["volume_ml"] for job in jobs)
    assert jobs[0].outcome["change_percent"] is None
    assert jobs[1].outcome["change_percent"] == pytest.approx(100 * (second - first) / first, rel=1e-6)
    study = jobs[1].study_instance_uid
    (uid,) = wait_until(
        "the report in the PACS", lambda: site.results(study, "1.2.840.10008.5.1.4.1.1.88.34"), 60
    )
    path = site.orthanc.download(uid, tmp_path / "report.dcm")
    assert template_errors(path) == []
    numbers = list(_numbers(pydicom.dcmread(path)))
    assert any(value == pytest.approx(first, rel=1e-3) for value in numbers)


def _numbers(item: pydicom.Dataset) -> Iterator[float]:
    for value in item.get("MeasuredValueSequence", ()):
        yield float(value.NumericValue)
    for content in item.get("ContentSequence", ()):
        yield from _numbers(content)


def test_another_patient_with_the_same_package_has_no_prior(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    other = write(
        tmp_path, "2.25.410", LARGE, ("FLAIR",), PatientID="SOMEONE", AcquisitionDateTime="20260101100000"
    )
    assert site.read(other).outcome["change_percent"] is None


def test_a_study_without_a_supported_set_is_refused_with_a_report(
    site: Site, jobs: tuple[JobRecord, JobRecord], tmp_path: Path
) -> None:
    job = site.read(write(tmp_path, "2.25.420", LARGE, ("T1",)))
    assert job.state == "refused"
    assert "FLAIR" in str(job.reason)
    study = job.study_instance_uid
    wait_until("the report in the PACS", lambda: site.results(study, "1.2.840.10008.5.1.4.1.1.88.34"), 60)
    assert site.results(study, "1.2.840.10008.5.1.4.1.1.66.4") == []


def test_nobody_outside_inbox_and_results_learns_whose_head_it_is(
    site: Site, jobs: tuple[JobRecord, JobRecord]
) -> None:
    assert_nobody_is_named(site.system.folder, site.system.settings.state_dir, _MARKER)
