"""Out-of-bag figures on made-up answers whose values are known."""

# ruff: noqa: E402

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the export extra is not installed")

from export.training.brain_tumour.analysis import (
    LEAST_ML,
    THRESHOLDS,
    VOXEL_MM3,
    Choice,
    OutOfBag,
    best_choice,
    case_row,
    cross_fitted,
    main_report,
    main_rules,
    masked,
    mean_probability,
    rule_curve,
    size_groups,
    summary,
)
from export.training.brain_tumour.controls import dropout_report, institutions_report
from export.training.brain_tumour.evaluation import ACQUIRED, MIRRORED, VARIANTS, unseen_by
from tests.export.training.brain_tumour.made_up import LESION, put_answer, put_network, truth

SPECK = (slice(0, 1), slice(28, 32), slice(28, 32))
"""16 voxels away from the lesion of 128."""


def _answer(value: int = 255, speck: int = 0, part: tuple[slice, slice, slice] = LESION) -> np.ndarray:
    answer = np.zeros((4, 32, 32), dtype=np.uint8)
    answer[part], answer[SPECK] = value, speck
    return answer


def test_the_mean_of_8_bit_answers() -> None:
    assert mean_probability([_answer(255), _answer(0)])[LESION].max() == pytest.approx(0.5)


def test_dice_by_threshold_and_rule() -> None:
    probability = mean_probability([_answer(200, speck=180)])
    table = rule_curve(probability, _answer() > 0)
    assert table.shape == (len(THRESHOLDS), len(LEAST_ML) + 1)
    both = 2 * 128 / (128 + 144)
    # 16 voxels are .068 ml, 128 are .54 ml: both are parts from 0 ml, the lesion alone from .1 to .5 ml.
    assert 16 * VOXEL_MM3 < 100 and 500 < 128 * VOXEL_MM3 < 1000
    np.testing.assert_allclose(table[THRESHOLDS.index(0.7)], [both, 1, 1, 1, 0, 1])
    np.testing.assert_allclose(table[THRESHOLDS.index(0.75)], [1, 1, 1, 1, 0, 1])
    assert not table[THRESHOLDS.index(0.8)].any()


def test_nothing_marked_and_nothing_there_is_right() -> None:
    nothing = np.zeros((2, 8, 8), dtype=np.float32)
    assert (rule_curve(nothing, nothing > 0) == 1).all()


def test_the_choice_is_the_first_of_the_best_and_never_the_largest_part() -> None:
    curve = np.zeros((len(THRESHOLDS), len(LEAST_ML) + 1))
    curve[2, 1], curve[4, 3], curve[5, -1] = 0.8, 0.8, 0.9
    assert best_choice([curve]) == Choice(THRESHOLDS[2], LEAST_ML[1])


def test_a_block_takes_no_part_in_its_own_choice() -> None:
    first, second = (np.zeros((len(THRESHOLDS), len(LEAST_ML) + 1)) for _ in range(2))
    first[1, 0], second[6, 2] = 1, 1
    found = cross_fitted({"A": first, "B": second}, {"A": 0, "B": 1})
    assert found == {0: Choice(THRESHOLDS[6], LEAST_ML[2]), 1: Choice(THRESHOLDS[1], LEAST_ML[0])}


def test_a_choice_is_applied_as_the_detector_does() -> None:
    probability = mean_probability([_answer(200, speck=200)])
    assert masked(probability, Choice(0.5, 0.0)).sum() == 144
    assert masked(probability, Choice(0.5, 0.1)).sum() == 128


def test_a_row_of_four_members_of_whom_one_is_silent() -> None:
    row = case_row(_answer() > 0, [_answer(), _answer(), _answer(), _answer(0)], Choice(0.7, 0.0))
    assert row["dice"] == 1 and row["voxels"] == 128
    assert row["pairwise_dice"] == pytest.approx(3 / 6) and row["member_support"] == 0.75
    assert row["dice_of_one"] == 0.75
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert row["foreground_entropy"] == pytest.approx(np.log(2) - entropy, abs=1e-3)
    assert row["mean_max"] == pytest.approx(1 - 0.25 * 128 / 4096, abs=1e-4)
    assert "pairwise_dice" not in case_row(_answer() > 0, [_answer()], Choice(0.7, 0.0))


