"""Answers of a detector without a detector."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.brain_tumour.answer import BrainAnswer
from tests.models.brain_tumour.scripted import package
from tests.models.brain_tumour.studies import study

MANIFEST = package().manifest
HEAD = study(["T1", "FLAIR"], shape=(43, 104, 96), spacing=(4.0, 1.84, 1.84))


def answer(mask: NDArray[Any], **values: Any) -> BrainAnswer:
    """Return an answer of two members, or as many as ``members`` says, that mark ``mask``."""
    members = values.pop("members", 2)
    fields: dict[str, Any] = {
        "probability": np.where(mask, 0.75, 0.1).astype(np.float32),
        "mask": mask,
        "member_paths": tuple(Path(f"{index}.npy") for index in range(members)),
        "plan": MANIFEST.choose(["T1", "FLAIR"]),
        "case_score": 0.8,
        "pairwise_dice": tuple(0.9 for _ in combinations(range(members), 2)),
        "components": {"member_support": 1.0},
    }
    return BrainAnswer(**fields | values)
