"""Studies through the whole service: real listener, Prefect server, conductor, warm processes, archive."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import FlowRun
from prefect.states import Cancelling
from pydicom import dcmread

from dicom_io.archive import ArchiveNode
from dicom_io.phantoms import FilmOptions, write_chest_study
from dicom_io.receive.part10 import data_set_sha256, read_header
from dicom_io.send import send_files
from flows.demo.system import LocalSystem
from flows.journal import FINAL_JOB_STATES, JobRecord, Journal
from flows.manifest import read_manifest
from flows.settings import DimseNode
from tests.integration.prefect_support import final_run, running_run
from tests.packages.blobs import REFERENCE, build_blob_package
from tests.peers import free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_START_S = 240.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveNode]:
    node = ArchiveNode(tmp_path_factory.mktemp("archive"), port=free_port())
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, archive: ArchiveNode) -> Iterator[LocalSystem]:
    packages = tmp_path_factory.mktemp("packages")
    build_blob_package(packages)
    made = LocalSystem(
        tmp_path_factory.mktemp("system"),
        nodes={"archive": DimseNode(ae_title=archive.ae_title, port=archive.port)},
        package=REFERENCE,
        quiet_time_s=0.2,
        settings={
            "runtime": {"package_dirs": [str(packages)], "threads": 1},
            "outbox": {"reconcile_interval_s": 1.0, "delivery_attempts": 2},
        },
    )
    try:
        yield made.start(_START_S)
    finally:
        made.stop()


@pytest.fixture
def journal(system: LocalSystem) -> Iterator[Journal]:
    with system.journal() as opened:
        yield opened


def send(system: LocalSystem, folder: Path, seed: int, **options: object) -> str:
    """Send a small phantom and return its Study Instance UID."""
    paths = write_chest_study(
        folder,
        seed,
        rows=640,
        columns=640,
        options=FilmOptions(**options),  # type: ignore[arg-type]
    )
    results = send_files(paths, system.address)
    assert [result.error for result in results] == [None] * len(paths)
    return str(read_header(paths[0]).StudyInstanceUID)


def job_of(journal: Journal, study_uid: str) -> JobRecord:
    def found() -> JobRecord | None:
        study = journal.find_study(study_uid)
        jobs = journal.jobs(study_id=study.id) if study is not None else []
        return jobs[-1] if jobs else None

    job: JobRecord = wait_until("the study's job", found, timeout=60)
    return job


def ended(journal: Journal, study_uid: str, timeout: float = 120) -> JobRecord:
    def end() -> JobRecord | None:
        job = job_of(journal, study_uid)
        return job if job.state in FINAL_JOB_STATES else None

    job: JobRecord = wait_until("the end of the job", end, timeout=timeout)
    return job


async def run_of(client: PrefectClient, job: JobRecord) -> FlowRun:
    assert job.flow_run_id is not None
    return await final_run(client, UUID(job.flow_run_id))


def digests(paths: Iterable[Path]) -> list[str]:
    """Return the digests of data sets, whatever file meta information stands before them."""
    return sorted(data_set_sha256(path) for path in paths)


async def test_a_study_is_read_shown_and_delivered(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    study_uid = send(system, tmp_path, 1)
    job = ended(journal, study_uid)
    assert (job.state, job.reason) == ("completed", None)
    assert [one.state for one in journal.deliveries(job.id)] == ["sent"] * len(job.outcome["objects"])
    assert {"structured-report", "key-image-1"} <= set(job.outcome["objects"])
    assert digests(archive.received(study_uid)) == digests(one.path for one in journal.job_results(job.id))
    times = journal.stage_times(job.id)
    assert list(times) == ["gather", "prepare", "gate", "infer", "assess", "encode", "deliver"]
    manifest = read_manifest(journal.job_results(job.id)[0].path.parent)
    assert [one["sop_instance_uid"] for one in manifest["inputs"]] == [
        one.sop_instance_uid for one in journal.job_instances(job.id)
    ]
    assert manifest["package"]["content_hash"] == job.package_hash
    assert len(manifest["package"]["members"]) == 3
    assert manifest["route"]["name"] == job.route
    assert [one["sha256"] for one in manifest["objects"]] == [
        hashlib.sha256(one.path.read_bytes()).hexdigest() for one in journal.job_results(job.id)
    ]
    assert {one["state"] for one in manifest["deliveries"]} == {"sent"}
    assert manifest["reading"]["decision"] == job.outcome["decision"] == "not-assessed"
    assert list(manifest["timings_s"]) == list(times)
    async with PrefectClient(system.settings.prefect.url) as client:
        run = await run_of(client, job)
        assert run.state_name == "Completed"
        assert run.name == f"{job.pseudonym} {REFERENCE}"
        assert run.parameters == {"job_id": job.id}
        [summary] = await client.read_artifacts(
            artifact_filter=ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
        )
        assert job.pseudonym in summary.data
        assert f"| archive | {len(job.outcome['objects'])} sent |" in summary.data
    assert not list(system.settings.scratch.glob("*"))
    assert not list((system.settings.state_dir / "prefect" / "storage").glob("*"))


async def test_a_second_study_leaves_nothing_in_the_process(
    system: LocalSystem, journal: Journal, tmp_path: Path
) -> None:
    first_uid = send(system, tmp_path / "a", 11)
    first = ended(journal, first_uid)
    before = {one.kind: one.path.read_bytes() for one in journal.job_results(first.id)}
    other = ended(journal, send(system, tmp_path / "b", 12))
    for one in journal.job_results(first.id):
        one.path.unlink()
    journal.create_attempt(first.id, "asked for by a test")
    again = ended(journal, first_uid)
    assert (again.state, again.attempt) == ("completed", 2)
    after = {one.kind: one.path.read_bytes() for one in journal.job_results(first.id)}
    assert after == before
    async with PrefectClient(system.settings.prefect.url) as client:
        runs = [await run_of(client, job) for job in (first, other, again)]
    assert len({run.infrastructure_pid for run in runs}) == 1


def test_a_repeat_sends_the_kept_bytes(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    study_uid = send(system, tmp_path, 21)
    first = ended(journal, study_uid)
    for path in archive.received(study_uid):
        path.unlink()
    journal.create_attempt(first.id, "asked for by a test")
    again = ended(journal, study_uid)
    assert again.outcome["findings"] == first.outcome["findings"]
    assert list(journal.stage_times(first.id)) == ["deliver"]
    assert digests(archive.received(study_uid)) == digests(one.path for one in journal.job_results(first.id))


async def test_bad_input_is_refused_with_the_reason_and_the_archive_hears_of_it(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    paths = write_chest_study(tmp_path, 31, rows=640, columns=640)
    dataset = dcmread(paths[0])
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(paths[0])
    assert send_files(paths, system.address)[0].delivered
    job = ended(journal, str(dataset.StudyInstanceUID))
    assert job.state == "refused"
    assert job.attempt == 1
    assert "constant" in (job.reason or "")
    async with PrefectClient(system.settings.prefect.url) as client:
        run = await run_of(client, job)
    assert run.state is not None
    assert (run.state.type.value, run.state.name) == ("COMPLETED", "Refused")
    assert run.state.message == job.reason
    (report,) = archive.received(job.study_instance_uid)
    assert "No algorithms succeeded; without findings" in dcmread(report).to_json()
    journal.create_attempt(job.id, "asked for by a test")
    again = ended(journal, job.study_instance_uid)
    assert (again.state, again.attempt, again.reason) == ("refused", 2, job.reason)
    assert [one.state for one in journal.deliveries(job.id)] == ["sent"]


async def test_a_process_that_dies_costs_one_attempt(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    with held_up(archive):
        study_uid = send(system, tmp_path, 41)
        pid = await running_process(system, journal, study_uid)
        os.kill(pid, signal.SIGKILL)
        wait_until("the second attempt", lambda: job_of(journal, study_uid).attempt == 2, timeout=30)
    job = ended(journal, study_uid)
    assert (job.state, job.attempt) == ("completed", 2)
    first = journal.job_attempts(job.id)[0]
    assert "crashed" in (first.reason or "") or "is gone" in (first.reason or "")
    async with PrefectClient(system.settings.prefect.url) as client:
        run = await client.read_flow_run(UUID(first.flow_run_id or ""))
        assert run.state_name == "Crashed"
    assert not list(system.settings.scratch.glob("*"))


async def test_cancelling_a_run_cancels_the_job(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    with held_up(archive):
        study_uid = send(system, tmp_path, 51)
        await running_process(system, journal, study_uid)
        job = job_of(journal, study_uid)
        async with PrefectClient(system.settings.prefect.url) as client:
            await client.set_flow_run_state(UUID(job.flow_run_id or ""), Cancelling())
        job = ended(journal, study_uid)
    assert job.state == "cancelled"
    assert "cancelled in Prefect" in (job.reason or "")


async def test_a_conductor_that_is_killed_costs_one_attempt(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    with held_up(archive):
        study_uid = send(system, tmp_path, 61)
        await running_process(system, journal, study_uid)
        conductor(system).kill()
        wait_until("the second attempt", lambda: job_of(journal, study_uid).attempt == 2, timeout=60)
    assert ended(journal, study_uid).state == "completed"


async def test_an_archive_that_is_away_gets_its_objects_later(
    system: LocalSystem, journal: Journal, archive: ArchiveNode, tmp_path: Path
) -> None:
    archive.stop()
    try:
        study_uid = send(system, tmp_path, 71)
        job = ended(journal, study_uid)
        assert job.state == "completed"
        assert {one.state for one in journal.deliveries(job.id)} == {"failed"}
        async with PrefectClient(system.settings.prefect.url) as client:
            run = await run_of(client, job)
        assert run.state_name == "Undelivered"
    finally:
        archive.start()

    def delivered() -> bool:
        return {one.state for one in journal.deliveries(job.id)} == {"sent"}

    wait_until("the late delivery", delivered, timeout=60)
    assert len(archive.received(study_uid)) == len(job.outcome["objects"])


def test_studies_wait_for_a_prefect_server_that_is_away(
    system: LocalSystem, journal: Journal, tmp_path: Path
) -> None:
    server = next(one for one in psutil.Process(system.process_id).children() if "uvicorn" in one.cmdline())
    server.kill()
    uids = [send(system, tmp_path / str(seed), seed) for seed in (81, 82, 83)]
    assert {job_of(journal, uid).state for uid in uids} == {"waiting"}
    for uid in uids:
        job = ended(journal, uid)
        assert (job.state, job.attempt) == ("completed", 1)


def conductor(system: LocalSystem) -> psutil.Process:
    children = psutil.Process(system.process_id).children()
    return next(one for one in children if "flows.conductor" in one.cmdline())


@contextmanager
def held_up(archive: ArchiveNode) -> Iterator[None]:
    """Put a peer in the archive's place that accepts connections and never answers: deliveries hang."""
    port = archive.port
    archive.stop()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", port))
        silent.listen()
        yield
    archive.start()


async def running_process(system: LocalSystem, journal: Journal, study_uid: str) -> int:
    """Wait until a job has encoded its results and return the process that has it."""

    def delivering() -> JobRecord | None:
        job = job_of(journal, study_uid)
        return job if "encode" in journal.stage_times(job.id) else None

    job = wait_until("the job to come to its delivery", delivering, timeout=60)
    async with PrefectClient(system.settings.prefect.url) as client:
        run = await running_run(client, UUID(job.flow_run_id))
    return int((run.infrastructure_pid or "").split(":")[1])
