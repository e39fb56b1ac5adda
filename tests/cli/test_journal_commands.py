"""``status``, ``reprocess`` and ``routes explain`` on a journal as the service leaves it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from dicom_io.receive.part10 import data_set_sha256
from dicom_io.receive.records import AssociationRecord, QuarantinedInstance, RefusedInstance, StoredInstance
from flows.completeness import Completeness
from flows.encoding import configuration_hash
from flows.installation import Installation
from flows.intake import Intake
from flows.journal import Journal, open_journal
from flows.settings import Settings, load_settings
from models.registry import Registry
from tests.cli.conftest import Cli
from tests.cli.material import changed, good_film
from tests.packages.blobs import NAME, build_blob_package


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("films")
    good = good_film(folder)
    lateral = {"ViewPosition": "LL", "PatientOrientation": ["A", "F"], "ViewCodeSequence": None}
    return good, changed(good, folder / "lateral.dcm", **lateral)


@dataclass
class Service:
    """What a service leaves behind: settings, inbox and journal."""

    settings: Settings
    journal: Journal

    def receive(self, path: Path, *, complete: bool = True) -> str:
        """Put a file into inbox and journal as the listener does and return its Study Instance UID."""
        header = pydicom.dcmread(path, stop_before_pixels=True)
        study, series, uid = header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID
        relative = Path(study, series, f"{uid}.dcm")
        target = self.settings.inbox / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        self.journal.record_instance(
            StoredInstance(
                study_instance_uid=study,
                series_instance_uid=series,
                sop_instance_uid=uid,
                sop_class_uid=header.SOPClassUID,
                transfer_syntax_uid=header.file_meta.TransferSyntaxUID,
                sha256=data_set_sha256(target),
                size_bytes=target.stat().st_size,
                path=relative,
                modality=header.Modality,
                received_at=datetime.now(UTC),
                association_id="a1",
            )
        )
        if complete:
            self.route()
        return str(study)

    def route(self) -> None:
        """Complete and route what was received."""
        serial = Installation(self.settings.state_dir).serial
        Intake(
            self.journal,
            self.settings.inbox,
            self.settings.routes,
            Registry(self.settings.runtime.package_dirs),
            configuration_hash=lambda route, _package: configuration_hash(serial, route),
            completeness=Completeness(self.journal, self.settings.routes, frozenset),
        ).run_once()

    def end_job(self, study: str, state: str = "completed") -> int:
        """Let the study's last job end and return its number."""
        found = self.journal.find_study(study)
        assert found is not None
        job = self.journal.jobs(study_id=found.id)[-1]
        self.journal.start_job(job.id, f"run-{job.id}-{job.attempt}")
        self.journal.finish_job(job.id, state, "as the test wants it", {"findings": []})  # type: ignore[arg-type]
        return job.id


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Service:
    for version in ("0.0.1", "0.0.2"):
        build_blob_package(tmp_path / "packages", version)
    (tmp_path / "secondread.toml").write_text(
        f"""
state_dir = "state"
[runtime]
package_dirs = ["packages"]
[[routes]]
name = "chest"
package = "{NAME}@0.0.1"
quiet_time_s = 0
when = [{{ tag = "Modality", in = ["CR", "DX"] }}]
"""
    )
    configured = load_settings()
    return Service(configured, open_journal(configured, upgrade=True))


def test_status_shows_bad_input_with_its_reason(cli: Cli, service: Service, films: tuple[Path, Path]) -> None:
    now = datetime.now(UTC)
    service.receive(films[1])
    service.journal.record_quarantined(
        QuarantinedInstance(
            reason_code="conflicting-instance",
            reason="the SOP Instance UID is held with other content",
            study_instance_uid="1.2.3",
            series_instance_uid="1.2.3.1",
            sop_instance_uid="1.2.3.1.1",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
            sha256="0" * 64,
            size_bytes=10,
            path=Path("x.dcm"),
            received_at=now,
            association_id="a1",
        )
    )
    service.journal.record_refused(RefusedInstance("a1", 0xC000, "unparsable", "no data set in it", now))
    record = AssociationRecord(
        "a1", "BROKEN", "SECONDREAD", "127.0.0.1", now, now, 3, 1, 10, "aborted by peer"
    )
    service.journal.association_closed(record)
    text = cli("status").out
    for said in (
        "not-routed",
        "lateral",
        "conflicting-instance",
        "the SOP Instance UID is held with other content",
        "refused 0xC000",
        "no data set in it",
        "BROKEN",
        "aborted by peer",
    ):
        assert said in text, said
    told = cli("status", "--json").json
    assert told["studies_by_state"] == {"not-routed": 1}
    assert told["last_refused"][0]["status"] == 0xC000
    assert told["last_quarantined"][0]["reason_code"] == "conflicting-instance"


