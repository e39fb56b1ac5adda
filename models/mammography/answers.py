"""What the members say of one image: each answer checked, then all of them fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.centre_points.candidates import candidates_of
from models.centre_points.decode import calibrated, decode, suppress
from models.mammography.preprocess import PreparedView
from models.mammography.settings import Settings
from models.mammography_results import DENSITY_CLASSES
from models.package_tables import Platt
from models.results import Candidate
from models.runtime import Session

__all__ = ["MemberAnswer", "fused_candidates", "member_answer", "members_mean"]

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class MemberAnswer:
    """One member's answer on one image.

    Parameters
    ----------
    boxes : numpy.ndarray
        float64 ``(n, 4)`` of (top, left, bottom, right) in network pixels, by falling score.
    scores : numpy.ndarray
        float64 ``(n,)``, raw.
    abnormal, malignant : float
        Raw probabilities.
    density : tuple of float
        Shares of :data:`models.mammography_results.DENSITY_CLASSES`, summing to 1.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    abnormal: float
    malignant: float
    density: tuple[float, ...]


def member_answer(
    session: Session, tensor: NDArray[np.float32], settings: Settings, name: str = "view"
) -> MemberAnswer:
    """Run one member on one image.

    Parameters
    ----------
    session : Session
        The member.
    tensor : numpy.ndarray
        float32 ``(1, 3, H, W)``.
    settings : Settings
        Floor of the peaks and overlap of boxes.
    name : str
        Name of the input.

    Raises
    ------
    ValueError
        An output is no probability, or the maps do not fit the tensor.
    """
    outputs = session.run({name: tensor})
    cells = (tensor.shape[2] // 4, tensor.shape[3] // 4)
    centre, extent = outputs["centre"], outputs["extent"]
    if centre.shape != (1, 1, *cells) or extent.shape != (1, 2, *cells):
        raise ValueError(f"a member's maps have shapes {centre.shape} and {extent.shape} for cells {cells}")
    for key in ("centre", "abnormal", "malignant", "density"):
        values = outputs[key]
        if not (np.isfinite(values).all() and values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE):
            raise ValueError(f"a member's output {key!r} is no probability")
    if not np.isfinite(extent).all():
        raise ValueError("a member's output 'extent' is not finite")
    density = np.clip(outputs["density"].reshape(-1).astype(np.float64), 0.0, 1.0)
    if density.size != len(DENSITY_CLASSES) or abs(density.sum() - 1.0) > 10 * _TOLERANCE:
        raise ValueError(f"a member's output 'density' is not {len(DENSITY_CLASSES)} shares that sum to 1")
    boxes, scores = decode(centre[0, 0].astype(np.float32), np.maximum(extent[0], 1.0), settings.floor)
    boxes, scores = suppress(boxes, np.clip(scores, 0.0, 1.0), settings.overlap)
    return MemberAnswer(
        boxes,
        scores,
        _probability(outputs["abnormal"]),
        _probability(outputs["malignant"]),
        tuple(float(value) for value in density / density.sum()),
    )


def members_mean(values: Sequence[float], maps: Sequence[Platt] = ()) -> float:
    """Return the mean of the members' probabilities, each through its own map where there are maps."""
    found = np.asarray(values, dtype=np.float64)
    if maps:
        found = np.array(
            [calibrated(value, one.slope, one.offset) for value, one in zip(found, maps, strict=True)]
        )
    return float(found.mean())


def fused_candidates(
    answers: Sequence[MemberAnswer],
    maps: Sequence[Platt],
    prepared: PreparedView,
    shape: tuple[int, int],
    overlap: float,
) -> tuple[Candidate, ...]:
    """Calibrate and fuse boxes, keep those centred in the breast, and carry them to source pixels.

    Parameters
    ----------
    answers : sequence of MemberAnswer
        One per member that takes part; the fused score is divided by all of them.
    maps : sequence of Platt
        One per member.
    prepared : PreparedView
        Mask on the network's grid and the way back.
    shape : tuple of int
        ``(rows, columns)`` of the source; boxes are cut there.
    overlap : float
        IoU above which boxes are the same place.
    """
    scored = [
        (answer.boxes, calibrated(answer.scores, one.slope, one.offset))
        for answer, one in zip(answers, maps, strict=True)
    ]
    return candidates_of(
        scored,
        prepared.placement.to_source,
        shape,
        overlap,
        keep=lambda box: _inside(prepared.mask, box),
    )


def _probability(values: NDArray[np.floating]) -> float:
    (value,) = np.asarray(values, dtype=np.float64).reshape(-1)
    return float(np.clip(value, 0.0, 1.0))


def _inside(mask: NDArray[np.bool_], box: NDArray[np.float64]) -> bool:
    row, column = int((box[0] + box[2]) // 2), int((box[1] + box[3]) // 2)
    return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])
