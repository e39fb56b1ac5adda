"""ONNX files that are small, clean and the same for the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET = 20
IR_VERSION = 10
HALF_LIMIT = 256
"""Initializers of at least this many values are stored in 16 bits."""


def halve(model: onnx.ModelProto) -> None:
    """Store large float32 initializers as float16 behind a Cast, in place: half the file, float32 sums."""
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < HALF_LIMIT:
            continue
        name = tensor.name
        stored = numpy_helper.from_array(values.astype(np.float16), f"{name}_half")
        graph.initializer.remove(tensor)
        graph.initializer.append(stored)
        casts.append(helper.make_node("Cast", [stored.name], [name], f"{name}_cast", to=TensorProto.FLOAT))
    for node in reversed(casts):
        graph.node.insert(0, node)


_GIVEN = "given_to_the_network"


def _rename(model: onnx.ModelProto, name: str) -> None:
    """Give the input its name, in place; a value inside that has it already ("view" is one) makes way."""
    names = {_GIVEN: name, name: f"{name}_inside"}
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
    (given,) = model.graph.input
    given.name = name


def write_onnx(
    network: nn.Module,
    example: Tensor,
    dimensions: dict[int, Any],
    *,
    input_name: str,
    outputs: tuple[str, ...],
    target: Path,
) -> dict[str, Any]:
    """Write a network as ONNX without traces of the exporter and with 16-bit stored weights.

    Returns
    -------
    dict
        file, sha256, bytes, opset and ir_version of the file.
    """
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        input_names=[_GIVEN],
        output_names=list(outputs),
        dynamic_shapes=(dimensions,),
        optimize=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("the exporter gave no program")
    model = program.model_proto
    model.ir_version = IR_VERSION
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
    del model.metadata_props[:]
    model.producer_name, model.producer_version, model.doc_string = "secondread", "0.1", ""
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = ""
    _rename(model, input_name)
    halve(model)
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    target.write_bytes(data)
    return {
        "file": target.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "opset": OPSET,
        "ir_version": IR_VERSION,
    }


def parity(
    network: nn.Module, target: Path, inputs: Iterable[Tensor], *, input_name: str, outputs: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Measure the difference between torch (float32 weights) and an ONNX file, by output: max and mean."""
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    differences: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in outputs}
    for tensor in inputs:
        with torch.no_grad():
            expected = network(tensor)
        got = session.run(list(outputs), {input_name: tensor.numpy()})
        for name, want, have in zip(outputs, expected, got, strict=True):
            differences[name].append(np.abs(want.numpy() - have).ravel())
    joined = {name: np.concatenate(parts) for name, parts in differences.items()}
    return {name: {"max": float(d.max()), "mean": float(d.mean())} for name, d in joined.items()}
