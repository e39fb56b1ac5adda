"""The stage runner: where it ends, what it keeps, how it goes on."""

# ruff: noqa: E402

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")

from torch import Tensor, nn

from export.training import stage
from export.training.stage import Plan, Run, Work, average_into, run_stage

PLAN = Plan(steps=6, minutes=5, batch=4, rate=1e-2)


class Stopped(Exception):
    """Stands for a machine that went away."""


def _losses(network: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {"square": ((network(batch["x"]) - batch["y"]) ** 2).mean()}


def _work(steps_seen: list[int], stop_at: int = -1) -> Work:
    def batches(step: int) -> Iterator[dict[str, Tensor]]:
        while True:
            if step == stop_at:
                raise Stopped
            steps_seen.append(step)
            generator = torch.Generator().manual_seed(step)
            x = torch.randn(4, 3, generator=generator)
            yield {"x": x, "y": x.sum(1, keepdim=True)}
            step += 1

    return Work(lambda: nn.Linear(3, 1), batches, _losses)


def test_a_stage_ends_at_its_steps_and_records_them(tmp_path: Path) -> None:
    seen: list[int] = []
    final = run_stage("a", PLAN, _work(seen), tmp_path, seed=1, resume=False)
    assert json.loads((tmp_path / "a.json").read_text())["steps"] == 6
    assert set(torch.load(final, weights_only=True)) == {"weight", "bias"}
    assert not (tmp_path / "a.checkpoint.pt").exists()
    run_stage("a", PLAN, _work(seen), tmp_path, seed=1, resume=True)
    assert len(seen) == 7, "a finished stage was trained again"


def test_minutes_end_a_stage_too(tmp_path: Path) -> None:
    run_stage("a", Plan(steps=10**9, minutes=0.002), _work([]), tmp_path, seed=1, resume=False)
    assert 0 < json.loads((tmp_path / "a.json").read_text())["steps"] < 10**9


def test_an_interrupted_stage_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "SAVE_EVERY", 1)
    monkeypatch.setattr(stage.time, "monotonic", lambda: 0.0)
    whole = run_stage("whole", PLAN, _work([]), tmp_path, seed=3, resume=False)
    with pytest.raises(Stopped):
        run_stage("parts", PLAN, _work([], stop_at=3), tmp_path, seed=3, resume=True)
    seen: list[int] = []
    parts = run_stage("parts", PLAN, _work(seen), tmp_path, seed=3, resume=True)
    assert seen[0] == 3
    first, second = torch.load(whole, weights_only=True), torch.load(parts, weights_only=True)
    for name, value in first.items():
        torch.testing.assert_close(value, second[name])


def test_the_rate_warms_up_and_falls_with_progress() -> None:
    run = Run(Plan(steps=100, minutes=60, rate=1.0), _work([]))
    batch = {"x": torch.zeros(4, 3), "y": torch.zeros(4, 1)}
    rates = []
    for step in (0, 39, 99):
        run.step = step
        run.advance(batch)
        rates.append(run.optimiser.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(1 / 40) and 0.6 < rates[1] < 0.72 and rates[2] < 0.03


def test_the_running_average_moves_buffers_too() -> None:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    second.running_mean.fill_(4.0)
    second.num_batches_tracked.fill_(7)
    average_into(first, second, 0.75)
    assert first.running_mean.tolist() == [1, 1] and int(first.num_batches_tracked) == 7
