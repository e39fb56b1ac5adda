"""Five blocks of patient pairs, alike in what their films show and in their tissue."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from export.training.blocks import assign_blocks
from export.training.mammography.table import MiasFilm

__all__ = ["SPLIT_FILE", "blocks_of", "read_split", "write_split"]

SPLIT_FILE = Path(__file__).with_name("split.csv")


def _stratum(films: Sequence[MiasFilm]) -> str:
    """Name what a patient's films show: malignant, abnormal or neither, and the tissue."""
    if any(film.malignant for film in films):
        shown = "malignant"
    else:
        shown = "abnormal" if any(film.abnormal for film in films) else "normal"
    return f"{shown} {films[0].tissue}"


def blocks_of(films: Sequence[MiasFilm]) -> dict[str, int]:
    """Assign every patient to a block; films of one patient are never apart."""
    by_patient: dict[str, list[MiasFilm]] = {}
    for film in films:
        by_patient.setdefault(film.patient, []).append(film)
    return assign_blocks([(name, _stratum(shown), 0) for name, shown in by_patient.items()])


def write_split(films: Sequence[MiasFilm], path: Path = SPLIT_FILE) -> None:
    """Write film, patient pair and block of every film."""
    blocks = blocks_of(films)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["film", "patient_pair", "block"])
        writer.writerows([film.name, film.patient, blocks[film.patient]] for film in films)


def read_split(path: Path = SPLIT_FILE) -> dict[str, int]:
    """Read the block of every patient pair."""
    with path.open() as stream:
        return {row["patient_pair"]: int(row["block"]) for row in csv.DictReader(stream)}
