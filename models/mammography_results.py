"""What a reading of a mammography examination says beyond its single images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "MAMMOGRAPHY_VIEWS",
    "VIEW_MODIFIERS",
    "Breast",
    "LesionGroup",
    "MammographyExam",
    "MammographyView",
]

Breast = Literal["L", "R"]

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
