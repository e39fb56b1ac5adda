"""The journal's tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

__all__ = [
    "UtcDateTime",
    "associations",
    "attempts",
    "commitments",
    "deliveries",
    "events",
    "instances",
    "job_instances",
    "jobs",
    "metadata",
    "patients",
    "quarantined",
    "refused",
    "results",
    "series",
    "studies",
]


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC; SQLite has no zone and keeps the UTC figures alone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times and turn others to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the journal takes times with a zone, not {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _uid(name: str, **options: Any) -> Column[str]:
    return Column(name, String(64), **options)


def _time(name: str, *, nullable: bool = False, **options: Any) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=nullable, **options)


associations: Final = Table(
    "associations",
    metadata,
    _id(),
    Column("association_id", String(64), nullable=False, unique=True),
    Column("calling_ae_title", String(64), nullable=False),
    Column("called_ae_title", String(64), nullable=False),
    Column("peer_address", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    _time("started_at", index=True),
    _time("ended_at", nullable=True),
    Column("presentation_contexts", Integer, nullable=False),
    Column("instances", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("end_reason", Text, nullable=False),
)

studies: Final = Table(
    "studies",
    metadata,
    _id(),
    _uid("study_instance_uid", nullable=False, unique=True),
    Column("pseudonym", String(32), nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", Text),
    Column("explanation", JSON, nullable=False),
    Column("tries", Integer, nullable=False),
    _time("created_at"),
    _time("state_at", index=True),
    _time("last_instance_at", nullable=True),
    _time("completed_at", nullable=True),
)

patients: Final = Table(
    "patients",
    metadata,
    Column("study_id", ForeignKey("studies.id"), primary_key=True),
    Column("patient_key", String(64), nullable=False, index=True),
    Column("issued", Boolean, nullable=False),
    Column("acquired_at", DateTime(timezone=False), nullable=False),
)

series: Final = Table(
    "series",
    metadata,
    _id(),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    _uid("series_instance_uid", nullable=False),
    Column("modality", String(16), nullable=False),
    _time("created_at"),
    UniqueConstraint("study_id", "series_instance_uid"),
)

instances: Final = Table(
    "instances",
    metadata,
    _id(),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("series_id", ForeignKey("series.id"), nullable=False, index=True),
    _uid("sop_instance_uid", nullable=False, unique=True),
    _uid("sop_class_uid", nullable=False),
    _uid("transfer_syntax_uid", nullable=False),
    Column("modality", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("own_result", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    _time("received_at"),
    Column("association_id", String(64), nullable=False),
)

quarantined: Final = Table(
    "quarantined",
    metadata,
    _id(),
    Column("reason_code", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    _uid("study_instance_uid"),
    _uid("series_instance_uid"),
    _uid("sop_instance_uid"),
    _uid("sop_class_uid"),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    _time("received_at", index=True),
    Column("association_id", String(64), nullable=False),
)

refused: Final = Table(
    "refused",
    metadata,
    _id(),
    Column("association_id", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("reason_code", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    _time("received_at", index=True),
)

jobs: Final = Table(
    "jobs",
    metadata,
    _id(),
    Column("study_id", ForeignKey("studies.id"), nullable=False),
    Column("route", String(64), nullable=False),
    Column("package_name", String(128), nullable=False),
    Column("package_version", String(64), nullable=False),
    Column("package_hash", String(64), nullable=False),
    Column("configuration_hash", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("idempotency_key", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", Text),
    Column("flow_run_id", String(64)),
    Column("predecessor_id", ForeignKey("jobs.id"), index=True),
    Column("urgency", String(16), nullable=False),
    _time("content_time"),
    _time("created_at"),
    _time("state_at", index=True),
    _time("submitted_at", nullable=True),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    Column("outcome", JSON, nullable=False),
    UniqueConstraint("study_id", "route", "revision"),
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("flow_run_id", String(64), index=True),
    _time("created_at"),
    _time("submitted_at", nullable=True),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
)

job_instances: Final = Table(
    "job_instances",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("instance_id", ForeignKey("instances.id"), primary_key=True),
)

results: Final = Table(
    "results",
    metadata,
    _id(),
    Column("job_id", ForeignKey("jobs.id"), nullable=False, index=True),
    Column("kind", String(64), nullable=False),
    _uid("sop_class_uid", nullable=False),
    _uid("sop_instance_uid", nullable=False, unique=True),
    _uid("series_instance_uid", nullable=False),
    Column("path", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    _time("created_at"),
)

deliveries: Final = Table(
    "deliveries",
    metadata,
    _id(),
    Column("job_id", ForeignKey("jobs.id"), nullable=False, index=True),
    Column("result_id", ForeignKey("results.id"), nullable=False),
    Column("destination", String(128), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    _time("created_at"),
    _time("state_at"),
    _time("sent_at", nullable=True),
    _time("stored_at", nullable=True),
    _time("committed_at", nullable=True),
    _time("asked_at", nullable=True),
    _uid("transaction_uid", index=True),
    Column("commitment_requests", Integer, nullable=False, server_default="0"),
    Column("dead_reason", String(32)),
    _time("uncommitted_at", nullable=True),
    Column("claimed_by", String(64), index=True),
    _time("claimed_until", nullable=True),
    UniqueConstraint("result_id", "destination"),
)

commitments: Final = Table(
    "commitments",
    metadata,
    Column("transaction_uid", String(64), primary_key=True),
    Column("delivery_id", ForeignKey("deliveries.id"), primary_key=True, index=True),
    _time("asked_at"),
    Column("outcome", String(16)),
    _time("reported_at", nullable=True),
)

events: Final = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    _time("at"),
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("study_id", ForeignKey("studies.id"), nullable=False, index=True),
    Column("job_id", ForeignKey("jobs.id"), index=True),
    Column("attempt", Integer),
    Column("seconds", Float),
    Column("reason", Text),
    Index("ix_events_kind_id", "kind", "id"),
)
