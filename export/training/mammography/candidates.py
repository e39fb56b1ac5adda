"""Choice of start and recipe: equal minutes for each, judged on the blocks that member 0 leaves out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from export.training.blocks import PAIRS
from export.training.mammography.answers import AnsweredView, TorchSession, answer_view, fused, marks_of
from export.training.mammography.augment import Strength
from export.training.mammography.data import CachedView
from export.training.mammography.figures import fraction_at, jafroc
from export.training.mammography.network import ExportedNet, finished
from export.training.mammography.table import MASS_LIKE
from export.training.mammography.training import CANDIDATE, Recipe, seen_by, train_on
from export.training.stage import Plan
from export.training.statistics import auroc
from models.mammography.breasts import logit

__all__ = ["CHEST_MEMBER", "CRITERION", "candidates", "chosen_recipe", "judge", "write_table"]

CHEST_MEMBER = Path("models/packages/chest-nodule/0.1.0/member-0.onnx")
CRITERION = "mean of AUROC (both) and LLF at NLF .5"
MARGIN = 0.02
"""The first candidate stays unless another is better by more than this."""


def candidates(encoder: Path | None = None) -> dict[str, Recipe]:
    """Return what is compared, by name; the first stays unless it loses.

    Parameters
    ----------
    encoder : Path or None
        A torch file of a brain-tumour member; without it that start is not compared.
    """
    rows = {
        "ImageNet": Recipe(),
        "chest-nodule member": Recipe("chest-nodule", CHEST_MEMBER),
        "ImageNet, 576 rows": Recipe(how=Strength(height=576)),
        "ImageNet, calcifications not taught as centres": Recipe(how=Strength(calcifications=False)),
        "ImageNet, no lesions pasted": Recipe(how=Strength(pasted=0.0)),
        "from nothing": Recipe("nothing"),
    }
    if encoder is not None:
        rows["brain-tumour encoder"] = Recipe("encoder", encoder)
    rows["chest-nodule member, deep map normalised"] = Recipe("chest-nodule", CHEST_MEMBER, normalised=True)
    rows["chest-nodule member, 576 rows"] = Recipe("chest-nodule", CHEST_MEMBER, Strength(height=576))
    return rows


def _figures(views: Sequence[AnsweredView]) -> dict[str, float]:
    """Return the figures of one network on films it never saw."""
    found = [fused(view) for view in views]
    marks = [marks_of(view.film, candidates) for view, candidates in zip(views, found, strict=True)]
    highest = np.array([logit(one[0].score if one else 0.0) for one in found])
    answers = [view.answers[0] for view in views]
    head = np.array([logit(answer.abnormal) for answer in answers])
    abnormal = np.array([view.film.abnormal for view in views])
    malignant = np.array([view.film.malignant for view in views])
    suspicion = np.array([answer.malignant for answer in answers])
    density = [
        int(np.argmax(answer.density)) == view.film.density
        for answer, view in zip(answers, views, strict=True)
    ]
    both = auroc(*_parted((highest + head) / 2, abnormal))
    fraction = fraction_at(marks, 0.5)
    return {
        CRITERION: (both + fraction) / 2,
        "AUROC abnormal, both": both,
        "AUROC abnormal, highest candidate": auroc(*_parted(highest, abnormal)),
        "AUROC abnormal, head": auroc(*_parted(head, abnormal)),
        "AUROC malignant, head": auroc(*_parted(suspicion, malignant)),
        "LLF at NLF .5": fraction,
        "LLF at NLF .5, mass-like": fraction_at(marks, 0.5, MASS_LIKE),
        "JAFROC": jafroc(marks),
        "density accuracy": float(np.mean(density)),
    }


def _parted(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return scores[labels], scores[~labels]


def judge(
    index: int,
    rows: dict[str, Recipe],
    views: Sequence[CachedView],
    blocks: dict[str, int],
    out: Path,
    *,
    resume: bool,
    plan: Plan = CANDIDATE,
) -> dict[str, Any]:
    """Train one candidate, answer the films it never saw, and keep the row of the table as JSON."""
    name, recipe = list(rows.items())[index]
    stem = f"candidate-{index}"
    scored = out / f"{stem}.scores.json"
    if resume and scored.exists():
        kept: dict[str, Any] = json.loads(scored.read_text())
        return kept
    weights = train_on(stem, seen_by(views, blocks, 0), recipe, out, plan=plan, seed=4_000_000, resume=resume)
    session = TorchSession(ExportedNet(finished(weights)))
    judged = [view.film for view in views if blocks[view.film.patient] in PAIRS[0]]
    answered = [answer_view(film, {0: session}, recipe.how.height) for film in judged]
    record = json.loads((out / f"{stem}.json").read_text())
    row: dict[str, Any] = {
        "candidate": name,
        "index": index,
        "steps": record["steps"],
        "seconds": record["seconds"],
        "films judged": len(judged),
    }
    row |= {key: round(value, 4) for key, value in _figures(answered).items()}
    scored.write_text(json.dumps(row, indent=1))
    return row


def write_table(out: Path) -> str:
    """Write the table of all candidates judged so far and return the name of the chosen one."""
    found = [json.loads(path.read_text()) for path in sorted(out.glob("candidate-*.scores.json"))]
    best = max(found, key=lambda row: float(row[CRITERION]))
    chosen = best if best[CRITERION] > found[0][CRITERION] + MARGIN else found[0]
    table = {
        "judged on": f"films of blocks {PAIRS[0][0]} and {PAIRS[0][1]}, unseen in training",
        "rule": f"the first unless another has a {CRITERION} higher by more than {MARGIN}",
        "candidates": found,
        "chosen": chosen["candidate"],
    }
    (out / "candidates.json").write_text(json.dumps(table, indent=1))
    return str(chosen["candidate"])


def chosen_recipe(out: Path, encoder: Path | None = None) -> Recipe:
    """Return the recipe that the comparison of a run chose; the first where there was none.

    Raises
    ------
    ValueError
        The chosen start needs a file that is not given.
    """
    path, rows = out / "candidates.json", candidates(encoder)
    if not path.exists():
        return next(iter(rows.values()))
    name = str(json.loads(path.read_text())["chosen"])
    if name not in rows:
        raise ValueError(f"candidate {name!r} was chosen: name the file of its weights (--from)")
    return rows[name]
