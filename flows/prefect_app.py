"""The Prefect server as an ASGI application, with a SQLite that waits instead of failing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.server.api.server import create_app as create_prefect_app
from prefect.server.database.configurations import SQLITE_BEGIN_MODE, AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.settings import get_current_settings

from flows.memory import give_back_regularly
from flows.supervisor import end_with_parent

if TYPE_CHECKING:
    import sqlalchemy as sa
    from fastapi import FastAPI

__all__ = ["create_app"]


class WaitingSqlite(AioSqliteConfiguration):
    """SQLite whose transactions take the write lock when they begin.

    A deferred transaction that reads and then writes fails at once, whatever the busy timeout, when
    another connection wrote in between (SQLITE_BUSY_SNAPSHOT). Prefect answers 503 then, and its client
    waits two seconds and more: with the events of a handful of tasks that happens in most runs. An
    immediate transaction waits for its turn, which comes after milliseconds.
    """

    def begin_sqlite_stmt(self, conn: sa.Connection) -> None:
        """Begin at once for writing wherever Prefect would begin deferred."""
        if SQLITE_BEGIN_MODE.get() is not None:
            conn.exec_driver_sql("BEGIN IMMEDIATE")


def create_app() -> FastAPI:
    """Make the server's application; uvicorn calls it as a factory."""
    end_with_parent()
    give_back_regularly()
    secret = get_current_settings().server.database.connection_url
    url = secret.get_secret_value() if secret is not None else ""
    if url.startswith("sqlite"):
        MODELS_DEPENDENCIES["database_config"] = WaitingSqlite(connection_url=url)
    return create_prefect_app()
