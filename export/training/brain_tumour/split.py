"""Five blocks of patients, the pairs of blocks that members leave out, and blocks of contrast slices."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from export.training.blocks import BLOCKS, PAIRS, assign_blocks

__all__ = [
    "BLOCKS",
    "CONTRAST_SPLIT_FILE",
    "GAP",
    "INSTITUTIONS",
    "PAIRS",
    "SPLIT_FILE",
    "assign_blocks",
    "contrast_blocks",
    "contrast_training",
    "read_split",
    "write_contrast_split",
    "write_split",
]

GAP = 30
INSTITUTIONS = {"DU": ("DU",), "HT": ("HT",), "CS-EZ": ("CS", "EZ"), "FG": ("FG",)}
"""Groups left out whole; EZ has a single patient."""

SPLIT_FILE = Path(__file__).with_name("split.csv")
CONTRAST_SPLIT_FILE = Path(__file__).with_name("contrast_split.csv")


def read_split(path: Path = SPLIT_FILE) -> dict[str, int]:
    """Read the block of every patient."""
    with path.open() as stream:
        return {row["patient"]: int(row["block"]) for row in csv.DictReader(stream)}


def write_split(patients: Sequence[tuple[str, str, int]], path: Path = SPLIT_FILE) -> None:
    """Write patient, institution and block of every patient."""
    blocks, institutions = assign_blocks(patients), {name: place for name, place, _ in patients}
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["patient", "institution", "block"])
        writer.writerows([name, institutions[name], block] for name, block in blocks.items())


def contrast_blocks(types: Mapping[int, int]) -> dict[int, int]:
    """Assign each slice number to one of five contiguous blocks of its tumour type."""
    blocks = {}
    for kind in sorted(set(types.values())):
        numbers = sorted(number for number, value in types.items() if value == kind)
        for position, number in enumerate(numbers):
            blocks[number] = position * BLOCKS // len(numbers)
    return blocks


def contrast_training(types: Mapping[int, int], left_out: int) -> set[int]:
    """Return the numbers to train on: not in the block left out, nor within ``GAP`` slices of it.

    The gap is counted within a type, in slices of the order by number.
    """
    blocks, kept = contrast_blocks(types), set()
    for kind in sorted(set(types.values())):
        numbers = sorted(number for number, value in types.items() if value == kind)
        held = [position for position, number in enumerate(numbers) if blocks[number] == left_out]
        first, last = held[0] - GAP, held[-1] + GAP
        kept |= {number for position, number in enumerate(numbers) if not first <= position <= last}
    return kept


def write_contrast_split(types: Mapping[int, int], names: Sequence[str], path: Path) -> None:
    """Write the ranges of numbers: type, block, first and last number, slices, gap."""
    blocks = contrast_blocks(types)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["type", "block", "first", "last", "slices", "gap"])
        for kind, name in enumerate(names):
            for block in range(BLOCKS):
                numbers = [n for n, value in types.items() if value == kind and blocks[n] == block]
                writer.writerow([name, block, min(numbers), max(numbers), len(numbers), GAP])
