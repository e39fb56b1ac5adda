"""Alembic, without an ini file: the migrations travel inside the package.

Alembic is imported only where there is something to migrate; no process keeps it for a mere look.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Engine, inspect, text

from flows.journal.errors import JournalSchemaError

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["HEAD", "alembic_config", "require_current", "upgrade"]

HEAD: Final = "0004"
_LOCK = 5_236_719_028


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


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
        present = _present(connection)
        if present != HEAD:
            _migrate(connection, present)


def require_current(engine: Engine) -> None:
    """Raise JournalSchemaError unless the tables have the present form."""
    with engine.connect() as connection:
        present = _present(connection)
        if present == HEAD:
            return
        _check_known(connection, present)
    raise JournalSchemaError(
        f"the journal is at revision {present or 'none'} and {HEAD} is needed: "
        "start `secondread serve`, which upgrades it"
    )


def _present(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _check_known(connection: Connection, present: str | None) -> None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory.from_config(alembic_config(connection))
    if present is not None and present not in {script.revision for script in scripts.walk_revisions()}:
        raise JournalSchemaError(
            f"the journal is at revision {present}, which this version does not know: "
            "it was written by a newer version; install that one or restore a backup"
        )


def _migrate(connection: Connection, present: str | None) -> None:
    from alembic import command  # noqa: PLC0415

    _check_known(connection, present)
    command.upgrade(alembic_config(connection), HEAD)
