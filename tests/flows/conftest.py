"""A journal in each of the databases, instances to put into it, and a clock to turn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from dicom_io.receive.records import StoredInstance
from flows.journal import JobDraft, Journal
from tests import peers

DX = "1.2.840.10008.5.1.4.1.1.1.1"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
STUDY = "1.2.826.0.1.3680043.8.498.1"


class Clock:
    """A clock that goes only when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
        self.steady = 1000.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.steady

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.steady += seconds


def pseudonym(uid: str) -> str:
    return "S-" + hashlib.sha256(uid.encode()).hexdigest()[:10].upper()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.sqlite'}"
    url: str = request.getfixturevalue("empty_postgres")
    return url


@pytest.fixture(scope="session")
def _journal_database(postgres: peers.Postgres) -> Engine:
    """Return one database for all tests: to empty it is quicker than to make hundreds."""
    postgres.create_database("journal_tests")
    return create_engine(postgres.url("journal_tests"), poolclass=NullPool)


@pytest.fixture
def empty_postgres(_journal_database: Engine) -> str:
    with _journal_database.begin() as connection:
        # What a failed test left connected must not hold its tables.
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return _journal_database.url.render_as_string(hide_password=False)


@pytest.fixture
def journal(journal_url: str, clock: Clock) -> Iterator[Journal]:
    with Journal(journal_url, pseudonym=pseudonym, clock=clock) as opened:
        opened.upgrade()
        yield opened


@pytest.fixture
def sqlite_journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    url = f"sqlite:///{tmp_path / 'journal.sqlite'}"
    with Journal(url, pseudonym=pseudonym, clock=clock) as opened:
        opened.upgrade()
        yield opened


MakeInstance = Callable[..., StoredInstance]


@pytest.fixture
def instance(clock: Clock) -> MakeInstance:
    """Return a maker of records of received instances."""

    def make(number: int = 1, study: str = STUDY, **changes: object) -> StoredInstance:
        series = str(changes.pop("series", f"{study}.1"))
        uid = str(changes.pop("uid", f"{series}.{number}"))
        values: dict[str, object] = {
            "study_instance_uid": study,
            "series_instance_uid": series,
            "sop_instance_uid": uid,
            "sop_class_uid": DX,
            "transfer_syntax_uid": "1.2.840.10008.1.2.1",
            "sha256": hashlib.sha256(uid.encode()).hexdigest(),
            "size_bytes": 1000,
            "path": Path(study, series, f"{uid}.dcm"),
            "modality": "DX",
            "received_at": clock(),
            "association_id": "a-1",
        }
        return StoredInstance(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def draft() -> Callable[..., JobDraft]:
    """Return a maker of drafts for instances of the study ``STUDY``."""

    def make(*numbers: int, **changes: object) -> JobDraft:
        uids = tuple(f"{STUDY}.1.{number}" for number in numbers or (1,))
        values: dict[str, object] = {
            "route": "chest",
            "package_name": "blobs",
            "package_version": "1.0.0",
            "package_hash": "p" * 64,
            "configuration_hash": "c" * 64,
            "fingerprint": hashlib.sha256(",".join(uids).encode()).hexdigest(),
            "sop_instance_uids": uids,
        }
        return JobDraft(**(values | changes))  # type: ignore[arg-type]

    return make
