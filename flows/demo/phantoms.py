"""The studies of the demonstration: chest phantoms, every other one with a nodule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from dicom_io.phantoms import FilmOptions, write_study
from flows.demo.watch import DemoStudy, Nodule
from models.phantoms import ChestPhantom, chest_phantom, random_nodules

__all__ = ["make_phantom_studies"]

_FIRST_SEED: Final = 20_260
_DIAMETERS_MM: Final = (14.0, 30.0)
# What devices send: DX and CR, both polarities, with and without a window.
_OPTIONS: Final = (
    FilmOptions(),
    FilmOptions(kind="CR", values_of_interest="window"),
    FilmOptions(monochrome1=True),
    FilmOptions(kind="CR", view="AP", spacing="calibrated"),
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
    studies = []
    for number in range(count):
        seed = _FIRST_SEED + number
        nodules = random_nodules(seed, 1, _DIAMETERS_MM) if number % 2 else ()
        phantom = chest_phantom(seed, nodules, rows, rows)
        options = _OPTIONS[number % len(_OPTIONS)]
        spacing = phantom.pixel_spacing_mm[0]
        study = write_study(
            folder / f"{number + 1}", f"demo-{seed}-{rows}", [(phantom.pixels, options)], spacing
        )
        studies.append(DemoStudy(study.study_instance_uid, study.paths, _nodules(phantom)))
        advance()
    return studies


def _nodules(phantom: ChestPhantom) -> tuple[Nodule, ...]:
    spacing = phantom.pixel_spacing_mm[0]
    return tuple(Nodule(*truth.centre, truth.diameter_mm, spacing) for truth in phantom.nodules)
