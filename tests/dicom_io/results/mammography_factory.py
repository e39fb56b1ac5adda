"""Examinations of a made-up patient: breasts as half ellipses with a bright disc for a lesion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.reading.spacing import spacing_of
from dicom_io.results import MammographyContext, PriorMammogram
from models.film import Film
from models.mammogram import Mammogram
from models.mammography_results import (
    BreastAnatomy,
    BreastReading,
    DensityReading,
    ImageSide,
    MammographyExam,
    MammographyView,
)
from models.results import Candidate, FilmReading, Finding, ImageFailure
from tests.dicom_io.results.cad.cases import MAMMOGRAPHY, mammogram
from tests.dicom_io.results.factory import candidate, context

TISSUE = DensityReading("fatty-glandular", {"fatty": 0.2, "fatty-glandular": 0.7, "dense-glandular": 0.1})


@dataclass(frozen=True)
class Shot:
    """One image to be made; the lesion is ``(row, column, radius)`` in stored pixels."""

    side: str
    view: str
    wall: ImageSide | None = None
    lesion: tuple[float, float, float] | None = None
    shape: tuple[int, int] = (640, 512)
    spacing: float | None = 0.3
    modifiers: tuple[str, ...] = ()
    fails: bool = False
    score: float = 0.5
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def chest_wall(self) -> ImageSide:
        """Where the chest wall lies in the stored image, by convention in the middle of the four views."""
        return self.wall or ("right" if self.side == "R" else "left")


@dataclass(frozen=True)
class Examination:
    """Everything of an examination that the encoders take."""

    context: MammographyContext
    mammograms: tuple[Mammogram, ...]
    anatomy: tuple[BreastAnatomy, ...]


def header_of(number: int, shot: Shot, **more: Any) -> Dataset:
    """Return the header of an image."""
    along = "P" if shot.chest_wall == "right" else "A"
    down = ("L" if shot.side == "R" else "R") if shot.view == "CC" else "F"
    values: dict[str, Any] = {
        "Rows": shot.shape[0],
        "Columns": shot.shape[1],
        "ImagerPixelSpacing": ... if shot.spacing is None else [str(shot.spacing)] * 2,
        "PatientOrientation": [along, down],
        "ImageLaterality": shot.side,
        "ViewPosition": shot.view,
        **dict(shot.more),
        **more,
    }
    return mammogram(number, shot.side, **values)


def image_of(header: Dataset, shot: Shot) -> Mammogram:
    """Return a half ellipse against the chest wall, brighter below than above, with its lesion."""
    rows, columns = np.mgrid[0 : shot.shape[0], 0 : shot.shape[1]].astype(np.float32) + np.float32(0.5)
    depth = shot.shape[1] - columns if shot.chest_wall == "right" else columns
    height, width = shot.shape
    inside = ((rows - 0.52 * height) / (0.42 * height)) ** 2 + (depth / (0.75 * width)) ** 2 <= 1
    pixels = np.where(inside, 0.25 + 0.15 * rows / height, 0.0)
    if shot.view == "MLO":
        muscle = (depth / (0.35 * width) + rows / (0.6 * height)) <= 1
        pixels = np.where(muscle, 0.55, pixels)
    if shot.lesion is not None:
        row, column, radius = shot.lesion
        pixels = np.where((rows - row) ** 2 + (columns - column) ** 2 <= radius**2, 0.95, pixels)
    spacing, calibrated = spacing_of(header)
    uid = str(header.SOPInstanceUID)
    film = Film(uid, pixels.astype(np.float32), pixel_spacing_mm=spacing, spacing_is_calibrated=calibrated)
    return Mammogram(film, view_of(uid, shot))


def view_of(uid: str, shot: Shot) -> MammographyView:
    """Return the view of an image."""
    return MammographyView(uid, shot.side, shot.view, shot.modifiers)  # type: ignore[arg-type]


def found_in(shot: Shot) -> tuple[Candidate, ...]:
    """Return the lesion as a candidate."""
    if shot.lesion is None:
        return ()
    row, column, radius = shot.lesion
    return (candidate(row - radius, column - radius, row + radius, column + radius, score=0.8125),)


def examination(shots: Sequence[Shot], **more: Any) -> Examination:
    """Return the reading of images in their order; ``more`` are fields of the context."""
    headers = tuple(header_of(number, shot) for number, shot in enumerate(shots, start=1))
    images: list[tuple[Mammogram, Shot]] = []
    findings: list[Finding] = []
    readings: list[FilmReading] = []
    failures: list[ImageFailure] = []
    for header, shot in zip(headers, shots, strict=True):
        uid = str(header.SOPInstanceUID)
        if shot.fails:
            failures.append(ImageFailure(uid, "The pixels cannot be decoded."))
            continue
        image, candidates = image_of(header, shot), found_in(shot)
        images.append((image, shot))
        readings.append(FilmReading(uid, shot.score, candidates, 3, 0.4))
        step = image.film.pixel_spacing_mm
        findings += [
            Finding(
                len(findings) + 1,
                uid,
                one,
                None if step is None else (one.box.height * step[0], one.box.width * step[1]),
                image.film.spacing_is_calibrated,
            )
            for one in candidates
        ]
    views = tuple(view_of(str(h.SOPInstanceUID), s) for h, s in zip(headers, shots, strict=True))
    base = context(
        *headers,
        findings=tuple(findings),
        readings=tuple(readings),
        failures=tuple(failures),
        partial=bool(failures),
        package=MAMMOGRAPHY,
    )
    scores = {"R": 0.125, "L": 0.875}
    sides = [side for side in "RL" if any(shot.side == side for _, shot in images)]
    breasts = tuple(
        BreastReading(
            side,  # type: ignore[arg-type]
            scores[side],
            tuple(image.sop_instance_uid for image, shot in images if shot.side == side),
            (scores[side] - 0.5) if len(sides) == 2 else None,
        )
        for side in sides
    )
    values: dict[str, Any] = {field.name: getattr(base, field.name) for field in fields(base)}
    values |= {"exam": MammographyExam(views), "breasts": breasts, "density": TISSUE if images else None}
    return Examination(
        MammographyContext(**{**values, **more}),
        tuple(image for image, _ in images),
        tuple(
            BreastAnatomy(image.sop_instance_uid, shot.chest_wall, (320.0, 256.0)) for image, shot in images
        ),
    )


def prior(number: int, shot: Shot, **more: Any) -> PriorMammogram:
    """Return an image of an earlier study of the same patient, 14 months before."""
    values: dict[str, Any] = {
        "StudyInstanceUID": "2.25.5550",
        "SeriesInstanceUID": "2.25.5551",
        "SOPInstanceUID": f"2.25.5552{number}",
        "StudyDate": "20250103",
        "StudyTime": "120000",
        "ContentDate": "20250103",
    }
    header = header_of(number, shot, **{**values, **more})
    return PriorMammogram(image_of(header, shot), header)


FOUR = (
    Shot("R", "CC"),
    Shot("L", "CC", lesion=(260.0, 120.0, 20.0), score=0.8),
    Shot("R", "MLO"),
    Shot("L", "MLO", lesion=(300.0, 150.0, 22.0), score=0.7),
)
