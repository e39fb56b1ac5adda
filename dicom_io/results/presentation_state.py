"""Findings as a Grayscale Softcopy Presentation State, for viewers that show those and no reports."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from highdicom.color import CIELabColor
from highdicom.content import PresentationLUTTransformation
from highdicom.enum import PresentationLUTShapeValues
from highdicom.pr import (
    AnnotationUnitsValues,
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GraphicTypeValues,
    GrayscaleSoftcopyPresentationState,
    TextObject,
)
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from dicom_io.reading.attributes import items, number, numbers, text, whole_number
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import PRESENTATION_STATES, software_version, start
from dicom_io.results.loop_guard import MANUFACTURER, MODEL_NAME
from dicom_io.results.measurement_groups import box_corners
from dicom_io.results.pictures.panel import AMBER
from dicom_io.results.source import PATIENT_AND_STUDY, copy_elements
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text
from models.results import Finding

__all__ = ["encode_presentation_state"]

_IMAGE = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "Rows",
    "Columns",
)
_LARGEST_RATIO = 10_000
_PIXEL = AnnotationUnitsValues.PIXEL


def encode_presentation_state(context: FilmContext, header: Dataset, number: int) -> Dataset:
    """Return the presentation state of one film: its own display transformation, and its findings outlined.

    Parameters
    ----------
    context : FilmContext
        The reading.
    header : Dataset
        Header of a film with findings.
    number : int
        Number among the presentation states of the reading, from 1.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information.

    Raises
    ------
    ResultInvalid
        The film was not read, or has no finding.

    References
    ----------
    PS3.3 A.33.1, C.10.5, C.11.6.
    """
    uid = str(header.SOPInstanceUID)
    findings = context.findings_on(uid)
    if not findings:
        raise ResultInvalid("a presentation state outlines findings, and this film has none")
    state = start(
        context,
        header,
        kind=PRESENTATION_STATES,
        sop_class_uid=GrayscaleSoftcopyPresentationStateStorage,
        instance=f"presentation-state-{number}",
        number=number,
    )
    layer = GraphicLayer(
        "FINDINGS", order=1, description=AI_NOTICE, display_color=CIELabColor.from_rgb(*AMBER)
    )
    shown = _shown(header)
    made = GrayscaleSoftcopyPresentationState(
        referenced_images=[shown],
        series_instance_uid=str(state.SeriesInstanceUID),
        series_number=int(state.SeriesNumber),
        sop_instance_uid=str(state.SOPInstanceUID),
        instance_number=number,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=software_version(),
        device_serial_number=str(state.DeviceSerialNumber),
        content_label="AI_FINDINGS",
        content_description=ascii_text(f"{AI_NOTICE}: {context.package.title}")[:64],
        graphic_layers=[layer],
        graphic_annotations=[_annotation(context, shown, layer, finding) for finding in findings],
        presentation_lut_transformation=_presentation_lut(header),
    )
    made.PresentationCreationDate, made.PresentationCreationTime = state.ContentDate, state.ContentTime
    del state.ContentDate, state.ContentTime  # the IOD has no general content time
    for element in made:
        if element.tag not in state and element.keyword not in PATIENT_AND_STUDY:
            state[element.tag] = element
    _add_proportions(state, header)
    copy_elements(header, state, ("BodyPartExamined", "Laterality"))
    if "Laterality" not in state and text(header, "ImageLaterality") in {"L", "R"}:
        state.Laterality = text(header, "ImageLaterality")  # a presentation state has no Image Laterality
    if "BodyPartExamined" not in state and "Laterality" not in state:
        state.Laterality = None  # type 2C where it is not known whether the body part is paired
    _check(state, header, findings)
    return state


def _shown(header: Dataset) -> Dataset:
    """Return what a presentation state takes from its image: values that are none are left out."""
    bare = Dataset()
    for keyword in PATIENT_AND_STUDY:
        setattr(bare, keyword, None)
    for keyword in _IMAGE:
        bare[keyword] = header[keyword]
    bare.SamplesPerPixel, bare.PhotometricInterpretation = 1, "MONOCHROME2"
    bare.BitsAllocated, bare.BitsStored = 16, whole_number(header, "BitsStored", 16)
    bare.PixelRepresentation = whole_number(header, "PixelRepresentation", 0)
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if items(header, "ModalityLUTSequence"):
        bare.ModalityLUTSequence = header.ModalityLUTSequence
    elif slope:
        bare.RescaleSlope, bare.RescaleIntercept = f"{slope:.10g}", f"{intercept or 0:.10g}"
        bare.RescaleType = "US"
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if items(header, "VOILUTSequence"):
        bare.VOILUTSequence = header.VOILUTSequence
    elif centres and len(centres) == len(widths) and min(widths) >= 1:
        bare.WindowCenter, bare.WindowWidth = f"{centres[0]:.10g}", f"{widths[0]:.10g}"
        if text(header, "VOILUTFunction") in {"LINEAR", "LINEAR_EXACT", "SIGMOID"}:
            bare.VOILUTFunction = text(header, "VOILUTFunction")
    return bare


def _add_proportions(state: Dataset, header: Dataset) -> None:
    """State the proportions of the pixels; highdicom calls all of them square."""
    calibrated = numbers(header, "PixelSpacing")
    spacing = calibrated or numbers(header, "ImagerPixelSpacing") or numbers(header, "PixelAspectRatio")
    for area in state.DisplayedAreaSelectionSequence:
        if len(calibrated) == 2 and min(calibrated) > 0:
            area.pop("PresentationPixelAspectRatio", None)
            area.PresentationPixelSpacing = [f"{value:.10g}" for value in calibrated]
        elif len(spacing) == 2 and min(spacing) > 0:
            ratio = Fraction(spacing[0] / spacing[1]).limit_denominator(_LARGEST_RATIO)
            area.PresentationPixelAspectRatio = [ratio.numerator, ratio.denominator]


def _presentation_lut(header: Dataset) -> PresentationLUTTransformation:
    """Turn the values of a MONOCHROME1 film round: a presentation state replaces what the image implies."""
    inverse = text(header, "PhotometricInterpretation") == "MONOCHROME1"
    shape = PresentationLUTShapeValues.INVERSE if inverse else PresentationLUTShapeValues.IDENTITY
    return PresentationLUTTransformation(presentation_lut_shape=shape)


def _annotation(
    context: FilmContext, header: Dataset, layer: GraphicLayer, finding: Finding
) -> GraphicAnnotation:
    rows, columns = int(header.Rows), int(header.Columns)
    corners = np.array(box_corners(finding.candidate.box, rows, columns), dtype=np.float32)
    tracking = context.identity.uid(f"tracking:finding-{finding.number}")
    words = ascii_text(f"{context.package.finding.meaning} {finding.number}")
    label = f"{words}: {100 * finding.candidate.score:.0f} %. {AI_NOTICE}"
    anchor = (float(corners[:, 0].max()), float(corners[:, 1].min()))
    outline = GraphicObject(
        GraphicTypeValues.POLYLINE, corners, _PIXEL, tracking_id=words, tracking_uid=tracking
    )
    return GraphicAnnotation(
        referenced_images=[header],
        graphic_layer=layer,
        graphic_objects=[outline],
        text_objects=[TextObject(ascii_text(label), _PIXEL, anchor_point=anchor, anchor_point_visible=False)],
    )


def _check(state: Dataset, header: Dataset, findings: tuple[Finding, ...]) -> None:
    referenced = [
        (str(series.SeriesInstanceUID), str(image.ReferencedSOPInstanceUID))
        for series in state.ReferencedSeriesSequence
        for image in series.ReferencedImageSequence
    ]
    if referenced != [(str(header.SeriesInstanceUID), str(header.SOPInstanceUID))]:
        raise ResultInvalid("the presentation state does not refer to its film alone")
    if len(state.GraphicAnnotationSequence) != len(findings):
        raise ResultInvalid("the presentation state does not outline every finding of its film")
