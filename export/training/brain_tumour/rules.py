"""From probabilities to a reported mask: threshold and what parts stay, as measured or preliminary."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

PRELIMINARY = "Preliminary: the middle of the scale, no figures yet."


@dataclass(frozen=True)
class Rules:
    """What is done with the mean probability of an ensemble.

    Parameters
    ----------
    threshold : float
        From which a voxel is marked.
    definition : str
        How it was chosen.
    largest_component : bool
        Whether only the largest part is reported.
    minimum_volume_ml : float
        Parts below it are not reported.
    flip : bool
        Whether members also read the mirrored slices.
    """

    threshold: float = 0.5
    definition: str = PRELIMINARY
    largest_component: bool = False
    minimum_volume_ml: float = 0.0
    flip: bool = False


def save_rules(out: Path, main: Rules, contrast: Rules) -> None:
    """Keep the rules of both ensembles beside a run."""
    (out / "rules.json").write_text(
        json.dumps({"main": asdict(main), "contrast": asdict(contrast)}, indent=1)
    )


def load_rules(out: Path) -> tuple[Rules, Rules]:
    """Return the rules of the main and of the contrast-only ensemble, preliminary before an evaluation."""
    path = out / "rules.json"
    if not path.exists():
        return Rules(), Rules()
    raw = json.loads(path.read_text())
    return Rules(**raw["main"]), Rules(**raw["contrast"])
