"""``secondread serve``: the service, in the foreground."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Annotated

import typer

from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.service import ServiceError, serve

__all__ = ["app"]

app = typer.Typer(add_completion=False)


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"


@app.command()
def command(
    log_level: Annotated[LogLevel, typer.Option(help="How much is logged.")] = LogLevel.INFO,
) -> None:
    """Run listener, journal, routing, Prefect and the resident worker until SIGTERM or Ctrl-C."""
    logging.basicConfig(
        level=log_level.value.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # The association's details of every peer are the journal's to keep, and may name patients at DEBUG.
    logging.getLogger("pynetdicom").setLevel(logging.WARNING)
    try:
        serve(settings())
    except ServiceError as error:
        raise CommandError(str(error)) from error