def test_a_summary_counts_failures_and_gives_medians() -> None:
    rows = [
        {"dice": 0.9, "nsd": 0.8, "lesion_f1": 1.0, "hd95": 2.0, "hd95_common": 2.0},
        {"dice": 0.0, "nsd": 0.0, "lesion_f1": 0.0, "hd95": 362.0, "hd95_common": None},
        {"dice": 0.6, "nsd": 0.7, "lesion_f1": 1.0, "hd95": 4.0, "hd95_common": 4.0},
    ]
    found = summary(rows)
    assert found["dice"]["value"] == pytest.approx(0.5) and found["dice"]["median"] == 0.6
    assert found["failures"] == 1 and found["failure share"]["value"] == pytest.approx(1 / 3)
    assert found["hd95"]["value"] == pytest.approx(368 / 3) and found["hd95"]["median"] == 4
    assert found["hd95 common"]["value"] == 3 and found["hd95 common"]["n"] == 2


def test_thirds_by_size() -> None:
    rows = [{"voxels": size, "dice": size / 10} for size in range(1, 10)]
    assert [row["value"] for row in size_groups(rows).values()] == pytest.approx([0.2, 0.5, 0.8])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten members; P0 to P4 are answered by the four that never saw them, P4 without T1 by three."""
    names = {k: put_network(tmp_path, "member", f"member-{k}") for k in range(10)}
    for block in range(5):
        for member in unseen_by(block)[: 3 if block == 4 else 4]:
            put_answer(tmp_path, ACQUIRED, names[member], f"P{block}", _answer(240))
            if block == 0:
                put_answer(tmp_path, "FLAIR", names[member], "P0", _answer(0))
                put_answer(tmp_path, MIRRORED, names[member], "P0", _answer(0))
    return tmp_path


BLOCKS = {f"P{block}": block for block in range(5)}


def _truths() -> list:
    places = ("DU", "DU", "HT", "CS", "FG")
    only_flair = (False, True, False)
    return [truth(f"P{k}", places[k], only_flair if k == 1 else (True, True, True)) for k in range(5)]


def test_a_patient_counts_when_all_four_have_answered(run: Path) -> None:
    found = OutOfBag(_truths(), BLOCKS, run)
    assert [truth.name for truth in found.truths] == ["P0", "P1", "P2", "P3"]
    assert [row["dice"] for row in found.rows(ACQUIRED)] == [1, 1, 1, 1]
    # P1 has FLAIR alone, so its answer is what was acquired; nobody else was asked.
    assert [(row["patient"], row["dice"]) for row in found.rows("FLAIR")] == [("P0", 0), ("P1", 1)]
    assert found.rows("FLAIR+T1C") == []


def test_the_report_and_the_rule_of_the_package(run: Path) -> None:
    found = OutOfBag(_truths(), BLOCKS, run)
    report, rows = main_report(found)
    assert report["patients"] == 4 and len(rows) == 6 and report["failures"] == []
    assert set(report["out of bag"]) == {ACQUIRED, "FLAIR"} <= set(VARIANTS)
    assert report["same patients, all three sequences acquired"]["FLAIR"]["n"] == 1
    assert report["flips"]["difference"]["value"] == -1 and report["flips"]["without"]["n"] == 1
    assert list(report["by institution"]) == ["CS", "DU", "HT"]
    rules = main_rules(found)
    assert (rules.threshold, rules.minimum_volume_ml, rules.largest_component) == (0.5, 0.0, False)
    assert "over 4 patients" in rules.definition


def test_control_runs_are_compared_on_the_same_patients(run: Path) -> None:
    found = OutOfBag(_truths(), BLOCKS, run)
    assert institutions_report(found) == {} and dropout_report(found) == {}
    name = put_network(run, "control", "institution-DU")
    put_answer(run, ACQUIRED, name, "P0", _answer(240, part=(slice(1, 2), *LESION[1:])))
    put_answer(run, ACQUIRED, name, "P1", _answer(240))
    report = institutions_report(found)
    assert list(report) == ["DU"]
    assert report["DU"]["institution unseen"]["value"] == pytest.approx((2 / 3 + 1) / 2)
    assert report["DU"]["patient unseen"]["value"] == 1
    put_answer(run, ACQUIRED, put_network(run, "control", "without-dropout-0"), "P0", _answer(0))
    assert dropout_report(found)[ACQUIRED]["difference"]["value"] == 1
