from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dicom_io.commitment import CommitmentReference, CommitmentReport
from dicom_io.receive.records import (
    AssociationRecord,
    ListenerObserver,
    QuarantinedInstance,
    RefusedInstance,
)
from flows.journal import JobDraft, JobRecord, Journal
from flows.metrics import MetricsServer
from tests.flows.conftest import STUDY, Clock, MakeInstance, pseudonym
from tests.flows.journal.test_commitments import Encoded

DELIVERY_STATES = ("pending", "sent", "awaiting", "committed", "failed", "dead")

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def server(journal: Journal) -> Iterator[MetricsServer]:
    running = MetricsServer(journal)
    yield running
    running.stop()


def _scrape(server: MetricsServer) -> tuple[str, Figures]:
    answer = httpx.get(server.url, timeout=10, trust_env=False)
    answer.raise_for_status()
    text = answer.text
    figures = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return text, figures


def _value(server: MetricsServer, name: str, **labels: str) -> float:
    return _scrape(server)[1][name, tuple(sorted(labels.items()))]


def test_an_idle_service_shows_zeros(server: MetricsServer) -> None:
    _, figures = _scrape(server)
    assert figures["secondread_journal_up", ()] == 1
    assert figures["secondread_queue_depth", ()] == 0
    assert figures["secondread_instances_total", (("outcome", "refused"),)] == 0
    assert figures["secondread_jobs", (("state", "dead-letter"),)] == 0


def test_it_binds_loopback_only(server: MetricsServer) -> None:
    assert server._server.server_address[0] == "127.0.0.1"


def test_the_listener_is_counted(server: MetricsServer, instance: MakeInstance, clock: Clock) -> None:
    observer: ListenerObserver = server.listener
    record = AssociationRecord("a-1", "PACS", "SECONDREAD", "127.0.0.1", clock())
    observer.association_started(record)
    observer.association_started(record)
    observer.association_ended(record)
    observer.association_rejected(record, "unknown-caller")
    observer.instance_stored(instance(1), 0.004)
    observer.instance_repeated(instance(1), 0.002)
    observer.instance_quarantined(
        QuarantinedInstance("x", "y", None, None, None, None, "a" * 64, 50, Path("q"), clock(), "a-1"), 0.003
    )
    observer.instance_refused(RefusedInstance("a-1", 0xC000, "x", "y", clock()), 70, 0.3)
    _, figures = _scrape(server)
    expected = {
        ("secondread_associations_total", "accepted"): 2,
        ("secondread_associations_total", "rejected"): 1,
        ("secondread_instances_total", "stored"): 1,
        ("secondread_instances_total", "duplicate"): 1,
        ("secondread_instances_total", "quarantined"): 1,
        ("secondread_instances_total", "refused"): 1,
        ("secondread_received_bytes_total", "stored"): 1000,
        ("secondread_received_bytes_total", "refused"): 70,
    }
    for (name, outcome), value in expected.items():
        assert figures[name, (("outcome", outcome),)] == value, name
    assert figures["secondread_associations_open", ()] == 1
    assert figures["secondread_receive_seconds_count", ()] == 4
    assert figures["secondread_receive_seconds_sum", ()] == pytest.approx(0.309)
    assert figures["secondread_receive_seconds_bucket", (("le", "0.005"),)] == 3


def test_the_journal_is_read_at_each_scrape(
    server: MetricsServer,
    journal: Journal,
    instance: MakeInstance,
    draft: Callable[..., JobDraft],
    clock: Clock,
) -> None:
    journal.record_instance(instance(1))
    assert _value(server, "secondread_studies", state="receiving") == 1
    study = journal.receiving_studies()[0]
    journal.mark_complete(study.id, study.last_instance_at)
    journal.record_routing(study.id, [draft(), draft(route="research")], "routed")
    clock.advance(12)
    _, figures = _scrape(server)
    assert figures["secondread_studies", (("state", "routed"),)] == 1
    assert figures["secondread_studies", (("state", "receiving"),)] == 0
    assert figures["secondread_queue_depth", ()] == 2
    assert figures["secondread_queue_age_seconds", ()] == pytest.approx(12)
    job = journal.waiting_jobs()[0]
    journal.mark_submitted(job.id, "run-1")
    journal.start_job(job.id, "run-1")
    journal.finish_job(job.id, "refused", "lateral view")
    _, figures = _scrape(server)
    assert figures["secondread_jobs", (("state", "refused"),)] == 1
    assert figures["secondread_queue_depth", ()] == 1
    clock.advance(10)
    _, figures = _scrape(server)
    assert figures["secondread_wait_seconds_sum", (("wait", "job-to-run"),)] == pytest.approx(12)
    assert figures["secondread_wait_seconds_count", (("wait", "complete-to-job"),)] == 2


