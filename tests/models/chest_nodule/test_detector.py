"""The detector with scripted sessions, and the shipped package on films of its own making."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.chest_nodule.detector import ChestNoduleDetector, Settings, member_answer, settings_of
from models.film import Film
from models.package import Package, PackageError, PackageManifest, load_package
from models.runtime import TensorSpec, open_session

SHIPPED = Path(__file__).parents[3] / "models" / "packages" / "chest-nodule" / "0.1.0"


class Scripted:
    """Answers with one peak at a given network cell; counts its runs."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, cell: tuple[int, int] | None, score: float, side: float = 32.0) -> None:
        self.cell, self.score, self.side, self.runs = cell, score, side, 0

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        self.runs += 1
        _, _, rows, columns = inputs["film"].shape
        centre = np.zeros((1, 1, rows // 4, columns // 4), dtype=np.float32)
        if self.cell is not None:
            centre[0, 0, self.cell[0], self.cell[1]] = self.score
        extent = np.full((1, 2, rows // 4, columns // 4), self.side, dtype=np.float32)
        return {"centre": centre, "extent": extent, "presence": np.array([0.4], dtype=np.float32)}


def _package(count: int, **steps: Any) -> Package:
    preprocessing = {"long_side": 640, "candidate_floor": 0.05, "overlap": 0.2, "flip": False} | steps
    values = {
        "package": {
            "name": "chest-nodule", "version": "0.1.0", "task": "detect", "family": "centre-heatmap",
            "title": "t", "intended_use": "tests", "limitations": ["all"], "licence": "LICENSE",
            "created": "2026-01-01",
        },
        "input": {"modalities": ["CR"]},
        "tensor": {"name": "film", "shape": ["n", 3, "h", "w"]},
        "outputs": [{"name": "centre", "shape": ["n", 1, "h", "w"]}],
        "preprocessing": {key: value for key, value in preprocessing.items() if value is not None},
        "members": [
            {"file": f"m{i}.onnx", "sha256": "0" * 64, "bytes": 1, "opset": 20, "ir_version": 10}
            for i in range(count)
        ],
        "findings": [{"key": "nodule", "code": "27925004", "scheme": "SCT", "meaning": "Nodule"}],
        "operating_point": {"score": 0.3, "definition": "tests"},
        "calibration": {
            "members": [{"slope": 1.0, "offset": 0.0}] * count, "case": {"slope": 1.0, "offset": 0.0},
            "definition": "none",
        },
        "resources": {"memory_mb": 1},
    }  # fmt: skip
    return Package(PackageManifest.model_validate(values), Path(), "0" * 64)


def _film(rows: int = 1280, columns: int = 1280) -> Film:
    rng = np.random.default_rng(0)
    pixels = rng.random((rows, columns), dtype=np.float32)
    return Film("1.2.3", pixels)


def _detector(sessions: list[Scripted], **steps: Any) -> ChestNoduleDetector:
    remaining = iter(sessions)
    return ChestNoduleDetector(_package(len(sessions), **steps), lambda path: next(remaining))


def test_a_peak_comes_back_in_source_pixels() -> None:
    reading = _detector([Scripted((80, 40), 0.8)] * 2).detect(_film())
    (candidate,) = reading.candidates
    box = candidate.box
    np.testing.assert_allclose((box.top, box.left, box.bottom, box.right), (612, 292, 676, 356), atol=1e-4)
    assert (
        candidate.score == pytest.approx(0.8) and candidate.support == 1.0 and candidate.score_spread < 1e-6
    )
    assert reading.members == 2 and reading.case_score == pytest.approx(0.8)


def test_silent_members_count() -> None:
    members = [Scripted((80, 40), 0.8)] + [Scripted(None, 0) for _ in range(4)]
    reading = _detector(members).detect(_film())
    (candidate,) = reading.candidates
    assert candidate.score == pytest.approx(0.16) and candidate.support == pytest.approx(0.2)
    assert candidate.member_scores[1:] == (0.0, 0.0, 0.0, 0.0) and candidate.score_spread == pytest.approx(
        0.32
    )
    assert reading.above_operating_point == ()


def test_unanimous_silence_is_a_low_case_score_and_no_candidate() -> None:
    reading = _detector([Scripted(None, 0)] * 3).detect(_film())
    assert reading.candidates == () and reading.case_score < 0.01


def test_a_box_at_the_edge_is_clipped_to_the_film() -> None:
    reading = _detector([Scripted((0, 159), 0.8)]).detect(_film())
    box = reading.candidates[0].box
    assert box.top == 0 and box.right == 1280 and box.bottom > 0 and box.left < 1280


def test_a_peak_in_the_padding_is_dropped() -> None:
    reading = _detector([Scripted((80, 158), 0.8, side=4.0)]).detect(_film(1280, 1240))
    assert reading.candidates == ()


def test_flip_averages_both_views() -> None:
    session = Scripted((10, 5), 0.8)
    settings = Settings(0.3, 0.05, 0.2, ((1.0, 0.0),), (1.0, 0.0), flip=True, long_side=640)
    answer = member_answer(session, np.zeros((1, 3, 64, 64), dtype=np.float32), settings)
    assert session.runs == 2 and sorted(answer.scores.round(3)) == [0.4]


def test_members_are_opened_once() -> None:
    opened: list[Path] = []

    def opener(path: Path) -> Scripted:
        opened.append(path)
        return Scripted(None, 0)

    detector = ChestNoduleDetector(_package(3), opener)
    detector.detect(_film())
    detector.detect(_film())
    assert [path.name for path in opened] == ["m0.onnx", "m1.onnx", "m2.onnx"]


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(PackageError, match="overlap"):
        settings_of(_package(1, overlap=None))


def test_a_parameter_out_of_range_is_refused() -> None:
    with pytest.raises(PackageError, match="floor"):
        settings_of(_package(1, candidate_floor=2.0))


@pytest.fixture(scope="module")
def shipped() -> ChestNoduleDetector:
    if not (SHIPPED / "package.toml").exists():
        pytest.skip("the chest-nodule package is not in this checkout")
    pytest.importorskip("onnxruntime", reason="no ONNX Runtime: install secondread[cpu]")
    return ChestNoduleDetector(load_package(SHIPPED), lambda path: open_session(path, threads=2))


def test_shipped_members_cover_every_block_out_of_bag() -> None:
    if not (SHIPPED / "package.toml").exists():
        pytest.skip("the chest-nodule package is not in this checkout")
    members = load_package(SHIPPED).manifest.members
    assert len(members) >= 3 and all(member.bytes <= 3_000_000 for member in members)
    assert {block for member in members for block in member.left_out_blocks} == set(range(5))


def test_shipped_detector_stays_quiet_on_noise_and_blank_films(shipped: ChestNoduleDetector) -> None:
    rng = np.random.default_rng(0)
    films = [
        np.full((800, 700), 0.5, dtype=np.float32),
        rng.random((800, 700), dtype=np.float32),
        np.linspace(0, 1, 800, dtype=np.float32)[:, None] * np.ones((1, 700), dtype=np.float32),
    ]
    for pixels in films:
        reading = shipped.detect(Film("1.2.3", pixels))
        assert len(reading.above_operating_point) <= 2 and 0 <= reading.case_score <= 1
        for candidate in reading.candidates:
            assert 0 <= candidate.box.top < candidate.box.bottom <= 800
            assert 0 <= candidate.box.left < candidate.box.right <= 700


def test_shipped_detector_repeats_itself_exactly(shipped: ChestNoduleDetector) -> None:
    film = _film(900, 800)
    assert shipped.detect(film) == shipped.detect(film)


def test_shipped_detector_does_not_depend_on_a_linear_grey_scale(shipped: ChestNoduleDetector) -> None:
    y, x = np.meshgrid(np.linspace(0, 1, 900), np.linspace(0, 1, 800), indexing="ij")
    lungs = np.exp(-((((np.abs(x - 0.5) - 0.2) / 0.14) ** 2 + ((y - 0.43) / 0.29) ** 2) ** 2))
    pixels = (0.8 - 0.5 * lungs + 0.08 * np.exp(-((y - 0.4) ** 2 + (x - 0.3) ** 2) / 0.0004)).astype(
        np.float32
    )
    first = shipped.detect(Film("1.2.3", pixels))
    second = shipped.detect(Film("1.2.3", (0.1 + 0.5 * pixels).astype(np.float32)))
    assert first.case_score == pytest.approx(second.case_score, abs=0.03)
