"""Networks that answer by rule, and a package of them without files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.package import Package, PackageManifest
from models.runtime import TensorSpec

Rule = Callable[[NDArray[Any]], NDArray[Any]]


class Scripted:
    """Gives ``rule(tensor)`` as probability and, with ``types``, the same shares for every slice."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, rule: Rule, types: tuple[float, ...] = ()) -> None:
        self.rule, self.types = rule, types
        self.shapes: list[tuple[int, ...]] = []

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        tensor = inputs["tensor"]
        self.shapes.append(tensor.shape)
        answer = {"probability": np.asarray(self.rule(tensor), dtype=np.float32)[:, None]}
        if self.types:
            answer["type"] = np.tile(np.asarray(self.types, dtype=np.float32), (len(tensor), 1))
        return answer


def constant(value: float) -> Rule:
    return lambda tensor: np.full((len(tensor), *tensor.shape[2:]), value)


def bright(channel: int, level: float, value: float = 1.0) -> Rule:
    """Return a rule: ``value`` where a channel is above ``level``, else 0."""
    return lambda tensor: value * (tensor[:, channel] > level)


def package(count: int = 2, branch: int = 1, **steps: Any) -> Package:
    """Return a package of ``count`` main members and ``branch`` of a contrast branch; None drops a step."""
    preprocessing = {
        "layout": "context", "flip": False, "largest_component": False, "minimum_volume_ml": 0.0,
    } | steps  # fmt: skip
    member = {"sha256": "0" * 64, "bytes": 1, "opset": 20, "ir_version": 10}
    probability = {"name": "probability", "shape": ["n", 1, "h", "w"]}
    code = {"scheme": "SCT", "meaning": "Something"}
    values = {
        "package": {
            "name": "brain-tumour", "version": "0.1.0", "task": "segment", "family": "slice-ensemble",
            "title": "t", "intended_use": "tests", "limitations": ["all"], "licence": "LICENSE",
            "created": "2026-01-01",
        },
        "input": {
            "modalities": ["MR"],
            "volume": {
                "subsets": [["T1", "FLAIR"], ["FLAIR"]], "reference": "FLAIR", "spacing_mm": 0.92,
                "slice_spacing_mm": [0.5, 8.0], "coarsest_pixel_mm": 2.0, "minimum_slices": 5,
                "minimum_extent_mm": 60.0,
            },
        },
        "tensor": {"name": "tensor", "shape": ["n", 12, "h", "w"]},
        "outputs": [probability],
        "preprocessing": {key: value for key, value in preprocessing.items() if value is not None},
        "members": [{"file": f"members/m{i}.onnx", **member} for i in range(count)],
        "findings": [{"key": "tumour", "code": "108369006", "meaning": "Neoplasm", "scheme": "SCT"}],
        "operating_point": {"score": 0.5, "definition": "tests"},
        "branches": [
            {
                "name": "contrast", "title": "T1 with contrast alone", "subsets": [["T1C"]],
                "reference": "T1C", "spacing_mm": 0.98, "statements": ["Only one series was read."],
                "tensor": {"name": "tensor", "shape": ["n", 1, "h", "w"]},
                "outputs": [probability, {"name": "type", "shape": ["n", 3]}],
                "preprocessing": {
                    "layout": "contrast", "flip": False, "largest_component": True, "minimum_volume_ml": 0,
                },
                "members": [{"file": f"contrast/m{i}.onnx", **member} for i in range(branch)],
                "operating_point": {"score": 0.4, "definition": "tests"},
            }
        ],
        "classifications": [
            {
                "key": "type", "branch": "contrast", "output": "type", "name": {"code": "1", **code},
                "classes": [{"key": key, "code": key.upper(), **code} for key in ("a", "b", "c")],
                "statements": ["Suggested by a test."],
            }
        ],
        "resources": {"memory_mb": 1},
    }  # fmt: skip
    return Package(PackageManifest.model_validate(values), Path(), "0" * 64)
