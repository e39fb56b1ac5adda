"""Five blocks of patients and ten members that each leave two of them out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["BLOCKS", "PAIRS", "assign_blocks", "unseen_by"]

BLOCKS = 5
PAIRS = ((0, 1), (1, 2), (2, 3), (3, 4), (4, 0), (0, 2), (1, 3), (2, 4), (3, 0), (4, 1))
"""Blocks that member k never sees: all ten pairs, so that every patient is unseen by exactly four."""


def assign_blocks(patients: Sequence[tuple[str, str, int]], seed: int = 2026) -> dict[str, int]:
    """Assign patients to blocks that are alike in stratum and size.

    Patients are sorted by stratum and size and dealt out in rounds of five, each round in a seeded order.

    Parameters
    ----------
    patients : sequence of (name, stratum, size)
        The stratum is whatever the blocks shall share alike: an institution, a kind of lesion.
    """
    rng = np.random.default_rng(seed)
    ordered = sorted(patients, key=lambda row: (row[1], row[2], row[0]))
    blocks: dict[str, int] = {}
    for start in range(0, len(ordered), BLOCKS):
        for (name, _, _), block in zip(
            ordered[start : start + BLOCKS], rng.permutation(BLOCKS), strict=False
        ):
            blocks[name] = int(block)
    return dict(sorted(blocks.items()))


def unseen_by(block: int) -> tuple[int, ...]:
    """Return the members that never saw this block of patients."""
    return tuple(member for member, pair in enumerate(PAIRS) if block in pair)
