"""What goes into an alignment and what comes out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from highdicom import Volume, VolumeGeometry
from numpy.typing import NDArray

from models.sequences import in_words
from models.volume_results import SliceSource

__all__ = ["AlignedStudy", "AlignmentFailed", "Registration", "SeriesVolume"]

Matrix = NDArray[np.float64]


class AlignmentFailed(Exception):
    """The series of a study cannot be brought to one grid.

    Parameters
    ----------
    code : str
        Stable, for machines: ``alignment-failed``, ``no-head``, ``too-coarse``.
    reason : str
        In words, without anything that identifies a patient.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    def __reduce__(self) -> tuple[type[AlignmentFailed], tuple[str, str]]:
        return type(self), (self.code, self.reason)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesVolume:
    """One series with the sequence that it was recognised as.

    Parameters
    ----------
    sequence : str
        One of :data:`models.sequences.SEQUENCES`.
    volume : highdicom.Volume
        ``(z, y, x)``, first axis along the slices, affine to patient coordinates (LPS, mm).
    slices : tuple of SliceSource
        The image behind each slice of ``volume``.
    series_instance_uid : str
        The series.
    """

    sequence: str
    volume: Volume
    slices: tuple[SliceSource, ...]
    series_instance_uid: str

    def __post_init__(self) -> None:
        in_words(self.sequence)
        if self.volume.array.ndim != 3:
            raise ValueError(f"a series is a volume (z, y, x), not an array of {self.volume.array.ndim} axes")
        if len(self.slices) != self.volume.spatial_shape[0]:
            raise ValueError(
                f"the volume has {self.volume.spatial_shape[0]} slices and {len(self.slices)} sources"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """A rigid motion between two series and how far it can be trusted.

    Parameters
    ----------
    matrix : numpy.ndarray
        4 x 4: a place of the fixed series in LPS mm to the same anatomy in the moving one.
    similarity_before, similarity_after : float
        Normalised mutual information (1: nothing in common, 2: the same image) over the fixed head, where
        the headers place the moving series and where the motion places it.
    rotation_deg : float
        Angle of the rotation.
    translation_mm : float
        How far the middle of the fixed head is moved.
    consistency_mm : float
        Largest disagreement in the fixed head between motions that were found from different starts.
    overlap : float
        Dice coefficient of both heads where both series show something, in [0, 1].
    coverage : float
        Share of the fixed head that the moving series shows, in [0, 1].
    applied : bool
        Whether the moving series was moved; where not, the headers were right.
    """

    matrix: Matrix
    similarity_before: float
    similarity_after: float
    rotation_deg: float
    translation_mm: float
    consistency_mm: float
    overlap: float = 1.0
    coverage: float = 1.0
    applied: bool = True

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix)
        if matrix.shape != (4, 4) or not np.allclose(matrix[3], (0, 0, 0, 1)):
            raise ValueError("a motion is a matrix of 4 x 4 with the last row 0, 0, 0, 1")
        if not np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-6):
            raise ValueError("a rigid motion has a rotation without scale or shear")
        numbers = (self.similarity_before, self.similarity_after, self.rotation_deg, self.translation_mm)
        if not all(math.isfinite(value) for value in numbers) or math.isnan(self.consistency_mm):
            raise ValueError("the figures of a registration are numbers")


@dataclass(frozen=True, slots=True, eq=False)
class AlignedStudy:
    """The sequences of a study on one grid.

    Parameters
    ----------
    sequences : mapping of str to numpy.ndarray
        Float32 ``(z, y, x)`` by sequence, on ``grid``. The reference is always among them.
    grid : highdicom.VolumeGeometry
        Axis 0 towards the head, 1 towards the back, 2 towards the patient's left, as near as the slices of
        the reference come to that.
    source : SeriesVolume
        The reference: results are told on its own grid.
    dropped : mapping of str to str
        What was given and could not be used, by sequence, with the reason in words.
    remarks : tuple of str
        What a reader of the result has to know.
    quality : mapping of str to Registration
        By sequence other than the reference, also for dropped ones where it is known.
    """

    sequences: Mapping[str, NDArray[np.float32]]
    grid: VolumeGeometry
    source: SeriesVolume
    dropped: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    remarks: tuple[str, ...] = ()
    quality: Mapping[str, Registration] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, array in self.sequences.items():
            in_words(name)
            if array.shape != tuple(self.grid.spatial_shape) or array.dtype != np.float32:
                raise ValueError(f"{name} is {array.dtype} {array.shape}, not float32 on the grid")
        if self.source.sequence not in self.sequences:
            raise ValueError(f"the reference {self.source.sequence} is not among the sequences")
        if set(self.sequences) & set(self.dropped):
            raise ValueError("a dropped sequence is not used")
