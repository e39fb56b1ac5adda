"""Storage commitment in the journal: reports that come late, twice, in part, or for nobody."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicom_io.commitment import CommitmentReference, CommitmentReport, UnknownTransaction
from flows.journal import CommitmentOutcome, DeliveryOutcome, DeliveryRecord, JobDraft, JobRecord, Journal
from flows.journal.commitments import failure_in_words
from tests.flows.conftest import SR, Clock, MakeInstance


@dataclass(frozen=True)
class Encoded:
    sop_instance_uid: str
    kind: str = "report"
    sha256: str = "a" * 64
    sop_class_uid: str = SR
    series_instance_uid: str = "2.25.9"
    path: Path = Path("S-1/1/report.dcm")
    size_bytes: int = 4000


@pytest.fixture
def job(journal: Journal, instance: MakeInstance, draft: Callable[..., JobDraft]) -> JobRecord:
    journal.record_instance(instance(1))
    made = journal.create_job(journal.studies()[0].id, draft())
    assert made is not None
    return journal.start_job(made.id)


@pytest.fixture
def stored(journal: Journal, job: JobRecord) -> list[DeliveryRecord]:
    """Return three objects that the archive has taken and not yet committed."""
    made = journal.record_results(job.id, [Encoded(f"2.25.{n}") for n in (1, 2, 3)], ["pacs"])
    journal.mark_deliveries([DeliveryOutcome(one.id, "awaiting") for one in made])
    return journal.deliveries(job.id)


def report(
    transaction: str, committed: tuple[int, ...] = (), failed: tuple[int, ...] = (), why: int = 0x0112
) -> CommitmentReport:
    return CommitmentReport(
        transaction,
        tuple(CommitmentReference(SR, f"2.25.{n}") for n in committed),
        tuple((CommitmentReference(SR, f"2.25.{n}"), why) for n in failed),
    )


def states(journal: Journal, job: JobRecord) -> list[str]:
    return [one.state for one in journal.deliveries(job.id)]


def test_a_report_for_nobody_is_refused(journal: Journal, stored: list[DeliveryRecord]) -> None:
    with pytest.raises(UnknownTransaction, match=r"2\.25\.99"):
        journal.record_commitment(report("2.25.99", (1, 2, 3)))
    assert {one.state for one in journal.deliveries(stored[0].job_id)} == {"awaiting"}


def test_what_is_not_committed_alone_is_sent_again(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord], clock: Clock
) -> None:
    assert [(one.attempts, one.stored_at) for one in stored] == [(1, clock())] * 3
    clock.advance(1)
    assert journal.begin_commitment(stored, "2.25.10") == stored
    clock.advance(1)
    assert journal.record_commitment(report("2.25.10", (1,), (2,))) == CommitmentOutcome(1, 1, 1)
    first, second, third = journal.deliveries(job.id)
    assert (first.state, first.committed_at, first.delivered) == ("committed", clock(), True)
    assert (second.state, second.error) == (
        "failed",
        "not committed: it does not have the object (0x0112)",
    )
    assert (second.stored_at, second.transaction_uid) == (None, None)
    assert (third.state, third.transaction_uid, third.commitment_requests) == ("awaiting", "2.25.10", 1)
    assert journal.pending_deliveries() == [second]
    assert journal.open_deliveries() == [second, third]
    assert not journal.commitment_answered("2.25.10")
    assert journal.record_commitment(report("2.25.10", (3,))) == CommitmentOutcome(1, 0, 0)
    assert journal.commitment_answered("2.25.10")


def test_a_second_identical_report_changes_nothing(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord], clock: Clock
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    journal.record_commitment(report("2.25.10", (1, 2), (3,)))
    before = journal.deliveries(job.id)
    clock.advance(5)
    assert journal.record_commitment(report("2.25.10", (1, 2), (3,))) == CommitmentOutcome()
    assert journal.deliveries(job.id) == before
    journal.mark_delivery(before[2].id, "awaiting")
    journal.begin_commitment(journal.open_deliveries(job.id), "2.25.11")
    journal.record_commitment(report("2.25.10", (1, 2), (3,)))
    assert states(journal, job) == ["committed", "committed", "awaiting"]


def test_the_same_report_several_times_at_once_counts_once(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord]
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(journal.record_commitment, [report("2.25.10", (1, 2), (3,))] * 8))
    assert sum(one.committed for one in outcomes) == 2
    assert sum(one.failed for one in outcomes) == 1
    assert states(journal, job) == ["committed", "committed", "failed"]


def test_the_late_report_of_an_earlier_request_counts(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord]
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    journal.begin_commitment(stored, "2.25.11")
    assert {one.commitment_requests for one in journal.deliveries(job.id)} == {2}
    assert journal.record_commitment(report("2.25.10", (1, 2, 3))).committed == 3
    assert journal.begin_commitment(stored, "2.25.12") == []
    with pytest.raises(UnknownTransaction):
        journal.record_commitment(report("2.25.12", (1, 2, 3)))
    journal.record_commitment(report("2.25.11", (1, 2), (3,)))
    assert states(journal, job) == ["committed"] * 3


def test_a_report_on_bytes_that_were_sent_anew_since_is_not_believed(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord]
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    journal.finish_job(job.id, "completed")
    journal.create_attempt(job.id, "the archive lost it")
    journal.record_commitment(report("2.25.10", (1, 2, 3)))
    assert states(journal, job) == ["pending"] * 3
    assert all(one.stored_at is None and not one.attempts for one in journal.deliveries(job.id))


@pytest.mark.parametrize("why", [0x0122, 0x0119])
def test_what_can_never_be_committed_is_dead(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord], why: int
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    assert journal.record_commitment(report("2.25.10", (1, 2), (3,), why)) == CommitmentOutcome(2, 0, 0)
    last = journal.deliveries(job.id)[2]
    assert (last.state, last.dead_reason) == ("dead", "refused")
    assert f"0x{why:04X}" in str(last.error)
    assert journal.overview().dead_letters == {"pacs": {"refused": 1}}
    assert journal.overview().deliveries_by_destination == {"pacs": {"committed": 2, "dead": 1}}


def test_an_object_in_both_lists_is_not_committed(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord]
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    journal.record_commitment(report("2.25.10", (1, 2, 3), (3,)))
    assert states(journal, job) == ["committed", "committed", "failed"]


def test_a_request_that_was_not_taken_is_open_and_its_report_is_heard(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord]
) -> None:
    journal.begin_commitment(stored, "2.25.10")
    journal.commitment_not_taken("2.25.10", "the archive answered 0x0213")
    first = journal.deliveries(job.id)[0]
    assert (first.state, first.transaction_uid, first.error) == (
        "awaiting",
        None,
        "the archive answered 0x0213",
    )
    journal.record_commitment(report("2.25.10", (1, 2, 3)))
    assert states(journal, job) == ["committed"] * 3


def test_dead_letters_are_revived_as_far_as_they_came(
    journal: Journal, job: JobRecord, stored: list[DeliveryRecord], clock: Clock
) -> None:
    journal.mark_deliveries(
        [
            DeliveryOutcome(stored[0].id, "dead", "the archive does not commit", "no-commitment"),
            DeliveryOutcome(stored[1].id, "sent"),
        ]
    )
    journal.begin_commitment(stored, "2.25.10")
    journal.record_commitment(report("2.25.10", (), (3,), 0x0122))
    clock.advance(10)
    assert journal.revive_deliveries([one.id for one in stored]) == 2
    first, second, third = journal.deliveries(job.id)
    assert (first.state, first.dead_reason, first.error, first.commitment_requests) == (
        "awaiting",
        None,
        None,
        0,
    )
    assert first.stored_at is not None
    assert second.state == "sent"
    assert (third.state, third.attempts, third.created_at) == ("pending", 0, clock())


def test_a_good_end_outlasts_a_second_sender(journal: Journal, job: JobRecord) -> None:
    (one,) = journal.record_results(job.id, [Encoded("2.25.1")], ["pacs"])
    journal.mark_delivery(one.id, "sent")
    journal.mark_deliveries([DeliveryOutcome(one.id, "failed", "the connection was lost")])
    assert states(journal, job) == ["sent"]


def test_deliveries_are_found(journal: Journal, job: JobRecord, stored: list[DeliveryRecord]) -> None:
    assert journal.find_deliveries(study_id=job.study_id) == stored
    assert journal.find_deliveries(study_id=job.study_id + 1) == []
    assert journal.find_deliveries(states=("dead",)) == []
    assert journal.find_deliveries(destination="pacs", limit=2) == stored[1:]
    assert (stored[0].pseudonym, stored[0].route, stored[0].job_state) == (job.pseudonym, "chest", "running")


def test_only_a_dead_letter_has_a_reason() -> None:
    with pytest.raises(ValueError, match="dead letter"):
        DeliveryOutcome(1, "dead", "why")
    with pytest.raises(ValueError, match="dead letter"):
        DeliveryOutcome(1, "failed", "why", "refused")


def test_failure_reasons_have_words() -> None:
    assert failure_in_words(0x0213) == "resource limitation (0x0213)"
    assert failure_in_words(0xC123) == "no reason that the standard names (0xC123)"
