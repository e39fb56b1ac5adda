"""What a reading says of a study as a whole: what it is classified as, and how it has changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from models.concepts import Concept

__all__ = ["Classification", "VolumeChange"]

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Classification:
    """What a classifier suggests of the study as a whole, apart from what was outlined.

    Parameters
    ----------
    name : Concept
        What is classified, e.g. the type of a tumour.
    value : Concept
        The most probable class.
    probability : float
        Of ``value``, in [0, 1].
    alternatives : tuple of (Concept, float)
        The other classes with theirs, by falling probability.
    statements : tuple of str
        What a reader has to know of it, in words: what it was trained on, and what it cannot tell.
    """

    name: Concept
    value: Concept
    probability: float
    alternatives: tuple[tuple[Concept, float], ...] = ()
    statements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shares = [self.probability, *(share for _, share in self.alternatives)]
        if not all(0.0 <= share <= 1.0 for share in shares) or sum(shares) > 1 + _TOLERANCE:
            raise ValueError(f"probabilities of classes lie in [0, 1] and sum to 1 at most, not {shares}")
        if shares != sorted(shares, reverse=True):
            raise ValueError("classes come by falling probability")
        classes = [(one.scheme, one.code) for one in (self.value, *(one for one, _ in self.alternatives))]
        if len(set(classes)) != len(classes):
            raise ValueError("a class is named once")


@dataclass(frozen=True, slots=True)
class VolumeChange:
    """How the volume of all findings differs from that of an earlier result of the same patient.

    Parameters
    ----------
    previous_ml : float
        Volume of all findings of the earlier result in millilitres, nought where it had none.
    previous_at : datetime
        When the earlier study was acquired.
    change_ml : float
        The volume now less the earlier one.
    previous_package : str
        What read the earlier study: name and version.
    comparable : bool
        Whether both come from the same package, with sequences and slices that allow to compare them.
    change_percent : float or None
        ``change_ml`` in percent of ``previous_ml``; None where that is nought.
    reason : str
        In words: why not comparable, or what to keep in mind; required where not comparable.
    """

    previous_ml: float
    previous_at: datetime
    change_ml: float
    previous_package: str
    comparable: bool
    change_percent: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if not (self.previous_ml >= 0 and math.isfinite(self.previous_ml + self.change_ml)):
            raise ValueError("volumes are finite, and the previous one is not negative")
        if self.now_ml < -_TOLERANCE:
            raise ValueError("no volume shrinks by more than it was")
        if (self.change_percent is None) != (self.previous_ml == 0):
            raise ValueError("the change in percent is stated where there was a previous volume")
        if self.change_percent is not None and not math.isclose(
            self.change_percent, 100 * self.change_ml / self.previous_ml, rel_tol=1e-3, abs_tol=1e-3
        ):
            raise ValueError("the change in percent is not that of the volumes")
        if not self.previous_package:
            raise ValueError("a change names what read the previous study")
        if not self.comparable and not self.reason:
            raise ValueError("a change that is not comparable says why")

    @property
    def now_ml(self) -> float:
        """Volume of all findings now."""
        return self.previous_ml + self.change_ml

    @classmethod
    def between(
        cls,
        previous_ml: float,
        now_ml: float,
        *,
        previous_at: datetime,
        previous_package: str,
        comparable: bool = True,
        reason: str = "",
    ) -> VolumeChange:
        """Return the change from one volume to another."""
        change = now_ml - previous_ml
        return cls(
            previous_ml=previous_ml,
            previous_at=previous_at,
            change_ml=change,
            previous_package=previous_package,
            comparable=comparable,
            change_percent=100 * change / previous_ml if previous_ml else None,
            reason=reason,
        )
