"""The table of mini-MIAS: which film shows what, and where."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.mammography_results import DENSITY_CLASSES

__all__ = ["MASS_LIKE", "PIXEL_MM", "Lesion", "MiasFilm", "read_table"]

PIXEL_MM = 0.2
NORMAL = "NORM"
MASS_LIKE = ("CIRC", "SPIC", "MISC", "ARCH", "ASYM")
"""Kinds of lesion that the package speaks of; CALC, calcifications, is the only other one."""
_TISSUES = dict(zip("FGD", DENSITY_CLASSES, strict=True))


@dataclass(frozen=True)
class Lesion:
    """One row of the table that is not NORM: kind, severity, and a circle in source pixels if known.

    The circle is (row, column, radius).
    """

    kind: str
    malignant: bool
    circle: tuple[float, float, float] | None

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """(top, left, bottom, right) around the circle."""
        if self.circle is None:
            return None
        row, column, radius = self.circle
        return row - radius, column - radius, row + radius, column + radius


@dataclass(frozen=True)
class MiasFilm:
    """One film of mini-MIAS: its name, its patient (the pair of films), side, tissue class and lesions."""

    name: str
    patient: str
    laterality: Literal["L", "R"]
    tissue: str
    lesions: tuple[Lesion, ...]

    @property
    def abnormal(self) -> bool:
        """Whether any row of the film is not NORM, coordinates or not."""
        return bool(self.lesions)

    @property
    def malignant(self) -> bool:
        """Whether any lesion is malignant."""
        return any(lesion.malignant for lesion in self.lesions)

    @property
    def mass_like(self) -> bool:
        """Whether any lesion is other than calcifications."""
        return any(lesion.kind in MASS_LIKE for lesion in self.lesions)

    @property
    def density(self) -> int:
        """Index of the tissue class in DENSITY_CLASSES."""
        return DENSITY_CLASSES.index(self.tissue)


def _lesion(row: dict[str, str]) -> Lesion:
    circle = None
    if row["centre_x"]:
        circle = (float(row["centre_y"]), float(row["centre_x"]), float(row["radius_px"]))
    return Lesion(row["abnormality"], row["severity"] == "M", circle)


def read_table(path: Path) -> list[MiasFilm]:
    """Read every film of the table, several rows of one film as one."""
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open() as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["image"], []).append(row)
    return [
        MiasFilm(
            name,
            group[0]["patient_pair"],
            "L" if group[0]["laterality"] == "L" else "R",
            _TISSUES[group[0]["tissue"]],
            tuple(_lesion(row) for row in group if row["abnormality"] != NORMAL),
        )
        for name, group in rows.items()
    ]
