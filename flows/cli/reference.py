"""``secondread reference``: the generated pages of ``docs/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import BaseModel

from flows.cli.app import COMMANDS, load_command
from flows.cli.config_pages import reference_page
from flows.offline.report import RunReport
from models.package import PackageManifest

__all__ = ["PAGES", "app", "command_page", "package_schema", "run_schema"]

app = typer.Typer(add_completion=False)

_INTRODUCTION = """# Command line

Written by `make docs`; do not edit by hand.

`secondread [--config FILE] COMMAND …`. Errors are one line on standard error; status 0 means done, 1 that it
could not be done, 2 that the call or the settings are wrong. With `--json`, standard output holds JSON and
nothing else; progress goes to standard error. Other distributions add commands by the entry-point group
`secondread.commands`; the extra `export` brings `secondread export` (the same as `python -m export`):
`train`, `onnx`, `evaluate` and `package`, see [chest-nodule](chest-nodule.md),
[brain-tumour](brain-tumour.md) and [mammography](mammography.md).
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


def _schema(model: type[BaseModel], title: str) -> str:
    page = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True),
    }
    return json.dumps({**page, "title": title}, indent=2, ensure_ascii=False) + "\n"


def run_schema() -> str:
    """Return the JSON schema of what ``secondread run --json`` writes."""
    return _schema(RunReport, "secondread run --json")


def package_schema() -> str:
    """Return the JSON schema of ``package.toml``."""
    return _schema(PackageManifest, "package.toml")


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": command_page,
    "settings.md": reference_page,
    "run.schema.json": run_schema,
    "package.schema.json": package_schema,
}
"""File in ``docs/`` → what writes it."""


@app.command()
def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="docs/")],
) -> None:
    """Write the generated pages: commands, settings, and the schemas of package.toml and run's JSON."""
    for name, write in PAGES.items():
        (folder / name).write_text(write(), encoding="utf-8")
