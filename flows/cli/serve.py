"""``secondread serve``: the service, in the foreground."""

from __future__ import annotations

import typer

from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.service import ServiceError, serve

__all__ = ["app"]

app = typer.Typer()


@app.command()
def command() -> None:
    """Run listener, journal, routing, Prefect and the resident worker until SIGTERM or Ctrl-C."""
    try:
        serve(settings())
    except ServiceError as error:
        raise CommandError(str(error)) from error
