"""What a reading of a mammography examination says beyond its single images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from models.results import FilmReading

__all__ = [
    "DENSITY_CLASSES",
    "MAMMOGRAPHY_VIEWS",
    "VIEW_MODIFIERS",
    "Breast",
    "BreastAnatomy",
    "BreastReading",
    "DensityReading",
    "LesionGroup",
    "MammographyExam",
    "MammographyReading",
    "MammographyView",
]

Breast = Literal["L", "R"]
ImageSide = Literal["left", "right"]

DENSITY_CLASSES: Final = ("fatty", "fatty-glandular", "dense-glandular")
"""Classes of background tissue in the words of the mini-MIAS data set; they are no BI-RADS categories."""

MAMMOGRAPHY_VIEWS: Final = frozenset({"CC", "MLO", "ML", "LM", "LMO", "FB", "SIO", "ISO", "XCCL", "XCCM"})
VIEW_MODIFIERS: Final = frozenset(
    {"AC", "AT", "AX", "CV", "ID", "IMF", "M", "NP", "RI", "RL", "RM", "RS", "S", "TAN"}
)


@dataclass(frozen=True, slots=True)
class MammographyView:
    """Which breast an image shows, and how.

    Parameters
    ----------
    sop_instance_uid : str
        The image.
    laterality : {"L", "R"}
        The breast.
    view : str
        One of :data:`MAMMOGRAPHY_VIEWS`, as PS3.3 C.8.11.7 abbreviates them.
    modifiers : tuple of str
        Of :data:`VIEW_MODIFIERS`: ``S`` spot compression, ``M`` magnification, ``ID`` implant displaced, ...

    Raises
    ------
    ValueError
        A side, view or modifier is not known, or a modifier comes twice.
    """

    sop_instance_uid: str
    laterality: Breast
    view: str
    modifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.sop_instance_uid:
            raise ValueError("a view names its image")
        if self.laterality not in {"L", "R"}:
            raise ValueError(f"the laterality of a breast is L or R, not {self.laterality!r}")
        if self.view not in MAMMOGRAPHY_VIEWS:
            raise ValueError(f"view {self.view!r} is none of {', '.join(sorted(MAMMOGRAPHY_VIEWS))}")
        unknown = set(self.modifiers) - VIEW_MODIFIERS
        if unknown or len(set(self.modifiers)) != len(self.modifiers):
            raise ValueError(
                f"view modifiers {self.modifiers} must differ and be of {', '.join(sorted(VIEW_MODIFIERS))}"
            )


@dataclass(frozen=True, slots=True)
class LesionGroup:
    """Findings of several images that are taken for one lesion.

    Parameters
    ----------
    number : int
        From 1, unique within the examination.
    findings : tuple of int
        Numbers of the findings, at least two.
    probability : float
        That the lesion is there, in [0, 1].
    """

    number: int
    findings: tuple[int, ...]
    probability: float

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"groups count from 1, not {self.number}")
        if len(self.findings) < 2 or len(set(self.findings)) != len(self.findings):
            raise ValueError(f"group {self.number} must have two findings or more, each once")
        if not 0.0 <= self.probability <= 1.0:
            raise ValueError(f"probability must lie in [0, 1], not {self.probability}")


@dataclass(frozen=True, slots=True)
class MammographyExam:
    """The views of an examination and what they say together.

    Parameters
    ----------
    views : tuple of MammographyView
        One per image that was read; images that failed may have one.
    groups : tuple of LesionGroup
        Lesions seen on several images.
    views_compared : bool
        Whether findings were looked for on more than one view of a breast, also where none matched.
    density : str
        Density of the breasts in the package's own words, empty where it says nothing. It is no BI-RADS
        category.

    Raises
    ------
    ValueError
        The parts do not fit together.
    """

    views: tuple[MammographyView, ...]
    groups: tuple[LesionGroup, ...] = ()
    views_compared: bool = False
    density: str = ""

    def __post_init__(self) -> None:
        if len({view.sop_instance_uid for view in self.views}) != len(self.views):
            raise ValueError("an image has one view")
        if len({group.number for group in self.groups}) != len(self.groups):
            raise ValueError("group numbers must differ")
        grouped = [number for group in self.groups for number in group.findings]
        if len(set(grouped)) != len(grouped):
            raise ValueError("a finding belongs to one group at most")
        if self.groups and not self.views_compared:
            raise ValueError("groups come from a comparison of views")

    def view_of(self, sop_instance_uid: str) -> MammographyView | None:
        """Return the view of an image, None where it has none."""
        return next((view for view in self.views if view.sop_instance_uid == sop_instance_uid), None)


@dataclass(frozen=True, slots=True)
class BreastAnatomy:
    """Landmarks of one image, in source pixels as ``(row, column)``.

    Parameters
    ----------
    sop_instance_uid : str
        The image.
    chest_wall : {"left", "right"}
        On which side of the stored image the chest wall lies.
    nipple : tuple of float
        Estimated place of the nipple, or the point of the skin farthest from the chest wall.
    pectoral : tuple of points or None
        Two points of the edge of the pectoral muscle; None where none is seen, as on most CC views.
    """

    sop_instance_uid: str
    chest_wall: ImageSide
    nipple: tuple[float, float]
    pectoral: tuple[tuple[float, float], tuple[float, float]] | None = None

    def __post_init__(self) -> None:
        if not self.sop_instance_uid:
            raise ValueError("an anatomy names its image")
        if self.chest_wall not in {"left", "right"}:
            raise ValueError(f"the chest wall lies left or right, not {self.chest_wall!r}")
        points = (self.nipple, *(self.pectoral or ()))
        if not all(math.isfinite(value) for point in points for value in point):
            raise ValueError("landmarks must be finite")
        if self.pectoral is not None and self.pectoral[0] == self.pectoral[1]:
            raise ValueError("the edge of the pectoral muscle needs two different points")


@dataclass(frozen=True, slots=True)
class BreastReading:
    """What the views of one breast say together.

    Parameters
    ----------
    laterality : {"L", "R"}
        The breast.
    score : float
        Calibrated probability in [0, 1] that the breast has what the package looks for.
    views : tuple of str
        SOP Instance UIDs of the images that were read, at least one.
    asymmetry : float or None
        By how much this breast is more conspicuous than the other one; None where only one was read.
    """

    laterality: Breast
    score: float
    views: tuple[str, ...]
    asymmetry: float | None = None

    def __post_init__(self) -> None:
        if self.laterality not in {"L", "R"}:
            raise ValueError(f"the laterality of a breast is L or R, not {self.laterality!r}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"the score of a breast must lie in [0, 1], not {self.score}")
        if not self.views:
            raise ValueError("a breast is read from one view at least")


@dataclass(frozen=True, slots=True)
class DensityReading:
    """Class of the background tissue, in the words of the data set that taught it.

    Parameters
    ----------
    label : str
        One of :data:`DENSITY_CLASSES`.
    probabilities : dict
        One for every class; they sum to 1.
    """

    label: str
    probabilities: dict[str, float]

    def __post_init__(self) -> None:
        if set(self.probabilities) != set(DENSITY_CLASSES):
            raise ValueError(f"one probability for each of {', '.join(DENSITY_CLASSES)} is needed")
        if self.label not in DENSITY_CLASSES:
            raise ValueError(f"{self.label!r} is none of {', '.join(DENSITY_CLASSES)}")
        values = self.probabilities.values()
        if not all(0.0 <= value <= 1.0 for value in values) or abs(sum(values) - 1.0) > 1e-3:
            raise ValueError("the probabilities of the classes must lie in [0, 1] and sum to 1")


@dataclass(frozen=True, slots=True)
class MammographyReading:
    """What a detector says of the images of an examination.

    Parameters
    ----------
    images : tuple of FilmReading
        One per image.
    anatomy : tuple of BreastAnatomy
        One per image, in the same order.
    breasts : tuple of BreastReading
        The breasts that were read, each once.
    exam_score : float
        Probability in [0, 1] for the examination: that of the more suspicious breast.
    density : DensityReading or None
        Of the background tissue, None where the package says nothing of it.
    members : int
        How many members took part.
    operating_point : float
        Score from which a candidate is a finding.
    """

    images: tuple[FilmReading, ...]
    anatomy: tuple[BreastAnatomy, ...]
    breasts: tuple[BreastReading, ...]
    exam_score: float
    density: DensityReading | None
    members: int
    operating_point: float

    def __post_init__(self) -> None:
        uids = [reading.sop_instance_uid for reading in self.images]
        if not uids or len(set(uids)) != len(uids):
            raise ValueError("an examination has at least one image, each read once")
        if [one.sop_instance_uid for one in self.anatomy] != uids:
            raise ValueError("every image has its anatomy, in the order of the images")
        if len({one.laterality for one in self.breasts}) != len(self.breasts):
            raise ValueError("a breast is read once")
        if sorted(uid for breast in self.breasts for uid in breast.views) != sorted(uids):
            raise ValueError("every image is a view of one breast")
        if not 0.0 <= self.exam_score <= 1.0:
            raise ValueError(f"exam_score must lie in [0, 1], not {self.exam_score}")
