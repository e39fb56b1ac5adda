"""The detector behind the package: film in, fused candidates and a case score out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.centre_points.candidates import candidates_of
from models.centre_points.decode import calibrated, decode, suppress
from models.chest_nodule.preprocess import Placement, prepare
from models.film import Film
from models.package import Package, PackageError
from models.results import Candidate, FilmReading
from models.runtime import Session

__all__ = [
    "ChestNoduleDetector",
    "MemberAnswer",
    "Settings",
    "member_answer",
    "read_candidates",
    "settings_of",
]

PARAMETERS = ("candidate_floor", "flip", "long_side", "overlap")
"""What the manifest's preprocessing table must hold."""
_WARM_UP_SHAPE = (1024, 1024)


@dataclass(frozen=True)
class Settings:
    """What the manifest fixes: thresholds, overlap limits, calibration maps.

    ``member_calibration`` holds one (slope, offset) per member, ``case_calibration`` that of the
    film's score. ``floor`` is the raw member score under which a peak is dropped.
    """

    operating_point: float
    floor: float
    overlap: float
    member_calibration: tuple[tuple[float, float], ...]
    case_calibration: tuple[float, float]
    flip: bool
    long_side: int

    def __post_init__(self) -> None:
        if not self.member_calibration:
            raise ValueError("member_calibration: one (slope, offset) per member is needed")
        if not (0 <= self.operating_point <= 1 and 0 < self.floor < 1 and 0 < self.overlap < 1):
            raise ValueError("operating_point, floor and overlap must lie between 0 and 1")


@dataclass(frozen=True)
class MemberAnswer:
    """One member's boxes ``(n, 4)`` in network pixels, raw scores ``(n,)`` and film probability."""

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    film: float


def member_answer(session: Session, tensor: NDArray[np.float32], settings: Settings) -> MemberAnswer:
    """Run one member on ``(1, 3, H, W)``; with ``flip`` its maps are averaged with the mirrored film's."""
    outputs = session.run({"film": tensor})
    centre, extent, film = outputs["centre"][0, 0], outputs["extent"][0], float(outputs["presence"][0])
    if settings.flip:
        mirrored = session.run({"film": np.ascontiguousarray(tensor[..., ::-1])})
        centre = (centre + mirrored["centre"][0, 0, :, ::-1]) / 2
        extent = (extent + mirrored["extent"][0, :, :, ::-1]) / 2
        film = (film + float(mirrored["presence"][0])) / 2
    boxes, scores = decode(centre, extent, settings.floor)
    return MemberAnswer(*suppress(boxes, scores, settings.overlap), film)


def read_candidates(
    answers: Sequence[MemberAnswer],
    maps: Sequence[tuple[float, float]],
    placement: Placement,
    shape: tuple[int, int],
    overlap: float,
) -> tuple[Candidate, ...]:
    """Calibrate and fuse members' answers, and carry the boxes to source pixels inside ``shape``."""
    scored = [
        (answer.boxes, calibrated(answer.scores, *pair)) for answer, pair in zip(answers, maps, strict=True)
    ]
    return candidates_of(scored, placement.to_source, shape, overlap)


def settings_of(package: Package) -> Settings:
    """Take the detector's settings from a manifest.

    Raises
    ------
    PackageError
        A parameter that this detector needs is missing or out of range.
    """
    manifest = package.manifest
    if manifest.calibration is None:
        raise PackageError(f"{package.reference}: centre-heatmap needs [calibration]")
    steps = manifest.preprocessing
    missing = sorted(set(PARAMETERS) - set(steps))
    if missing:
        raise PackageError(f"{package.reference}: [preprocessing] lacks {', '.join(missing)}")
    case = manifest.calibration.case
    try:
        return Settings(
            operating_point=manifest.operating_point.score,
            floor=float(steps["candidate_floor"]),
            overlap=float(steps["overlap"]),
            member_calibration=tuple((m.slope, m.offset) for m in manifest.calibration.members),
            case_calibration=(case.slope, case.offset),
            flip=bool(steps["flip"]),
            long_side=int(steps["long_side"]),
        )
    except ValueError as error:
        raise PackageError(f"{package.reference}: {error}") from error


class ChestNoduleDetector:
    """Reads one frontal film with all members of a ``chest-nodule`` package.

    Parameters
    ----------
    package : Package
        A loaded and verified package.
    open_session : callable
        Opens one ONNX file; called once per member.
    """

    def __init__(self, package: Package, open_session: Callable[[Path], Session]) -> None:
        self.settings = settings_of(package)
        self._sessions = tuple(open_session(path) for path in package.member_paths)

    def detect(self, film: Film) -> FilmReading:
        """Find nodules on a film.

        Returns
        -------
        FilmReading
            Every candidate above the floor by falling score, and the calibrated case score.
        """
        tensor, placement = prepare(film.pixels, self.settings.long_side)
        answers = [member_answer(session, tensor, self.settings) for session in self._sessions]
        candidates = read_candidates(
            answers, self.settings.member_calibration, placement, film.shape, self.settings.overlap
        )
        highest = np.array([candidates[0].score if candidates else 0.0])
        case = float(calibrated(highest, *self.settings.case_calibration)[0])
        return FilmReading(
            film.sop_instance_uid, case, candidates, len(answers), self.settings.operating_point
        )

    def warm_up(self) -> None:
        """Read a made-up film, so that all memory is claimed."""
        ramp = np.linspace(0.0, 1.0, _WARM_UP_SHAPE[1], dtype=np.float32)
        pixels = np.broadcast_to(ramp, _WARM_UP_SHAPE).copy()
        self.detect(Film("2.25.0", pixels, view="PA", pixel_spacing_mm=(0.3, 0.3)))
