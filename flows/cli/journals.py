"""The journal for a command that only looks, or puts something into the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from flows.cli.errors import CommandError
from flows.journal import Journal, JournalError, open_journal
from flows.settings import Settings

__all__ = ["journal"]


@contextmanager
def journal(configured: Settings) -> Iterator[Journal]:
    """Open the journal that the service writes; CommandError where it is missing or out of reach."""
    url = make_url(configured.journal_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise CommandError(f"no journal at {url.database}: `secondread serve` makes it when it first starts")
    try:
        with open_journal(configured) as opened:
            yield opened
    except JournalError as error:
        raise CommandError(str(error)) from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise CommandError(f"the journal at {url.render_as_string(hide_password=True)}: {cause}") from error
