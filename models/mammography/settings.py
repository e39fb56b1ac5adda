"""What the manifest of a mammography package fixes: thresholds, maps and the rules of the examination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.exam_tables import ExamRules
from models.package import Package, PackageError, Platt

__all__ = ["OUTPUTS", "PARAMETERS", "Settings", "settings_of"]

PARAMETERS: Final = ("candidate_floor", "height", "overlap")
"""What the manifest's preprocessing table must hold; ``without_muscle`` may be there too."""

OUTPUTS: Final = ("abnormal", "centre", "density", "extent", "malignant")
"""Outputs that every member has."""

_STRIDE: Final = 32


@dataclass(frozen=True, slots=True)
class Settings:
    """How the members that take part are read.

    Parameters
    ----------
    operating_point : float
        Fused score from which a candidate is a finding.
    floor : float
        Raw score of a member under which a peak is dropped.
    overlap : float
        IoU above which boxes are the same place.
    height : int
        Rows of the tensor, a multiple of 32.
    member_maps : tuple of Platt
        Maps of the centre scores, one per member that takes part.
    abnormal_maps : tuple of Platt
        Maps of the output ``abnormal``, one per member that takes part; none where it is taken as it is.
    case : Platt
        Map of the weighted logits of an image to its probability.
    exam : ExamRules
        The rules from images to breasts and the examination.
    without_muscle : bool
        Whether the pectoral muscle is kept from the members.
    """

    operating_point: float
    floor: float
    overlap: float
    height: int
    member_maps: tuple[Platt, ...]
    abnormal_maps: tuple[Platt, ...]
    case: Platt
    exam: ExamRules
    without_muscle: bool = False

    def __post_init__(self) -> None:
        if not self.member_maps:
            raise ValueError("one member at least must take part")
        if len(self.abnormal_maps) not in {0, len(self.member_maps)}:
            raise ValueError("abnormal_maps: one map per member or none is needed")
        if not (0 < self.floor < 1 and 0 < self.overlap < 1):
            raise ValueError("candidate_floor and overlap must lie between 0 and 1")
        if self.height < _STRIDE or self.height % _STRIDE:
            raise ValueError(f"height must be a multiple of {_STRIDE}, not {self.height}")
        if any(one.slope <= 0 for one in (*self.member_maps, *self.abnormal_maps, self.case)):
            raise ValueError("the slopes of all maps must be above nought: a higher score is more suspicious")


def settings_of(package: Package, members: int | None = None) -> Settings:
    """Take the detector's settings from a manifest.

    Parameters
    ----------
    package : Package
        Of task ``detect`` and family ``mammography-exam``.
    members : int or None
        How many take part, from the first; None for the number that the manifest states.

    Raises
    ------
    PackageError
        Something that this detector needs is missing or out of range, or there are fewer members.
    """
    manifest = package.manifest
    exam, calibration = manifest.exam, manifest.calibration
    if exam is None or calibration is None:
        raise PackageError(f"{package.reference}: mammography-exam needs [exam] and [calibration]")
    steps = manifest.preprocessing
    missing = sorted(set(PARAMETERS) - set(steps))
    if missing:
        raise PackageError(f"{package.reference}: [preprocessing] lacks {', '.join(missing)}")
    lacking = sorted(set(OUTPUTS) - {tensor.name for tensor in manifest.outputs})
    if lacking:
        raise PackageError(f"{package.reference}: outputs lack {', '.join(lacking)}")
    count = members if members is not None else manifest.ensemble or len(manifest.members)
    if not 1 <= count <= len(manifest.members):
        raise PackageError(
            f"{package.reference}: has {len(manifest.members)} members; {count} cannot take part"
        )
    try:
        return Settings(
            operating_point=manifest.operating_point.score,
            floor=float(steps["candidate_floor"]),
            overlap=float(steps["overlap"]),
            height=int(steps["height"]),
            member_maps=calibration.members[:count],
            abnormal_maps=exam.image.abnormal_members[:count],
            case=calibration.case,
            exam=exam,
            without_muscle=bool(steps.get("without_muscle", False)),
        )
    except ValueError as error:
        raise PackageError(f"{package.reference}: {error}") from error
