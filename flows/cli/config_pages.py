"""The settings as tables: what is in force and from where, and the reference page of all there are."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sqlalchemy.engine import make_url

from flows.routing.rules import Condition, Route
from flows.settings import DicomwebNode, DimseNode, FolderNode, Peer, Settings, TlsSettings

__all__ = ["Effective", "effective_values", "reference_page"]

Source = Literal["environment", "file", "default"]
_PREFIX = "SECONDREAD_"
_TYPE_NAMES: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
}
_TOP_DEFAULTS = {
    "state_dir": "the user's state folder",
    "nodes": "none",
    "routes": "chest films, results kept",
}


@dataclass(frozen=True)
class Effective:
    """One setting in force: dotted name, JSON value, and where it comes from."""

    name: str
    value: Any
    source: Source

    @property
    def shown(self) -> str:
        """The value in one line; passwords in URLs are hidden by whoever made this object."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)


def _sections() -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation, field


def effective_values(settings: Settings) -> list[Effective]:
    """Return every setting in force, in the order of the reference page."""
    in_file: Mapping[str, Any] = {}
    if settings.path is not None:
        in_file = tomllib.loads(settings.path.read_text(encoding="utf-8"))
    values = json.loads(settings.model_dump_json(by_alias=True, exclude_none=False))
    sections = {name for name, _, _ in _sections()}
    environment = {name.upper() for name in os.environ}
    made = []
    for name, value in values.items():
        if name in sections:
            for key, inner in value.items():
                source = _source(environment, (name, key), in_file.get(name, {}))
                made.append(Effective(f"{name}.{key}", _hidden(key, inner), source))
        else:
            made.append(Effective(name, _without_none(value), _source(environment, (name,), in_file)))
    return made


def _source(environment: set[str], path: tuple[str, ...], in_file: Mapping[str, Any]) -> Source:
    named = {_PREFIX + "__".join(path[:depth]).upper() for depth in range(1, len(path) + 1)}
    if named & environment:
        return "environment"
    return "file" if path[-1] in in_file else "default"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value


def _hidden(key: str, value: Any) -> Any:
    if isinstance(value, str) and key.endswith("url") and "@" in value:
        return make_url(value).render_as_string(hide_password=True)
    return value


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(json.dumps(a) for a in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return "table"
    if arguments:
        return " or ".join(_type_name(a) for a in arguments if a is not type(None))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return _TYPE_NAMES.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined:
        return "see below"
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        value = [v.model_dump() if isinstance(v, BaseModel) else v for v in value]
    return f"`{json.dumps(value, default=str)}`"


def _limits(field: FieldInfo) -> str:
    words = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    parts = [f"{words[k]} {getattr(m, k)}" for m in field.metadata for k in words if hasattr(m, k)]
    return f" ({', '.join(parts)})" if parts else ""


def _rows(model: type[BaseModel], environment: str | None) -> Iterator[str]:
    columns = ["setting", "type", "default", *(["environment"] if environment else []), "what"]
    yield "| " + " | ".join(columns) + " |"
    yield "| " + " | ".join("---" for _ in columns) + " |"
    for name, field in model.model_fields.items():
        cells = [f"`{field.alias or name}`", _type_name(field.annotation) + _limits(field), _default(field)]
        if environment:
            cells.append(f"`{environment}{name.upper()}`")
        cells.append(field.description or "")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_INTRODUCTION = """# Settings

Written by `make docs`; do not edit by hand.

Settings come from the environment first, then from a TOML file (`--config`, `$SECONDREAD_CONFIG` or
`./secondread.toml`), then from the defaults below. Relative paths in the file count from the file's folder.
An unknown name is an error. `secondread config check` checks a file, `secondread config show` tells where
each value comes from. [infra/secondread.toml](../infra/secondread.toml) is an example to start from.

## Top level
"""


def reference_page() -> str:
    """Return the reference of all settings as Markdown, written from the models themselves."""
    sections = {name for name, _, _ in _sections()}
    lines = [_INTRODUCTION, "| setting | default | environment | what |", "| --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        if name in sections:
            continue
        default = {
            "state_dir": "the user's state folder",
            "nodes": "none",
            "routes": "chest films, results kept",
        }
        about = field.description or ""
        lines.append(
            f"| `{name}` | {default.get(name, _default(field))} | `{_PREFIX}{name.upper()}` | {about} |"
        )
    for name, model, _ in _sections():
        about = (model.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## `[{name}]`", "", about, "", *_rows(model, f"{_PREFIX}{name.upper()}__")]
    others: tuple[tuple[str, type[BaseModel], str], ...] = (
        ("[[listener.peers]]", Peer, "Who may send."),
        ("[nodes.NAME]", DimseNode, 'A DICOM node; `kind = "dimse"` may be left out.'),
        ("[nodes.NAME.tls]", TlsSettings, "TLS 1.2 or later, with the node's certificate verified."),
        ('[nodes.NAME] with kind = "dicomweb"', DicomwebNode, "A DICOMweb server that takes STOW-RS."),
        ('[nodes.NAME] with kind = "folder"', FolderNode, "A folder that results are copied to."),
        ("[[routes]]", Route, "What is read by which package, and where the results go."),
        ("routes.when", Condition, "A condition, or a list of conditions that must all hold."),
    )
    for title, model, about in others:
        lines += ["", f"## `{title}`", "", about, "", *_rows(model, None)]
    example = """
A condition is exactly one of `all`, `any`, `not` or a `tag` with exactly one test. A multi-valued attribute
passes when one of its values does; an absent attribute fails every test but `present = false`. Nothing is
evaluated as code.

```toml
[[routes]]
name = "chest"
package = "chest-nodule"
destinations = ["pacs"]
when = [
  { tag = "Modality", in = ["CR", "DX"] },
  { any = [
    { tag = "BodyPartExamined", equals = "CHEST" },
    { tag = "StudyDescription", matches = "(?i)thorax|chest" },
  ] },
  { not = { tag = "ImageType", equals = "SECONDARY" } },
]

[[routes]]
name = "mammography"
package = "mammography"
destinations = ["pacs"]
quiet_time_s = 60.0
when = [{ tag = "Modality", equals = "MG" }]
```

The images of a mammography study are read together, so the route waits until the modality has sent all of
them. Raw data (For Processing) may come along: it is set aside where the images for presentation are there,
and a study of nothing else gets a report that says why it was not read. A test in `when` keeps it out without
a word: `{ tag = "PresentationIntentType", equals = "FOR PRESENTATION" }`. See
[input of mammography](mammography-input.md).
"""
    return "\n".join(lines) + "\n" + example
