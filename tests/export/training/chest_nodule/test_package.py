"""Export to ONNX, folding, and the manifest that the packaging writes."""

# ruff: noqa: E402

from datetime import date
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnx", reason="the export extra is not installed")

from export.training.chest_nodule.analysis import Fitted
from export.training.chest_nodule.evaluation import merge
from export.training.chest_nodule.network import ExportedNet, NoduleNet, fold, freeze_early
from export.training.chest_nodule.onnx_export import export_member
from export.training.chest_nodule.packaging import manifest
from export.training.chest_nodule.report import markdown
from export.training.onnx_file import IR_VERSION, OPSET
from models.package import PackageManifest
from models.runtime import open_session

FIGURE = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 12}
FROC = {rate: FIGURE for rate in ("0.125", "0.25", "0.5", "1", "2", "4", "8")}
IMAGE = {"Nodule vs No Finding": FIGURE, "Nodule or Mass vs No Finding": FIGURE}
REPORT = {
    "members": [0, 1, 2, 3, 4],
    "image level": {"candidate maximum": IMAGE, "film head": IMAGE, "mean logit": IMAGE},
    "FROC, simulated nodules": {"all": FROC, ">= 10 mm": FROC},
    "LIDC projections held out of pre-training, nodules >= 10 mm": {
        "FROC": FROC, "AUROC": FIGURE, "AUROC film head": FIGURE, "AUROC mean logit": FIGURE,
    },
    "failure detection (AUROC of true against false findings)": {
        "score": FIGURE, "true findings": 3, "false findings": 4,
    },
    "case calibration, cross-fitted, Nodule or Mass vs No Finding": {
        "brier": 0.2, "ece_15_bins": 0.1, "n": 9, "positive": 5,
    },
    "operating point": {
        "score": 0.2, "sensitivity": 0.5, "false marks a film": 0.5, "marks a No Finding film": 0.3,
    },
}  # fmt: skip
FITTED = Fitted({member: (1.0, 0.0) for member in range(5)}, (1.0, 0.0), 0.2)


def _tensor(rows: int, columns: int) -> "torch.Tensor":
    return torch.rand(1, 3, rows, columns, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def network() -> NoduleNet:
    torch.manual_seed(0)
    return NoduleNet(pretrained=False).eval()


def test_folding_changes_no_answer(network: NoduleNet) -> None:
    tensor = _tensor(96, 64)
    with torch.no_grad():
        before = network(tensor)
        fold(network)
        after = network(tensor)
    for first, second in zip(before, after, strict=True):
        assert torch.allclose(first, second, atol=1e-4)
    assert not [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_frozen_blocks_take_no_gradient(network: NoduleNet) -> None:
    freeze_early(network)
    assert not network.stem.weight.requires_grad and network.centre.weight.requires_grad


def test_onnx_file_is_small_dynamic_and_agrees_with_torch(network: NoduleNet, tmp_path: Path) -> None:
    weights, target = tmp_path / "m.pt", tmp_path / "m.onnx"
    torch.save(network.state_dict(), weights)
    record = export_member(weights, target)
    assert (
        record["bytes"] < 3_000_000 and record["opset"] == OPSET <= 26 and record["ir_version"] == IR_VERSION
    )
    assert record["parity"]["centre"]["max"] < 5e-3
    session = open_session(target)
    for shape in ((96, 64), (64, 128)):
        tensor = _tensor(*shape)
        answer = session.run({"film": tensor.numpy()})
        assert answer["centre"].shape == (1, 1, shape[0] // 4, shape[1] // 4)
        with torch.no_grad():
            expected = ExportedNet(network)(tensor)[2]
        np.testing.assert_allclose(answer["presence"], expected, atol=5e-3)


def test_manifest_fits_the_schema_and_names_definitions() -> None:
    records = [
        {"file": f"member-{m}.onnx", "sha256": "a" * 64, "bytes": 1, "opset": OPSET, "ir_version": IR_VERSION}
        for m in range(5)
    ]
    made = PackageManifest.model_validate(manifest(FITTED, records, REPORT, date(2026, 1, 1), 2.0))
    assert made.members[4].left_out_blocks == (4, 0)
    assert all("out-of-bag" in metric.definition or "held out" in metric.set for metric in made.metrics)
    simulated = [metric for metric in made.metrics if metric.name.startswith("sensitivity")]
    assert simulated and all("SIMULATED" in metric.definition for metric in simulated)


def test_report_has_every_figure_with_its_interval() -> None:
    text = markdown(REPORT)
    assert "0.700 (0.600 to 0.800)" in text and "3 true and 4 false findings" in text


def test_merging_nothing_gives_empty_sets() -> None:
    assert merge([]) == {"plain": [], "simulated": [], "lidc": []}
