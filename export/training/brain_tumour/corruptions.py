"""What happens to the outline and to the members' agreement when images are spoilt, on a few patients.

Each volume is thinned to every fourth slice, spoilt in its 8 bit values, normalised and answered by the four
members that never saw the patient. A threshold makes the mask; no rule on parts is applied.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from export.training.brain_tumour.analysis import mean_probability
from export.training.brain_tumour.data import patient_rows, raw_patient
from export.training.brain_tumour.figures import dice, pairwise_dice
from export.training.folder import data_root
from export.training.statistics import mean_figure
from models.preprocessing.brain import SEQUENCES, member_input, normalised
from models.runtime import Session

Floats = NDArray[np.float32]
Row = dict[str, Any]

THIN, EVERY = 4, 6
"""Every fourth slice of every sixth patient."""


def _top(volume: Floats) -> float:
    return float(np.percentile(volume, 99))


def _field(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """Return a smooth field between -1 and 1."""
    small = rng.uniform(-1, 1, (3, 3))
    field = ndimage.zoom(small, (rows / 3, columns / 3), order=3)
    return np.asarray(field / np.abs(field).max(), dtype=np.float32)


def noise(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Add Rician noise of a deviation of ``level`` times the 99th percentile."""
    sigma = level * _top(volume)
    real = volume + rng.normal(0, sigma, volume.shape)
    return np.asarray(np.hypot(real, rng.normal(0, sigma, volume.shape)), dtype=np.float32)


def bias(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Multiply by a smooth field between exp(-level) and exp(level)."""
    return np.asarray(volume * np.exp(level * _field(rng, *volume.shape[1:])), dtype=np.float32)


def ghosting(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Add the image moved by half the field of view along the rows, times ``level``."""
    return np.asarray(volume + level * np.roll(volume, volume.shape[1] // 2, axis=1), dtype=np.float32)


def blur(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Lower the resolution in the plane to ``level`` pixels (full width at half maximum)."""
    sigma = level / 2.355
    return np.asarray(ndimage.gaussian_filter(volume, (0, sigma, sigma)), dtype=np.float32)


def gamma(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Raise values, as shares of the 99th percentile, to a power."""
    top = max(_top(volume), 1.0)
    return np.asarray(top * (volume / top) ** level, dtype=np.float32)


def scaling(rng: np.random.Generator, volume: Floats, level: float) -> Floats:
    """Multiply every value."""
    return np.asarray(volume * level, dtype=np.float32)


Corruption = Callable[[np.random.Generator, Floats, float], Floats]
CORRUPTIONS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "Rician noise": (noise, (0.03, 0.08, 0.15)),
    "bias field": (bias, (0.3, 0.6, 1.0)),
    "ghosting": (ghosting, (0.1, 0.2, 0.4)),
    "blur, px": (blur, (2.0, 4.0, 6.0)),
    "gamma": (gamma, (0.67, 1.5, 2.2)),
    "intensity scaling": (scaling, (4.0,)),
}
AS_IS, MIRROR, MOVED = "as it is", "mirrored", "T1 and T1C moved, px"
SHIFTS = (2, 4, 8)
Sequences = dict[str, Floats]


def spoilt(sequences: Mapping[str, Floats]) -> list[tuple[str, float, Sequences]]:
    """Return name, strength and sequences of every condition."""
    made: list[tuple[str, float, Sequences]] = [
        (AS_IS, 0.0, dict(sequences)),
        (MIRROR, 0.0, {name: volume[..., ::-1] for name, volume in sequences.items()}),
    ]
    for name, (corrupt, levels) in CORRUPTIONS.items():
        for level in levels:
            rng = np.random.default_rng([2026, len(made)])
            made.append(
                (name, level, {key: corrupt(rng, volume, level) for key, volume in sequences.items()})
            )
    made.extend(
        (
            MOVED,
            float(shift),
            {k: v if k == "FLAIR" else np.roll(v, shift, axis=2) for k, v in sequences.items()},
        )
        for shift in SHIFTS
        if len(sequences) > 1
    )
    return made


def answer_conditions(
    sequences: Mapping[str, Floats], mask: NDArray[np.bool_], sessions: Sequence[Session], threshold: float
) -> list[Row]:
    """Return Dice of the mean and pairwise Dice of the members for every condition."""
    rows, level = [], round(255 * threshold)
    for name, strength, made in spoilt(sequences):
        tensor = member_input({key: normalised(volume) for key, volume in made.items()})
        truth = mask[..., ::-1] if name == MIRROR else mask
        parts = [
            np.rint(255 * session.run({"tensor": tensor})["probability"][:, 0]).astype(np.uint8)
            for session in sessions
        ]
        rows.append(
            {
                "condition": name,
                "strength": strength,
                "dice": dice(truth, mean_probability(parts) >= threshold),
                "pairwise_dice": pairwise_dice([part >= level for part in parts]),
            }
        )
    return rows


def chosen_patients(names: Sequence[str]) -> list[str]:
    """Return the names of the patients that are spoilt."""
    return sorted(names)[::EVERY]


def thinned(name: str) -> tuple[Sequences, NDArray[np.bool_]]:
    """Read every fourth slice of a patient: sequences that were acquired, and the mask."""
    root = data_root()
    volume, mask, present = raw_patient(root, name, patient_rows(root)[name][::THIN])
    there = {
        key: volume[:, channel].astype(np.float32)
        for channel, key in enumerate(SEQUENCES)
        if present[channel]
    }
    return there, mask


def spoil(name: str, sessions: Mapping[str, Session], threshold: float, out: Path) -> list[Row]:
    """Answer one patient in all conditions, or return what was kept for the same networks and threshold.

    Parameters
    ----------
    sessions : mapping of str to Session
        The members that never saw the patient, by the name of their answers.
    """
    path = out / "corruptions" / f"{name}.json"
    made: Row = {"threshold": threshold, "members": sorted(sessions)}
    if path.exists():
        kept: Row = json.loads(path.read_text())
        if {key: kept[key] for key in made} == made:
            rows: list[Row] = kept["rows"]
            return rows
    rows = answer_conditions(*thinned(name), list(sessions.values()), threshold)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made | {"rows": rows}, indent=1))
    return rows


def corruption_report(by_patient: Mapping[str, Sequence[Row]]) -> Row:
    """Return mean Dice and pairwise Dice with intervals by condition and strength."""
    rows = [row for part in by_patient.values() for row in part]
    report: Row = {"patients": sorted(by_patient), "slices": f"every {THIN}th", "conditions": []}
    for condition, strength in dict.fromkeys((row["condition"], row["strength"]) for row in rows):
        same = [row for row in rows if (row["condition"], row["strength"]) == (condition, strength)]
        line: Row = {"condition": condition, "strength": strength}
        for key in ("dice", "pairwise_dice"):
            figure = mean_figure([row[key] for row in same])
            line[key] = {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}
        report["conditions"].append(line)
    return report
