"""The sequences of a study brought to the grid of one of them, with doubts told and not hidden."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from highdicom import VolumeGeometry
from numpy.typing import NDArray

from models.geometry.grids import working_grid
from models.geometry.heads import CoarseHead, coarse_head
from models.geometry.registration import (
    ANOTHER_HEAD,
    LEAST_AS_TOLD,
    WORKING_MM,
    around,
    doubts,
    largest_distance,
    measured,
    register_heads,
    turned,
)
from models.geometry.resampling import resample
from models.geometry.study import AlignedStudy, AlignmentFailed, Matrix, Registration, SeriesVolume
from models.sequences import SEQUENCES, in_words

__all__ = ["align"]

_LEAST_COVERAGE: Final = 0.9
_WHOLE: Final = 0.995
# Below this, too little is shown to compare anything.
_COMPARABLE: Final = 0.3
_TRIALS_MM: Final = 3.0
_TRIALS_DEG: Final = 3.0
# Gains in mutual information, relative: of a trial that is worth a search, and of a motion that is applied.
_WORTH_A_SEARCH: Final = 1.01
_CLEARLY_BETTER: Final = 1.05
_MOVED_MM: Final = 1.5
_FAR_FROM_AXIAL_DEG: Final = 30.0


def align(
    volumes: Mapping[str, SeriesVolume], reference: str, spacing_mm: float, *, coarsest_mm: float = 3.0
) -> AlignedStudy:
    """Bring the sequences of a study to one grid.

    A series in the frame of reference of the reference series is placed as its headers say; where the head
    has clearly moved between both series, the motion is put right and told. A series in another frame of
    reference is registered. A series that cannot be used is dropped; the study fails only where the
    reference cannot be read, or where the images say that another head may be among them.

    Parameters
    ----------
    volumes : mapping of str to SeriesVolume
        By sequence.
    reference : str
        The sequence whose slices are kept.
    spacing_mm : float
        Wanted distance of rows and of columns, see :func:`models.geometry.grids.working_grid`.
    coarsest_mm : float
        Longest voxel that is read within the slices of the working grid. A longer one fails the study where
        it is one of the reference, and drops any other series.

    Returns
    -------
    AlignedStudy
        In ``dropped`` are series that are too coarse, show no head or less than 90 % of the head of the
        reference, have too little in common with it, or whose place is in doubt. They are missing: nothing
        is filled in for them.

    Raises
    ------
    AlignmentFailed
        ``no-head``: there is none in the reference; ``too-coarse``: the reference is; ``alignment-failed``:
        a series shows all of the head of the reference and still has next to nothing in common with it,
        registered or not (:data:`models.geometry.registration.ANOTHER_HEAD`): it may be of another person.
    ValueError
        The reference is not among the volumes, or a volume is of another sequence than its name says.
    """
    if reference not in volumes:
        raise ValueError(f"the reference {reference} is not among {', '.join(volumes) or 'no volumes'}")
    for name, given in volumes.items():
        if given.sequence != name:
            raise ValueError(f"{name} is a volume of {given.sequence}")
    source = volumes[reference]
    grid = working_grid(source.volume.get_geometry(), spacing_mm)
    _check_reference(source, grid, coarsest_mm)
    fixed = coarse_head(source.volume, WORKING_MM)
    if not fixed.region.any():
        raise AlignmentFailed("no-head", f"{in_words(reference)}: no head is found in the series")
    sequences: dict[str, NDArray[np.float32]] = {reference: resample(source.volume, grid)[0]}
    dropped: dict[str, str] = {}
    quality: dict[str, Registration] = {}
    remarks = _remarks_on(grid, reference)
    for name in (name for name in SEQUENCES if name in volumes and name != reference):
        moving = volumes[name]
        coarse = _length_across(moving.volume.get_geometry(), grid)
        if coarse > coarsest_mm:
            dropped[name] = (
                f"its voxels are {coarse:.1f} mm long within the slices that are read "
                f"(at most {coarsest_mm:g})"
            )
            continue
        try:
            found, told = _placed(fixed, moving, source)
        except _Unusable as error:
            dropped[name] = error.reason
            if error.found is not None:
                quality[name] = error.found
            continue
        quality[name] = found
        remarks += [f"{in_words(name)}: {told}"] if told else []
        if found.coverage < _WHOLE:
            remarks.append(
                f"{in_words(name)}: {1 - found.coverage:.1%} of the head lie outside of its field of view"
            )
        sequences[name], _ = resample(moving.volume, grid, found.matrix if found.applied else None)
    return AlignedStudy(sequences, grid, source, dropped, tuple(remarks), quality)


class _Unusable(Exception):
    """A series cannot be used, though nothing says that the study is not of one person."""

    def __init__(self, reason: str, found: Registration | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.found = found


def _placed(fixed: CoarseHead, series: SeriesVolume, source: SeriesVolume) -> tuple[Registration, str]:
    """Return how a series lies upon the reference, and what people must know of it."""
    moving = coarse_head(series.volume, WORKING_MM)
    if not moving.region.any():
        raise _Unusable("no head is found in the series")
    frame = series.volume.frame_of_reference_uid
    same_frame = frame is not None and frame == source.volume.frame_of_reference_uid
    find = _in_one_frame if same_frame else _registered
    found, told = find(fixed, moving, series, source)
    if found.coverage < _LEAST_COVERAGE:
        raise _Unusable(_too_little(found.coverage, source.sequence), found)
    return found, told


def _in_one_frame(
    fixed: CoarseHead, moving: CoarseHead, series: SeriesVolume, source: SeriesVolume
) -> tuple[Registration, str]:
    trusted = _as_told(fixed, moving)
    if trusted.coverage < _COMPARABLE:
        raise _Unusable(_too_little(trusted.coverage, source.sequence), trusted)
    if _best_trial(fixed, moving) - 1 <= _WORTH_A_SEARCH * (trusted.similarity_before - 1):
        _check_similar(trusted, fixed, moving, series, source)
        return trusted, ""
    found = register_heads(fixed, moving, near=True)
    better = found.similarity_after - 1 >= _CLEARLY_BETTER * (found.similarity_before - 1)
    distance = largest_distance(fixed, found.matrix, np.eye(4))
    if not better or distance < _MOVED_MM:
        _check_similar(trusted, fixed, moving, series, source)
        return replace(trusted, consistency_mm=found.consistency_mm), ""
    reasons = doubts(found)
    if not reasons:
        return found, (
            f"the head moved by up to {distance:.1f} mm between this series and "
            f"{in_words(source.sequence)}; this is put right"
        )
    _check_similar(trusted, fixed, moving, series, source)
    raise _Unusable(
        f"it does not lie where its headers say beside {in_words(source.sequence)}, and where it lies is "
        f"not certain: {'; '.join(reasons)}",
        found,
    )


def _registered(
    fixed: CoarseHead, moving: CoarseHead, series: SeriesVolume, source: SeriesVolume
) -> tuple[Registration, str]:
    reference = in_words(source.sequence)
    found = register_heads(fixed, moving)
    reasons = doubts(found)
    if reasons:
        _check_same_head(found, _as_told(fixed, moving).coverage, series, source)
        raise _Unusable(
            f"it has another frame of reference than {reference}, and how it lies upon it is not certain: "
            f"{'; '.join(reasons)}",
            found,
        )
    return found, (
        f"registered to {reference}, which has another frame of reference: moved by "
        f"{found.translation_mm:.1f} mm, turned by {found.rotation_deg:.1f} degrees"
    )


def _as_told(fixed: CoarseHead, moving: CoarseHead) -> Registration:
    similarity, common, coverage = measured(fixed, moving, np.eye(4))
    return Registration(np.eye(4), similarity, similarity, 0.0, 0.0, 0.0, common, coverage, applied=False)


def _best_trial(fixed: CoarseHead, moving: CoarseHead) -> float:
    """Return the best similarity after a small shift along or turn around an axis of the patient."""
    trials: list[Matrix] = []
    for axis in np.eye(3):
        for sign in (-1.0, 1.0):
            shifted = np.eye(4)
            shifted[:3, 3] = sign * _TRIALS_MM * axis
            trials += [shifted, around(fixed.centre, turned(axis, sign * _TRIALS_DEG))]
    return max(measured(fixed, moving, trial)[0] for trial in trials)


def _check_similar(
    trusted: Registration,
    fixed: CoarseHead,
    moving: CoarseHead,
    series: SeriesVolume,
    source: SeriesVolume,
) -> None:
    if trusted.similarity_before >= LEAST_AS_TOLD:
        return
    if trusted.similarity_before < ANOTHER_HEAD and trusted.coverage >= _LEAST_COVERAGE:
        _check_same_head(register_heads(fixed, moving), trusted.coverage, series, source)
    raise _Unusable(
        f"it has too little in common with {in_words(source.sequence)} to be certain that both show the "
        f"same head (normalised mutual information {trusted.similarity_before:.3f}, at least "
        f"{LEAST_AS_TOLD})",
        trusted,
    )


def _check_same_head(
    found: Registration, told_coverage: float, series: SeriesVolume, source: SeriesVolume
) -> None:
    """Fail where all of the head would be shown and nothing of it is found again.

    A search for what is not there runs off to anywhere: the coverage where the headers say counts as well.
    """
    best = max(found.similarity_before, found.similarity_after)
    if max(found.coverage, told_coverage) >= _LEAST_COVERAGE and best < ANOTHER_HEAD:
        raise AlignmentFailed(
            "alignment-failed",
            f"{in_words(series.sequence)} and {in_words(source.sequence)} have so little in common that "
            f"they may show two heads (normalised mutual information {best:.3f} at best, below "
            f"{ANOTHER_HEAD})",
        )


def _check_reference(source: SeriesVolume, grid: VolumeGeometry, coarsest_mm: float) -> None:
    coarse = _length_across(source.volume.get_geometry(), grid)
    if coarse > coarsest_mm:
        raise AlignmentFailed(
            "too-coarse",
            f"{in_words(source.sequence)}: seen in axial slices, its voxels are {coarse:.1f} mm long "
            f"(at most {coarsest_mm:g})",
        )


def _length_across(geometry: VolumeGeometry, grid: VolumeGeometry) -> float:
    """Return the length of a voxel within the slices of a grid, along its rows or columns."""
    directions = np.asarray(grid.affine[:3, 1:3]) / np.asarray(grid.spacing)[1:]
    return float(np.linalg.norm(np.asarray(geometry.affine[:3, :3]).T @ directions, axis=0).max())


def _remarks_on(grid: VolumeGeometry, reference: str) -> list[str]:
    normal = np.cross(grid.affine[:3, 1], grid.affine[:3, 2])
    angle = math.degrees(math.acos(min(1.0, abs(float(normal[2])) / float(np.linalg.norm(normal)))))
    if angle <= _FAR_FROM_AXIAL_DEG:
        return []
    return [f"the slices of {in_words(reference)} are turned by {angle:.0f} degrees from axial"]


def _too_little(coverage: float, reference: str) -> str:
    return (
        f"it shows {coverage:.0%} of the head that {in_words(reference)} shows "
        f"(at least {_LEAST_COVERAGE:.0%})"
    )
