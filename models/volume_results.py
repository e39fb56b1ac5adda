"""What a volumetric detector says: segments with their masks, and the findings that they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from models.concepts import Concept
from models.results import Box
from models.study_results import Classification, VolumeChange

if TYPE_CHECKING:
    from highdicom import Volume

__all__ = [
    "Classification",
    "Diameters",
    "Segment",
    "Side",
    "SliceSource",
    "VolumeChange",
    "VolumeFinding",
    "VolumeReading",
]

Side = Literal["left", "right", "both"]
_Point = tuple[float, float]
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class SliceSource:
    """The image that one slice of a grid comes from.

    Parameters
    ----------
    sop_class_uid, sop_instance_uid : str
        The instance.
    frame : int or None
        Number from 1 in an enhanced multi-frame instance; None for a classic one.
    """

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None

    def __post_init__(self) -> None:
        if self.frame is not None and self.frame < 1:
            raise ValueError(f"frames count from 1, not {self.frame}")


@dataclass(frozen=True, slots=True)
class Segment:
    """What one segment stands for.

    Parameters
    ----------
    number : int
        From 1 without gaps; the value of its voxels in a label map.
    label : str
        For people, e.g. "Tumour 1".
    category, type : Concept
        Segmented property category and type (PS3.3 C.8.20.2).
    site : Concept or None
        Anatomic region.
    colour : tuple of int
        Recommended display colour, sRGB 0 to 255.
    """

    number: int
    label: str
    category: Concept
    type: Concept
    site: Concept | None = None
    colour: tuple[int, int, int] = (255, 191, 0)

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"segments count from 1, not {self.number}")
        if not 0 < len(self.label) <= 64:
            raise ValueError(f"the label of segment {self.number} has 1 to 64 characters")
        if len(self.colour) != 3 or not all(0 <= value <= 255 for value in self.colour):
            raise ValueError(f"the colour of segment {self.number} is three values of 0 to 255")


@dataclass(frozen=True, slots=True)
class Diameters:
    """Longest diameter and its perpendicular on one slice, as RANO measures them.

    Parameters
    ----------
    slice_index : int
        Along the first axis of the grid.
    longest, perpendicular : pair of (row, column)
        End points, in coordinates of pixel centres: (0, 0) is the centre of the upper left pixel.
    longest_mm, perpendicular_mm : float
        Lengths in millimetres.

    References
    ----------
    Wen et al., RANO 2.0, J Clin Oncol 2023.
    """

    slice_index: int
    longest: tuple[_Point, _Point]
    perpendicular: tuple[_Point, _Point]
    longest_mm: float
    perpendicular_mm: float

    def __post_init__(self) -> None:
        if not 0 < self.perpendicular_mm <= self.longest_mm + 1e-6:
            raise ValueError(
                f"the perpendicular ({self.perpendicular_mm}) must be positive and no longer than the "
                f"longest diameter ({self.longest_mm})"
            )


@dataclass(frozen=True, slots=True)
class VolumeFinding:
    """One reported finding: a segment, how sure, how large, where it shows best.

    Parameters
    ----------
    segment : Segment
        Its mask is the one of this number in the reading.
    volume_ml : float
        Millilitres.
    key_slice : int
        Slice of largest extent, along the first axis of the grid.
    key_box : Box
        Outlining box on the key slice, in edges of pixels.
    diameters : Diameters or None
        None where the spacing is unknown.
    probability : float or None
        That it is there, in [0, 1].
    components : mapping of str to float
        Raw components of its confidence by name.
    centre_mm : tuple of float or None
        Centre of mass of the mask, patient coordinates ``(x, y, z)`` in millimetres (LPS); None where
        the grid has none.
    side : {"left", "right", "both"} or None
        Of the patient, see :mod:`models.laterality`; None where no mid-sagittal plane was found.
    parts : int or None
        How many separate regions of voxels the mask has, voxels that share a corner being one; None where
        they were not counted.
    """

    segment: Segment
    volume_ml: float
    key_slice: int
    key_box: Box
    diameters: Diameters | None = None
    probability: float | None = None
    components: Mapping[str, float] = field(default_factory=dict)
    centre_mm: tuple[float, float, float] | None = None
    side: Side | None = None
    parts: int | None = None

    def __post_init__(self) -> None:
        if self.volume_ml <= 0:
            raise ValueError(f"segment {self.segment.number} has no volume")
        if self.centre_mm is not None and not all(map(math.isfinite, self.centre_mm)):
            raise ValueError(f"the centre of segment {self.segment.number} is three finite millimetres")
        if self.parts is not None and self.parts < 1:
            raise ValueError(f"segment {self.segment.number} has at least one part, not {self.parts}")
        if self.probability is not None and not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability must lie in [0, 1], not {self.probability}")

    @property
    def number(self) -> int:
        """Number of the finding, which is the one of its segment."""
        return self.segment.number


@dataclass(frozen=True, slots=True, eq=False)
class VolumeReading:
    """What a detector says of one volume.

    Parameters
    ----------
    labels : highdicom.Volume
        On the grid of the source series, first axis along its slices: either an integer label map
        ``(z, y, x)`` with the number of the segment, or booleans ``(z, y, x, segments)`` where segments
        overlap. All zero where nothing was found.
    slices : tuple of SliceSource
        The image behind each slice of ``labels``, in the order of the first axis.
    findings : tuple of VolumeFinding
        By number, 1 to n; empty where nothing was found.
    searched : tuple of Segment
        What was looked for, also where nothing of it was found: what an empty result is about.
    probabilities : highdicom.Volume or None
        Float32 ``(z, y, x, segments)`` in [0, 1], for fractional segmentations.
    case_score : float
        Probability in [0, 1] that the study has what the package looks for.
    members : int
        How many members took part.
    operating_point : float
        Probability from which a voxel belongs to a segment.
    series_used : tuple of str
        What was read, in words: "FLAIR", "T1 with contrast".
    series_missing : tuple of str
        What the package would have read too and the study does not have.
    classifications : tuple of Classification
        What else was suggested of the study as a whole.
    change : VolumeChange or None
        Against the last earlier result of the same patient, where there is one.

    Raises
    ------
    ValueError
        The parts do not fit together.
    """

    labels: Volume
    slices: tuple[SliceSource, ...]
    findings: tuple[VolumeFinding, ...]
    searched: tuple[Segment, ...]
    case_score: float
    members: int
    operating_point: float
    probabilities: Volume | None = None
    series_used: tuple[str, ...] = ()
    series_missing: tuple[str, ...] = ()
    classifications: tuple[Classification, ...] = ()
    change: VolumeChange | None = None

    def __post_init__(self) -> None:
        if self.labels.spatial_shape[0] != len(self.slices):
            raise ValueError(
                f"the grid has {self.labels.spatial_shape[0]} slices and {len(self.slices)} sources"
            )
        if not self.searched:
            raise ValueError("a reading says what was looked for")
        if not 0.0 <= self.case_score <= 1.0:
            raise ValueError(f"case_score must lie in [0, 1], not {self.case_score}")
        if [finding.number for finding in self.findings] != list(range(1, len(self.findings) + 1)):
            raise ValueError("findings are numbered 1 to n without gaps")
        if self.labels.array.ndim == 4 and self.labels.array.shape[3] != len(self.findings):
            raise ValueError("overlapping masks have one channel per finding")
        if self.probabilities is not None and (
            self.probabilities.array.shape != (*self.labels.spatial_shape, len(self.findings))
            or not np.allclose(self.probabilities.affine, self.labels.affine)
        ):
            raise ValueError("probabilities lie on the grid of the labels, one channel per finding")
        names = [(one.name.scheme, one.name.code) for one in self.classifications]
        if len(set(names)) != len(names):
            raise ValueError("a reading classifies a thing once")
        if self.change is not None and not math.isclose(
            self.change.now_ml, self.volume_ml, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE
        ):
            raise ValueError(
                f"the change ends at {self.change.now_ml:.4g} ml, the findings have {self.volume_ml:.4g} ml"
            )

    @property
    def volume_ml(self) -> float:
        """Volume of all findings together in millilitres."""
        return sum(finding.volume_ml for finding in self.findings)

    def mask(self, number: int) -> NDArray[np.bool_]:
        """Return the mask ``(z, y, x)`` of one segment."""
        if not 1 <= number <= len(self.findings):
            raise KeyError(number)
        array = self.labels.array
        return np.asarray(array[..., number - 1] != 0 if array.ndim == 4 else array == number)
