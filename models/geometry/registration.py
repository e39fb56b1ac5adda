"""Rigid registration of two series of one head by mutual information, and whether to believe it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import SimpleITK as sitk
from highdicom import Volume
from numpy.typing import NDArray
from scipy import ndimage

from models.geometry.heads import CoarseHead, coarse_head, overlap, similarity
from models.geometry.resampling import as_image, resample
from models.geometry.study import AlignmentFailed, Matrix, Registration

__all__ = [
    "ANOTHER_HEAD",
    "LEAST_AS_TOLD",
    "LEAST_SIMILARITY",
    "WORKING_MM",
    "around",
    "doubts",
    "largest_distance",
    "measured",
    "register_heads",
    "register_rigid",
    "turned",
]

WORKING_MM: Final = 3.0
"""Resolution of registration: the motion of a head is found to a fraction of it."""

_LARGEST_ROTATION_DEG: Final = 30.0
_LARGEST_TRANSLATION_MM: Final = 60.0
_LARGEST_DISAGREEMENT_MM: Final = 3.0
_LEAST_OVERLAP: Final = 0.8

LEAST_SIMILARITY: Final = 1.045
"""Normalised mutual information from which a motion that was searched for may be believed.

A search makes the most of what two heads have in common by chance; the headers' place, of one frame of
reference, needs less: :data:`LEAST_AS_TOLD`. Of the 154 pairs of one patient named there, 9 are below this.
"""

LEAST_AS_TOLD: Final = 1.035
"""Normalised mutual information from which a series is believed to lie where its headers say.

Over the LGG set at 3 mm, slices made up to be 5 mm apart, beside FLAIR of the same patient: T1
has 1.043 to 1.219 (n = 82, median 1.134), T1 with contrast 1.0355 to 1.142 (n = 72, median 1.081). Beside
FLAIR of another patient, T1, T1 with contrast and FLAIR have 1.004 to 1.034 (60 pairs of each, the 95th
percentile at most 1.025).
"""

ANOTHER_HEAD: Final = 1.025
"""Normalised mutual information below which two series may show two heads, registered or not.

