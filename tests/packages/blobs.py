"""A detect package without training: three difference-of-Gaussians networks with the members' interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.packages.writing import model_bytes, write_members

NAME, VERSION = "blob-detector", "0.0.1"
REFERENCE = f"{NAME}@{VERSION}"
_SIGMAS = (6.0, 7.0, 8.0)


def _kernel(sigma: float) -> np.ndarray:
    reach = int(4 * sigma)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = rows**2 + columns**2
    inner = np.exp(-squared / (2 * sigma**2))
    outer = np.exp(-squared / (2 * (1.6 * sigma) ** 2))
    return (inner / inner.sum() - outer / outer.sum()).astype(np.float32)[None, None]


def _member(sigma: float) -> bytes:
    kernel = _kernel(sigma)
    reach = kernel.shape[-1] // 2
    constants = {
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "margins": np.array([0, 0, reach, reach, 0, 0, reach, reach], np.int64),
        "kernel": kernel,
        "gain": np.array(60.0, np.float32),
        "bias": np.array(-6.0, np.float32),
        "zero": np.array(0.0, np.float32),
        "pair": np.full((1, 2, 1, 1), 2 * 1.6 * sigma, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["film", "first", "second", "axis"], ["grey"]),
        helper.make_node("Pad", ["grey", "margins"], ["padded"], mode="edge"),
        helper.make_node("Conv", ["padded", "kernel"], ["blobs"]),
        helper.make_node("AveragePool", ["blobs"], ["coarse"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Mul", ["coarse", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["centre"]),
        helper.make_node("Mul", ["coarse", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "pair"], ["extent"]),
        helper.make_node("GlobalMaxPool", ["centre"], ["highest"]),
        helper.make_node("Flatten", ["highest"], ["flat"]),
        helper.make_node("Squeeze", ["flat", "axis"], ["presence"]),
    ]
    graph = helper.make_graph(
        nodes,
        f"blobs-{sigma:g}",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["batch", 3, "rows", "columns"])],
        [
            helper.make_tensor_value_info("centre", TensorProto.FLOAT, ["batch", 1, "h", "w"]),
            helper.make_tensor_value_info("extent", TensorProto.FLOAT, ["batch", 2, "h", "w"]),
            helper.make_tensor_value_info("presence", TensorProto.FLOAT, ["batch"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return model_bytes(graph)


def build_blob_package(root: Path, version: str = VERSION) -> Path:
    """Write ``root/blob-detector/<version>`` and return it; ``root`` is one of ``runtime.package_dirs``."""
    folder = root / NAME / version
    folder.mkdir(parents=True)
    contents = [(f"member-{number}.onnx", _member(sigma)) for number, sigma in enumerate(_SIGMAS)]
    members = write_members(folder, contents)
    (folder / "package.toml").write_text(_MANIFEST.format(name=NAME, version=version) + members)
    return folder


_MANIFEST = """
[package]
name = "{name}"
version = "{version}"
task = "detect"
family = "centre-heatmap"
title = "Bright blobs, for tests"
intended_use = "Tests of the service. It finds bright blobs of one size, nothing else."
limitations = ["It was not trained and must not be used on patients."]
licence = "Apache-2.0"
created = 2026-01-01

[input]
modalities = ["CR", "DX"]
views = ["PA", "AP"]
body_parts = ["CHEST", "THORAX", "LUNG"]
polarity = "chest"

[tensor]
name = "film"
shape = ["batch", 3, "rows", "columns"]

[[outputs]]
name = "centre"
shape = ["batch", 1, "h", "w"]
[[outputs]]
name = "extent"
shape = ["batch", 2, "h", "w"]
[[outputs]]
name = "presence"
shape = ["batch"]

[preprocessing]
long_side = 640
candidate_floor = 0.02
overlap = 0.2
flip = false

[[findings]]
key = "nodule"
code = "27925004"
scheme = "SCT"
meaning = "Nodule"

[operating_point]
score = 0.5
definition = "By eye on phantoms."

[calibration]
definition = "None: identity maps."
case = {{ slope = 1.0, offset = 0.0 }}
members = [{{ slope = 1.0, offset = 0.0 }}, {{ slope = 1.0, offset = 0.0 }}, {{ slope = 1.0, offset = 0.0 }}]

[resources]
memory_mb = 200

"""