def test_status_of_one_study_tells_its_story(cli: Cli, service: Service, films: tuple[Path, Path]) -> None:
    uid = service.receive(films[0])
    job = service.end_job(uid)
    service.journal.stage_time(job, "infer", 1.25)
    story = cli("status", uid, "--json").json
    assert story["study"]["state"] == "routed"
    assert story["jobs"][0]["job"]["state"] == "completed"
    assert story["jobs"][0]["stages_s"] == {"infer": 1.25}
    text = cli("status", story["study"]["pseudonym"]).out
    assert "infer 1.25 s" in text
    assert str(pydicom.dcmread(films[0], stop_before_pixels=True).PatientID) not in text


def test_status_of_an_unknown_study_is_an_error(cli: Cli, service: Service) -> None:
    answer = cli("status", "1.2.3")
    assert (answer.status, answer.err) == (1, "secondread: the journal knows no study 1.2.3\n")


def test_reprocess_refuses_what_cannot_be_read(
    cli: Cli, service: Service, films: tuple[Path, Path], tmp_path: Path
) -> None:
    arriving = service.receive(changed(films[0], tmp_path / "a.dcm"), complete=False)
    assert "still arriving" in cli("reprocess", arriving).err
    waiting = service.receive(films[0])
    assert "is waiting: wait for its end" in cli("reprocess", waiting).err
    lateral = service.receive(films[1])
    answer = cli("reprocess", lateral)
    assert (answer.status, "nothing reads study" in answer.err) == (1, True)
    assert "no package" in cli("reprocess", lateral, "--package", f"{NAME}@9.9.9").err
    gone = service.receive(changed(films[0], tmp_path / "b.dcm"))
    service.end_job(gone)
    found = service.journal.find_study(gone)
    assert found is not None
    service.journal.purge_study(found.id, "a test")
    assert "is purged: its files are gone" in cli("reprocess", gone).err
    lost = service.receive(changed(films[0], tmp_path / "c.dcm"))
    service.end_job(lost)
    shutil.rmtree(service.settings.inbox / lost)
    assert "file 1 of 1 is missing in the inbox" in cli("reprocess", lost).err


def test_a_dry_run_changes_nothing(cli: Cli, service: Service, films: tuple[Path, Path]) -> None:
    uid = service.receive(films[0])
    service.end_job(uid)
    told = cli("reprocess", uid, "--dry-run", "--json").json
    assert (told["plans"][0]["kind"], told["plans"][0]["job"]) == ("attempt", None)
    (job,) = service.journal.jobs()
    assert (job.state, job.attempt) == ("completed", 1)


def test_reprocess_is_an_attempt_where_nothing_changed_and_a_revision_where_the_package_did(
    cli: Cli, service: Service, films: tuple[Path, Path]
) -> None:
    uid = service.receive(films[0])
    first = service.end_job(uid, "failed")
    told = cli("reprocess", uid, "--json").json["plans"][0]
    assert (told["kind"], told["job"]["id"], told["job"]["attempt"]) == ("attempt", first, 2)
    assert told["job"]["state"] == "waiting"
    service.end_job(uid)
    told = cli("reprocess", uid, "--package", f"{NAME}@0.0.2", "--json").json["plans"][0]
    assert (told["kind"], told["job"]["revision"], told["predecessor_job"]) == ("revision", 2, first)
    assert told["why"] == f"{NAME}@0.0.1 read it last"


def test_wait_gives_up_after_its_time_and_says_where_the_job_is(
    cli: Cli, service: Service, films: tuple[Path, Path]
) -> None:
    uid = service.receive(films[0])
    service.end_job(uid)
    answer = cli("reprocess", uid, "--wait", "--timeout", "1")
    assert answer.status == 1
    assert "is still waiting after 1 s; it stays in the queue" in answer.err


def test_routes_explain_a_study_and_a_folder(cli: Cli, service: Service, films: tuple[Path, Path]) -> None:
    uid = service.receive(films[0])
    text = cli("routes", "explain", uid).out
    assert f"1 of 1 instances go to {NAME}@0.0.1 [matched]" in text
    told = cli("routes", "explain", films[0].parent, "--json").json
    by_uid = {study["study_instance_uid"]: study for study in told}
    assert len(by_uid) == 2
    assert by_uid[uid]["routed"] is True
    (other,) = [study for study in told if study["study_instance_uid"] != uid]
    assert other["routes"][0]["instances"][0]["code"] == "lateral-view"
    assert "there is no such folder" in cli("routes", "explain", "1.2.3").err
