"""What the header of a mammogram says, gathered once."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, number, text, uid
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.kind import is_digitised, is_said_synthetic, is_synthetic
from dicom_io.reading.mammography.laterality import laterality_of
from dicom_io.reading.mammography.orientation import chest_wall_of
from dicom_io.reading.mammography.view import view_of_mammogram
from models.mammography_results import MAMMOGRAPHY_VIEWS, Breast, ImageSide, MammographyView

__all__ = ["MAGNIFIED_FROM", "MammogramFacts", "facts_of", "has_implant", "magnification_of"]

MAGNIFIED_FROM = 1.2
"""Magnification from which a view counts as a magnification view.

A plane 80 mm above the detector of a unit of 650 mm is magnified 1.14 times in a contact view; magnification
stands give 1.4 and more.
"""
_LARGEST_MAGNIFICATION = 10.0


@dataclass(frozen=True, slots=True)
class MammogramFacts:
    """What a header says of one mammogram.

    Parameters
    ----------
    view : MammographyView
        Breast, view and modifiers; a magnified view has the modifier ``M`` whether or not the source says so.
    chest_wall : {"left", "right"} or None
        Side of the stored image on which the chest wall lies by Patient Orientation, None if unsaid.
    implant : bool
        The breast has an implant, seen or displaced.
    digitised : bool
        A film was scanned.
    synthetic : bool
        Computed from tomosynthesis as a two-dimensional view.
    said_synthetic : bool
        Only a description has the name of such a view.
    partial : bool
        Only part of the breast is shown.
    burned_in : bool
        Annotation is burned into the pixels.
    magnification : float or None
        At the breast support or in the breast, as far as it is stated.
    """

    view: MammographyView
    chest_wall: ImageSide | None = None
    implant: bool = False
    digitised: bool = False
    synthetic: bool = False
    said_synthetic: bool = False
    partial: bool = False
    burned_in: bool = False
    magnification: float | None = None

    @property
    def laterality(self) -> Breast:
        """The breast that is shown."""
        return self.view.laterality


def facts_of(header: Dataset) -> MammogramFacts:
    """Gather what a header says, at its top and in functional groups.

    Raises
    ------
    UnsuitableImage
        View or laterality are missing, contradict themselves or are none of a breast.
    """
    header = with_functional_groups(header)
    stated = view_of_mammogram(header)
    if stated.view not in MAMMOGRAPHY_VIEWS:
        raise UnsuitableImage("wrong-view", f"the view is {stated.view}, which is not read")
    magnification = magnification_of(header)
    modifiers = set(stated.modifiers)
    if magnification is not None and magnification >= MAGNIFIED_FROM:
        modifiers.add("M")
    return MammogramFacts(
        view=MammographyView(
            uid(header, "SOPInstanceUID"), laterality_of(header), stated.view, tuple(sorted(modifiers))
        ),
        chest_wall=chest_wall_of(header),
        implant=has_implant(header, stated.modifiers),
        digitised=is_digitised(header),
        synthetic=is_synthetic(header),
        said_synthetic=is_said_synthetic(header),
        partial=text(header, "PartialView") == "YES"
        or bool(items(header, "PartialViewCodeSequence"))
        or bool(text(header, "PartialViewDescription")),
        burned_in=text(header, "BurnedInAnnotation") == "YES",
        magnification=magnification,
    )


def has_implant(header: Dataset, modifiers: tuple[str, ...]) -> bool:
    """Return whether the breast has an implant: one that is displaced for the view is one."""
    return text(header, "BreastImplantPresent") == "YES" or "ID" in modifiers


def magnification_of(header: Dataset) -> float | None:
    """Return Estimated Radiographic Magnification Factor, else what the distances imply, None if unsaid.

    Distance Source to Patient is that to the breast support (PS3.3 C.8.11.7), so that a contact view has
    about 1.
    """
    factor = number(header, "EstimatedRadiographicMagnificationFactor")
    if factor is None or not 1.0 <= factor <= _LARGEST_MAGNIFICATION:
        detector = number(header, "DistanceSourceToDetector")
        support = number(header, "DistanceSourceToPatient")
        if not detector or not support or support <= 0:
            return None
        factor = detector / support
    return factor if 1.0 <= factor <= _LARGEST_MAGNIFICATION else None
