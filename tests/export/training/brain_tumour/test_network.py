"""Shapes, sizes and ONNX files of the networks."""

# ruff: noqa: E402

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")
pytest.importorskip("onnxscript", reason="the export extra is not installed")

from export.training.brain_tumour.network import (
    CANDIDATES,
    ContrastNet,
    Exported,
    ExportedContrast,
    ImageNetUNet,
)
from export.training.brain_tumour.onnx_export import CONTRAST_OUTPUTS, OUTPUTS, export_network
from export.training.onnx_file import IR_VERSION, OPSET
from models.preprocessing.brain import CHANNELS
from models.runtime import open_session


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_are_alike_in_size_and_keep_the_shape(name: str) -> None:
    network = CANDIDATES[name]().eval()
    assert 1_250_000 < sum(p.numel() for p in network.parameters()) < 1_460_000
    for rows, columns in ((64, 96), (32, 32)):
        with torch.no_grad():
            assert network(torch.zeros(1, CHANNELS, rows, columns)).shape == (1, 1, rows, columns)


def test_the_network_without_context_does_not_see_the_neighbours() -> None:
    network = CANDIDATES["residual U-Net, 2D"]().eval()
    tensor = torch.randn(1, CHANNELS, 64, 64)
    changed = tensor.clone()
    changed[:, 3:9] = 0
    with torch.no_grad():
        assert torch.equal(network(tensor), network(changed))


IMAGENET = "EfficientNet-Lite0 U-Net from ImageNet, 2D"


def test_the_encoder_from_imagenet_keeps_what_it_learned_and_ignores_presence_at_first() -> None:
    started, bare = CANDIDATES[IMAGENET]().eval(), ImageNetUNet(pretrained=False)
    weights = started.network.blocks[3]._project_conv.weight
    assert not torch.equal(weights, bare.blocks[3]._project_conv.weight)
    assert float(started.network.stem.weight[:, 3:].abs().max()) == 0
    summed = ImageNetUNet(channels=1).stem.weight[:, 0]
    torch.testing.assert_close(summed, started.network.stem.weight[:, :3].sum(1))


def test_a_member_from_imagenet_as_onnx_is_small_and_agrees_with_torch(tmp_path: Path) -> None:
    network, target = Exported(CANDIDATES[IMAGENET]()), tmp_path / "m.onnx"
    record = export_network(network, CHANNELS, OUTPUTS, target)
    assert record["bytes"] < 3_000_000
    assert record["parity"]["probability"]["max"] < 2e-3
    answer = open_session(target).run({"tensor": np.zeros((3, CHANNELS, 64, 32), dtype=np.float32)})
    assert answer["probability"].shape == (3, 1, 64, 32)


def test_a_member_as_onnx_is_small_dynamic_and_agrees_with_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, target = Exported(next(iter(CANDIDATES.values()))()), tmp_path / "m.onnx"
    record = export_network(network, CHANNELS, OUTPUTS, target)
    assert record["bytes"] == target.stat().st_size < 3_000_000
    assert record["opset"] == OPSET <= 20 and record["ir_version"] == IR_VERSION <= 10
    assert record["parity"]["probability"]["max"] < 2e-3
    session = open_session(target)
    for shape in ((1, 32, 64), (3, 64, 32)):
        tensor = np.zeros((shape[0], CHANNELS, *shape[1:]), dtype=np.float32)
        assert session.run({"tensor": tensor})["probability"].shape == (shape[0], 1, *shape[1:])


def test_the_contrast_member_gives_probabilities_of_tumour_and_type(tmp_path: Path) -> None:
    torch.manual_seed(0)
    target = tmp_path / "c.onnx"
    record = export_network(ExportedContrast(ContrastNet()), 1, CONTRAST_OUTPUTS, target)
    assert record["bytes"] < 3_000_000
    assert max(row["max"] for row in record["parity"].values()) < 2e-3
    answer = open_session(target).run({"tensor": np.zeros((2, 1, 64, 96), dtype=np.float32)})
    assert answer["probability"].shape == (2, 1, 64, 96) and answer["type"].shape == (2, 3)
    np.testing.assert_allclose(answer["type"].sum(axis=1), 1, atol=1e-5)
