"""Answers of networks: by members that never saw the patient, once, under the hash of the file."""

# ruff: noqa: E402

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the export extra is not installed")
pytest.importorskip("onnxruntime")

from export.training.brain_tumour.evaluation import (
    ACQUIRED,
    MIRRORED,
    Answers,
    answer_members,
    answer_with,
    exported,
    flip_patients,
    unseen_by,
    usable,
)
from tests.export.training.brain_tumour.made_up import LESION, patient, put_network, truth


def test_every_block_is_unseen_by_four_of_ten_members() -> None:
    assert [len(unseen_by(block)) for block in range(5)] == [4] * 5
    assert unseen_by(0) == [0, 4, 5, 8]


def test_a_network_marks_the_lesion_and_its_mirror_image_marks_the_same_place(tmp_path: Path) -> None:
    name = put_network(tmp_path, "member", "member-0")
    case = patient("P")
    answer_with(tmp_path / "onnx/member/member-0.onnx", name, [case], tmp_path, mirrored=["P"])
    plain = Answers(tmp_path / "answers", ACQUIRED).of(name, case)
    turned = np.load(tmp_path / "answers" / MIRRORED / name / "P.npy")
    assert plain.dtype == np.uint8 and plain.shape == case.mask.shape
    np.testing.assert_array_equal(plain > 127, case.mask)
    np.testing.assert_array_equal(plain, turned)
    assert plain[LESION].min() == 255


def test_what_leaves_nothing_out_is_not_asked_again(tmp_path: Path) -> None:
    name = put_network(tmp_path, "member", "member-0")
    case = patient("P", present=(True, True, False))
    answer_with(tmp_path / "onnx/member/member-0.onnx", name, [case], tmp_path)
    made = {path.parent.parent.name for path in (tmp_path / "answers").rglob("*.npy")}
    assert made == {ACQUIRED, "FLAIR"}
    answers = Answers(tmp_path / "answers", "FLAIR+T1")
    assert answers.path(name, truth("P", present=(True, True, False))).parent.parent.name == ACQUIRED
    assert answers.path(name, truth("P")).parent.parent.name == "FLAIR+T1"
    assert not usable(case, "FLAIR+T1C") and usable(case, "FLAIR+T1") and usable(case, ACQUIRED)


def test_kept_answers_are_not_made_anew(tmp_path: Path) -> None:
    name = put_network(tmp_path, "member", "member-0")
    case, file = patient("P"), tmp_path / "onnx/member/member-0.onnx"
    answer_with(file, name, [case], tmp_path, variants=(ACQUIRED,))
    path = Answers(tmp_path / "answers", ACQUIRED).path(name, case)
    np.save(path, np.zeros(case.mask.shape, dtype=np.uint8))
    answer_with(file, name, [case], tmp_path, variants=(ACQUIRED,))
    assert not np.load(path).any()


def test_a_network_without_a_record_is_not_finished(tmp_path: Path) -> None:
    put_network(tmp_path, "member", "member-0")
    (tmp_path / "onnx/member/member-1.onnx").write_bytes(b"half")
    assert list(exported(tmp_path, "member", "member-?")) == ["member-0"]
    assert exported(tmp_path, "control", "*") == {}


def test_members_answer_only_patients_of_the_blocks_they_left_out(tmp_path: Path) -> None:
    name = put_network(tmp_path, "member", "member-2")
    cases = [patient(f"P{block}") for block in range(5)]
    blocks = {f"P{block}": block for block in range(5)}
    lines = list(answer_members(cases, blocks, tmp_path, variants=(ACQUIRED,)))
    assert lines == ["member-2: 2 patients it never saw"]
    found = {path.stem for path in (tmp_path / "answers" / ACQUIRED / name).glob("*.npy")}
    assert found == {"P2", "P3"}


def test_every_third_patient_is_mirrored() -> None:
    assert flip_patients([patient(name) for name in "DCBAEFG"]) == ["A", "D", "G"]
