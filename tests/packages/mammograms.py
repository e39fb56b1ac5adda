"""A package for mammograms without training: three networks that mark bright spots of one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.packages.writing import model_bytes, write_members

NAME, VERSION = "bright-masses", "0.0.1"
REFERENCE = f"{NAME}@{VERSION}"
SIGMAS = (3.0, 3.4, 3.8)
"""Width of the spot that each member looks for, in cells of four network pixels."""
TEXTURED_SIGMAS = (2.8, 3.0, 3.2)


def _kernel(sigma: float) -> np.ndarray:
    reach = int(4 * sigma)
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    squared = rows**2 + columns**2
    inner = np.exp(-squared / (2 * sigma**2))
    outer = np.exp(-squared / (2 * (1.6 * sigma) ** 2))
    return (inner / inner.sum() - outer / outer.sum()).astype(np.float32)[None, None]


def member(sigma: float, *, textured: bool = False) -> bytes:
    """Return a network: difference of two Gaussians, on cells of four pixels.

    It looks at the second channel, or for ``textured`` breasts at the first: there it marks masses of about
    8 mm radius that are brighter by .3, and neither fibroglandular tissue nor the edge of the skin, since
    air nearby lowers the score. ``abnormal`` is the highest ``centre``, ``malignant`` half of it;
    ``density`` rises with the mean of the first channel.
    """
    gain, bias, penalty = (60.0, -11.1, 8.0) if textured else (45.0, -6.0, 0.0)
    kernel = _kernel(sigma)
    reach = kernel.shape[-1] // 2
    constants = {
        "nought": np.array([0], np.int64),
        "first": np.array([0 if textured else 1], np.int64),
        "last": np.array([1 if textured else 2], np.int64),
        "one": np.array([1], np.int64),
        "margins": np.array([0, 0, reach, reach, 0, 0, reach, reach], np.int64),
        "kernel": kernel,
        "gain": np.array(gain, np.float32),
        "bias": np.array(bias, np.float32),
        "dark": np.array(-10.0, np.float32),
        "darkest": np.array(-9.0, np.float32),
        "penalty": np.array(penalty, np.float32),
        "half": np.array(0.5, np.float32),
        "zero": np.array(0.0, np.float32),
        "pair": np.full((1, 2, 1, 1), 2 * 1.6 * sigma * 4, np.float32),
        "inner": np.array([1, 2, 3], np.int64),
        "slopes": np.array([[-4.0, 0.0, 4.0]], np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["view", "nought", "one", "one"], ["grey"]),
        helper.make_node("Slice", ["view", "first", "last", "one"], ["seen"]),
        helper.make_node("AveragePool", ["seen"], ["coarse"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("AveragePool", ["grey"], ["bright"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Pad", ["coarse", "margins"], ["padded"], mode="edge"),
        helper.make_node("Conv", ["padded", "kernel"], ["spots"]),
        helper.make_node("Mul", ["spots", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["raised"]),
        helper.make_node("Mul", ["bright", "dark"], ["darkness"]),
        helper.make_node("Add", ["darkness", "darkest"], ["excess"]),
        helper.make_node("Relu", ["excess"], ["air"]),
        helper.make_node("MaxPool", ["air"], ["near"], kernel_shape=[15, 15], pads=[7, 7, 7, 7]),
        helper.make_node("Mul", ["near", "penalty"], ["lowering"]),
        helper.make_node("Sub", ["raised", "lowering"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["centre"]),
        helper.make_node("Mul", ["coarse", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "pair"], ["extent"]),
        helper.make_node("GlobalMaxPool", ["centre"], ["highest"]),
        helper.make_node("Flatten", ["highest"], ["flat"]),
        helper.make_node("Squeeze", ["flat", "one"], ["abnormal"]),
        helper.make_node("Mul", ["abnormal", "half"], ["malignant"]),
        helper.make_node("ReduceMean", ["grey", "inner"], ["mean"], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Mul", ["column", "slopes"], ["classes"]),
        helper.make_node("Softmax", ["classes"], ["density"], axis=1),
    ]
    maps = ["batch", 1, "h", "w"]
    graph = helper.make_graph(
        nodes,
        f"spots-{sigma:g}",
        [helper.make_tensor_value_info("view", TensorProto.FLOAT, ["batch", 3, "rows", "columns"])],
        [
            helper.make_tensor_value_info("centre", TensorProto.FLOAT, maps),
            helper.make_tensor_value_info("extent", TensorProto.FLOAT, ["batch", 2, "h", "w"]),
            helper.make_tensor_value_info("abnormal", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("malignant", TensorProto.FLOAT, ["batch"]),
            helper.make_tensor_value_info("density", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return model_bytes(graph)


def build_mammogram_package(root: Path, version: str = VERSION, *, textured: bool = False) -> Path:
    """Write ``root/bright-masses/<version>`` and return it; ``root`` is one of ``runtime.package_dirs``.

    With ``textured`` the members suit the phantoms of :mod:`models.phantoms.breast`, without it smooth ones.
    """
    folder = root / NAME / version
    folder.mkdir(parents=True)
    contents = [
        (f"member-{number}.onnx", member(sigma, textured=textured))
        for number, sigma in enumerate(TEXTURED_SIGMAS if textured else SIGMAS)
    ]
    members = write_members(folder, contents)
    (folder / "package.toml").write_text(_MANIFEST.format(name=NAME, version=version) + members)
    return folder


_MANIFEST = """
[package]
name = "{name}"
version = "{version}"
task = "detect"
family = "mammography-exam"
title = "Bright masses, for tests"
intended_use = "Tests of the service. It marks bright spots of one size, nothing else."
limitations = ["It was not trained and must not be used on patients."]
licence = "Apache-2.0"
created = 2026-01-01

[input]
modalities = ["MG"]
body_parts = ["BREAST"]
minimum_rows = 128
minimum_columns = 128

[input.mammography]
views = ["MLO", "CC"]
validated_views = ["MLO"]
recognition = ["By tags."]

[tensor]
name = "view"
shape = ["batch", 3, "rows", "columns"]

[[outputs]]
name = "centre"
shape = ["batch", 1, "h", "w"]
[[outputs]]
name = "extent"
shape = ["batch", 2, "h", "w"]
[[outputs]]
name = "abnormal"
shape = ["batch"]
[[outputs]]
name = "malignant"
shape = ["batch"]
[[outputs]]
name = "density"
shape = ["batch", 3]

[preprocessing]
height = 576
candidate_floor = 0.05
overlap = 0.2

[[findings]]
key = "mass"
label = "Mass-like finding"
code = "129788004"
scheme = "SCT"
meaning = "Mammographic breast mass"
site = {{ code = "76752008", scheme = "SCT", meaning = "Breast" }}

[operating_point]
score = 0.5
definition = "By eye on phantoms."

[calibration]
definition = "None: identity maps."
case = {{ slope = 1.0, offset = 0.0 }}
members = [{{ slope = 1.0, offset = 0.0 }}, {{ slope = 1.0, offset = 0.0 }}, {{ slope = 1.0, offset = 0.0 }}]

[exam]
density = true
definition = "None: plain numbers for tests."
image = {{ candidate = 0.5, abnormal = 0.5 }}
single = {{ slope = 1.0, offset = 0.0 }}
several = {{ maximum = 0.5, mean = 0.5, offset = 0.0 }}
asymmetry = {{ weight = 0.0 }}
pairing = {{ nipple_distance_mm = 20.0, nipple_distance_share = 0.2, size_ratio = 3.0 }}

[resources]
memory_mb = 300

"""
