"""Blocks of patients and of slices, pairs, and the files in the repository."""

# ruff: noqa: E402

import os
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.brain_tumour.data import TYPES, contrast_rows, patient_rows
from export.training.brain_tumour.split import (
    BLOCKS,
    CONTRAST_SPLIT_FILE,
    GAP,
    PAIRS,
    SPLIT_FILE,
    assign_blocks,
    contrast_blocks,
    contrast_training,
    read_split,
    write_contrast_split,
    write_split,
)

needs_data = pytest.mark.skipif("SECONDREAD_DATA" not in os.environ, reason="SECONDREAD_DATA is unset")


def _patients() -> list[tuple[str, str, int]]:
    rng = np.random.default_rng(0)
    places = ["DU"] * 36 + ["HT"] * 27 + ["CS"] * 13 + ["FG"] * 11 + ["EZ"]
    return [(f"P{i:03d}", place, int(rng.lognormal(9, 1))) for i, place in enumerate(places)]


def test_ten_members_are_all_pairs_and_leave_every_block_out_four_times() -> None:
    assert {frozenset(pair) for pair in PAIRS} == {frozenset(p) for p in combinations(range(BLOCKS), 2)}
    assert Counter(block for pair in PAIRS for block in pair) == dict.fromkeys(range(BLOCKS), 4)


def test_the_first_five_members_leave_every_block_out_twice() -> None:
    assert Counter(block for pair in PAIRS[:5] for block in pair) == dict.fromkeys(range(BLOCKS), 2)


def test_blocks_are_alike_in_institution_and_size() -> None:
    patients = _patients()
    blocks = assign_blocks(patients)
    assert blocks == assign_blocks(patients[::-1]) and len(blocks) == len(patients)
    assert set(Counter(blocks.values()).values()) == {17, 18}
    for place in ("DU", "HT", "CS", "FG"):
        counts = Counter(blocks[name] for name, where, _ in patients if where == place)
        assert max(counts.values()) - min(counts[block] for block in range(BLOCKS)) <= 2
    medians = [np.median([size for name, _, size in patients if blocks[name] == b]) for b in range(BLOCKS)]
    assert max(medians) < 2.5 * min(medians)


def test_contrast_blocks_are_contiguous_and_the_gap_is_kept() -> None:
    types = {number: 0 if number < 400 else 1 + number % 2 for number in range(1, 1301)}
    blocks = contrast_blocks(types)
    for kind in range(3):
        numbers = sorted(number for number, value in types.items() if value == kind)
        order = [blocks[number] for number in numbers]
        assert order == sorted(order) and set(order) == set(range(BLOCKS))
        for block in range(BLOCKS):
            kept = contrast_training(types, block)
            held = [number for number in numbers if blocks[number] == block]
            assert not kept & set(held)
            around = [n for n in numbers if n in kept and held[0] - GAP <= n <= held[-1] + GAP]
            assert not around
            dropped = len(numbers) - len(held) - len(kept & set(numbers))
            assert dropped == (GAP if block in (0, BLOCKS - 1) else 2 * GAP)


def test_the_file_names_88_patients_of_five_institutions() -> None:
    blocks = read_split()
    assert len(blocks) == 88 and set(blocks.values()) == set(range(BLOCKS))


@needs_data
@pytest.mark.data
def test_the_files_are_what_the_functions_make(tmp_path: Path) -> None:
    root = Path(os.environ["SECONDREAD_DATA"])
    patients = [
        (name, rows[0]["institution"], sum(int(row["mask_pixels"]) for row in rows))
        for name, rows in patient_rows(root).items()
    ]
    write_split(patients, tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text() == SPLIT_FILE.read_text()
    write_contrast_split(contrast_rows(root), TYPES, tmp_path / "contrast.csv")
    assert (tmp_path / "contrast.csv").read_text() == CONTRAST_SPLIT_FILE.read_text()
