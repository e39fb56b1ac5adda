"""Which earlier examination a run of mammograms compares with, by journal and inbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dicom_io.receive.records import StoredInstance
from flows.detectors import DetectorCache
from flows.journal import JobDraft, JobRecord, Journal, KnownPatient
from flows.settings import Settings
from flows.study_run import StudyRun
from tests.flows.conftest import STUDY, Clock
from tests.flows.films import film, receive

FIRST = datetime(2024, 3, 1, 10)  # noqa: DTZ001 - DICOM dates have no zone
EXAM = {"breasts": [], "views": ["L MLO"]}
Read = Callable[..., JobRecord]


@pytest.fixture
def read(sqlite_journal: Journal, clock: Clock, draft: Callable[..., JobDraft], tmp_path: Path) -> Read:
    """Return what receives a study of two images and, given an outcome, reads it to its end."""
    journal = sqlite_journal

    def make(study: str, at: datetime, outcome: dict[str, Any] | None, *, issued: bool = True) -> JobRecord:
        received = [receive(film(number, study), tmp_path / "inbox", clock) for number in (1, 2)]
        for one in received:
            journal.record_instance(one)
        found = journal.find_study(study)
        assert found is not None
        journal.mark_complete(found.id, received[-1].received_at)
        uids = tuple(one.sop_instance_uid for one in received)
        made = journal.create_job(found.id, draft(sop_instance_uids=uids, route="mammography"))
        assert made is not None
        clock.advance(10)
        journal.start_job(made.id, f"run-{made.id}")
        journal.note_patient(found.id, KnownPatient("a" * 32, issued=issued), at)
        if outcome is not None:
            journal.finish_job(made.id, "completed", None, outcome)
        clock.advance(10)
        return journal.job(made.id)

    return make


def run_of(job: JobRecord, journal: Journal, folder: Path, *, multi_site: bool = False) -> StudyRun:
    route = {
        "name": "mammography",
        "package": "blobs",
        "when": [{"tag": "Modality", "equals": "MG"}],
        "multi_site": multi_site,
    }
    settings = Settings.model_validate({"state_dir": folder, "routes": [route]})
    return StudyRun(job, journal, settings, DetectorCache(settings.runtime), folder / "scratch")


def images(journal: Journal, job: JobRecord) -> list[StoredInstance]:
    return journal.job_instances(job.id)


def test_the_prior_comes_with_its_images_and_shapes_the_identity(
    sqlite_journal: Journal, read: Read, tmp_path: Path
) -> None:
    before = read(f"{STUDY}.1", FIRST, EXAM)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None)
    run = run_of(now, sqlite_journal, tmp_path)
    prior = run.prior()
    assert prior is not None and prior.job_id == before.id
    assert {one.sop_instance_uid for one in prior.images} == {f"{STUDY}.1.1.1", f"{STUDY}.1.1.2"}
    assert all(one.path.is_file() for one in prior.images)
    assert run.identity == run_of(now, sqlite_journal, tmp_path).identity


@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_prior_of_which_a_file_is_not_there_any_more_is_none(
    sqlite_journal: Journal, read: Read, tmp_path: Path, how: str
) -> None:
    before = read(f"{STUDY}.1", FIRST, EXAM)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None)
    whole = run_of(now, sqlite_journal, tmp_path).identity
    run = run_of(now, sqlite_journal, tmp_path)
    path = run.settings.inbox / images(sqlite_journal, before)[0].path
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    assert run.prior() is None
    assert run.identity != whole


def test_where_several_sites_send_a_patient_without_issuer_has_no_prior(
    sqlite_journal: Journal, read: Read, tmp_path: Path
) -> None:
    read(f"{STUDY}.1", FIRST, EXAM, issued=False)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None, issued=False)
    assert run_of(now, sqlite_journal, tmp_path).prior() is not None
    assert run_of(now, sqlite_journal, tmp_path, multi_site=True).prior() is None


def test_a_reading_of_chest_films_is_no_prior(sqlite_journal: Journal, read: Read, tmp_path: Path) -> None:
    read(f"{STUDY}.1", FIRST, {"films": 1, "findings": []})
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None)
    assert run_of(now, sqlite_journal, tmp_path).prior() is None
