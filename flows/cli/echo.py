"""``secondread echo``: whether a node is there and accepts us."""

from __future__ import annotations

from typing import Annotated

import typer

from dicom_io.send import SendError, echo
from flows.cli.console import output, print_json
from flows.cli.context import settings
from flows.cli.errors import CommandError
from flows.cli.nodes import dimse_address

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def command(
    node: Annotated[str, typer.Argument(metavar="NODE", help="A node of the settings, or AE@HOST:PORT.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send a C-ECHO to a node and say how it answered."""
    address = dimse_address(node)
    try:
        answer = echo(address, calling_ae_title=settings().listener.ae_title)
    except SendError as error:
        raise CommandError(f"{node}: {error}") from error
    if as_json:
        print_json({"node": node, "ae_title": address.ae_title, "answer": answer})
    else:
        output.print(f"{node} ({address.ae_title} at {address.host}:{address.port}) answered.")
