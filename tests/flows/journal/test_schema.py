from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from flows.journal import Journal, JournalError, JournalSchemaError
from flows.journal.migrate import HEAD, alembic_config
from flows.journal.tables import metadata


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://localhost/x"])
def test_a_database_that_is_not_kept_or_not_supported_is_refused(url: str) -> None:
    with pytest.raises(JournalError, match="memory|SQLite or PostgreSQL"):
        Journal(url)


def test_an_empty_database_is_told_to_be_upgraded(journal_url: str) -> None:
    with Journal(journal_url) as journal, pytest.raises(JournalSchemaError, match="revision none.*serve"):
        journal.require_current()


def test_a_journal_of_a_newer_version_is_left_alone(journal_url: str) -> None:
    with Journal(journal_url) as journal:
        journal.upgrade()
        engine = create_engine(journal_url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for call in (journal.upgrade, journal.require_current):
            with pytest.raises(JournalSchemaError, match="9999.*newer version"):
                call()
        engine.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code(journal_url: str) -> None:
    with Journal(journal_url) as journal:
        journal.upgrade()
        journal.require_current()
    engine = create_engine(journal_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_that_the_code_needs(journal_url: str) -> None:
    engine = create_engine(journal_url)
    with engine.connect() as connection:
        assert ScriptDirectory.from_config(alembic_config(connection)).get_heads() == [HEAD]
    engine.dispose()


def test_a_look_at_a_current_journal_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'journal.sqlite'}"
    with Journal(url) as journal:
        journal.upgrade()
    code = (
        "import sys; from flows.journal import Journal; j = Journal(sys.argv[1]); j.require_current(); "
        "j.upgrade(); print('alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_upgrades_at_the_same_time_wait_for_each_other(journal_url: str) -> None:
    errors: list[BaseException] = []

    def upgrade() -> None:
        try:
            with Journal(journal_url) as journal:
                journal.upgrade()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    engine = create_engine(journal_url)
    assert "studies" in inspect(engine).get_table_names()
    engine.dispose()


def test_sqlite_is_durable(tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path / 'deep' / 'journal.sqlite'}") as journal:
        journal.upgrade()
        with journal._reading() as connection:
            pragma = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


@pytest.mark.peer
@pytest.mark.parametrize("journal_url", ["postgresql"], indirect=True)
def test_postgresql_is_durable(journal_url: str) -> None:
    with Journal(journal_url) as journal, journal._reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
        assert connection.exec_driver_sql("SHOW fsync").scalar_one() == "on"


def test_errors_of_the_database_name_no_study(journal_url: str) -> None:
    with Journal(journal_url) as journal, pytest.raises(SQLAlchemyError) as caught:
        journal.find_study("1.2.3.4.5.6.7.8.9")
    assert "1.2.3.4.5.6.7.8.9" not in str(caught.value)
