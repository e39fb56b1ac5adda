"""The image library of a measurement report of mammograms: which breast and view each image shows."""

from __future__ import annotations

from collections.abc import Iterator

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_io.reading.attributes import number, numbers, text, texts
from dicom_io.results.cad.codes import MAMMOGRAPHY_VIEW_MODIFIERS, MAMMOGRAPHY_VIEWS, SIDES
from dicom_io.results.mammography_context import MammographyContext
from dicom_io.results.vocabulary import coded, concept
from models.mammography_results import MammographyView

__all__ = ["BREAST", "image_library"]

BREAST = concept("76752008", "SCT", "Breast")
_MAMMOGRAPHY = concept("MG", "DCM", "Mammography")
_OTHERS = {
    "CR": concept("CR", "DCM", "Computed Radiography"),
    "DX": concept("DX", "DCM", "Digital Radiography"),
    "OT": concept("OT", "DCM", "Other"),
    "RG": concept("RG", "DCM", "Radiographic imaging"),
}
_SOURCE = concept("260753009", "SCT", "Source")
_PIXELS = concept("{pixels}", "UCUM", "Pixels")
_DEGREE = concept("deg", "UCUM", "degrees of plane angle")
_ANGLES = (  # rows 7 and 8
    ("PositionerPrimaryAngle", concept("112011", "DCM", "Positioner Primary Angle")),
    ("PositionerSecondaryAngle", concept("112012", "DCM", "Positioner Secondary Angle")),
)
_DIGITS = 6
_ACQUISITION = RelationshipTypeValues.HAS_ACQ_CONTEXT


def image_library(context: MammographyContext) -> ContainerContentItem:
    """Return TID 1600 with one entry per image, also for those that could not be read.

    References
    ----------
    PS3.16 TID 1600, 1601, 1602 and 1603; CID 4014 and 4015 (views), CID 244 (laterality).
    """
    group = _container(codes.DCM.ImageLibraryGroup)
    for header in context.headers:
        view = context.exam.view_of(str(header.SOPInstanceUID))
        entry = ImageContentItem(
            name=_SOURCE,
            referenced_sop_class_uid=str(header.SOPClassUID),
            referenced_sop_instance_uid=str(header.SOPInstanceUID),
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
        entry.ContentSequence = ContentSequence([*_common(header, view), *_projection(header, view)])
        group.ContentSequence.append(entry)
    library = _container(codes.DCM.ImageLibrary)
    library.ContentSequence.append(group)
    return library


def _container(name: CodedConcept) -> ContainerContentItem:
    item = ContainerContentItem(name=name, relationship_type=RelationshipTypeValues.CONTAINS)
    item.ContentSequence = ContentSequence()
    return item


def _common(header: Dataset, view: MammographyView | None) -> Iterator[ContentItem]:
    """Yield TID 1602."""
    modality = _OTHERS.get(text(header, "Modality"), _MAMMOGRAPHY)
    yield CodeContentItem(codes.DCM.Modality, modality, _ACQUISITION)  # row 1
    yield CodeContentItem(codes.DCM.TargetRegion, BREAST, _ACQUISITION)  # row 2
    if view is not None:  # row 3
        yield CodeContentItem(codes.DCM.ImageLaterality, coded(SIDES[view.laterality]), _ACQUISITION)
    for keyword, name in (("Rows", codes.DCM.PixelDataRows), ("Columns", codes.DCM.PixelDataColumns)):
        count = NumContentItem(name, int(header[keyword].value), _PIXELS, relationship_type=_ACQUISITION)
        count.MeasuredValueSequence[0].NumericValue = str(int(header[keyword].value))  # no 640.0
        yield count


def _projection(header: Dataset, view: MammographyView | None) -> Iterator[ContentItem]:
    """Yield TID 1603."""
    if view is not None:  # rows 1 and 2
        shown = CodeContentItem(codes.DCM.ImageView, coded(MAMMOGRAPHY_VIEWS[view.view]), _ACQUISITION)
        if view.modifiers:
            shown.ContentSequence = ContentSequence(
                [
                    CodeContentItem(
                        codes.DCM.ImageViewModifier,
                        coded(MAMMOGRAPHY_VIEW_MODIFIERS[modifier]),
                        RelationshipTypeValues.HAS_CONCEPT_MOD,
                    )
                    for modifier in view.modifiers
                ]
            )
        yield shown
    orientation = texts(header, "PatientOrientation")
    if len(orientation) == 2 and all(orientation):  # rows 3 and 4
        yield TextContentItem(codes.DCM.PatientOrientationRow, orientation[0], _ACQUISITION)
        yield TextContentItem(codes.DCM.PatientOrientationColumn, orientation[1], _ACQUISITION)
    spacing = numbers(header, "ImagerPixelSpacing")
    if len(spacing) == 2 and min(spacing) > 0:  # rows 5 and 6
        millimetre = codes.UCUM.Millimeter
        for name, value in (
            (codes.DCM.HorizontalPixelSpacing, spacing[1]),
            (codes.DCM.VerticalPixelSpacing, spacing[0]),
        ):
            yield NumContentItem(name, round(value, _DIGITS), millimetre, relationship_type=_ACQUISITION)
    for keyword, name in _ANGLES:
        angle = number(header, keyword)
        if angle is not None:
            yield NumContentItem(name, round(angle, _DIGITS), _DEGREE, relationship_type=_ACQUISITION)
