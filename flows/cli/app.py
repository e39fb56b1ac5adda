"""The command ``secondread``: a table of sub-commands, each loaded only when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from flows.cli.errors import CommandError

__all__ = ["COMMANDS", "PLUGIN_GROUP", "app", "load_command", "main"]

PLUGIN_GROUP: Final = "secondread.commands"
"""Entry-point group by which other rooms and other distributions add sub-commands."""

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("flows.cli.serve", "Run the service: listener, journal, Prefect, resident worker."),
    "demo": (
        "flows.cli.demo",
        "Send chest phantoms through a whole system and show what came back.",
    ),
    "run": ("flows.cli.run", "Read a folder of DICOM with a package, without any server."),
    "status": ("flows.cli.status", "Show what came in, what became of it and where it went."),
    "deliveries": ("flows.cli.deliveries", "Show what goes where, how far it came, and why it did not."),
    "deliver": ("flows.cli.deliver", "Have dead or failing deliveries tried again."),
    "reprocess": ("flows.cli.reprocess", "Read a study again: a new attempt, or a new revision."),
    "send": ("flows.cli.send", "Send the DICOM files of a folder to a node."),
    "echo": ("flows.cli.echo", "Ask a node for a C-ECHO."),
    "routes": ("flows.cli.routes", "Explain what would be read by what, and why."),
    "config": ("flows.cli.config", "Check and show the settings."),
    "package": ("flows.cli.package", "List, show and verify model packages."),
    "viewer": ("flows.cli.viewer", "Serve the OHIF viewer beside an archive's DICOMweb, read-only."),
    "reference": ("flows.cli.reference", "Write the generated pages of the documentation."),
}
"""Name → (module whose ``app`` holds the command, help in one line)."""

_HIDDEN: Final = frozenset({"reference"})


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=PLUGIN_GROUP) if point.name not in COMMANDS}


def load_command(name: str) -> Any:
    """Import a sub-command.

    Raises
    ------
    CommandError
        A plug-in cannot be imported, for want of an extra for instance.
    """
    if name in COMMANDS:
        command = get_command(import_module(COMMANDS[name][0]).app)
    else:
        point = _plugins()[name]
        try:
            command = get_command(point.load())
        except Exception as error:
            raise CommandError(
                f"the command {name!r} of {point.value} cannot be loaded: {error}. "
                f"It may need an extra, e.g. pip install 'secondread[{name}]'"
            ) from error
    command.name = name
    return command


def _stand_ins() -> dict[str, TyperCommand]:
    lines = {name: line for name, (_, line) in COMMANDS.items()}
    for name, point in sorted(_plugins().items()):
        lines[name] = f"Commands of {point.value.partition(':')[0]} (plug-in)."
    return {name: TyperCommand(name, help=line, hidden=name in _HIDDEN) for name, line in lines.items()}


class _LazyGroup(TyperGroup):
    """Shows every sub-command by its line in the table and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update(_stand_ins())

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in self.commands:
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="secondread",
    cls=_LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"secondread {version('secondread')}")
        raise typer.Exit


@app.callback()
def _secondread(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="SECONDREAD_CONFIG",
            help="Settings file; else ./secondread.toml, else the defaults.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Chest films, mammograms and brain MRI in over DICOM, readings back to the PACS.

    Research use, not for diagnosis.
    """
    if config is not None:
        # Child processes read the same settings.
        os.environ["SECONDREAD_CONFIG"] = str(config.absolute())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="secondread")
    except CommandError as error:
        print(f"secondread: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
