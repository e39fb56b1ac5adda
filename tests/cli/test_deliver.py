"""``deliveries`` and ``deliver``: what went where, and bringing on what did not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from dicom_io.archive import ArchiveNode
from dicom_io.receive.records import StoredInstance
from flows.journal import DeliveryOutcome, JobDraft, Journal, open_journal
from flows.settings import load_settings
from tests.cli.conftest import Cli
from tests.dicom_io.receive.support import CR, EXPLICIT, make_film, save
from tests.peers import free_port

STUDY = "1.2.826.0.1.3680043.8.498.1"


@dataclass(frozen=True)
class Kept:
    path: Path
    sop_instance_uid: str
    kind: str = "structured-report"
    sop_class_uid: str = CR
    series_instance_uid: str = "2.25.9"
    size_bytes: int = 1

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveNode:
    """Return an archive that is not up yet."""
    return ArchiveNode(tmp_path / "archive", port=free_port())


@pytest.fixture
def journal(tmp_path: Path, cli: Cli, archive: ArchiveNode) -> Iterator[Journal]:
    """Return a journal with one completed job: sent to a folder, dead for the archive."""
    (tmp_path / "secondread.toml").write_text(
        f"""
[nodes.pacs]
ae_title = "ARCHIVE"
port = {archive.port}
timeout_s = 5.0
[nodes.share]
kind = "folder"
path = "share"
[[routes]]
name = "chest"
package = "p"
destinations = ["pacs", "share"]
when = [{{ tag = "Modality", equals = "CR" }}]
"""
    )
    uid = str(generate_uid())
    path = save(make_film(SOPInstanceUID=uid, StudyInstanceUID=STUDY), tmp_path / "report.dcm", EXPLICIT)
    with open_journal(load_settings(), upgrade=True) as opened:
        opened.record_instance(
            StoredInstance(
                study_instance_uid=STUDY,
                series_instance_uid="2.25.5",
                sop_instance_uid="2.25.6",
                sop_class_uid=CR,
                transfer_syntax_uid=EXPLICIT,
                sha256="0" * 64,
                size_bytes=1,
                path=Path("x.dcm"),
                modality="CR",
                received_at=datetime.now(UTC),
                association_id="a1",
            )
        )
        study = opened.find_study(STUDY)
        assert study is not None
        draft = JobDraft("chest", "p", "1.0.0", "h" * 64, "c" * 64, "f" * 64, ("2.25.6",))
        job = opened.create_job(study.id, draft)
        assert job is not None
        opened.start_job(job.id)
        pacs, share = opened.record_results(job.id, [Kept(path, uid)], ["pacs", "share"])
        opened.mark_deliveries(
            [
                DeliveryOutcome(pacs.id, "dead", "ARCHIVE does not accept it", "refused"),
                DeliveryOutcome(share.id, "sent"),
            ]
        )
        opened.finish_job(job.id, "completed")
        yield opened


def test_without_a_journal(cli: Cli) -> None:
    for arguments in (("deliveries",), ("deliver", "--retry", "--all-dead")):
        answer = cli(*arguments)
        assert answer.status == 1
        assert "secondread serve" in answer.err


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("deliveries", "--state", "lost"), 2, "there is no state 'lost', only pending, sent, awaiting"),
        (("deliveries", "1.2.3"), 1, "the journal knows no study 1.2.3"),
        (("deliver", "--all-dead"), 2, "say --retry"),
        (("deliver", "--retry"), 2, "name a study, --destination NODE or --all-dead"),
        (("deliver", "--retry", "1.2.3"), 1, "the journal knows no study 1.2.3"),
    ],
)
def test_wrong_calls(cli: Cli, journal: Journal, arguments: tuple[str, ...], status: int, said: str) -> None:
    answer = cli(*arguments)
    assert (answer.status, said in answer.err) == (status, True), answer
    assert journal.counts()["deliveries"] == {"dead": 1, "sent": 1}


def test_the_table_names_study_destination_state_and_reason(cli: Cli, journal: Journal) -> None:
    answer = cli("deliveries")
    pseudonym = journal.studies()[0].pseudonym
    for text in (
        pseudonym,
        "pacs",
        "share",
        "dead",
        "sent",
        "refused: ARCHIVE does not",
    ):
        assert text in answer.out
    assert "structured-report" not in answer.out
    assert "structured-report" in cli("deliveries", "--objects").out
    assert STUDY not in answer.out
    assert "Zebra" not in answer.out


def test_deliveries_are_chosen(cli: Cli, journal: Journal) -> None:
    def destinations(*arguments: str) -> list[str]:
        return [one["destination"] for one in cli("deliveries", "--json", *arguments).json]

    assert destinations() == ["pacs", "share"]
    assert destinations(STUDY) == ["pacs", "share"]
    assert destinations("--state", "dead", "--state", "failed") == ["pacs"]
    assert destinations("--destination", "share") == ["share"]
    assert destinations("--limit", "1") == ["share"]
    (dead,) = cli("deliveries", "--json", "--state", "dead").json
    assert (dead["dead_reason"], dead["attempts"], dead["delivered"]) == ("refused", 1, False)
    assert "no such delivery" in cli("deliveries", "--state", "awaiting").out


def test_a_destination_that_nobody_knows_is_a_wrong_call(cli: Cli, journal: Journal) -> None:
    answer = cli("deliveries", "--destination", "wbe")
    assert answer.status == 2
    assert "there is no node 'wbe' in the settings; there are: pacs, share" in answer.err


def test_dead_letters_alert_in_the_status(cli: Cli, journal: Journal) -> None:
    answer = cli("status")
    assert "deliveries: 1 dead, 1 sent" in answer.out
    assert "DEAD LETTERS for pacs: 1 refused" in answer.out
    assert cli("status", "--json").json["dead_letters"] == {"pacs": {"refused": 1}}


def test_a_revived_delivery_waits_for_the_service(cli: Cli, journal: Journal) -> None:
    answer = cli("deliver", "--retry", STUDY)
    assert answer.status == 0
    assert "1 deliveries are tried again by the running service" in answer.out
    assert [one.state for one in journal.find_deliveries()] == ["pending", "sent"]
    assert "nothing to deliver" in cli("deliver", "--retry", "--all-dead").out


def test_sent_now_to_an_archive_that_is_away(cli: Cli, journal: Journal) -> None:
    answer = cli("deliver", "--retry", "--destination", "pacs", "--now")
    assert answer.status == 1
    assert "failed" in answer.out
    assert "nothing listens there" in str(journal.find_deliveries()[0].error)
    assert answer.err.endswith("secondread: 1 of 1 deliveries have not arrived\n")
    assert [one.state for one in journal.find_deliveries()] == ["failed", "sent"]
    answer = cli("deliver", "--retry", "--destination", "pacs", "--now", "--json")
    assert (answer.status, answer.json[0]["state"]) == (1, "failed")
    assert "nothing to deliver" in cli("deliver", "--retry", "--all-dead", "--now").out


def test_sent_now(cli: Cli, journal: Journal, archive: ArchiveNode) -> None:
    with archive:
        answer = cli("deliver", "--retry", "--all-dead", "--now")
        assert answer.status == 0, answer
        assert len(archive.received(STUDY)) == 1
    assert [one.state for one in journal.find_deliveries()] == ["sent", "sent"]


# -- what cannot be brought on by trying again ---------------------------------------------------------


@pytest.fixture
def ended(journal: Journal, tmp_path: Path) -> Journal:
    """Return the journal with a second job, given up after it had made its object."""
    study = journal.studies()[0]
    draft = JobDraft("research", "p", "1.0.0", "h" * 64, "c" * 64, "f" * 64, ("2.25.6",))
    job = journal.create_job(study.id, draft)
    assert job is not None
    journal.start_job(job.id)
    uid = str(generate_uid())
    path = save(make_film(SOPInstanceUID=uid, StudyInstanceUID=STUDY), tmp_path / "other.dcm", EXPLICIT)
    journal.record_results(job.id, [Kept(path, uid)], ["share"])
    journal.finish_job(job.id, "dead-letter", "the run crashed 3 times")
    return journal


def test_what_a_job_that_was_given_up_left_is_seen_and_delivered(
    cli: Cli, ended: Journal, tmp_path: Path
) -> None:
    assert "DEAD LETTERS for share: 1 job-ended" in cli("status").out
    (dead,) = cli("deliveries", "--json", "--destination", "share", "--state", "dead").json
    assert dead["dead_reason"] == "job-ended"
    assert "deliver --retry" in dead["error"]
    assert "reprocess" in dead["error"]
    answer = cli("deliver", "--retry", "--destination", "share", "--now")
    assert answer.status == 0, answer
    assert [one.state for one in ended.find_deliveries(destination="share")] == ["sent", "sent"]
    assert len(list((tmp_path / "share").rglob("*.dcm"))) == 1


def test_what_was_revived_for_the_service_can_be_sent_here_instead(cli: Cli, ended: Journal) -> None:
    assert cli("deliver", "--retry", "--destination", "share").status == 0
    answer = cli("deliver", "--retry", "--destination", "share", "--now")
    assert answer.status == 0, answer
    assert [one.state for one in ended.find_deliveries(destination="share")] == ["sent", "sent"]


def test_what_goes_to_a_node_that_is_gone_stays_dead(cli: Cli, ended: Journal, tmp_path: Path) -> None:
    settings = tmp_path / "secondread.toml"
    text = settings.read_text()
    start, end = text.index("[nodes.pacs]"), text.index("[nodes.share]")
    settings.write_text((text[:start] + text[end:]).replace('["pacs", "share"]', '["share"]'))
    answer = cli("deliver", "--retry", "--destination", "pacs")
    assert answer.status == 1
    assert "no node 'pacs' is configured any more" in " ".join(answer.err.split())
    assert "reprocess" in answer.err
    (dead,) = ended.find_deliveries(destination="pacs")
    assert (dead.state, dead.dead_reason) == ("dead", "refused")
    answer = cli("deliver", "--retry", STUDY, "--now", "--json")
    assert answer.status == 1
    assert sorted((one["destination"], one["state"]) for one in answer.json) == [
        ("pacs", "dead"),
        ("share", "sent"),
    ]


def test_what_is_gone_has_to_be_made_again(cli: Cli, ended: Journal, tmp_path: Path) -> None:
    (tmp_path / "other.dcm").unlink()
    answer = cli("deliver", "--retry", "--destination", "share", "--now")
    assert answer.status == 1
    assert "`secondread reprocess STUDY`" in answer.err
    assert answer.err.endswith("secondread: 1 of 1 deliveries have not arrived\n")


def test_what_the_run_of_a_job_still_delivers_has_not_arrived(cli: Cli, ended: Journal) -> None:
    job = ended.jobs(states=("dead-letter",))[0]
    ended.create_attempt(job.id, "again", redeliver=False)
    ended.start_job(job.id)
    (one,) = ended.deliveries(job.id)
    ended.mark_delivery(one.id, "failed", "disk full")
    answer = cli("deliver", "--retry", "--destination", "share", "--now")
    assert answer.status == 1
    assert "1 deliveries are left to the run of their job" in answer.err
