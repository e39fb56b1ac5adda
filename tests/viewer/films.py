"""Chest phantoms with their reports, as an archive would hold them after a reading."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.phantoms import chest_film
from dicom_io.results import ResultIdentity, encode_structured_report, write_object
from models.phantoms import PhantomNodule, chest_phantom
from tests.dicom_io.results.factory import context

__all__ = ["ReadFilm", "read_film"]

_SIDE = 880


@dataclass(frozen=True)
class ReadFilm:
    """A film, its report, and where the nodule is, in columns and rows of the film."""

    film: Dataset
    paths: tuple[Path, ...]
    report_series: str
    box: tuple[float, float, float, float]

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.film.StudyInstanceUID)


def read_film(folder: Path, seed: int, moved: tuple[float, float] = (0.0, 0.0)) -> ReadFilm:
    """Write a film with one nodule and a report whose box is ``moved`` by so many columns and rows.

    Returns
    -------
    ReadFilm
        Its box is the nodule's own, ``(left, top, right, bottom)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    phantom = chest_phantom(seed, (PhantomNodule(92.0, 150.0, 26.0, aspect=1.4),), _SIDE, _SIDE)
    film = chest_film(phantom, seed)
    (truth,) = phantom.nodules
    film_path = folder / "film.dcm"
    film.save_as(film_path, enforce_file_format=True)
    header = dcmread(film_path, stop_before_pixels=True)
    top, left, bottom, right = truth.box.top, truth.box.left, truth.box.bottom, truth.box.right
    dx, dy = moved
    made = context(
        header,
        boxes=((top + dy, left + dx, bottom + dy, right + dx),),
        identity=ResultIdentity(f"{seed:064x}", "ab" * 32, "c" * 64, 1),
    )
    report = write_object(encode_structured_report(made), folder / "report.dcm", "structured-report").path
    series = str(dcmread(report, stop_before_pixels=True).SeriesInstanceUID)
    return ReadFilm(film, (film_path, report), series, (left, top, right, bottom))
