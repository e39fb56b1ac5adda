"""What is looked at before a mammogram is read, and what is to be said of an examination as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage, read_header
from dicom_io.reading.attributes import text
from dicom_io.reading.mammography import (
    chest_wall_of,
    facts_of,
    orientation_doubt,
    unstated_orientation_doubt,
)
from dicom_io.reading.mammography.facts import has_implant
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.laterality import laterality_of
from dicom_io.reading.mammography.view import view_of_mammogram
from models.mammography.region import NoBreast, find_breast
from models.mammography_results import Breast, ImageSide, MammographyView
from models.package import MammographyContract

__all__ = [
    "BREASTS",
    "chest_wall_seen",
    "doubts_of",
    "implants_said",
    "notes_of",
    "orientation_doubts",
    "orientation_remark",
    "shows_part",
    "view_stated",
]

BREASTS: dict[Breast, str] = {"R": "right", "L": "left"}
_NOT_MEASURED = {
    "digital": "Full-field digital images were not part of training or validation of the package.",
    "film": "Digitised films were not part of training or validation of the package.",
}
_PARTS = frozenset({"AT", "AX", "CV", "M", "S", "TAN"})


def chest_wall_seen(pixels: NDArray[np.float32]) -> ImageSide:
    """Return on which side of the stored image the chest wall of the breast is seen.

    Raises
    ------
    UnsuitableImage
        ``no-breast``: the image shows no breast, or more than one.
    """
    try:
        return find_breast(pixels).chest_wall
    except NoBreast as error:
        raise UnsuitableImage("no-breast", f"no breast can be made out: {error}") from error


def view_stated(header: Dataset) -> MammographyView | None:
    """Return which breast an image shows and how, by its header; None where that does not say it."""
    try:
        return facts_of(with_functional_groups(header)).view
    except UnsuitableImage:
        return None


def shows_part(path: Path) -> bool:
    """Return whether an image says of itself that it shows part of a breast: spot, magnified, axillary, ...

    A magnification that only its distances or its factor tell is no such word: the image may be a whole view.
    """
    try:
        stated = view_of_mammogram(with_functional_groups(read_header(path)))
    except (UnsuitableImage, OSError):
        return False
    return not _PARTS.isdisjoint(stated.modifiers)


def implants_said(path: Path, code: str) -> frozenset[Breast]:
    """Return the breasts of which an image that is left out says that they have an implant.

    Parameters
    ----------
    path : pathlib.Path
        The image.
    code : str
        Why it is left out.
    """
    try:
        header = with_functional_groups(read_header(path))
    except (UnsuitableImage, OSError):
        return frozenset()
    if code != "implant" and not _has_implant(header):
        return frozenset()
    try:
        return frozenset({laterality_of(header)})
    except UnsuitableImage:
        return frozenset(BREASTS)


def _has_implant(header: Dataset) -> bool:
    try:
        modifiers = view_of_mammogram(header).modifiers
    except UnsuitableImage:
        modifiers = ()
    return has_implant(header, modifiers)


def orientation_remark(header: Dataset, view: MammographyView, seen: ImageSide) -> str | None:
    """Return what is to be said where the chest wall does not lie as Patient Orientation says, else None."""
    stated = chest_wall_of(header)
    if stated is None or stated == seen:
        return None
    return (
        f"The chest wall of the {BREASTS[view.laterality]} {view.view} image lies {stated} by its Patient "
        f"Orientation and is seen {seen}: the image may be mirrored, or of the other breast"
    )


def orientation_doubts(header: Dataset, view: MammographyView, seen: ImageSide) -> tuple[str, ...]:
    """Return what speaks against the stated breast of an image, by its orientation and its pixels."""
    said = (
        orientation_remark(header, view, seen),
        orientation_doubt(header),
        unstated_orientation_doubt(header, seen),
    )
    return tuple(text for text in said if text is not None)


def doubts_of(
    header: Dataset,
    view: MammographyView,
    rules: MammographyContract,
    *,
    implant: bool,
    digitised: bool,
) -> tuple[str, ...]:
    """Return why somebody should look at an image whatever is found on it, by what the package knows.

    Parameters
    ----------
    header : Dataset
        Of the image.
    view : MammographyView
        Which breast it shows, and how.
    rules : MammographyContract
        What the package was made for.
    implant : bool
        Whether the breast has an implant.
    digitised : bool
        Whether the image is a scanned film; else it is of a digital detector.
    """
    said = []
    detector: Literal["film", "digital"] = "film" if digitised else "digital"
    if detector not in rules.validated_detectors:
        said.append(_NOT_MEASURED[detector])
    if view.view not in rules.validated_views:
        said.append(f"The figures of the package are not of {view.view} views.")
    if implant:
        said.append("The figures of the package are not of breasts with an implant.")
    if text(header, "PatientSex") == "M":
        said.append("The figures of the package are not of men.")
    return tuple(said)


def notes_of(views: Sequence[MammographyView]) -> tuple[str, ...]:
    """Return what an examination lacks: a breast, or a view of one; nothing where it is whole.

    Parameters
    ----------
    views : sequence of MammographyView
        What was read, at least one.
    """
    said = []
    read = {side: {view.view for view in views if view.laterality == side} for side in BREASTS}
    present = [side for side in BREASTS if read[side]]
    if len(present) == 1:
        (side,) = present
        other = next(name for one, name in BREASTS.items() if one != side)
        said.append(
            f"Only images of the {BREASTS[side]} breast were read: nothing is said of the {other} breast, "
            "and the two were not compared."
        )
    said += [
        f"The {BREASTS[side]} breast was read on one view only ({', '.join(read[side])})."
        for side in present
        if len(read[side]) == 1
    ]
    return tuple(said)
