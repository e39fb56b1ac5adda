"""What ``secondread package show`` says of a manifest, in the order in which people ask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydicom.uid import UID

__all__ = ["aims_of", "as_people_read", "lines_of"]

_FIRST = ("input", "findings", "classifications", "branches", "operating_point", "metrics", "training_data")
_CHEST_ONLY = ("views", "accept_unknown_view")
"""Of films of the chest; the views of mammograms stand in ``input.mammography``."""
_CARD = "MODEL_CARD.md"
_AIM = re.compile(r"\baim\b.*\breached\b|\breached\b.*\baim\b", re.IGNORECASE)


def aims_of(folder: Path) -> list[str]:
    """Return the lines of a package's model card that say whether an aim was reached; none without a card."""
    card = folder / _CARD
    if not card.is_file():
        return []
    return [line.strip() for line in card.read_text(encoding="utf-8").splitlines() if _AIM.search(line)]


def as_people_read(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a manifest holds beside its own description, what people ask for first, without empties.

    Parameters
    ----------
    manifest : mapping
        As JSON has it. SOP classes get their names, figures that are the same become one row, and fields of
        the input that do not apply are left out.
    """
    shown = dict(manifest)
    if "input" in shown:
        shown["input"] = _input(shown["input"])
    if "metrics" in shown:
        shown["metrics"] = _each_once(shown["metrics"])
    names = [*_FIRST, *(name for name in shown if name not in (*_FIRST, "package"))]
    return {name: shown[name] for name in names if shown.get(name) not in (None, [], {})}


def _input(contract: Mapping[str, Any]) -> dict[str, Any]:
    left_out = _CHEST_ONLY if contract.get("mammography") else ()
    shown = {name: value for name, value in contract.items() if name not in left_out}
    if shown.get("sop_classes"):
        shown["sop_classes"] = [_with_name(uid) for uid in shown["sop_classes"]]
    return shown


def _with_name(uid: str) -> str:
    name = UID(uid).name
    return uid if name == uid else f"{uid} {name}"


def _each_once(metrics: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge figures that differ in nothing but their name: the first name, and what the others add to it."""
    rows: dict[str, dict[str, Any]] = {}
    others: dict[str, list[str]] = {}
    for metric in metrics:
        key = json.dumps({name: value for name, value in metric.items() if name != "name"}, sort_keys=True)
        if key in rows:
            others[key].append(str(metric["name"]).removeprefix(f"{rows[key]['name']}, "))
        else:
            rows[key], others[key] = dict(metric), []
    return [
        {**row, "name": f"{row['name']} (the same: {'; '.join(others[key])})"} if others[key] else row
        for key, row in rows.items()
    ]


def lines_of(value: Any) -> Iterator[str]:
    """Yield a nested value as indented lines; what is flat stays on one."""
    if isinstance(value, dict) and not _is_flat(value):
        for key, inner in value.items():
            if _is_flat(inner):
                yield f"{key}: {_in_one_line(inner)}"
            else:
                yield f"{key}:"
                yield from (f"  {line}" for line in lines_of(inner))
    elif isinstance(value, list) and not all(isinstance(item, str | int | float) for item in value):
        for item in value:
            first, *others = lines_of(item)
            yield f"- {first}"
            yield from (f"  {line}" for line in others)
    elif isinstance(value, list) and any(isinstance(item, str) and " " in item for item in value):
        yield from (f"- {item}" for item in value)
    else:
        yield _in_one_line(value)


def _is_flat(value: Any) -> bool:
    if isinstance(value, dict):
        return not any(isinstance(inner, dict | list) for inner in value.values())
    if isinstance(value, list):
        return all(
            isinstance(item, int | float) or (isinstance(item, str) and " " not in item) for item in value
        )
    return True


def _in_one_line(item: Any) -> str:
    if isinstance(item, dict):
        return "  ".join(f"{key}={_in_one_line(value)}" for key, value in item.items())
    if isinstance(item, list):
        return ", ".join(_in_one_line(value) for value in item)
    return item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
