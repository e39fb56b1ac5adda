"""A volume package without training: thresholds on FLAIR, and on T1 with contrast in a branch with types."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.packages.writing import model_bytes, write_members

NAME, VERSION = "bright-lesions", "0.0.1"
REFERENCE = f"{NAME}@{VERSION}"
MAIN_LEVELS, CONTRAST_LEVELS = (1.9, 2.0, 2.1), (2.3, 2.4)
"""Normalised value at which each member says one half."""
TYPE_SHARES = (0.2, 0.7, 0.1)


def member(channels: int, channel: int, level: float, types: Sequence[float] = ()) -> bytes:
    """Return a network: sigmoid of 8 times one channel less ``level``; with ``types`` the same for all."""
    constants = {
        "first": np.array([channel], np.int64),
        "second": np.array([channel + 1], np.int64),
        "axis": np.array([1], np.int64),
        "gain": np.array(8.0, np.float32),
        "level": np.array(level, np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["tensor", "first", "second", "axis"], ["grey"]),
        helper.make_node("Sub", ["grey", "level"], ["above"]),
        helper.make_node("Mul", ["above", "gain"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    outputs = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1, "h", "w"])]
    if types:
        constants |= {
            "shares": np.asarray(types, np.float32)[None],
            "nought": np.array(0.0, np.float32),
            "inner": np.array([2, 3], np.int64),
        }
        nodes += [
            helper.make_node("ReduceMean", ["grey", "inner"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "nought"], ["nothing"]),
            helper.make_node("Add", ["nothing", "shares"], ["type"]),
        ]
        outputs.append(helper.make_tensor_value_info("type", TensorProto.FLOAT, ["n", len(types)]))
    graph = helper.make_graph(
        nodes,
        f"threshold-{level:g}",
        [helper.make_tensor_value_info("tensor", TensorProto.FLOAT, ["n", channels, "h", "w"])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return model_bytes(graph)


def build_lesion_package(root: Path, version: str = VERSION) -> Path:
    """Write ``root/bright-lesions/<version>`` and return it; ``root`` is one of ``runtime.package_dirs``."""
    folder = root / NAME / version
    main = [(f"members/member-{n}.onnx", member(12, 1, level)) for n, level in enumerate(MAIN_LEVELS)]
    contrast = [
        (f"contrast/member-{n}.onnx", member(1, 0, level, TYPE_SHARES))
        for n, level in enumerate(CONTRAST_LEVELS)
    ]
    text = _MANIFEST.format(
        name=NAME,
        version=version,
        main=write_members(folder, main),
        contrast=write_members(folder, contrast, "branches.members"),
    )
    (folder / "package.toml").write_text(text)
    return folder


_MANIFEST = """
ensemble = 3

[package]
name = "{name}"
version = "{version}"
task = "segment"
family = "slice-ensemble"
title = "Bright lesions, for tests"
intended_use = "Tests of the service. It marks what is bright on FLAIR, nothing else."
limitations = ["It was not trained and must not be used on patients."]
licence = "Apache-2.0"
created = 2026-01-01

[input]
modalities = ["MR"]
body_parts = ["BRAIN", "HEAD", "SKULL"]
minimum_rows = 32
minimum_columns = 32

[input.volume]
subsets = [["T1", "FLAIR", "T1C"], ["FLAIR", "T1C"], ["T1", "FLAIR"], ["FLAIR"]]
reference = "FLAIR"
spacing_mm = 0.92
slice_spacing_mm = [0.5, 8.0]
coarsest_pixel_mm = 8.0
minimum_slices = 5
minimum_extent_mm = 60.0
recognition = ["By tags, then by the image."]
ranking = ["The finer one."]

[tensor]
name = "tensor"
shape = ["n", 12, "h", "w"]

[[outputs]]
name = "probability"
shape = ["n", 1, "h", "w"]

[preprocessing]
layout = "context"
flip = false
largest_component = false
minimum_volume_ml = 0.05

[[findings]]
key = "lesion"
code = "52988006"
scheme = "SCT"
meaning = "Lesion"
site = {{ code = "12738006", scheme = "SCT", meaning = "Brain" }}

[operating_point]
score = 0.5
definition = "By eye on phantoms."

[resources]
memory_mb = 400

[[classifications]]
key = "type"
branch = "contrast"
output = "type"
name = {{ code = "371441004", scheme = "SCT", meaning = "Histological type" }}
statements = ["Suggested by a test."]
classes = [
    {{ key = "meningioma", code = "302820008", scheme = "SCT", meaning = "Intracranial meningioma" }},
    {{ key = "glioma", code = "393564001", scheme = "SCT", meaning = "Glioma" }},
    {{ key = "pituitary", code = "127024001", scheme = "SCT", meaning = "Neoplasm of pituitary gland" }},
]

{main}
[[branches]]
name = "contrast"
title = "Bright on T1 with contrast"
subsets = [["T1C"]]
reference = "T1C"
spacing_mm = 0.92
statements = ["The contrast-enhanced series alone was read."]
tensor = {{ name = "tensor", shape = ["n", 1, "h", "w"] }}
outputs = [{{ name = "probability", shape = ["n", 1, "h", "w"] }}, {{ name = "type", shape = ["n", 3] }}]
preprocessing = {{ layout = "contrast", flip = true, largest_component = true, minimum_volume_ml = 0.0 }}
operating_point = {{ score = 0.5, definition = "By eye on phantoms." }}

{contrast}
"""
