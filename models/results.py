"""What a detector says, as plain values: boxes, candidates, findings, readings, assessments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Assessment", "Box", "Candidate", "Decision", "FilmReading", "Finding", "ImageFailure"]

Decision = Literal["not-assessed", "accept", "review", "reject"]


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box in source pixels.

    Coordinates are edges: (0, 0) is the upper left corner of the upper left pixel and
    ``(rows, columns)`` the lower right corner of the last one, as the SCOORD of PS3.3 C.18.6 counts.
    """

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        if not (self.top < self.bottom and self.left < self.right):
            raise ValueError(f"a box must have top < bottom and left < right: {self}")

    @property
    def height(self) -> float:
        """Extent along the rows' axis in pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """Extent along the columns' axis in pixels."""
        return self.right - self.left

    @property
    def centre(self) -> tuple[float, float]:
        """``(row, column)`` of the centre."""
        return (self.top + self.bottom) / 2, (self.left + self.right) / 2

    def clipped(self, rows: int, columns: int) -> Box:
        """Return the part inside an image of ``rows`` by ``columns``; ValueError if there is none."""
        return Box(max(self.top, 0.0), max(self.left, 0.0), min(self.bottom, rows), min(self.right, columns))

    def intersection_over_union(self, other: Box) -> float:
        """Return the Jaccard index of two boxes."""
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        width = min(self.right, other.right) - max(self.left, other.left)
        if height <= 0 or width <= 0:
            return 0.0
        overlap = height * width
        return overlap / (self.height * self.width + other.height * other.width - overlap)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that an ensemble points at, above or below the operating point.

    Parameters
    ----------
    box : Box
        In source pixels, inside the image.
    score : float
        Fused probability in [0, 1]; the fusion divides by all members.
    member_scores : tuple of float
        One score per member, 0 for a silent one.
    support : float
        Fraction of all members with a hit at IoU > .2.
    mean_iou : float
        Mean IoU of the members' boxes with the fused box; 0 where no member has a hit.
    """

    box: Box
    score: float
    member_scores: tuple[float, ...]
    support: float
    mean_iou: float

    def __post_init__(self) -> None:
        for name, value in (("score", self.score), ("support", self.support), ("mean_iou", self.mean_iou)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], not {value}")
        if not self.member_scores or not all(0.0 <= s <= 1.0 for s in self.member_scores):
            raise ValueError("member_scores must hold one score in [0, 1] per member")

    @property
    def score_spread(self) -> float:
        """Standard deviation (population) of the member scores, silent members counted as 0."""
        mean = sum(self.member_scores) / len(self.member_scores)
        return float((sum((s - mean) ** 2 for s in self.member_scores) / len(self.member_scores)) ** 0.5)


@dataclass(frozen=True, slots=True)
class FilmReading:
    """What a detector says of one film.

    Parameters
    ----------
    sop_instance_uid : str
        The film.
    case_score : float
        Probability in [0, 1] that the film has what the package looks for.
    candidates : tuple of Candidate
        By falling score, all that the package keeps, above and below the operating point.
    members : int
        How many members took part.
    operating_point : float
        Score from which a candidate is a finding.
    """

    sop_instance_uid: str
    case_score: float
    candidates: tuple[Candidate, ...]
    members: int
    operating_point: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.case_score <= 1.0:
            raise ValueError(f"case_score must lie in [0, 1], not {self.case_score}")
        scores = [c.score for c in self.candidates]
        if scores != sorted(scores, reverse=True):
            raise ValueError("candidates must come by falling score")

    @property
    def above_operating_point(self) -> tuple[Candidate, ...]:
        """The candidates that become findings."""
        return tuple(c for c in self.candidates if c.score >= self.operating_point)


@dataclass(frozen=True, slots=True)
class Finding:
    """One reported finding on one image.

    Parameters
    ----------
    number : int
        From 1, by falling score, unique within the reading of a study.
    sop_instance_uid : str
        The image that carries it.
    candidate : Candidate
        Box and scores.
    size_mm : tuple of float or None
        ``(height, width)`` of the box in millimetres; None without pixel spacing.
    size_is_calibrated : bool
        False where the millimetres are those of the detector front.
    """

    number: int
    sop_instance_uid: str
    candidate: Candidate
    size_mm: tuple[float, float] | None = None
    size_is_calibrated: bool = False


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """An image that should have been read and was not.

    Parameters
    ----------
    sop_instance_uid : str
        The image.
    reason : str
        Why, in words, without anything of the patient.
    """

    sop_instance_uid: str
    reason: str

    def __post_init__(self) -> None:
        if not self.sop_instance_uid or not self.reason:
            raise ValueError("a failure names its image and its reason")


@dataclass(frozen=True, slots=True)
class Assessment:
    """How far a reading can be trusted.

    Parameters
    ----------
    decision : {"not-assessed", "accept", "review", "reject"}
        What is to be done with the reading.
    confidence : float or None
        Calibrated predicted quality in [0, 1]; None while no calibration is fitted.
    components : dict
        Raw components by name: ``member_support``, ``score_spread``, ...
    reasons : tuple of str
        In words, for people.
    """

    decision: Decision
    confidence: float | None = None
    components: dict[str, float] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
