"""Which earlier examination a run of mammograms compares with, by journal and inbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from dicom_io.reading import data_set_sha256
from dicom_io.receive.records import StoredInstance
from flows.detectors import DetectorCache
from flows.journal import JobDraft, JobRecord, Journal, KnownPatient
from flows.journal.tables import instances
from flows.settings import Settings
from flows.study_run import StudyRun
from tests.flows.breasts import edited
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


def run_of(
    job: JobRecord, journal: Journal, folder: Path, *, multi_site: bool = False, key_images: int = 1
) -> StudyRun:
    route = {
        "name": "mammography",
        "package": "blobs",
        "when": [{"tag": "Modality", "equals": "MG"}],
        "multi_site": multi_site,
        "key_images": key_images,
    }
    settings = Settings.model_validate({"state_dir": folder, "routes": [route]})
    return StudyRun(job, journal, settings, DetectorCache(settings.runtime), folder / "scratch")


def rehashed(journal: Journal, one: StoredInstance, path: Path) -> None:
    """Let the journal know a changed file as the one that was received."""
    with journal._writing() as connection:
        connection.execute(
            update(instances)
            .where(instances.c.sop_instance_uid == one.sop_instance_uid)
            .values(sha256=data_set_sha256(path))
        )


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


def test_a_study_of_the_same_day_does_not_hide_the_one_of_last_year(
    sqlite_journal: Journal, read: Read, tmp_path: Path
) -> None:
    last_year = read(f"{STUDY}.1", FIRST, EXAM)
    read(f"{STUDY}.2", FIRST + timedelta(days=365), EXAM)
    now = read(f"{STUDY}.3", FIRST + timedelta(days=365, hours=1), None)
    prior = run_of(now, sqlite_journal, tmp_path).prior()
    assert prior is not None and prior.job_id == last_year.id


def test_a_study_without_a_common_view_does_not_hide_the_one_before(
    sqlite_journal: Journal, read: Read, tmp_path: Path
) -> None:
    before = read(f"{STUDY}.1", FIRST, EXAM)
    other = read(f"{STUDY}.2", FIRST + timedelta(days=365), EXAM)
    now = read(f"{STUDY}.3", FIRST + timedelta(days=700), None)
    run = run_of(now, sqlite_journal, tmp_path)
    for job, view in ((before, "MLO"), (other, "CC"), (now, "MLO")):
        for one in images(sqlite_journal, job):
            path = run.settings.inbox / one.path
            edited(path, Modality="MG", ViewPosition=view, ImageLaterality="L", BodyPartExamined="BREAST")
            if job is not now:
                rehashed(sqlite_journal, one, path)
    prior = run.prior()
    assert prior is not None and prior.job_id == before.id


def test_another_birth_date_means_no_prior(
    sqlite_journal: Journal, read: Read, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = read(f"{STUDY}.1", FIRST, EXAM)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None)
    run = run_of(now, sqlite_journal, tmp_path)
    for job, born in ((before, "19500101"), (now, "19600101")):
        for one in images(sqlite_journal, job):
            path = run.settings.inbox / one.path
            edited(path, PatientBirthDate=born)
            if job is not now:
                rehashed(sqlite_journal, one, path)
    assert run.prior() is None
    assert "another birth date" in caplog.text
    assert "19500101" not in caplog.text


def test_without_key_images_no_prior_is_looked_for(
    sqlite_journal: Journal, read: Read, tmp_path: Path
) -> None:
    read(f"{STUDY}.1", FIRST, EXAM)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=700), None)
    assert run_of(now, sqlite_journal, tmp_path, key_images=0).prior() is None


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
