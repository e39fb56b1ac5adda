"""The steps of a reading of films, one function each, without Prefect, journal or network.

The flow ``process-study`` and the offline command ``secondread run`` are two callers of the same steps.
Steps hand each other paths and small summaries; arrays and data sets stay inside a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from pydantic import TypeAdapter

from dicom_io.reading import UnsuitableImage, check_header, read_film, read_header
from flows.reading.study import Gathered, NotRead, Refused, SourceFile
from models.confidence import assess_detection
from models.detector import FilmDetector
from models.film import Film, View
from models.package import InputContract
from models.polarity import is_negative
from models.results import Assessment, FilmReading, Finding

__all__ = [
    "MeasuredFilm",
    "Prepared",
    "PreparedFilm",
    "assess",
    "check_pixels",
    "findings_of",
    "gate",
    "infer",
    "load_readings",
    "prepare",
]

_READINGS: TypeAdapter[tuple[FilmReading, ...]] = TypeAdapter(tuple[FilmReading, ...])
_SMALLEST_RANGE = 1e-3
_LARGEST_CLIPPED = 0.98
_NEGATIVE = (
    "The pixels appear to contradict the Photometric Interpretation (lungs bright, mediastinum dark): "
    "the image was read with its greyscale inverted"
)


class MeasuredFilm(Protocol):
    """An image with the spacing of its pixels."""

    @property
    def source(self) -> SourceFile:
        """The instance."""

    @property
    def pixel_spacing_mm(self) -> tuple[float, float] | None:
        """Between rows and between columns."""

    @property
    def spacing_is_calibrated(self) -> bool:
        """Whether it is that of the patient."""


@dataclass(frozen=True, slots=True)
class PreparedFilm:
    """A decoded film on disk (``.npy``, float32, ``(rows, columns)``) and what a Film needs beside it."""

    source: SourceFile
    array: Path
    view: View
    pixel_spacing_mm: tuple[float, float] | None
    spacing_is_calibrated: bool
    remarks: tuple[str, ...] = ()

    def load(self) -> Film:
        """Read the film back."""
        return Film(
            sop_instance_uid=self.source.sop_instance_uid,
            pixels=np.load(self.array, allow_pickle=False),
            view=self.view,
            pixel_spacing_mm=self.pixel_spacing_mm,
            spacing_is_calibrated=self.spacing_is_calibrated,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """The films of a study, decoded, and the instances that are left out."""

    films: tuple[PreparedFilm, ...]
    not_read: tuple[NotRead, ...]

    @property
    def unread_films(self) -> tuple[NotRead, ...]:
        """What is left out although it is an image of the kind that the package reads."""
        return tuple(item for item in self.not_read if item.is_unread_image)

    @property
    def partial(self) -> bool:
        """Whether the reading covers only part of what should have been read."""
        return bool(self.unread_films)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people must know of the films that were read."""
        return tuple(remark for film in self.films for remark in film.remarks)

    @property
    def statements(self) -> tuple[str, ...]:
        """What the report says in words about its input."""
        unread = (f"One image was not read: {item.reason}" for item in self.unread_films)
        return (*self.remarks, *unread)


def prepare(gathered: Gathered, contract: InputContract, folder: Path) -> Prepared:
    """Decode every selected instance into ``folder``; a negative is inverted and remarked upon.

    Raises
    ------
    Refused
        Not one of them can be decoded.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    films: list[PreparedFilm] = []
    not_read = list(gathered.not_read)
    for number, source in enumerate(gathered.selected):
        try:
            film = read_film(source.path, contract)
        except UnsuitableImage as error:
            not_read.append(NotRead(source.sop_instance_uid, error.code, str(error), source.path))
            continue
        negative = contract.polarity == "chest" and is_negative(film.pixels)
        array = folder / f"film-{number}.npy"
        np.save(array, 1 - film.pixels if negative else film.pixels, allow_pickle=False)
        films.append(
            PreparedFilm(
                source,
                array,
                film.view,
                film.pixel_spacing_mm,
                film.spacing_is_calibrated,
                remarks=(_NEGATIVE,) if negative else (),
            )
        )
    if not films:
        raise Refused(not_read)
    return Prepared(tuple(films), tuple(not_read))


def gate(prepared: Prepared, contract: InputContract) -> Prepared:
    """Check tags, geometry and pixel range of every film; pass on those that a detector may see.

    Raises
    ------
    Refused
        No film passes.
    """
    passed: list[PreparedFilm] = []
    not_read = list(prepared.not_read)
    for film in prepared.films:
        try:
            check_header(read_header(film.source.path), contract)
            check_pixels(film.array)
        except UnsuitableImage as error:
            source = film.source
            not_read.append(NotRead(source.sop_instance_uid, error.code, str(error), source.path))
        else:
            passed.append(film)
    if not passed:
        raise Refused(not_read)
    return Prepared(tuple(passed), tuple(not_read))


def check_pixels(array: Path) -> None:
    """Refuse a decoded image that shows nothing.

    Raises
    ------
    UnsuitableImage
        ``constant-image`` or ``clipped-image``.
    """
    pixels = np.load(array, mmap_mode="r", allow_pickle=False)
    low, high = (float(value) for value in np.percentile(pixels[::4, ::4], (1, 99)))
    if high - low < _SMALLEST_RANGE:
        raise UnsuitableImage("constant-image", "the image is constant: there is nothing to read")
    clipped = float(np.mean((pixels[::4, ::4] <= 0.0) | (pixels[::4, ::4] >= 1.0)))
    if clipped > _LARGEST_CLIPPED:
        raise UnsuitableImage(
            "clipped-image", f"{clipped:.0%} of the pixels are black or white after windowing"
        )


def infer(films: Sequence[PreparedFilm], detector: FilmDetector, path: Path) -> tuple[FilmReading, ...]:
    """Run all members on every film, one film after another, and keep the readings in ``path`` (JSON)."""
    readings = tuple(detector.detect(film.load()) for film in films)
    path.write_bytes(_READINGS.dump_json(readings))
    return readings


def load_readings(path: Path) -> tuple[FilmReading, ...]:
    """Read back what :func:`infer` kept."""
    return _READINGS.validate_json(path.read_bytes())


def assess(readings: Sequence[FilmReading]) -> Assessment:
    """Judge how far the readings can be trusted."""
    return assess_detection(readings)


def findings_of(films: Sequence[MeasuredFilm], readings: Sequence[FilmReading]) -> tuple[Finding, ...]:
    """Return the candidates above the operating point, numbered over the study by falling score."""
    spacing = {film.source.sop_instance_uid: film for film in films}
    found = sorted(
        ((reading, candidate) for reading in readings for candidate in reading.above_operating_point),
        key=lambda pair: (-pair[1].score, pair[0].sop_instance_uid, pair[1].box.top, pair[1].box.left),
    )
    findings = []
    for number, (reading, candidate) in enumerate(found, start=1):
        film = spacing[reading.sop_instance_uid]
        size = None
        if film.pixel_spacing_mm is not None:
            size = (
                candidate.box.height * film.pixel_spacing_mm[0],
                candidate.box.width * film.pixel_spacing_mm[1],
            )
        findings.append(
            Finding(number, reading.sop_instance_uid, candidate, size, film.spacing_is_calibrated)
        )
    return tuple(findings)
