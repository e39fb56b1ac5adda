"""Members to ONNX: dynamic batch and size, 16-bit stored weights, measured parity with torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from export.training.brain_tumour.network import CANDIDATES, ContrastNet, Exported, ExportedContrast
from export.training.brain_tumour.split import INSTITUTIONS
from export.training.brain_tumour.training import WITHOUT_DROPOUT
from export.training.onnx_file import write_onnx
from models.preprocessing.brain import CHANNELS

OUTPUTS = ("probability",)
CONTRAST_OUTPUTS = ("probability", "type")
SHAPES = ((1, 256, 256), (3, 192, 224))


def load_network(path: Path, network: nn.Module) -> nn.Module:
    """Load weights into a network and make it ready to answer."""
    network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    return network.eval()


def _example(channels: int, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
    """Make smooth random slices; the last planes of a member's input say that all sequences are there."""
    count, rows, columns = shape
    coarse = torch.randn(count, channels, rows // 16, columns // 16, generator=generator)
    tensor = torch.nn.functional.interpolate(coarse, scale_factor=16.0, mode="bilinear")
    if channels == CHANNELS:
        tensor[:, 9:] = 1
    return tensor


def export_network(
    network: nn.Module, channels: int, outputs: tuple[str, ...], target: Path
) -> dict[str, Any]:
    """Write a network that gives probabilities and compare it with torch on seeded inputs of two sizes.

    Returns
    -------
    dict
        file, sha256, bytes, opset, ir_version and, per output, the largest and mean absolute difference.
    """
    network = network.eval()
    generator = torch.Generator().manual_seed(7)
    dimensions = {
        0: torch.export.Dim("batch", min=1, max=512),
        2: 32 * torch.export.Dim("_h", min=1, max=64),
        3: 32 * torch.export.Dim("_w", min=1, max=64),
    }
    example = _example(channels, (2, 96, 128), generator)
    record = write_onnx(network, example, dimensions, input_name="tensor", outputs=outputs, target=target)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    differences: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in outputs}
    for shape in SHAPES:
        tensor = _example(channels, shape, generator)
        with torch.no_grad():
            expected = network(tensor)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for name, want, got in zip(
            outputs, expected, session.run(list(outputs), {"tensor": tensor.numpy()}), strict=True
        ):
            differences[name].append(np.abs(want.numpy() - got).ravel())
    joined = {name: np.concatenate(parts) for name, parts in differences.items()}
    parity = {name: {"max": float(d.max()), "mean": float(d.mean())} for name, d in joined.items()}
    return record | {"parity": parity}


def export_run(out: Path, architecture: str) -> list[dict[str, Any]]:
    """Export each finished member and contrast member of a run to ``out/onnx`` once; records as JSON.

    Control runs are not of the package; they are exported by ``export_controls``.
    """
    rows = []
    for kind in ("member", "contrast"):
        rows += [
            {"kind": kind} | _once(weights, kind, f"member-{weights.stem[-1]}", architecture)
            for weights in sorted(out.glob(f"{kind}-?.pt"))
        ]
    return rows


def export_controls(out: Path, architecture: str) -> list[dict[str, Any]]:
    """Export finished control runs: institutions left out, members without channel dropout."""
    names = [f"institution-{group}" for group in INSTITUTIONS]
    names += [f"without-dropout-{member}" for member in WITHOUT_DROPOUT]
    finished = [out / f"{name}.pt" for name in names if (out / f"{name}.pt").exists()]
    return [_once(weights, "control", weights.stem, architecture) for weights in finished]


def _once(weights: Path, kind: str, name: str, architecture: str) -> dict[str, Any]:
    """Export weights unless there is a record of just these weights, and return the record."""
    folder = weights.parent / "onnx" / kind
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / f"{name}.json"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    kept = json.loads(record.read_text()) if record.exists() else {}
    if kept.get("weights_sha256") != digest:
        target = folder / f"{name}.onnx"
        if kind == "contrast":
            network: nn.Module = ExportedContrast(load_network(weights, ContrastNet()))
            made = export_network(network, 1, CONTRAST_OUTPUTS, target)
        else:
            network = Exported(load_network(weights, CANDIDATES[architecture]()))
            made = export_network(network, CHANNELS, OUTPUTS, target)
        kept = made | {"weights_sha256": digest}
        record.write_text(json.dumps(kept, indent=1))
    return dict(kept)
