"""A real Orthanc routes a chest study here and gets structured report and key image back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest
from dicomweb_client import DICOMwebClient

from dicom_io.phantoms import write_chest_study
from dicom_io.send import NodeAddress, send_files
from flows.demo import LocalSystem
from flows.settings import DimseNode
from models.phantoms import random_nodules
from tests.conformance.checker import header_errors, template_errors
from tests.packages.blobs import NAME, build_blob_package
from tests.peers import Orthanc, free_port, start_orthanc, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Site:
    """A PACS and SecondRead, each a node of the other."""

    orthanc: Orthanc
    system: LocalSystem

    def send(self, study: PhantomStudy) -> None:
        """Play the modality."""
        pacs = NodeAddress(self.orthanc.ae_title, self.orthanc.host, self.orthanc.dicom_port)
        assert all(result.delivered for result in send_files(study.paths, pacs, "MODALITY"))

    def reports(self, study_uid: str) -> list[str]:
        """Return the SOP Instance UIDs of the study's structured reports in the PACS."""
        return self._of("00080060", "SR", study_uid)

    def pictures(self, study_uid: str) -> list[str]:
        """Return the SOP Instance UIDs of the study's key images in the PACS."""
        return self._of("00080016", "1.2.840.10008.5.1.4.1.1.7", study_uid)

    def _of(self, tag: str, value: str, study_uid: str) -> list[str]:
        found = self.orthanc.instances(study_uid)
        return [one["00080018"]["Value"][0] for one in found if one[tag]["Value"] == [value]]

    def stable_times(self, study_uid: str) -> int:
        """Return how often Orthanc has called the study stable, which is when it routes it."""
        (known,) = self.orthanc.post("/tools/lookup", content=study_uid.encode()) or [{"ID": None}]
        changes = self.orthanc.get("/changes", limit="10000")["Changes"]
        return sum(c["ChangeType"] == "StableStudy" and c["ID"] == known["ID"] for c in changes)

    def routing_ended(self) -> bool:
        """Return whether Orthanc has nothing more to send."""
        return all(job["State"] in {"Success", "Failure"} for job in self.orthanc.get("/jobs", expand=""))

    def secondread(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line beside the service."""
        environment = {**os.environ, "SECONDREAD_CONFIG": str(self.system.path), "COLUMNS": "300"}
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            timeout=_PATIENCE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    for version in ("0.0.1", "0.0.2"):
        build_blob_package(folder / "packages", version)
    port = free_port()
    with start_orthanc(folder, secondread_port=port, route_results=True) as orthanc:
        system = LocalSystem(
            folder / "secondread",
            nodes={"pacs": DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port)},
            package=f"{NAME}@0.0.1",
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


@dataclass(frozen=True)
class PhantomStudy:
    """A study on disk."""

    study_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]


def phantom_study(folder: Path, seed: int) -> PhantomStudy:
    paths = write_chest_study(folder, seed, nodules=random_nodules(seed, 1), rows=704, columns=704)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
    uids = tuple(str(header.SOPInstanceUID) for header in headers)
    return PhantomStudy(str(headers[0].StudyInstanceUID), uids, tuple(paths))


@pytest.fixture(scope="module")
def study(site: Site, tmp_path_factory: pytest.TempPathFactory) -> PhantomStudy:
    """Return a study that went through the PACS and back."""
    made = phantom_study(tmp_path_factory.mktemp("study"), 77)
    site.send(made)
    uid = made.study_instance_uid
    wait_until(
        "report and key image in the PACS",
        lambda: site.reports(uid) and site.pictures(uid),
        _PATIENCE_S,
        0.5,
    )
    return made


def test_qido_finds_report_and_key_image(site: Site, study: PhantomStudy) -> None:
    client = DICOMwebClient(site.orthanc.dicomweb_url)
    series = client.search_for_series(study_instance_uid=study.study_instance_uid)
    found = {one["0020000E"]["Value"][0]: one["00080060"]["Value"][0] for one in series}
    assert "SR" in found.values()
    assert len(found) == 3, found
    (report,) = client.search_for_instances(
        study_instance_uid=study.study_instance_uid, search_filters={"Modality": "SR"}
    )
    assert report["00080016"]["Value"] == ["1.2.840.10008.5.1.4.1.1.88.34"]


def test_what_came_back_passes_the_validators(site: Site, study: PhantomStudy, tmp_path: Path) -> None:
    uid = study.study_instance_uid
    with site.system.journal() as journal:

        def told() -> list[str] | None:
            (job,) = journal.jobs(study_id=journal.find_study(uid).id)  # type: ignore[union-attr]
            return job.outcome.get("objects")

        objects = wait_until("the end of the job", told, 60)
    assert len(objects) >= 2

    def arrived() -> list[str] | None:
        found = [*site.reports(uid), *site.pictures(uid)]
        return found if len(found) == len(objects) else None

    uids = wait_until("all results in the archive", arrived, 60)
    paths = [site.orthanc.download(uid, tmp_path / f"{uid}.dcm") for uid in uids]
    assert template_errors(*paths) == []
    source = pydicom.dcmread(study.paths[0], stop_before_pixels=True)
    for path in paths:
        result = pydicom.dcmread(path)
        assert result.PatientID == source.PatientID
        assert result.StudyInstanceUID == source.StudyInstanceUID
        assert result.SeriesInstanceUID != source.SeriesInstanceUID


def test_results_that_are_routed_out_again_are_kept_and_never_read(site: Site, study: PhantomStudy) -> None:
    uid = study.study_instance_uid
    wait_until("Orthanc to route the study again", lambda: site.stable_times(uid) >= 2, 60)
    wait_until("Orthanc's jobs to end", site.routing_ended, 60)
    with site.system.journal() as journal:
        record = journal.find_study(uid)
        assert record is not None

        (job,) = journal.jobs(study_id=record.id)
        objects = [one.kind for one in journal.job_results(job.id)]

        def returned() -> bool:
            return len(journal.study_instances(record.id, own_results=True)) == len(objects)

        wait_until("all results to be journaled as our own", returned, 60)
        # A quiet time and a stable age later nothing has moved.
        before = site.stable_times(uid)
        wait_until("the study to rest", lambda: journal.find_study(uid).state == "routed", 60)  # type: ignore[union-attr]
        assert len(journal.jobs(study_id=record.id)) == 1
        assert [one.sop_instance_uid for one in journal.study_instances(record.id)] == list(
            study.sop_instance_uids
        )
        assert site.stable_times(uid) == before
    assert len(site.reports(uid)) == 1
    assert len(site.pictures(uid)) == len(objects) - 1


def test_reprocessing_without_a_change_sends_the_same_objects(site: Site, study: PhantomStudy) -> None:
    uid = study.study_instance_uid
    before = site.reports(uid), site.pictures(uid)
    told = site.secondread("reprocess", uid, "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "attempt 2 of job" in told.stdout
    done = site.secondread("reprocess", uid, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (site.reports(uid), site.pictures(uid)) == before
    with site.system.journal() as journal:
        (job,) = journal.jobs(study_id=journal.find_study(uid).id)  # type: ignore[union-attr]
        assert (job.revision, job.attempt, job.state) == (1, 2, "completed")


def test_reprocessing_with_another_package_makes_a_revision_that_names_its_predecessor(
    site: Site, study: PhantomStudy, tmp_path: Path
) -> None:
    uid = study.study_instance_uid
    (first,) = site.reports(uid)
    with site.system.journal() as journal:
        pseudonym = journal.find_study(uid).pseudonym  # type: ignore[union-attr]
    done = site.secondread("reprocess", pseudonym, "--package", f"{NAME}@0.0.2", "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "revision 2" in done.stdout
    (second,) = set(site.reports(uid)) - {first}
    path = site.orthanc.download(second, tmp_path / "revision.dcm")
    report = pydicom.dcmread(path)
    assert predecessors(report) == {first}
    assert header_errors(path) == []


def predecessors(report: Any) -> set[str]:
    """Return the SOP Instance UIDs that Predecessor Documents Sequence names."""
    return {
        str(instance.ReferencedSOPInstanceUID)
        for item in report.PredecessorDocumentsSequence
        for series in item.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }


def test_unknown_and_purged_studies_are_refused_with_the_reason(
    site: Site, tmp_path: Path, study: PhantomStudy
) -> None:
    unknown = site.secondread("reprocess", "1.2.3.4")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "secondread: the journal knows no study 1.2.3.4\n"
    other = phantom_study(tmp_path, 78)
    site.send(other)
    uid = other.study_instance_uid
    wait_until("the other report", lambda: site.reports(uid), _PATIENCE_S, 0.5)
    # Orthanc sends all of it once more when the results have made it stable again.
    wait_until("Orthanc to route it again", lambda: site.stable_times(uid) >= 2, 60)
    wait_until("Orthanc's jobs to end", site.routing_ended, 60)
    with site.system.journal() as journal:

        def at_rest() -> bool:
            found = journal.find_study(uid)
            return found is not None and found.state == "routed"

        wait_until("the other study to rest", at_rest, 60)
        journal.purge_study(journal.find_study(uid).id, "a test")  # type: ignore[union-attr]
    purged = site.secondread("reprocess", uid)
    assert purged.returncode == 1
    assert "is purged: its files are gone" in purged.stderr


def test_reprocessing_waits_in_the_queue_while_nothing_runs(site: Site, study: PhantomStudy) -> None:
    uid = study.study_instance_uid
    site.system.stop()
    asked = site.secondread("reprocess", uid)
    assert asked.returncode == 0, asked.stderr
    assert "is in the queue" in asked.stdout
    with site.system.journal() as journal:
        study_id = journal.find_study(uid).id  # type: ignore[union-attr]
        waiting = journal.jobs(study_id=study_id)[-1]
        assert waiting.state == "waiting"
        again = site.secondread("reprocess", uid)
        assert again.returncode == 1
        assert f"job {waiting.id}" in again.stderr
        assert "is waiting" in again.stderr
        site.system.start(_PATIENCE_S)
        wait_until("the job to end", lambda: journal.job(waiting.id).state == "completed", _PATIENCE_S, 0.5)
