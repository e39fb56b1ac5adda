"""Chest films and mammograms of phantoms with their reports, as an archive holds them after a reading."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from scipy.ndimage import gaussian_filter

from dicom_io.phantoms import chest_film
from dicom_io.results import ResultIdentity, encode_structured_report, write_object
from dicom_io.results.segmentation import encode_film_segmentation
from models.phantoms import PhantomNodule, chest_phantom
from tests.dicom_io.results.cad.cases import MAMMOGRAPHY, mammogram
from tests.dicom_io.results.factory import context

__all__ = ["ReadFilm", "read_film", "read_mammogram"]

_SIDE = 880

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ReadFilm:
    """A film, its report, and where the nodule is, in columns and rows of the film."""

    film: Dataset
    paths: tuple[Path, ...]
    report_series: str
    box: Box

    @property
    def study(self) -> str:
        """Study Instance UID."""
        return str(self.film.StudyInstanceUID)


def read_film(
    folder: Path,
    seed: int,
    moved: tuple[float, float] = (0.0, 0.0),
    *,
    boxes: Sequence[Box] | None = None,
    segmented: bool = False,
) -> ReadFilm:
    """Write a film with one nodule and a report whose box is ``moved`` by so many columns and rows.

    Parameters
    ----------
    boxes : sequence, optional
        What the report marks in place of the nodule, ``(left, top, right, bottom)`` each.
    segmented : bool
        Whether to write the film's segmentation too, which has no place in space.

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
    box = (truth.box.left, truth.box.top, truth.box.right, truth.box.bottom)
    return _reported(film_path, box, moved, boxes, segmented)


def read_mammogram(folder: Path, seed: int, moved: tuple[float, float] = (0.0, 0.0)) -> ReadFilm:
    """Write a mammogram with one mass and its report, as :func:`read_film` does."""
    folder.mkdir(parents=True, exist_ok=True)
    study = {
        "StudyInstanceUID": f"2.25.8{seed}",
        "SeriesInstanceUID": f"2.25.9{seed}",
        "PatientName": "PHANTOM^BREAST",
        "PatientID": f"PHANTOM-B{seed}",
        "StudyDescription": "Breast phantom",
        "WindowCenter": "2048",
        "WindowWidth": "4096",
    }
    film = mammogram(1, "L", **study)
    rows, columns = np.mgrid[0 : film.Rows, 0 : film.Columns].astype(np.float32)
    texture = gaussian_filter(np.random.default_rng(seed).normal(0, 1, rows.shape), 3)
    outline = 1 - ((rows - film.Rows / 2) / 300) ** 2 - (columns / 400) ** 2
    breast = np.where(outline > 0, 700 + 900 * np.sqrt(np.maximum(outline, 0)) + 1500 * texture, 20)
    mass = np.exp(-((((rows - 281) / 24) ** 2 + ((columns - 190) / 31) ** 2) ** 3))
    film.PixelData = np.clip(breast + 1500 * mass, 0, 4095).astype("<u2").tobytes()
    film["PixelData"].VR = "OW"
    film_path = folder / "film.dcm"
    film.save_as(film_path, enforce_file_format=True)
    return _reported(film_path, (159.0, 257.0, 221.0, 305.0), moved, package=MAMMOGRAPHY)


def _reported(
    film: Path,
    box: Box,
    moved: tuple[float, float],
    boxes: Sequence[Box] | None = None,
    segmented: bool = False,
    **more: Any,
) -> ReadFilm:
    header = dcmread(film, stop_before_pixels=True)
    (left, top, right, bottom), (dx, dy) = box, moved
    marked = [(left + dx, top + dy, right + dx, bottom + dy)] if boxes is None else boxes
    made = context(
        header,
        boxes=tuple((y, x, below, beside) for x, y, beside, below in marked),
        identity=ResultIdentity(hashlib.sha256(film.read_bytes()).hexdigest(), "ab" * 32, "c" * 64, 1),
        **more,
    )
    report = write_object(encode_structured_report(made), film.parent / "report.dcm", "structured-report")
    paths = [film, report.path]
    if segmented:
        masks = encode_film_segmentation(made, str(header.SOPInstanceUID))
        paths.append(write_object(masks, film.parent / "segmentation.dcm", "segmentation-1").path)
    series = str(dcmread(report.path, stop_before_pixels=True).SeriesInstanceUID)
    return ReadFilm(dcmread(film), tuple(paths), series, box)
