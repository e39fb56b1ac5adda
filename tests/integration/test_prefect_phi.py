"""Nothing that names a patient leaves the inbox and the results: not to Prefect, journal, logs or metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import httpx
import pytest
from pydicom import dcmread

from dicom_io.archive import ArchiveNode
from dicom_io.phantom_markers import marker_values
from dicom_io.phantoms import FilmOptions, write_chest_study
from dicom_io.send import send_files
from flows.demo.system import LocalSystem
from flows.journal import JobRecord
from flows.settings import DimseNode
from tests.integration.test_prefect_study import ended
from tests.packages.blobs import REFERENCE, build_blob_package
from tests.peers import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_START_S = 240.0

_MARKER = "ZQPHI7"
_DATES = ("19010203", "040506")
_WITH_PHI = ("inbox", "results", "quarantine")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    packages = tmp_path_factory.mktemp("packages")
    build_blob_package(packages)
    with ArchiveNode(tmp_path_factory.mktemp("archive"), port=free_port()) as archive:
        made = LocalSystem(
            tmp_path_factory.mktemp("system"),
            nodes={"archive": DimseNode(ae_title=archive.ae_title, port=archive.port)},
            package=REFERENCE,
            quiet_time_s=0.2,
            settings={"runtime": {"package_dirs": [str(packages)], "threads": 1}},
        )
        try:
            yield made.start(_START_S)
        finally:
            made.stop()


def studies(folder: Path) -> Iterator[list[Path]]:
    """Write a good study, one that is refused, one whose pixels are cut off, and one that is not routed."""
    good = FilmOptions(marker=_MARKER, study="good")
    yield write_chest_study(folder / "good", 1, rows=640, columns=640, options=good)
    black = write_chest_study(
        folder / "black", 1, rows=640, columns=640, options=FilmOptions(marker=_MARKER, study="black")
    )
    dataset = dcmread(black[0])
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(black[0])
    yield black
    short = write_chest_study(
        folder / "short", 1, rows=640, columns=640, options=FilmOptions(marker=_MARKER, study="short")
    )
    dataset = dcmread(short[0])
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 3]
    dataset.save_as(short[0])
    yield short
    knee = FilmOptions(marker=_MARKER, study="knee", body_part="KNEE")
    yield write_chest_study(folder / "knee", 1, rows=640, columns=640, options=knee)


@pytest.fixture(scope="module")
def leftovers(system: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> list[JobRecord]:
    """Send all studies, wait for their ends and for Prefect's background writers."""
    uids = []
    for paths in studies(tmp_path_factory.mktemp("sent")):
        # Another object with a used UID is quarantined, with all its names.
        assert send_files(paths, system.address)[0].delivered
        uids.append(str(dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID))
    with system.journal() as journal:
        jobs = [ended(journal, uid) for uid in uids[:2]]
        assert [job.state for job in jobs] == ["completed", "refused"]
    time.sleep(8)
    return jobs


def searched(system: LocalSystem) -> list[Path]:
    """Return every file that the service wrote beside inbox, results and quarantine."""
    state = system.settings.state_dir
    return [
        path
        for path in system.folder.rglob("*")
        if path.is_file()
        and not (path.is_relative_to(state) and path.relative_to(state).parts[0] in _WITH_PHI)
    ]


def needles(system: LocalSystem, jobs: list[JobRecord]) -> list[bytes]:
    values = [value.split("^")[0] for value in marker_values(_MARKER).values()]
    return [_MARKER.encode(), *(value.encode() for value in values if len(value) > 7)]


def test_no_file_beside_the_inbox_has_a_marker(system: LocalSystem, leftovers: list[JobRecord]) -> None:
    files = searched(system)
    names = {path.name for path in files}
    assert {"prefect.db", "journal.sqlite", "conductor.log", "prefect-server.log", "serve.log"} <= names
    found = [
        (path.relative_to(system.folder), needle)
        for path in files
        for needle in needles(system, leftovers)
        if needle in path.read_bytes()
    ]
    assert not found


def test_no_file_name_has_a_marker(system: LocalSystem, leftovers: list[JobRecord]) -> None:
    inbox = system.settings.inbox
    names = [
        str(path.relative_to(system.folder))
        for path in system.folder.rglob("*")
        if not path.is_relative_to(inbox)
    ]
    assert not [name for name in names if _MARKER in name or any(date in name for date in _DATES)]


def test_prefect_knows_no_uid_of_a_patient(system: LocalSystem, leftovers: list[JobRecord]) -> None:
    """Pseudonyms are all that Prefect has: Study Instance UIDs lead to a patient for whoever has the PACS."""
    prefect = system.settings.state_dir / "prefect"
    for path in prefect.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for job in leftovers:
                assert job.study_instance_uid.encode() not in content, path
    assert leftovers[0].pseudonym.encode() in b"".join(
        path.read_bytes() for path in prefect.glob("prefect.db*")
    )


def test_metrics_have_no_marker(system: LocalSystem, leftovers: list[JobRecord]) -> None:
    metrics = system.settings.metrics
    with urlopen(f"http://{metrics.host}:{metrics.port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "secondread_" in text
    assert _MARKER not in text
    assert not any(job.study_instance_uid in text for job in leftovers)


def test_prefect_answers_without_a_marker(system: LocalSystem, leftovers: list[JobRecord]) -> None:
    """Ask as the UI does, after the database was looked through: answers could come from memory."""
    for what in ("flow_runs", "task_runs", "logs", "artifacts"):
        answer = httpx.post(f"{system.settings.prefect.url}/{what}/filter", json={"limit": 200}, timeout=30)
        assert answer.json(), what
        assert _MARKER not in answer.text
