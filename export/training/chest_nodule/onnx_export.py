"""Members to ONNX: dynamic batch and size, 16-bit stored weights, measured parity with torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from export.training.chest_nodule.network import ExportedNet, NoduleNet, fold
from export.training.onnx_file import parity, write_onnx

OUTPUTS = ("centre", "extent", "presence")


def load_member(path: Path) -> NoduleNet:
    """Load a fine-tuned member, which is stored in its folded form."""
    network = fold(NoduleNet(pretrained=False))
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()


def export_member(weights: Path, target: Path) -> dict[str, Any]:
    """Write one member as ONNX and compare it with torch on random films of two sizes.

    Returns
    -------
    dict
        sha256, bytes, opset, ir_version and, per output, the largest and mean absolute difference.
    """
    network = ExportedNet(load_member(weights)).eval()
    example = torch.rand(2, 3, 320, 384) * 2 - 1
    dimensions = {
        0: torch.export.Dim("batch", min=1, max=64),
        2: 32 * torch.export.Dim("_h", min=2, max=128),
        3: 32 * torch.export.Dim("_w", min=2, max=128),
    }
    record = write_onnx(network, example, dimensions, input_name="film", outputs=OUTPUTS, target=target)
    return record | {"parity": parity(network, target, _films(), input_name="film", outputs=OUTPUTS)}


def _films() -> Iterator[torch.Tensor]:
    """Give seeded smooth films of two sizes."""
    generator = torch.Generator().manual_seed(7)
    for batch, rows, columns in ((1, 640, 512), (2, 416, 640)):
        coarse = torch.rand(batch, 3, rows // 16, columns // 16, generator=generator) * 2 - 1
        yield torch.nn.functional.interpolate(coarse, scale_factor=16.0, mode="bilinear")


def export_run(out: Path) -> list[dict[str, Any]]:
    """Export each finished member of a run to ``out/onnx`` once, and keep the records as JSON."""
    folder = out / "onnx"
    folder.mkdir(exist_ok=True)
    rows = []
    for weights in sorted(out.glob("member-?.pt")):
        record = folder / f"{weights.stem}.json"
        if not record.exists():
            record.write_text(json.dumps(export_member(weights, folder / f"{weights.stem}.onnx"), indent=1))
        rows.append(json.loads(record.read_text()))
    return rows
