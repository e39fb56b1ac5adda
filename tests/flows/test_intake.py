from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.completeness import Completeness
from flows.intake import Intake
from flows.journal import Journal
from flows.routing.rules import Route
from models.registry import Registry
from tests.flows.conftest import STUDY, Clock, pseudonym
from tests.flows.films import MARKER, film, make_package, receive

CHEST = Route.model_validate(
    {
        "name": "chest",
        "package": "films",
        "when": [{"tag": "Modality", "in": ["CR", "DX"]}],
        "quiet_time_s": 5.0,
    }
)


class Desk:
    """An inbox with an intake that is turned by hand."""

    def __init__(self, journal: Journal, folder: Path, clock: Clock) -> None:
        self.journal, self.clock = journal, clock
        self.inbox = folder / "inbox"
        self.packages = make_package(folder / "packages")

    def intake(self, *routes: Route, **options: Any) -> Intake:
        chosen = routes or (CHEST,)
        return Intake(
            self.journal,
            self.inbox,
            chosen,
            Registry([self.packages]),
            configuration_hash=lambda route, package: "c",
            completeness=Completeness(self.journal, chosen, frozenset, self.clock, self.clock.monotonic),
            **options,
        )

    def receive(self, *numbers: int, study: str = STUDY, **changes: Any) -> None:
        for number in numbers:
            self.journal.record_instance(receive(film(number, study, **changes), self.inbox, self.clock))


@pytest.fixture
def desk(journal: Journal, tmp_path: Path, clock: Clock) -> Desk:
    return Desk(journal, tmp_path, clock)


def _only(journal: Journal, study: str = STUDY) -> Any:
    return journal.find_study(study)


def test_a_quiet_study_becomes_a_job(desk: Desk, journal: Journal, clock: Clock) -> None:
    intake = desk.intake()
    desk.receive(1, 2)
    assert intake.run_once() == []
    clock.advance(5)
    (job,) = intake.run_once()
    study = _only(journal)
    assert (study.state, study.reason) == ("routed", "chest: 2 for films@1.0.0")
    assert (job.route, job.package, job.state, job.revision) == ("chest", "films@1.0.0", "waiting", 1)
    assert len(journal.job_instances(job.id)) == 2
    assert intake.run_once() == []


def test_a_study_that_nothing_reads_says_why(desk: Desk, journal: Journal, clock: Clock) -> None:
    desk.receive(1, ViewPosition="LL")
    desk.receive(1, study="1.2.3", Modality="CT")
    desk.receive(1, study="1.2.4", BodyPartExamined="HAND")
    clock.advance(5)
    assert desk.intake().run_once() == []
    assert {_only(journal, uid).state for uid in (STUDY, "1.2.3", "1.2.4")} == {"not-routed"}
    assert "lateral" in _only(journal).reason.lower()
    assert _only(journal, "1.2.3").reason == "chest: Modality is 'CT', one of 'CR', 'DX' is needed"
    assert "HAND" in _only(journal, "1.2.4").reason
    assert journal.jobs() == []


