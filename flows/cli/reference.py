"""``secondread reference``: all commands with their options as Markdown (docs/cli.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from flows.cli.app import COMMANDS, load_command

__all__ = ["app", "command_page"]

app = typer.Typer()

_INTRODUCTION = """# Command line

Written by `secondread reference`; do not edit by hand.

`secondread [--config FILE] COMMAND …`. Errors are one line on standard error; status 0 means done, 1 that it
could not be done, 2 that the call or the settings are wrong. With `--json`, standard output holds JSON and
nothing else; progress goes to standard error. Other distributions add commands by the entry-point group
`secondread.commands`.
"""


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    metavar = getattr(parameter, "metavar", None)
    if parameter.param_type_name == "argument":
        names = f"`{metavar or parameter.name.upper()}`"
    elif metavar:
        names += f" `{metavar}`"
    return f"- {names}: {getattr(parameter, 'help', None) or ''}".rstrip()


def _sections(name: str, command: Any, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} `secondread {name}`"
    yield ""
    yield (command.help or "").strip()
    yield ""
    parameters = [_parameter(p) for p in command.params if p.name != "help"]
    if parameters:
        yield from parameters
        yield ""
    for child, sub in getattr(command, "commands", {}).items():
        yield from _sections(f"{name} {child}", sub, depth + 1)


def command_page() -> str:
    """Return the reference page of the core's commands."""
    lines = [_INTRODUCTION]
    for name in COMMANDS:
        if name != "reference":
            lines += _sections(name, load_command(name), 2)
    return "\n".join(lines).rstrip() + "\n"


@app.command()
def command() -> None:
    """Print the reference of all commands as Markdown."""
    print(command_page(), end="")
