"""Connections and transactions of the journal."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.schema import Table

from flows.journal import tables
from flows.journal.errors import JournalError
from flows.journal.migrate import require_current, upgrade

__all__ = ["Store", "utc_now"]

_BUSY_SECONDS = 30
_WRITES = "journal_writes"


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


def _sqlite_engine(url: Any) -> Engine:
    if not url.database or url.database == ":memory:":
        raise JournalError("the journal must outlive the process: give a file, not sqlite:///:memory:")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        pool_size=8,
        max_overflow=64,
        hide_parameters=True,
        connect_args={"timeout": _BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        _switch_to_wal(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads and then writes fails at once with SQLITE_BUSY when another
        # process wrote in between, whatever the busy timeout: writers take the lock first.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _switch_to_wal(connection: Any) -> None:
    """Switch a new file to WAL; SQLite does not apply the busy timeout to that, so we wait ourselves."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _postgresql_engine(url: Any) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=8,
        max_overflow=64,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": 10,
            "options": f"-c synchronous_commit=on -c lock_timeout={_BUSY_SECONDS}s -c timezone=UTC",
        },
    )


class Store:
    """A database with the journal's tables, used from any number of threads and processes.

    Parameters
    ----------
    url : str
        SQLAlchemy URL: ``sqlite:////path/journal.sqlite`` or ``postgresql+psycopg://…``.
    pseudonym : callable, optional
        Gives a study's pseudonym for its UID; needed by whoever records instances.
    clock : callable
        Gives the present time, aware.

    Raises
    ------
    JournalError
        The URL names another kind of database, or one in memory.
    """

    def __init__(
        self,
        url: str,
        pseudonym: Callable[[str], str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in {"sqlite", "postgresql"}:
            raise JournalError(f"the journal lives in SQLite or PostgreSQL, not in {backend}")
        self._engine = _sqlite_engine(parsed) if backend == "sqlite" else _postgresql_engine(parsed)
        self._pseudonym = pseudonym
        self._clock = clock
        # SQLite's busy handler sleeps longer and longer; a lock is fair among the threads of a process.
        self._writer: AbstractContextManager[Any] = threading.Lock() if backend == "sqlite" else nullcontext()

    def upgrade(self) -> None:
        """Create the tables or bring them to the present form; safe from several processes at once."""
        with self._writer:
            upgrade(self._engine)

    def require_current(self) -> None:
        """Raise JournalSchemaError unless the tables are there in the present form."""
        require_current(self._engine)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def dialect(self) -> Dialect:
        """The database's dialect."""
        return self._engine.dialect

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with (
            self._writer,
            self._engine.connect().execution_options(**{_WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def _insert_if_absent(self, table: Table) -> Insert:
        """Return an INSERT that does nothing where a unique column already has the value."""
        if self.dialect.name == "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()

    def _note(
        self,
        connection: Connection,
        kind: str,
        name: str,
        study_id: int,
        *,
        at: datetime,
        job_id: int | None = None,
        attempt: int | None = None,
        seconds: float | None = None,
        reason: str | None = None,
    ) -> None:
        connection.execute(
            insert(tables.events),
            {
                "at": at,
                "kind": kind,
                "name": name,
                "study_id": study_id,
                "job_id": job_id,
                "attempt": attempt,
                "seconds": seconds,
                "reason": reason,
            },
        )
