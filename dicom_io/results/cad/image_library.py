"""The image library of a CAD report: every image once, with how it was acquired (PS3.16 TID 4020).

Items elsewhere in the report refer to an image by its place in here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import number as number_in
from dicom_io.reading.attributes import numbers, text, texts, uid
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.spacing import spacing_of
from dicom_io.results.cad import items
from dicom_io.results.cad.codes import DEGREE, MICROMETRE, PIXELS, SLICE_MILLIMETRE, dcm
from models.concepts import Concept

__all__ = ["ImageLibrary", "LibraryView"]

_PLACE: Final = (1, 2)  # of the library: the second child of the root, after the language
_LATERALITY, _VIEW = dcm("111027", "Image Laterality"), dcm("111031", "Image View")
_MODIFIER = dcm("111032", "Image View Modifier")
_ROW_ORIENTATION = dcm("111044", "Patient Orientation Row")
_COLUMN_ORIENTATION = dcm("111043", "Patient Orientation Column")
_HORIZONTAL, _VERTICAL = (
    dcm("111026", "Horizontal Pixel Spacing"),
    dcm("111066", "Vertical Pixel Spacing"),
)
_FRAME_OF_REFERENCE = dcm("112227", "Frame of Reference UID")
_DATE = re.compile(r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_TIME = re.compile(r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?")
_MOMENTS = (  # rows 7 to 10
    ("StudyDate", items.date, dcm("111060", "Study Date"), _DATE),
    ("StudyTime", items.time, dcm("111061", "Study Time"), _TIME),
    ("ContentDate", items.date, dcm("111018", "Content Date"), _DATE),
    ("ContentTime", items.time, dcm("111019", "Content Time"), _TIME),
)
_BEFORE_FRAME = (  # rows 13 to 16
    ("PositionerPrimaryAngle", dcm("112011", "Positioner Primary Angle"), DEGREE),
    ("PositionerSecondaryAngle", dcm("112012", "Positioner Secondary Angle"), DEGREE),
    ("SpacingBetweenSlices", dcm("112226", "Spacing between slices"), SLICE_MILLIMETRE),
    ("SliceThickness", dcm("112225", "Slice Thickness"), SLICE_MILLIMETRE),
)
_SIZE = (  # rows 27 and 28
    ("Rows", dcm("110910", "Pixel Data Rows"), PIXELS),
    ("Columns", dcm("110911", "Pixel Data Columns"), PIXELS),
)


@dataclass(frozen=True, slots=True)
class LibraryView:
    """Side and projection of one image as codes; None where they are not known.

    Parameters
    ----------
    laterality, view : Concept or None
        From the context groups that the document root names.
    modifiers : tuple of Concept
        Of the view.
    """

    laterality: Concept | None = None
    view: Concept | None = None
    modifiers: tuple[Concept, ...] = ()


class ImageLibrary:
    """The images of a report in their order.

    Parameters
    ----------
    headers : iterable of Dataset
        One per image.
    view_of : callable
        Returns side and projection of an image.
    """

    def __init__(self, headers: Iterable[Dataset], view_of: Callable[[Dataset], LibraryView]) -> None:
        self._headers = tuple(headers)
        self._view_of = view_of
        self._places = {str(header.SOPInstanceUID): n for n, header in enumerate(self._headers, start=1)}

    def place_of(self, sop_instance_uid: str) -> tuple[int, ...]:
        """Return the identifier of an image's content item."""
        return (*_PLACE, self._places[sop_instance_uid])

    def reference(self, relationship: items.Relationship, sop_instance_uid: str) -> Dataset:
        """Refer to an image by its place."""
        return items.reference(relationship, self.place_of(sop_instance_uid))

    def content(self) -> Dataset:
        """Return the container with one entry per image (TID 4000 and TID 4100 rows 3 and 4)."""
        return items.container(
            "CONTAINS", dcm("111028", "Image Library"), [self._entry(header) for header in self._headers]
        )

    def _entry(self, header: Dataset) -> Dataset:
        view = self._view_of(header)
        plain = with_functional_groups(header)
        return items.image("CONTAINS", header, list(_acquisition(plain, view)))  # row 1


def _acquisition(header: Dataset, view: LibraryView) -> Iterator[Dataset]:
    if view.laterality is not None:  # row 2
        yield items.code("HAS ACQ CONTEXT", _LATERALITY, view.laterality)
    if view.view is not None:  # rows 3 and 4
        modifiers = [items.code("HAS CONCEPT MOD", _MODIFIER, modifier) for modifier in view.modifiers]
        yield items.code("HAS ACQ CONTEXT", _VIEW, view.view, modifiers)
    orientation = texts(header, "PatientOrientation")
    if len(orientation) == 2 and all(orientation):  # rows 5 and 6
        yield items.text("HAS ACQ CONTEXT", _ROW_ORIENTATION, orientation[0])
        yield items.text("HAS ACQ CONTEXT", _COLUMN_ORIENTATION, orientation[1])
    for keyword, make, name, form in _MOMENTS:
        value = text(header, keyword)
        if form.fullmatch(value):
            yield make("HAS ACQ CONTEXT", name, value)
    spacing = _stated_spacing(header)
    if spacing is not None:  # rows 11 and 12
        yield items.number("HAS ACQ CONTEXT", _HORIZONTAL, 1000 * spacing[1], MICROMETRE)
        yield items.number("HAS ACQ CONTEXT", _VERTICAL, 1000 * spacing[0], MICROMETRE)
    yield from _numbers(header, _BEFORE_FRAME)
    frame_of_reference = uid(header, "FrameOfReferenceUID")
    if frame_of_reference:  # row 17; rows 18 to 26 place slices, which no projection has
        yield items.uid("HAS ACQ CONTEXT", _FRAME_OF_REFERENCE, frame_of_reference)
    yield from _numbers(header, _SIZE)


def _numbers(header: Dataset, rows: Iterable[tuple[str, Concept, Concept]]) -> Iterator[Dataset]:
    for keyword, name, unit in rows:
        value = number_in(header, keyword)
        if value is not None:
            yield items.number("HAS ACQ CONTEXT", name, value, unit)


def _stated_spacing(header: Dataset) -> tuple[float, float] | None:
    """Return the spacing as an attribute states it: rows 11 and 12 know no correction for magnification."""
    spacing, calibrated = spacing_of(header)
    if spacing is None:
        return None
    keywords = ("PixelSpacing",) if calibrated else ("ImagerPixelSpacing", "PixelSpacing")
    for keyword in keywords:
        values = numbers(header, keyword)
        if len(values) == 2 and min(values) > 0:
            return values[0], values[1]
    return None
