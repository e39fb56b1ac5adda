"""A mammogram as an array with geometry, breast and view."""

from __future__ import annotations

from dataclasses import dataclass

from models.film import Film
from models.mammography_results import Breast, MammographyView

__all__ = ["Mammogram"]


@dataclass(frozen=True, slots=True)
class Mammogram:
    """One mammogram, ready for a detector.

    Parameters
    ----------
    film : Film
        Pixels as displayed (tissue bright, air dark), neither cropped nor flipped, and their spacing.
    view : MammographyView
        Which breast is shown, and how.
    implant : bool
        Whether the source says that the breast has an implant.
    digitised : bool
        Whether a film was scanned.

    Raises
    ------
    ValueError
        Film and view are of two images.
    """

    film: Film
    view: MammographyView
    implant: bool = False
    digitised: bool = False

    def __post_init__(self) -> None:
        if self.film.sop_instance_uid != self.view.sop_instance_uid:
            raise ValueError("film and view must be of the same image")

    @property
    def sop_instance_uid(self) -> str:
        """The instance that the pixels came from."""
        return self.film.sop_instance_uid

    @property
    def laterality(self) -> Breast:
        """The breast that is shown."""
        return self.view.laterality
