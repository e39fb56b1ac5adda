"""What commands print: tables and progress for people, JSON for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["errors", "output", "print_json", "progress", "table"]


def _width() -> int | None:
    """Return a width for pipes and files, where the terminal gives none: eighty would break every table."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160


output: Final = Console(highlight=False, width=_width())
"""Standard output."""

errors: Final = Console(stderr=True, highlight=False)
"""Standard error: progress and warnings, so that standard output stays what was asked for."""


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")


def print_json(value: Any) -> None:
    """Print a value as JSON; dataclasses, times and paths in their plain forms."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def table(*columns: str, title: str | None = None) -> Table:
    """Return a table in the one look that all commands share."""
    made = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=None)
    made.pad_edge = False
    for number, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=number == 0)
    return made


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """Show a bar on standard error, where that is a terminal; the one task has the id 0."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as bar:
        bar.add_task(what, total=total)
        yield bar
