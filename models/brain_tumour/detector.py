"""The detector behind the package: aligned sequences in, the mean of the members on the source grid out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.brain_tumour.answer import BrainAnswer
from models.geometry import AlignedStudy
from models.package import Package, Plan
from models.runtime import Session

__all__ = ["BrainTumourDetector"]


class BrainTumourDetector:
    """Reads the sequences of one study with the members that the plan names."""

    def __init__(
        self, package: Package, open_session: Callable[[Path], Session], members: int | None = None
    ) -> None:
        raise NotImplementedError

    def read(self, study: AlignedStudy, plan: Plan, folder: Path) -> BrainAnswer:
        """Find tumour in a study."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Read a made-up study, so that all memory is claimed."""
        raise NotImplementedError
