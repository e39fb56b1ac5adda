"""Figures of the contrast-only networks and of spoilt images."""

# ruff: noqa: E402

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the export extra is not installed")

from export.training.brain_tumour.contrast import (
    RUN,
    accuracy,
    answer_contrast,
    confusion,
    contrast_report,
    macro_auroc,
    run_interval,
)
from export.training.brain_tumour.corruptions import (
    AS_IS,
    CORRUPTIONS,
    MIRROR,
    MOVED,
    answer_conditions,
    chosen_patients,
    corruption_report,
    spoilt,
)
from export.training.brain_tumour.data import ContrastSlices
from models.preprocessing.brain import normalised
from models.runtime import open_session
from tests.export.training.brain_tumour.made_up import LESION, SIDE, put_network
from tests.packages.lesions import member

TYPED = np.array([[0, 0.6, 0.3, 0.1], [0, 0.4, 0.5, 0.1], [1, 0.2, 0.7, 0.1], [2, 0.1, 0.1, 0.8]])


def test_types_by_hand() -> None:
    assert accuracy(TYPED) == 0.75
    assert confusion(TYPED) == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert macro_auroc(TYPED) == 1
    wrong = TYPED.copy()
    wrong[2] = [1, 0.5, 0.4, 0.1]
    # Type 0: of four pairs one is turned; type 1: of three one; type 2: none.
    assert macro_auroc(wrong) == pytest.approx((3 / 4 + 2 / 3 + 1) / 3)


def test_intervals_draw_whole_runs() -> None:
    alike = np.repeat([0.0, 1.0], RUN)
    found = run_interval(alike, np.mean)
    assert (found.value, found.low, found.high, found.n) == (0.5, 0.0, 1.0, 2 * RUN)


def test_every_slice_is_answered_by_the_member_that_left_its_block_out(tmp_path: Path) -> None:
    slices = ContrastSlices(
        pixels=np.zeros((15, SIDE, SIDE), dtype=np.float16),
        masks=np.zeros((15, SIDE, SIDE), dtype=bool),
        types=np.repeat([0, 1, 2], 5).astype(np.int64),
        numbers=np.arange(15, dtype=np.int64),
    )
    slices.masks[:, 8:16, 8:16] = True
    slices.pixels[:14][slices.masks[:14]] = 4
    for block in range(5):
        assert contrast_report(slices, tmp_path)[1] == {}
        put_network(tmp_path, "contrast", f"member-{block}", member(1, 0, 2.0 + block / 1e3, (0.2, 0.7, 0.1)))
    assert len(list(answer_contrast(slices, tmp_path))) == 5
    rules, report = contrast_report(slices, tmp_path)
    assert report["dice"]["value"] == pytest.approx(14 / 15) and report["slices"] == 15
    assert report["nothing in common with the tumour"] == pytest.approx(1 / 15)
    assert report["type accuracy"]["value"] == pytest.approx(1 / 3)
    assert report["confusion"]["true by suggested"] == [[0, 5, 0]] * 3
    assert rules.threshold in {0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9} and "tumour" in rules.definition


@pytest.fixture
def head() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """FLAIR and T1 of a grey square head with a bright lesion on FLAIR."""
    mask = np.zeros((4, SIDE, SIDE), dtype=bool)
    mask[LESION] = True
    flair = np.zeros((4, SIDE, SIDE), dtype=np.float32)
    flair[:, 4:28, 4:28] = 80
    t1 = flair.copy()
    flair[mask] = 200
    return {"T1": t1, "FLAIR": flair}, mask


def test_conditions_keep_shapes_and_leave_the_originals_alone(head: tuple) -> None:
    sequences, _ = head
    before = {name: volume.copy() for name, volume in sequences.items()}
    made = spoilt(sequences)
    names = [name for name, _, _ in made]
    assert len(made) == 2 + sum(len(levels) for _, levels in CORRUPTIONS.values()) + 3
    assert names[:2] == [AS_IS, MIRROR] and names.count(MOVED) == 3
    for name, _, volumes in made:
        assert set(volumes) == set(sequences)
        assert all(v.shape == (4, SIDE, SIDE) and np.isfinite(v).all() for v in volumes.values()), name
    for name, volume in sequences.items():
        np.testing.assert_array_equal(volume, before[name])
    scaled = next(volumes for name, _, volumes in made if name == "intensity scaling")
    np.testing.assert_allclose(normalised(scaled["FLAIR"]), normalised(sequences["FLAIR"]), atol=1e-5)
    moved = next(volumes for name, _, volumes in made if name == MOVED)
    np.testing.assert_array_equal(moved["FLAIR"], sequences["FLAIR"])
    assert MOVED not in [name for name, _, _ in spoilt({"FLAIR": sequences["FLAIR"]})]


def test_the_mask_turns_with_the_mirror_image(head: tuple, tmp_path: Path) -> None:
    put_network(tmp_path, "member", "member-0", member(12, 1, 1.5))
    session = open_session(tmp_path / "onnx/member/member-0.onnx", threads=1)
    rows = answer_conditions(*head, [session, session], 0.5)
    by_name = {(row["condition"], row["strength"]): row for row in rows}
    for condition in ((AS_IS, 0.0), (MIRROR, 0.0), ("intensity scaling", 4.0)):
        assert by_name[condition]["dice"] == 1 and by_name[condition]["pairwise_dice"] == 1
    report = corruption_report({"P": rows, "Q": rows})
    assert report["patients"] == ["P", "Q"] and report["conditions"][0]["dice"]["n"] == 2
    assert len(report["conditions"]) == len(rows)


def test_every_sixth_patient_is_spoilt() -> None:
    assert chosen_patients([f"P{k:02d}" for k in range(13, -1, -1)]) == ["P00", "P06", "P12"]
