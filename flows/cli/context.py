"""What most commands need: the settings, and a node by its name."""

from __future__ import annotations

import tomllib

from pydantic import ValidationError

from flows.cli.errors import CommandError
from flows.settings import DimseNode, Node, Settings, load_settings

__all__ = ["node", "settings", "settings_errors"]


def settings_errors(error: ValidationError) -> list[str]:
    """Return one line per wrong setting: its dotted name, what is wrong, and the value that was given."""
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part) for part in item["loc"]) or "settings"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "there is no such setting"
        given = item.get("input")
        shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
        lines.append(f"{name}: {message}{shown}")
    return lines


def settings() -> Settings:
    """Return the settings; CommandError with status 2 names what is wrong in them."""
    try:
        return load_settings()
    except FileNotFoundError as error:
        raise CommandError(str(error), 2) from error
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"the settings file is no TOML: {error}", 2) from error
    except ValidationError as error:
        raise CommandError("wrong settings: " + "; ".join(settings_errors(error)), 2) from error


def _parsed(text: str) -> DimseNode:
    title, _, address = text.partition("@")
    host, _, port = address.rpartition(":")
    if not (title and host and port.isdigit()):
        raise CommandError(f"{text!r} is neither a node of the settings nor AE@HOST:PORT", 2)
    try:
        return DimseNode(ae_title=title, host=host.strip("[]"), port=int(port))
    except ValidationError as error:
        raise CommandError(f"{text}: " + "; ".join(settings_errors(error)), 2) from error


def node(name: str) -> Node:
    """Return a node by its name in the settings, or as ``AE@HOST:PORT``."""
    if "@" in name:
        return _parsed(name)
    known = settings().nodes
    if name not in known:
        raise CommandError(
            f"no node {name!r} in the settings (there are: {', '.join(sorted(known)) or 'none'}); "
            "AE@HOST:PORT works as well",
            2,
        )
    return known[name]