@pytest.fixture
def job(journal: Journal, instance: MakeInstance, draft: Callable[..., JobDraft]) -> JobRecord:
    journal.record_instance(instance(1))
    made = journal.create_job(journal.studies()[0].id, draft())
    assert made is not None
    return made


def test_stage_times_of_any_process_become_a_histogram(
    server: MetricsServer, job: JobRecord, journal_url: str, clock: Clock
) -> None:
    with Journal(journal_url, pseudonym=pseudonym, clock=clock) as worker:
        for seconds in (0.02, 0.2, 3.0):
            worker.stage_time(job.id, "infer", seconds)
        clock.advance(10)
        _scrape(server)
        worker.stage_time(job.id, "infer", 0.2)
    infer = (("stage", "infer"),)
    clock.advance(10)
    _, figures = _scrape(server)
    assert figures["secondread_stage_seconds_count", infer] == 4
    assert figures["secondread_stage_seconds_sum", infer] == pytest.approx(3.42)
    for bound, count in {"0.01": 0, "0.025": 1, "0.25": 3, "5.0": 4, "+Inf": 4}.items():
        assert figures["secondread_stage_seconds_bucket", (("le", bound), ("stage", "infer"))] == count


def test_no_label_names_a_study(server: MetricsServer, journal: Journal, instance: MakeInstance) -> None:
    journal.record_instance(instance(1))
    server.listener.instance_stored(instance(1), 0.01)
    text, _ = _scrape(server)
    assert STUDY not in text
    assert pseudonym(STUDY) not in text


@pytest.mark.parametrize("journal_url", ["sqlite"], indirect=True)
def test_a_broken_journal_is_a_figure_not_an_error(server: MetricsServer, journal: Journal) -> None:
    with journal._writing() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
    _, figures = _scrape(server)
    assert figures["secondread_journal_up", ()] == 0
    assert ("secondread_queue_depth", ()) not in figures
    assert ("secondread_associations_open", ()) in figures


def test_a_stopped_server_frees_its_port(journal: Journal) -> None:
    first = MetricsServer(journal)
    port = first.port
    first.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(first.url, timeout=5, trust_env=False)
    second = MetricsServer(journal, port=port)
    assert second.port == port
    second.stop()


def test_dead_letters_and_late_commitments_alert(
    server: MetricsServer,
    journal: Journal,
    instance: MakeInstance,
    draft: Callable[..., JobDraft],
    clock: Clock,
) -> None:
    journal.record_instance(instance(1))
    job = journal.create_job(journal.studies()[0].id, draft())
    assert job is not None
    journal.start_job(job.id)
    kept = [Encoded(f"2.25.{number}") for number in (1, 2, 3)]
    made = journal.record_results(job.id, kept, ["pacs"])
    for one, state in zip(made, ("awaiting", "awaiting", "dead"), strict=True):
        journal.mark_delivery(one.id, state, None, "refused" if state == "dead" else None)  # type: ignore[arg-type]
    clock.advance(90)
    _, figures = _scrape(server)
    by_state = {state: figures["secondread_deliveries", (("state", state),)] for state in DELIVERY_STATES}
    assert by_state == dict.fromkeys(DELIVERY_STATES, 0) | {"awaiting": 2, "dead": 1}
    of_pacs = ("destination", "pacs")
    assert figures["secondread_destination_deliveries", (of_pacs, ("state", "awaiting"))] == 2
    assert figures["secondread_dead_letters", (of_pacs, ("reason", "refused"))] == 1
    assert figures["secondread_dead_letters", (of_pacs, ("reason", "given-up"))] == 0
    assert figures["secondread_commitment_age_seconds", ()] == pytest.approx(90)
    journal.begin_commitment(made[:2], "2.25.10")
    references = tuple(CommitmentReference(one.sop_class_uid, one.sop_instance_uid) for one in made[:2])
    journal.record_commitment(CommitmentReport("2.25.10", references, ()))
    assert _value(server, "secondread_deliveries", state="committed") == 2
    assert _value(server, "secondread_commitment_age_seconds") == 0