def test_late_instances_make_a_revision_only_if_they_are_read(
    desk: Desk, journal: Journal, clock: Clock
) -> None:
    intake = desk.intake()
    desk.receive(1)
    clock.advance(5)
    (first,) = intake.run_once()
    journal.start_job(first.id)
    journal.finish_job(first.id, "completed")
    desk.receive(2, Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.67")
    desk.receive(3, ViewPosition="LL")
    clock.advance(5)
    assert intake.run_once() == []
    assert _only(journal).state == "routed"
    desk.receive(4)
    clock.advance(5)
    (second,) = intake.run_once()
    assert (second.revision, second.predecessor_id) == (2, first.id)
    assert second.fingerprint != first.fingerprint


def test_a_study_that_was_not_routed_may_be_later(desk: Desk, journal: Journal, clock: Clock) -> None:
    intake = desk.intake()
    desk.receive(1, ViewPosition="LL")
    clock.advance(5)
    intake.run_once()
    desk.receive(2)
    clock.advance(5)
    (job,) = intake.run_once()
    assert _only(journal).state == "routed"
    assert len(journal.job_instances(job.id)) == 1


def test_two_routes_with_one_package_make_objects_of_their_own(desk: Desk, clock: Clock) -> None:
    other = CHEST.model_copy(update={"name": "research"})
    desk.receive(1)
    clock.advance(5)
    one, two = desk.intake(CHEST, other).run_once()
    assert (one.route, two.route) == ("chest", "research")
    assert one.fingerprint == two.fingerprint
    assert one.configuration_hash != two.configuration_hash
    assert one.idempotency_key != two.idempotency_key


def test_one_bad_study_does_not_stop_the_others(desk: Desk, journal: Journal, clock: Clock) -> None:
    intake = desk.intake(maximum_tries=2, retry_s=0.0)
    desk.receive(1)
    (desk.inbox / STUDY / f"{STUDY}.1" / f"{STUDY}.1.1.dcm").unlink()
    desk.receive(1, study="1.2.3")
    path = desk.inbox / "1.2.3" / "1.2.3.1" / "1.2.3.1.1.dcm"
    path.write_bytes(b"not DICOM")
    desk.receive(1, study="1.2.4")
    clock.advance(5)
    assert [job.study_instance_uid for job in intake.run_once()] == ["1.2.4"]
    assert (_only(journal).state, _only(journal).tries) == ("complete", 1)
    intake.run_once()
    missing, broken = _only(journal), _only(journal, "1.2.3")
    assert (missing.state, broken.state) == ("failed", "failed")
    assert missing.reason == "file 1 of 1 is missing in the inbox (FileNotFoundError)"
    assert broken.reason.startswith("file 1 of 1 cannot be read in the inbox")
    assert intake.run_once() == []
    desk.receive(2)
    assert _only(journal).state == "receiving"


def test_a_file_that_rotted_on_the_disk_is_not_read(desk: Desk, journal: Journal, clock: Clock) -> None:
    desk.receive(1)
    path = desk.inbox / STUDY / f"{STUDY}.1" / f"{STUDY}.1.1.dcm"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    clock.advance(5)
    assert desk.intake(maximum_tries=1).run_once() == []
    study = _only(journal)
    assert (study.state, study.reason) == (
        "failed",
        "1 files of the inbox are not what was received: look at the disk",
    )


def test_a_failing_study_is_tried_again_after_a_pause(desk: Desk, journal: Journal, clock: Clock) -> None:
    intake = desk.intake(retry_s=0.2)
    desk.receive(1)
    path = desk.inbox / STUDY / f"{STUDY}.1" / f"{STUDY}.1.1.dcm"
    content = path.read_bytes()
    path.unlink()
    clock.advance(5)
    intake.run_once()
    path.write_bytes(content)
    assert intake.run_once() == []
    time.sleep(0.25)
    assert len(intake.run_once()) == 1


def test_a_package_that_is_missing_fails_the_study_and_not_the_other_route(
    desk: Desk, journal: Journal, clock: Clock
) -> None:
    lost = CHEST.model_copy(update={"name": "lost", "package": "nothing"})
    intake = desk.intake(lost, CHEST, maximum_tries=2, retry_s=0.0)
    desk.receive(1)
    clock.advance(5)
    intake.run_once()
    intake.run_once()
    study = _only(journal)
    assert study.state == "failed"
    assert study.reason.startswith("route lost: package nothing cannot be used")
    assert [job.route for job in journal.jobs()] == ["chest"]


def test_after_a_crash_between_complete_and_routed_nothing_is_lost(
    desk: Desk, journal: Journal, journal_url: str, clock: Clock
) -> None:
    desk.receive(1)
    clock.advance(5)
    study = journal.receiving_studies()[0]
    assert journal.mark_complete(study.id, study.last_instance_at)
    with Journal(journal_url, pseudonym=pseudonym, clock=clock) as reopened:
        desk.journal = reopened
        assert len(desk.intake().run_once()) == 1


def test_nothing_of_the_patient_gets_into_journal_or_log(
    desk: Desk, journal: Journal, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    named = Route.model_validate(
        {"name": "named", "package": "films", "when": [{"tag": "PatientName", "equals": "x"}]}
    )
    desk.receive(1)
    desk.receive(1, study="1.2.3", ViewPosition="LL")
    desk.receive(1, study="1.2.4")
    (desk.inbox / "1.2.4" / "1.2.4.1" / "1.2.4.1.1.dcm").write_bytes(b"DICM" + MARKER.encode() * 100)
    clock.advance(5)
    intake = desk.intake(CHEST, named, maximum_tries=1)
    intake.run_once()
    kept = str(journal.overview().as_json()) + str([journal.study_events(n) for n in (1, 2, 3)])
    assert MARKER not in kept
    assert MARKER not in caplog.text
    assert STUDY not in caplog.text


def test_an_unforeseen_error_is_told_by_its_kind_alone(
    desk: Desk,
    journal: Journal,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError(f"{MARKER} {STUDY}")

    monkeypatch.setattr("flows.intake.route_study", fail)
    desk.receive(1)
    clock.advance(5)
    desk.intake(maximum_tries=1).run_once()
    assert _only(journal).reason == "routing failed with KeyError"
    assert MARKER not in caplog.text
    assert STUDY not in caplog.text
    assert "flows/intake.py" in caplog.text


class _Broken(Journal):
    broken = True

    def receiving_studies(self) -> Any:
        if self.broken:
            raise OSError("no database")
        return super().receiving_studies()


def _wait(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_the_thread_goes_on_when_the_journal_is_back(tmp_path: Path, clock: Clock) -> None:
    with _Broken(f"sqlite:///{tmp_path / 'journal.sqlite'}", pseudonym=pseudonym, clock=clock) as journal:
        journal.upgrade()
        desk = Desk(journal, tmp_path, clock)
        intake = desk.intake(poll_s=0.01)
        intake.start()
        with pytest.raises(RuntimeError, match="already"):
            intake.start()
        try:
            desk.receive(1)
            clock.advance(5)
            time.sleep(0.1)
            assert intake.is_running
            assert journal.jobs() == []
            journal.broken = False
            _wait(lambda: len(journal.jobs()) == 1)
        finally:
            intake.stop()
        assert not intake.is_running


def test_a_complete_study_is_a_job_at_once(sqlite_journal: Journal, tmp_path: Path, clock: Clock) -> None:
    """From the moment that the quiet time is over to the row of the job, not at the next look."""
    desk = Desk(sqlite_journal, tmp_path, clock)
    intake = desk.intake(poll_s=30.0)
    intake.start()
    taken: list[float] = []
    try:
        for number in range(1, 12):
            study = f"1.2.3.{number}"
            desk.receive(1, study=study)
            clock.advance(5)
            started = time.perf_counter()
            intake.wake()
            _wait(lambda: len(sqlite_journal.jobs()) == number)  # noqa: B023
            taken.append(time.perf_counter() - started)
    finally:
        intake.stop()
    assert max(taken) < 5, taken
    print(f"\nquiet to job row, ms: {sorted(round(1000 * t, 1) for t in taken)}")
