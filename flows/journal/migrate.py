"""Alembic, without an ini file: the migrations travel inside the package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from flows.journal.errors import JournalSchemaError

__all__ = ["alembic_config", "require_current", "upgrade"]

_LOCK = 5_236_719_028


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _versions(connection: Connection) -> tuple[str | None, str | None, bool]:
    scripts = ScriptDirectory.from_config(alembic_config(connection))
    present = MigrationContext.configure(connection).get_current_revision()
    known = present is None or present in {script.revision for script in scripts.walk_revisions()}
    return present, scripts.get_current_head(), known


def _too_new(present: str | None) -> JournalSchemaError:
    return JournalSchemaError(
        f"the journal is at revision {present}, which this version does not know: "
        "it was written by a newer version; install that one or restore a backup"
    )


def upgrade(engine: Engine) -> None:
    """Bring the tables to the present form in one transaction, one process at a time.

    Raises
    ------
    JournalSchemaError
        A newer version wrote the journal.
    """
    with engine.connect().execution_options(journal_writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        present, head, known = _versions(connection)
        if not known:
            raise _too_new(present)
        if present != head:
            command.upgrade(alembic_config(connection), "head")


def require_current(engine: Engine) -> None:
    """Raise JournalSchemaError unless the tables have the present form."""
    with engine.connect() as connection:
        present, head, known = _versions(connection)
    if not known:
        raise _too_new(present)
    if present != head:
        raise JournalSchemaError(
            f"the journal is at revision {present or 'none'} and {head} is needed: "
            "start `secondread serve`, which upgrades it"
        )
