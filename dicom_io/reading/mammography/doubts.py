"""Why somebody should look at a mammogram whatever is found on it, by what its header says."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import shown, text
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.facts import MammogramFacts, facts_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.orientation import (
    chest_wall_of,
    is_upside_down,
    orientation_contradicts,
    orientation_of,
)
from models.mammography_results import ImageSide

__all__ = ["mammogram_doubts", "orientation_doubt", "paddle_doubt", "unstated_orientation_doubt"]

_SIDES = {"L": "left", "R": "right"}
_USUAL_CHEST_WALL: dict[str, ImageSide] = {"L": "left", "R": "right"}
_PADDLE = re.compile(r"SPOT|BIOPS|STEREO|NEEDLE|MAGN|\b(LOC|LOCALI\w*|MAG|BX)(?![A-Z])")
_SPECIAL = frozenset({"M", "S"})


def mammogram_doubts(header: Dataset, chest_wall: ImageSide | None = None) -> tuple[str, ...]:
    """Return every doubt about one image, a sentence each; nothing where its header states no view.

    Parameters
    ----------
    header : Dataset
        Of the image.
    chest_wall : {"left", "right"} or None
        Where the chest wall is seen in the stored pixels, None where nobody looked.
    """
    found = [orientation_doubt(header), paddle_doubt(header)]
    if chest_wall is not None:
        found.append(unstated_orientation_doubt(header, chest_wall))
    return tuple(doubt for doubt in found if doubt is not None)


def orientation_doubt(header: Dataset) -> str | None:
    """Return what is to be said of an image that is turned, or of the other breast, by Patient Orientation.

    That is a craniocaudal view whose columns do not run to the middle of the body, and an oblique or lateral
    view that is stored upside down; see :mod:`dicom_io.reading.mammography.orientation`.
    """
    facts = _facts(header)
    if facts is None:
        return None
    view = facts.view.view
    if not (is_upside_down(header, view) or orientation_contradicts(header, view, facts.laterality)):
        return None
    rows, columns = orientation_of(header)
    return (
        f"The Patient Orientation of the {_image(facts)} is {shown(rows)}, {shown(columns)}: the image is "
        "turned by 180 degrees or stored upside down, or of the other breast."
    )


def unstated_orientation_doubt(header: Dataset, chest_wall: ImageSide) -> str | None:
    """Return what is to be said of an image that states no Patient Orientation and lies unusually.

    Left breasts are usually stored with the chest wall left, right ones with it right. Nothing demands it,
    so that an image that lies so proves nothing either; one that lies otherwise is mirrored, or of the other
    breast.

    Parameters
    ----------
    header : Dataset
        Of the image.
    chest_wall : {"left", "right"}
        Where the chest wall is seen in the stored pixels.
    """
    facts = _facts(header)
    if (
        facts is None
        or chest_wall_of(header) is not None
        or chest_wall == _USUAL_CHEST_WALL[facts.laterality]
    ):
        return None
    other = _SIDES["R" if facts.laterality == "L" else "L"]
    return (
        f"The {_image(facts)} states no Patient Orientation, and its chest wall lies {chest_wall}, as that "
        f"of a {other} breast usually does: it may be mirrored, or of the other breast."
    )


def paddle_doubt(header: Dataset) -> str | None:
    """Return what is to be said of a whole view that was taken with the paddle of another one.

    Paddle Description is free text (PS3.3 C.8.11.7); a paddle for spots, magnification, biopsies or
    localisation shows a part of the breast, also where no view modifier says so.
    """
    facts = _facts(header)
    words = text(header, "PaddleDescription").replace("_", " ")
    if facts is None or not _SPECIAL.isdisjoint(facts.view.modifiers) or not _PADDLE.search(words):
        return None
    return (
        f"The {_image(facts)} was taken with a paddle for spot, magnification, localisation or biopsy views "
        "by its header, and has no such view modifier: it may show only part of the breast."
    )


def _image(facts: MammogramFacts) -> str:
    return f"{_SIDES[facts.laterality]} {facts.view.view} image"


def _facts(header: Dataset) -> MammogramFacts | None:
    try:
        return facts_of(with_functional_groups(header))
    except UnsuitableImage:
        return None
