"""How test packages are written: graphs to ONNX bytes, members and their tables of the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import onnx
from onnx import helper

_OPSET, _IR = 20, 10


def model_bytes(graph: onnx.GraphProto) -> bytes:
    """Return a checked model of this graph."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_members(folder: Path, contents: Iterable[tuple[str, bytes]], table: str = "members") -> str:
    """Write networks by file name and return their tables for the manifest."""
    rows = []
    for name, content in contents:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        rows.append(
            f"[[{table}]]\n"
            f'file = "{name}"\n'
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n'
            f"bytes = {len(content)}\nopset = {_OPSET}\nir_version = {_IR}\n"
        )
    return "\n".join(rows)
