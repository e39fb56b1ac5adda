"""Networks in their forms, and stages that go on where they stopped."""

# ruff: noqa: E402

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.mammography.augment import Strength
from export.training.mammography.candidates import CHEST_MEMBER, candidates, chosen_recipe, write_table
from export.training.mammography.network import MammographyNet, finished, load_member, started
from export.training.mammography.onnx_export import export_run
from export.training.mammography.training import Recipe, seen_by, train_on, view_batches, view_losses
from export.training.stage import Plan

from .made_up import plain_view, view_with_spot

SMALL = Strength(height=96)
VIEWS = [view_with_spot(288.0, 120.0, number=1), plain_view(2), view_with_spot(200.0, 90.0, number=3)]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _saved(network: MammographyNet, folder: Path) -> Path:
    path = folder / "member-0.pt"
    torch.save(network.state_dict(), path)
    return path


@pytest.mark.parametrize(("start", "normalised"), [("imagenet", False), ("nothing", True)])
def test_a_member_is_the_same_however_it_is_folded(start: str, normalised: bool, tmp_path: Path) -> None:
    network = started(start, normalised=normalised).eval()
    path = _saved(network, tmp_path)
    tensor = torch.rand(1, 3, 96, 64)
    with torch.no_grad():
        for other in (load_member(path), finished(path)):
            for want, got in zip(network(tensor), other(tensor), strict=True):
                assert torch.allclose(want, got, atol=1e-3)


def test_a_packaged_chest_member_is_a_start() -> None:
    network = started("chest-nodule", Path(__file__).parents[4] / CHEST_MEMBER)
    assert not any(parameter.requires_grad for parameter in network.stem.parameters())
    assert "trunk.1.weight" not in network.state_dict()


def test_an_encoder_with_more_inputs_is_a_start(tmp_path: Path) -> None:
    state = {f"network.{name}": value for name, value in MammographyNet().state_dict().items()}
    stem = state["network.stem.weight"]
    state["network.stem.weight"] = torch.cat([stem, torch.zeros_like(stem)], 1)
    path = tmp_path / "encoder.pt"
    torch.save(state, path)
    taken, wanted = started("encoder", path), started("imagenet")
    assert torch.allclose(taken.stem.weight, wanted.stem.weight)
    del state["network.blocks.3._project_conv.weight"]
    torch.save(state, path)
    with pytest.raises(ValueError, match="EfficientNet-Lite0"):
        started("encoder", path)


def test_a_start_without_its_file_is_refused() -> None:
    with pytest.raises(ValueError, match="file"):
        started("encoder")
    with pytest.raises(ValueError, match="file"):
        started("chest-nodule")


def test_losses_of_a_batch_are_finite_and_reach_every_trained_part() -> None:
    network = Recipe("imagenet", how=SMALL).network().train()
    batch = next(view_batches(VIEWS, 3, SMALL, 0))
    parts = view_losses(network, batch)
    assert set(parts) == {"centre", "extent", "abnormal", "malignant", "density"}
    torch.stack(list(parts.values())).sum().backward()
    assert all(torch.isfinite(value) for value in parts.values())
    assert all(p.grad is not None for p in network.case.parameters())


def test_a_finished_member_is_kept(tmp_path: Path) -> None:
    recipe, plan = Recipe("nothing", how=SMALL), Plan(steps=2, minutes=5.0, batch=2)
    path = train_on("member-0", VIEWS, recipe, tmp_path, plan=plan, seed=1, resume=True)
    before = path.read_bytes()
    again = train_on("member-0", VIEWS, recipe, tmp_path, plan=plan, seed=1, resume=True)
    assert again.read_bytes() == before
    made = json.loads((tmp_path / "member-0.json").read_text())
    assert made["steps"] == 2
    load_member(path)


def test_members_never_see_the_blocks_they_leave_out() -> None:
    blocks = {"1": 0, "2": 1, "3": 2}
    assert [view.film.patient for view in seen_by(VIEWS, blocks, 0)] == ["3"]
    assert [view.film.patient for view in seen_by(VIEWS, blocks, 2)] == ["1", "2"]


def _row(index: int, name: str, value: float) -> str:
    return json.dumps({"candidate": name, "index": index, "mean of AUROC (both) and LLF at NLF .5": value})


def test_the_first_candidate_stays_unless_it_clearly_loses(tmp_path: Path) -> None:
    (tmp_path / "candidate-0.scores.json").write_text(_row(0, "ImageNet", 0.6))
    (tmp_path / "candidate-1.scores.json").write_text(_row(1, "chest-nodule member", 0.61))
    assert write_table(tmp_path) == "ImageNet"
    (tmp_path / "candidate-1.scores.json").write_text(_row(1, "chest-nodule member", 0.7))
    assert write_table(tmp_path) == "chest-nodule member"
    assert chosen_recipe(tmp_path).start == "chest-nodule"


def test_a_chosen_encoder_needs_its_file(tmp_path: Path) -> None:
    (tmp_path / "candidate-0.scores.json").write_text(_row(0, "brain-tumour encoder", 0.6))
    write_table(tmp_path)
    with pytest.raises(ValueError, match="--from"):
        chosen_recipe(tmp_path)
    assert chosen_recipe(tmp_path, tmp_path / "member-0.pt").start == "encoder"
    assert "brain-tumour encoder" not in candidates()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_member_becomes_a_small_onnx_file_that_agrees_with_torch(tmp_path: Path) -> None:
    _saved(started("imagenet"), tmp_path)
    (record,) = export_run(tmp_path)
    assert record["bytes"] < 3_000_000
    for name, limit in (("centre", 5e-3), ("abnormal", 5e-3), ("density", 5e-3), ("extent", 2.0)):
        assert record["parity"][name]["max"] < limit
    stamp = (tmp_path / "onnx" / "member-0.onnx").stat().st_mtime_ns
    export_run(tmp_path)
    assert (tmp_path / "onnx" / "member-0.onnx").stat().st_mtime_ns == stamp
