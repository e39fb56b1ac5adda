"""A journal that an earlier version wrote keeps what it says."""

from __future__ import annotations

from datetime import UTC, datetime

from alembic import command
from sqlalchemy import Engine, NullPool, create_engine, text

from dicom_io.commitment import CommitmentReference, CommitmentReport
from flows.journal import Journal
from flows.journal.migrate import alembic_config

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

_ROWS = (
    "INSERT INTO studies (id, study_instance_uid, pseudonym, state, explanation, tries, created_at, state_at)"
    " VALUES (1, '1.2.3', 'S-1', 'routed', '[]', 0, :now, :now)",
    "INSERT INTO jobs (id, study_id, route, package_name, package_version, package_hash, configuration_hash,"
    " revision, attempt, fingerprint, idempotency_key, state, urgency, content_time, created_at, state_at,"
    " outcome) VALUES (1, 1, 'chest', 'p', '1.0.0', 'h', 'c', 1, 1, 'f', 'k', 'completed', 'routine',"
    " :now, :now, :now, '{}')",
)
_RESULT = (
    "INSERT INTO results (id, job_id, kind, sop_class_uid, sop_instance_uid, series_instance_uid, path,"
    " sha256, size_bytes, created_at) VALUES (:id, 1, 'report', '1.2', :uid, '2.25.9', 'r.dcm', 'a', 1, :now)"
)
_DELIVERY = (
    "INSERT INTO deliveries (id, job_id, result_id, destination, state, attempts, error, created_at,"
    " state_at, sent_at) VALUES (:id, 1, :id, 'pacs', :state, 1, :error, :now, :now, :sent)"
)


def _at_revision(url: str, revision: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection, connection.begin():
        command.upgrade(alembic_config(connection), revision)
    return engine


def test_what_was_sent_failed_or_dead_before_commitment_is_so_after(journal_url: str) -> None:
    engine = _at_revision(journal_url, "0001")
    now = MOMENT.replace(tzinfo=None) if engine.dialect.name == "sqlite" else MOMENT
    with engine.begin() as connection:
        for row in _ROWS:
            connection.execute(text(row), {"now": now})
        for number, (state, error) in enumerate(
            [("sent", None), ("failed", "gone"), ("dead", "gone"), ("pending", None)], start=1
        ):
            values = {"id": number, "uid": f"2.25.{number}", "now": now}
            connection.execute(text(_RESULT), values)
            sent = now if state == "sent" else None
            connection.execute(text(_DELIVERY), values | {"state": state, "error": error, "sent": sent})
    engine.dispose()
    with Journal(journal_url) as journal:
        journal.upgrade()
        journal.require_current()
        sent, failed, dead, pending = journal.deliveries(1)
        assert (sent.state, sent.stored_at, sent.delivered) == ("sent", MOMENT, True)
        assert (failed.state, failed.error, failed.attempts) == ("failed", "gone", 1)
        assert (dead.state, dead.dead_reason) == ("dead", "given-up")
        assert (pending.state, pending.commitment_requests, pending.transaction_uid) == ("pending", 0, None)
        assert journal.pending_deliveries() == [failed, pending]
        waiting = [journal.mark_delivery(failed.id, "awaiting")]
        journal.begin_commitment(waiting, "2.25.10")
        reference = CommitmentReference("1.2", "2.25.2")
        assert journal.record_commitment(CommitmentReport("2.25.10", (reference,), ())).committed == 1


def test_the_step_can_be_taken_back(journal_url: str) -> None:
    engine = _at_revision(journal_url, "head")
    with engine.connect() as connection, connection.begin():
        command.downgrade(alembic_config(connection), "0001")
        command.upgrade(alembic_config(connection), "head")
    engine.dispose()
    with Journal(journal_url) as journal:
        journal.require_current()


def test_what_a_job_without_a_result_left_open_is_a_dead_letter(journal_url: str) -> None:
    engine = _at_revision(journal_url, "0002")
    now = MOMENT.replace(tzinfo=None) if engine.dialect.name == "sqlite" else MOMENT
    with engine.begin() as connection:
        for row in _ROWS:
            connection.execute(text(row.replace("'completed'", "'dead-letter'")), {"now": now})
        for number, state in enumerate(("pending", "failed", "awaiting", "sent"), start=1):
            values = {"id": number, "uid": f"2.25.{number}", "now": now}
            connection.execute(text(_RESULT), values)
            connection.execute(text(_DELIVERY), values | {"state": state, "error": None, "sent": None})
    engine.dispose()
    with Journal(journal_url) as journal:
        journal.upgrade()
        assert [(one.state, one.dead_reason) for one in journal.deliveries(1)] == [
            ("dead", "job-ended"),
            ("dead", "job-ended"),
            ("awaiting", None),
            ("sent", None),
        ]
