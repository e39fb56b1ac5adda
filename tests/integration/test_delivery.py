"""The whole service delivers to a PACS that commits, to its DICOMweb, to a folder, and past a dead node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pydicom
import pytest

from dicom_io.phantoms import write_chest_study
from dicom_io.send import send_files
from flows.demo import LocalSystem
from flows.journal import FINAL_JOB_STATES, DeliveryRecord, JobRecord
from flows.settings import DicomwebNode, DimseNode, FolderNode
from models.phantoms import random_nodules
from tests.packages.blobs import NAME, build_blob_package
from tests.peers import Orthanc, free_port, start_orthanc, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

_PATIENCE_S = 240.0


@dataclass(frozen=True)
class Site:
    """An Orthanc that commits, and the service."""

    orthanc: Orthanc
    system: LocalSystem
    share: Path

    def secondread(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line beside the service."""
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "SECONDREAD_CONFIG": str(self.system.path)},
            timeout=_PATIENCE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    build_blob_package(folder / "packages")
    port = free_port()
    with start_orthanc(folder, secondread_port=port, stable_age_s=3600) as orthanc:
        system = LocalSystem(
            folder / "secondread",
            nodes={
                "dead": DimseNode(ae_title="DEAD", port=free_port(), attempts=1),
                "pacs": DimseNode(ae_title=orthanc.ae_title, port=orthanc.dicom_port),
                "web": DicomwebNode(kind="dicomweb", url=orthanc.dicomweb_url),
                "share": FolderNode(kind="folder", path=folder / "share"),
            },
            package=NAME,
            quiet_time_s=0.2,
            settings={
                "listener": {"port": port},
                "runtime": {"package_dirs": [str(folder / "packages")]},
            },
        )
        try:
            system.start(_PATIENCE_S)
            yield Site(orthanc, system, folder / "share")
        finally:
            system.stop()


@pytest.fixture(scope="module")
def job(site: Site, tmp_path_factory: pytest.TempPathFactory) -> JobRecord:
    """Return the completed job of a study that was sent to the service."""
    paths = write_chest_study(
        tmp_path_factory.mktemp("study"), 77, nodules=random_nodules(77, 1), rows=704, columns=704
    )
    assert all(result.delivered for result in send_files(paths, site.system.address))
    study_uid = str(pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID)
    with site.system.journal() as journal:

        def ended() -> JobRecord | None:
            study = journal.find_study(study_uid)
            jobs = journal.jobs(study_id=study.id) if study is not None else []
            return jobs[-1] if jobs and jobs[-1].state in FINAL_JOB_STATES else None

        found: JobRecord = wait_until("the end of the job", ended, _PATIENCE_S)
    return found


def deliveries(site: Site, job: JobRecord, destination: str) -> list[DeliveryRecord]:
    with site.system.journal() as journal:
        return [one for one in journal.deliveries(job.id) if one.destination == destination]


def states(site: Site, job: JobRecord, destination: str) -> set[str]:
    return {one.state for one in deliveries(site, job, destination)}


def test_the_pacs_has_committed_everything(site: Site, job: JobRecord) -> None:
    assert job.state == "completed", job
    wait_until("commitment", lambda: states(site, job, "pacs") == {"committed"}, 30)
    sent = deliveries(site, job, "pacs")
    assert {one.attempts for one in sent} == {1}
    assert {one.commitment_requests for one in sent} == {1}
    held = {one["00080018"]["Value"][0] for one in site.orthanc.instances(job.study_instance_uid)}
    assert {one.sop_instance_uid for one in sent} <= held


def test_the_others_have_everything_too(site: Site, job: JobRecord) -> None:
    assert states(site, job, "web") == states(site, job, "share") == {"sent"}
    kept = {one.path.name for one in deliveries(site, job, "share")}
    assert {path.name for path in site.share.rglob("*.dcm")} == kept
    assert len(kept) > 1


def test_the_dead_one_alone_is_missing_its_objects(site: Site, job: JobRecord) -> None:
    assert states(site, job, "dead") == {"failed"}
    assert job.reason is not None
    assert "dead: " in job.reason
    assert "pacs" not in job.reason


def test_people_see_it(site: Site, job: JobRecord) -> None:
    answer = site.secondread("deliveries", job.pseudonym, "--json")
    assert answer.returncode == 0, answer.stderr
    shown = {(one["destination"], one["state"]) for one in json.loads(answer.stdout)}
    assert shown == {("dead", "failed"), ("pacs", "committed"), ("web", "sent"), ("share", "sent")}
    metrics = httpx.get(f"http://127.0.0.1:{site.system.settings.metrics.port}/metrics", trust_env=False).text
    assert 'secondread_destination_deliveries{destination="pacs",state="awaiting"} 0.0' in metrics
    checked = site.secondread("config", "check", "--nodes", "--json")
    warnings = [text for text in json.loads(checked.stdout)["warnings"] if text.startswith("node ")]
    assert [text.split(":")[0] for text in warnings] == ["node 'dead' does not answer"]


def test_a_dead_destination_that_is_tried_now_still_fails(site: Site, job: JobRecord) -> None:
    answer = site.secondread("deliver", "--retry", "--destination", "dead", "--now")
    assert answer.returncode == 1
    assert "have not arrived" in answer.stderr
