from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from flows.journal import ConflictingResult, DeliveryOutcome, IllegalTransition, JobDraft, JobRecord, Journal
from tests.flows.conftest import Clock, MakeInstance

Draft = Callable[..., JobDraft]


@dataclass(frozen=True)
class Encoded:
    kind: str = "report"
    sop_instance_uid: str = "2.25.1"
    sha256: str = "a" * 64
    sop_class_uid: str = "1.2.840.10008.5.1.4.1.1.88.34"
    series_instance_uid: str = "2.25.9"
    path: Path = Path("S-1/1/report.dcm")
    size_bytes: int = 4000


@pytest.fixture
def job(journal: Journal, instance: MakeInstance, draft: Draft) -> JobRecord:
    for number in (1, 2):
        journal.record_instance(instance(number))
    made = journal.create_job(journal.studies()[0].id, draft())
    assert made is not None
    return journal.start_job(made.id, "run-1")


def test_a_repeat_adds_nothing(journal: Journal, job: JobRecord) -> None:
    objects = [Encoded(), Encoded("key-image-1", "2.25.2")]
    first = journal.record_results(job.id, objects, ["pacs", "folder", "pacs"])
    assert [(d.kind, d.destination, d.state) for d in first] == [
        ("report", "pacs", "pending"),
        ("report", "folder", "pending"),
        ("key-image-1", "pacs", "pending"),
        ("key-image-1", "folder", "pending"),
    ]
    journal.mark_delivery(first[0].id, "sent")
    second = journal.record_results(job.id, objects, ["pacs", "folder"])
    assert [d.state for d in second] == ["sent", "pending", "pending", "pending"]
    assert [r.path for r in journal.job_results(job.id)] == [Path("S-1/1/report.dcm")] * 2


def test_other_content_under_one_uid_raises(journal: Journal, job: JobRecord, draft: Draft) -> None:
    journal.record_results(job.id, [Encoded()], ["pacs"])
    with pytest.raises(ConflictingResult, match="2.25.1 .*other content.*new revision"):
        journal.record_results(job.id, [Encoded(sha256="b" * 64)], ["pacs"])
    other = journal.create_job(job.study_id, draft(route="research"))
    assert other is not None
    with pytest.raises(ConflictingResult, match=f"belongs to job {job.id}"):
        journal.record_results(other.id, [Encoded()], ["pacs"])


def test_nothing_of_a_refused_set_is_kept(journal: Journal, job: JobRecord) -> None:
    journal.record_results(job.id, [Encoded()], [])
    with pytest.raises(ConflictingResult):
        journal.record_results(job.id, [Encoded("new", "2.25.3"), Encoded(sha256="b" * 64)], ["pacs"])
    assert [r.kind for r in journal.job_results(job.id)] == ["report"]
    assert journal.deliveries(job.id) == []


def test_a_delivery_is_sent_once(journal: Journal, job: JobRecord, clock: Clock) -> None:
    (delivery,) = journal.record_results(job.id, [Encoded()], ["pacs"])
    failed = journal.mark_delivery(delivery.id, "failed", "connection refused")
    assert (failed.state, failed.attempts, failed.error) == ("failed", 1, "connection refused")
    assert journal.pending_deliveries(job.id) == [failed]
    clock.advance(1)
    sent = journal.mark_delivery(delivery.id, "sent")
    assert (sent.state, sent.attempts, sent.error, sent.sent_at) == ("sent", 2, None, clock())
    clock.advance(1)
    assert journal.mark_delivery(delivery.id, "sent") == sent
    assert journal.pending_deliveries() == []
    with pytest.raises(IllegalTransition, match="'sent' and cannot become 'failed'"):
        journal.mark_delivery(delivery.id, "failed", "late error")


def test_given_up_deliveries_are_not_pending(journal: Journal, job: JobRecord) -> None:
    (delivery,) = journal.record_results(job.id, [Encoded()], ["pacs"])
    journal.mark_delivery(delivery.id, "dead", "refused by the archive", "refused")
    assert journal.pending_deliveries() == []
    assert journal.overview().deliveries_by_state == {"dead": 1}


