"""How far the answer on one film changes when the same film comes a little differently."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.training.mammography.analysis import Breast
from export.training.mammography.data import mammogram_of
from export.training.mammography.table import PIXEL_MM, MiasFilm
from models.mammogram import Mammogram
from models.results import Candidate

__all__ = ["CHANGES", "NEAR_MM", "Change", "chosen_films", "repeatability_figures"]

NEAR_MM = 5.0
EVERY = 5
"""One patient in five is asked again: repeats cost as much as the evaluation itself."""
Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Change:
    """One way a film comes differently; ``moved`` is how far its content went, in rows and columns."""

    name: str
    apply: Callable[[Pixels], Pixels]
    moved: tuple[int, int] = (0, 0)

    def mammogram(self, film: MiasFilm) -> Mammogram:
        """Return the changed film."""
        pixels = self.apply(mammogram_of(film).film.pixels)
        return mammogram_of(film, np.ascontiguousarray(pixels, dtype=np.float32))


def shifted(rows: int, columns: int) -> Callable[[Pixels], Pixels]:
    """Move the content; what comes in is air, what goes out is lost."""

    def apply(pixels: Pixels) -> Pixels:
        result = np.zeros_like(pixels)
        height, width = pixels.shape
        target = np.s_[max(rows, 0) : height + min(rows, 0), max(columns, 0) : width + min(columns, 0)]
        source = np.s_[max(-rows, 0) : height + min(-rows, 0), max(-columns, 0) : width + min(-columns, 0)]
        result[target] = pixels[source]
        return result

    return apply


def cropped(top: float, bottom: float) -> Callable[[Pixels], Pixels]:
    """Cut shares of the rows off."""

    def apply(pixels: Pixels) -> Pixels:
        rows = len(pixels)
        return pixels[round(top * rows) : rows - round(bottom * rows)]

    return apply


def _jpeg(quality: int) -> Callable[[Pixels], Pixels]:
    def apply(pixels: Pixels) -> Pixels:
        stream = io.BytesIO()
        Image.fromarray((pixels * 255).round().astype(np.uint8)).save(stream, "JPEG", quality=quality)
        with Image.open(stream) as image:
            return np.asarray(image, dtype=np.float32) / np.float32(255)

    return apply


def _power(gamma: float) -> Callable[[Pixels], Pixels]:
    return lambda pixels: pixels ** np.float32(gamma)


_TOP = 0.02
CHANGES = (
    Change("shift by 3 rows", shifted(3, 0), (3, 0)),
    Change("shift by 3 rows and 3 columns", shifted(-3, -3), (-3, -3)),
    Change("2 % of the rows cut off above", cropped(_TOP, 0.0), (-round(_TOP * 1024), 0)),
    Change("2 % of the rows cut off below", cropped(0.0, 0.02)),
    Change("gamma .8", _power(0.8)),
    Change("gamma 1.25", _power(1.25)),
    Change("JPEG, quality 90", _jpeg(90)),
    Change("JPEG, quality 70", _jpeg(70)),
)


def chosen_films(films: Sequence[MiasFilm]) -> list[MiasFilm]:
    """Return both films of one patient in five."""
    patients = sorted({film.patient for film in films}, key=int)[::EVERY]
    return [film for film in films if film.patient in set(patients)]


def _kept(first: Sequence[Candidate], second: Sequence[Candidate], moved: tuple[int, int]) -> int:
    """Count the marks of the first that have one of the second within ``NEAR_MM``."""
    centres = np.array([one.box.centre for one in second]).reshape(-1, 2) - np.array(moved)
    near = 0
    for one in first:
        if len(centres):
            distance = np.hypot(*(centres - np.array(one.box.centre)).T).min() * PIXEL_MM
            near += bool(distance <= NEAR_MM)
    return near


def repeatability_figures(
    plain: Mapping[str, Breast],
    changed: Mapping[str, Mapping[str, Breast]],
    score: Callable[[Breast], float],
    limit: float,
) -> dict[str, dict[str, Any]]:
    """Compare films with their changed copies.

    Parameters
    ----------
    plain : mapping
        By film.
    changed : mapping
        By name of the change, then by film; what is absent showed no breast.
    score : callable
        Probability that the breast is abnormal.
    limit : float
        Operating point of the marks.

    Returns
    -------
    dict
        By change: films, median and 95th percentile of the absolute change of the score, marks before,
        the share of them that has a mark of the changed film within 5 mm, and marks after.
    """
    rows = {}
    moves = {change.name: change.moved for change in CHANGES}
    for name, found in changed.items():
        differences, before, after, kept = [], 0, 0, 0
        for film, breast in found.items():
            differences.append(abs(score(breast) - score(plain[film])))
            first = [one for one in plain[film].candidates if one.score >= limit]
            second = [one for one in breast.candidates if one.score >= limit]
            before, after = before + len(first), after + len(second)
            kept += _kept(first, second, moves[name])
        rows[name] = {
            "films": len(found),
            "median change": float(np.median(differences)),
            "95 % change": float(np.percentile(differences, 95)),
            "marks": before,
            "marks after": after,
            "share of marks kept": kept / before if before else float("nan"),
        }
    return rows
