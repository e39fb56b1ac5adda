"""The studies of the demonstration: chest phantoms, every other one with a nodule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from dicom_io.phantoms import FilmOptions, chest_film
from flows.demo.watch import DemoStudy, Nodule
from models.phantoms import ChestPhantom, chest_phantom, random_nodules

__all__ = ["make_phantom_studies"]

_FIRST_SEED: Final = 20_260
_DIAMETERS_MM: Final = (14.0, 30.0)
# What devices send: DX and CR, both polarities, with and without a calibration.
_OPTIONS: Final = (
    FilmOptions(),
    FilmOptions(modality="CR", transfer_syntax="jpeg2000"),
    FilmOptions(photometric="MONOCHROME1"),
    FilmOptions(modality="CR", view="AP", spacing="calibrated", values_of_interest="lut"),
)


def make_phantom_studies(
    folder: Path, count: int, advance: Callable[[], None] = lambda: None, rows: int = 1760
) -> list[DemoStudy]:
    """Write ``count`` studies of one film into ``folder``; the second, fourth, … has a nodule.

    Parameters
    ----------
    rows : int
        Height and width of the films in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    studies = []
    for number in range(count):
        seed = _FIRST_SEED + number
        nodules = random_nodules(seed, 1, _DIAMETERS_MM) if number % 2 else ()
        phantom = chest_phantom(seed, nodules, rows, rows)
        film = chest_film(phantom, seed, options=_OPTIONS[number % len(_OPTIONS)])
        path = folder / f"phantom-{number + 1}.dcm"
        film.save_as(path, enforce_file_format=True)
        studies.append(DemoStudy(str(film.StudyInstanceUID), (path,), _nodules(phantom)))
        advance()
    return studies


def _nodules(phantom: ChestPhantom) -> tuple[Nodule, ...]:
    spacing = phantom.pixel_spacing_mm[0]
    return tuple(Nodule(*truth.centre, truth.diameter_mm, spacing) for truth in phantom.nodules)