@pytest.mark.parametrize("second", ["dead", "failed"])
def test_a_second_deliverer_may_find_it_dead(journal: Journal, job: JobRecord, second: str) -> None:
    (delivery,) = journal.record_results(job.id, [Encoded()], ["pacs"])
    dead = journal.mark_delivery(delivery.id, "dead", "refused by the archive", "refused")
    news = DeliveryOutcome(delivery.id, second, "other", "given-up" if second == "dead" else None)  # type: ignore[arg-type]
    journal.mark_deliveries([news])
    assert journal.deliveries(job.id) == [dead]


def test_one_of_many_claims_it(journal: Journal, job: JobRecord, clock: Clock) -> None:
    made = journal.record_results(job.id, [Encoded(), Encoded("sc", "2.25.2")], ["pacs", "folder"])
    journal.mark_delivery(made[0].id, "sent")
    chosen = [one.id for one in made]
    with ThreadPoolExecutor(4) as threads:
        claims = list(
            threads.map(lambda n: journal.claim_deliveries(chosen[:: n or 1], f"p{n}", 60), range(4))
        )
    assert sorted(one.id for claim in claims for one in claim) == chosen[1:]
    assert {one.claimed_by for one in journal.deliveries(job.id)[1:]} <= {"p0", "p1", "p2", "p3"}
    clock.advance(61)
    assert [one.id for one in journal.claim_deliveries(chosen, "later", 60)] == chosen[1:]
    journal.release_claims("p0")
    journal.renew_claims("later", 600)
    clock.advance(61)
    assert journal.claim_deliveries(chosen, "other", 60) == []
    journal.release_claims("later")
    assert len(journal.claim_deliveries(chosen, "other", 60)) == 3
    assert journal.claim_deliveries([], "nobody", 60) == []


@pytest.mark.parametrize(("redeliver", "left"), [(True, 1), (False, 0)])
def test_a_new_attempt_sends_again_if_asked(
    journal: Journal, job: JobRecord, redeliver: bool, left: int
) -> None:
    (delivery,) = journal.record_results(job.id, [Encoded()], ["pacs"])
    journal.mark_delivery(delivery.id, "sent")
    journal.finish_job(job.id, "completed")
    again = journal.create_attempt(job.id, "the archive lost it", redeliver=redeliver)
    assert len(journal.pending_deliveries(again.id)) == left
    journal.record_results(again.id, [Encoded()], ["pacs"])
    assert len(journal.deliveries(again.id)) == 1


def test_a_revision_names_the_last_results_there_are(journal: Journal, job: JobRecord, draft: Draft) -> None:
    journal.record_results(job.id, [Encoded()], [])
    journal.finish_job(job.id, "completed")
    second = journal.create_revision(job.study_id, draft(1, 2), "late instances")
    journal.start_job(second.id)
    journal.finish_job(second.id, "failed", "out of memory")
    third = journal.create_revision(job.study_id, draft(1, 2), "asked for")
    assert third.predecessor_id == second.id
    assert [r.sop_instance_uid for r in journal.predecessor_results(third.id)] == ["2.25.1"]
    assert journal.predecessor_results(job.id) == []


def test_the_overview_tells_the_last_job_and_its_deliveries(
    journal: Journal, job: JobRecord, draft: Draft, clock: Clock
) -> None:
    deliveries = journal.record_results(job.id, [Encoded(), Encoded("sc", "2.25.2")], ["pacs"])
    journal.mark_delivery(deliveries[0].id, "sent")
    journal.create_job(job.study_id, draft(route="research"))
    clock.advance(7)
    overview = journal.overview()
    assert (overview.queue_depth, overview.oldest_waiting_s) == (1, 7.0)
    assert overview.jobs_by_state == {"running": 1, "waiting": 1}
    assert overview.deliveries_by_state == {"pending": 1, "sent": 1}
    assert (overview.instances, overview.bytes, overview.results) == (2, 2000, 2)
    (study,) = overview.studies
    assert study.job is not None
    assert (study.job.route, study.deliveries) == ("research", {})
    plain = overview.as_json()
    assert plain["studies"][0]["job"]["state"] == "waiting"
    assert plain["at"] == clock().isoformat()
