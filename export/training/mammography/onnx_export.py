"""Members to ONNX: dynamic batch and size, 16-bit stored weights, measured parity with torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from export.training.mammography.answers import OUTPUTS
from export.training.mammography.network import ExportedNet, finished
from export.training.onnx_file import parity, write_onnx

__all__ = ["INPUT", "export_member", "export_run"]

INPUT = "view"


def _views() -> Iterator[torch.Tensor]:
    """Give seeded smooth views of two sizes."""
    generator = torch.Generator().manual_seed(7)
    for batch, rows, columns in ((1, 448, 288), (2, 576, 384)):
        coarse = torch.rand(batch, 3, rows // 16, columns // 16, generator=generator) * 2 - 1
        yield torch.nn.functional.interpolate(coarse, scale_factor=16.0, mode="bilinear")


def export_member(weights: Path, target: Path) -> dict[str, Any]:
    """Write one member as ONNX and compare it with torch on views of two sizes.

    Returns
    -------
    dict
        file, sha256, bytes, opset, ir_version and, per output, the largest and mean absolute difference.
    """
    network = ExportedNet(finished(weights)).eval()
    dimensions = {
        0: torch.export.Dim("batch", min=1, max=64),
        2: 32 * torch.export.Dim("_h", min=2, max=128),
        3: 32 * torch.export.Dim("_w", min=2, max=128),
    }
    example = torch.rand(2, 3, 320, 384) * 2 - 1
    record = write_onnx(network, example, dimensions, input_name=INPUT, outputs=OUTPUTS, target=target)
    return record | {"parity": parity(network, target, _views(), input_name=INPUT, outputs=OUTPUTS)}


def export_run(out: Path) -> list[dict[str, Any]]:
    """Export each finished member of a run to ``out/onnx`` once for its weights; records as JSON."""
    folder = out / "onnx"
    folder.mkdir(exist_ok=True)
    rows = []
    for weights in sorted(out.glob("member-?.pt")):
        record = folder / f"{weights.stem}.json"
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()
        kept = json.loads(record.read_text()) if record.exists() else {}
        if kept.get("weights_sha256") != digest:
            kept = export_member(weights, folder / f"{weights.stem}.onnx") | {"weights_sha256": digest}
            record.write_text(json.dumps(kept, indent=1))
        rows.append(kept)
    return rows