Registered to FLAIR of another patient, T1 and T1 with contrast of seven pairs have 1.012 to 1.019, and ten
earlier ones came to 1.031 at most: not every other head is below. Of the 154 pairs of one patient named at
:data:`LEAST_AS_TOLD` none is below where its headers place it; the lowest eight, searched for, come to
1.033 to 1.043.
"""

_STARTS_DEG: Final = 8.0
_STARTS_MM: Final = 8.0
_NODS_DEG: Final = (0.0, -15.0, 15.0)
_AS_TOLD_MM: Final = 0.5
_NEAR_MM: Final = 2 * _LARGEST_DISAGREEMENT_MM
_MARGIN: Final = 2
# A radian of rotation moves the outside of a head by about this.
_ARM_MM: Final = 60.0


def register_rigid(fixed: Volume, moving: Volume, seed: int = 0) -> Registration:
    """Find the rigid motion between two series of one head.

    Mattes mutual information is driven up at 6 and then 3 mm from two starts that are apart by 8 mm and 8
    degrees, and from a third where those disagree. All voxels around the fixed head take part and one
    thread adds them up, so that the same volumes give the same motion.

    Parameters
    ----------
    fixed, moving : highdicom.Volume
        ``(z, y, x)``, of any sequence and orientation.
    seed : int
        Of the directions in which the starts are apart.

    Raises
    ------
    AlignmentFailed
        There is no head in one of them (``no-head``).

    References
    ----------
    Mattes et al., PET-CT image registration in the chest using free-form deformations, IEEE TMI 2003.
    """
    return register_heads(coarse_head(fixed, WORKING_MM), coarse_head(moving, WORKING_MM), seed)


def register_heads(
    fixed: CoarseHead, moving: CoarseHead, seed: int = 0, *, near: bool = False
) -> Registration:
    """Find the rigid motion between two heads at the working resolution; see :func:`register_rigid`.

    Parameters
    ----------
    fixed, moving : CoarseHead
        At :data:`WORKING_MM`.
    seed : int
        See there.
    near : bool
        Both are told in one frame of reference: the motion is small.

    Raises
    ------
    AlignmentFailed
        There is no head in one of them (``no-head``).
    """
    for head, which in ((fixed, "reference"), (moving, "other")):
        if not head.region.any():
            raise AlignmentFailed("no-head", f"no head is found in the {which} series")
    best_start: Matrix = np.eye(4) if near else _start(fixed, moving)
    before, _, _ = measured(fixed, moving, np.eye(4))
    rng = np.random.default_rng(seed)
    aside = _aside(fixed, rng)
    search = _Search(fixed, moving)
    found = [search.run(best_start), search.run(best_start @ aside)]
    if largest_distance(fixed, *found) > _LARGEST_DISAGREEMENT_MM:
        found.append(search.run(best_start @ _aside(fixed, rng)))
    found.sort(key=lambda matrix: -measured(fixed, moving, matrix)[0])
    best, others = found[0], found[1:]
    told = largest_distance(fixed, best, np.eye(4))
    if told < _AS_TOLD_MM or (told < _NEAR_MM and before >= measured(fixed, moving, best)[0]):
        # The headers were right; what a search leaves of that is its own inaccuracy.
        best, others = np.eye(4), found
    consistency = min(largest_distance(fixed, best, other) for other in others)
    after, common, coverage = measured(fixed, moving, best)
    return Registration(
        matrix=best,
        similarity_before=before,
        similarity_after=after,
        rotation_deg=_angle(best),
        translation_mm=float(np.linalg.norm(_moved(best, fixed.centre[None])[0] - fixed.centre)),
        consistency_mm=consistency,
        overlap=common,
        coverage=coverage,
    )


def doubts(registration: Registration) -> tuple[str, ...]:
    """Return why a registration is not to be believed, in words; empty where it is."""
    found = registration
    reasons = []
    if found.coverage < 0.3:
        reasons.append(f"only {found.coverage:.0%} of the head is in the field of view of both series")
    if found.similarity_after < found.similarity_before:
        reasons.append("the images have less in common after the registration than before")
    if found.similarity_after < LEAST_SIMILARITY:
        reasons.append(
            f"the images have too little in common (normalised mutual information "
            f"{found.similarity_after:.3f}, at least {LEAST_SIMILARITY})"
        )
    if found.overlap < _LEAST_OVERLAP:
        reasons.append(f"the heads overlap by {found.overlap:.2f} only (Dice, at least {_LEAST_OVERLAP})")
    if found.rotation_deg > _LARGEST_ROTATION_DEG:
        reasons.append(
            f"a rotation of {found.rotation_deg:.0f} degrees is more than {_LARGEST_ROTATION_DEG:.0f}"
        )
    if found.translation_mm > _LARGEST_TRANSLATION_MM:
        reasons.append(
            f"a translation of {found.translation_mm:.0f} mm is more than {_LARGEST_TRANSLATION_MM:.0f}"
        )
    if found.consistency_mm > _LARGEST_DISAGREEMENT_MM:
        reasons.append(
            f"registrations from different starts disagree by {found.consistency_mm:.1f} mm "
            f"(at most {_LARGEST_DISAGREEMENT_MM:.0f})"
        )
    return tuple(reasons)


def measured(fixed: CoarseHead, moving: CoarseHead, matrix: Matrix) -> tuple[float, float, float]:
    """Return similarity over the fixed head, overlap of both heads where both show something, coverage."""
    grid = fixed.geometry
    values, shown = resample(moving.volume, grid, matrix)
    region = Volume(moving.region.astype(np.uint8), moving.volume.affine, "PATIENT")
    head = resample(region, grid, matrix)[0] >= 0.5
    within = fixed.region & shown
    coverage = float(np.count_nonzero(within)) / max(int(np.count_nonzero(fixed.region)), 1)
    return similarity(fixed.volume.array, values, within), overlap(within, head & shown), coverage


def largest_distance(fixed: CoarseHead, one: Matrix, other: Matrix) -> float:
    """Return how far two motions take a place of the fixed head apart at most, in mm."""
    places = fixed.places[::7]
    return float(np.linalg.norm(_moved(one, places) - _moved(other, places), axis=1).max())


class _Search:
    """The search for a motion between two heads.

    The voxels of the one with the thicker slices are compared with the other, interpolated: thick slices
    would have to be guessed between.
    """

    def __init__(self, fixed: CoarseHead, moving: CoarseHead) -> None:
        self._turned = max(moving.geometry.spacing) > max(fixed.geometry.spacing)
        if self._turned:
            fixed, moving = moving, fixed
        self._fixed = as_image(fixed.volume.array, fixed.volume.affine)
        self._moving = as_image(moving.volume.array, moving.volume.affine)
        around = ndimage.binary_dilation(fixed.region, iterations=_MARGIN)
        self._mask = as_image(around.astype(np.uint8), fixed.volume.affine)
        self._centre = [float(value) for value in fixed.centre]

    def run(self, start: Matrix) -> Matrix:
        """Return the motion that is found from a start."""
        given = start
        start = np.asarray(np.linalg.inv(given) if self._turned else given, dtype=np.float64)
        motion = sitk.Euler3DTransform()
        motion.SetCenter(self._centre)
        motion.SetMatrix([float(value) for value in start[:3, :3].ravel()], 1e-6)
        # The translation of a motion around a centre.
        offset = start[:3, :3] @ self._centre + start[:3, 3] - self._centre
        motion.SetTranslation([float(value) for value in offset])
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        method.SetMetricAsMattesMutualInformation(32)
        method.SetMetricSamplingStrategy(method.NONE)
        method.SetMetricFixedMask(self._mask)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=2.0,
            minStep=0.01,
            numberOfIterations=200,
            relaxationFactor=0.8,
            gradientMagnitudeTolerance=1e-8,
        )
        method.SetOptimizerScales([_ARM_MM**2] * 3 + [1.0] * 3)
        method.SetShrinkFactorsPerLevel([2, 1])
        method.SetSmoothingSigmasPerLevel([3.0, 0.0])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInitialTransform(motion, inPlace=True)
        try:
            with _one_thread():
                method.Execute(self._fixed, self._moving)
        except RuntimeError:
            # The images came apart: the start stands, and the checks say what it is worth.
            return given
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(motion.GetMatrix(), (3, 3))
        matrix[:3, 3] = (
            np.array(motion.GetTranslation()) + self._centre - matrix[:3, :3] @ np.array(self._centre)
        )
        return np.asarray(np.linalg.inv(matrix) if self._turned else matrix)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have the metric add up in one order: it takes the number of its threads from the library's default."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _start(fixed: CoarseHead, moving: CoarseHead) -> Matrix:
    """Return the best of: as the headers say, or middle upon middle, each nodded to the front and back."""
    together = np.eye(4)
    together[:3, 3] = moving.centre - fixed.centre
    starts = [
        place @ around(fixed.centre, turned(np.eye(3)[0], nod))
        for place in (np.eye(4), together)
        for nod in _NODS_DEG
    ]

    def worth(start: Matrix) -> float:
        alike, common, coverage = measured(fixed, moving, start)
        return (alike - 1) * common * min(1.0, 2 * coverage)

    return max(starts, key=worth)


def _aside(fixed: CoarseHead, rng: np.random.Generator) -> Matrix:
    """Return a motion of the fixed head in a random direction and around a random axis."""
    axis, way = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
    motion = around(fixed.centre, turned(axis, _STARTS_DEG))
    motion[:3, 3] += way * _STARTS_MM
    return motion


def turned(axis: NDArray[np.float64], degrees: float) -> Matrix:
    """Return the rotation ``(3, 3)`` around an axis, a unit vector."""
    angle = math.radians(degrees)
    cross = np.cross(np.eye(3), axis)
    return np.asarray(np.eye(3) + math.sin(angle) * cross.T + (1 - math.cos(angle)) * cross.T @ cross.T)


def around(centre: NDArray[np.float64], rotation: Matrix) -> Matrix:
    """Return the motion ``(4, 4)`` that turns around a centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = centre - rotation @ centre
    return matrix


def _angle(matrix: Matrix) -> float:
    return math.degrees(math.acos(min(1.0, max(-1.0, (float(np.trace(matrix[:3, :3])) - 1) / 2))))


def _moved(matrix: Matrix, places: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(places @ matrix[:3, :3].T + matrix[:3, 3])
