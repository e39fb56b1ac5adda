"""Which kind of image of the breast an object is: what is no mammogram of a patient's breast is refused.

References
----------
PS3.3 C.8.11.7.1.4 Image Type of mammograms: value 3 tells stereotactic and biopsy images, projections and
reconstructions of tomosynthesis and images with contrast medium, value 4 what was computed
(``GENERATED_2D``); C.8.11.4 Detector Type FILM and C.8.6.1 Conversion Type DF for digitised films.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, number, shown, text, texts
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.codes import SPECIMEN
from dicom_io.reading.mammography.view import is_specimen_view

__all__ = ["check_kind", "is_digitised", "is_said_synthetic", "is_synthetic"]

_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_COMPUTED_RADIOGRAPHY = "1.2.840.10008.5.1.4.1.1.1"
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_BIOPSY = re.compile(r"STEREO(_\w+)?|(PREFIRE|POSTFIRE|POSTBIOPSY|POSTMARKER)(_\w+)?|TOMO_SCOUT")
# Defined values, and what devices write beside or instead of them: RECOMBINED, CEDM, DUAL-ENERGY SUBTRACTED.
_CONTRAST = re.compile(
    r"(.*_)?(PRE_?CONTRAST|POST_?CONTRAST|CONTRAST|ADDITION|SUBTRACT\w*|(LOW|HIGH|DUAL)_?ENERGY|RECOMBIN\w*"
    r"|CE_?DM|CE_?SM|CEM|CE_?2D|TICEM|IODINE)(_.*)?"
)
_NO_AGENT = frozenset({"", "NO", "NONE", "N", "N/A", "NA", "0"})
_GENERATED = frozenset({"GENERATED_2D", "TOMO_2D"})  # the second of devices made before the first was defined
_SCANNED_BY = ("NominalScannedPixelSpacing", "DigitizingDeviceTransportDirection", "RotationOfScannedFilm")
# Words of devices that name a synthesised view in the description alone; they never decide, they are told.
_SAID = re.compile(r"\b(C-?VIEW|S-?VIEW|V-?PREVIEW|INTELLIGENT ?2D|INSIGHT ?2D|SYNTHETIC|SYNTHESI[SZ]ED)\b")


def check_kind(header: Dataset) -> None:
    """Refuse what is no projection of a patient's breast that people read as a mammogram.

    Raises
    ------
    UnsuitableImage
        ``tomosynthesis``, ``quality-control-image``, ``specimen``, ``biopsy-image``, ``contrast-enhanced``,
        ``secondary-capture`` or, of computed radiography, ``wrong-sop-class``.
    """
    if text(header, "QualityControlImage") == "YES" or text(header, "CalibrationImage") == "YES":
        raise UnsuitableImage("quality-control-image", "the image is of a test object, not of a breast")
    if _is_specimen(header):
        raise UnsuitableImage("specimen", "the image is of a tissue specimen, not of a breast")
    kinds = _kinds(header)
    if biopsy := next(filter(_BIOPSY.fullmatch, kinds), None):
        raise UnsuitableImage(
            "biopsy-image",
            f"the image belongs to a stereotactic or biopsy procedure: Image Type {shown(biopsy)}",
        )
    if contrast := next(filter(_CONTRAST.fullmatch, kinds), None):
        raise UnsuitableImage(
            "contrast-enhanced",
            f"the image is of contrast-enhanced mammography: Image Type {shown(contrast)}",
        )
    if _has_contrast_agent(header):
        raise UnsuitableImage("contrast-enhanced", "the image was made with a contrast agent, by its header")
    _check_tomosynthesis(header, kinds)
    captured = text(header, "SOPClassUID")
    if captured == _COMPUTED_RADIOGRAPHY and not is_digitised(header):
        raise UnsuitableImage(
            "wrong-sop-class", "the image is of computed radiography and not said to be a digitised film"
        )
    if (captured == _SECONDARY_CAPTURE or captured.startswith(f"{_SECONDARY_CAPTURE}.")) and not is_digitised(
        header
    ):
        raise UnsuitableImage(
            "secondary-capture", "the image is a Secondary Capture that is not said to be a digitised film"
        )


def _check_tomosynthesis(header: Dataset, kinds: tuple[str, ...]) -> None:
    is_tomosynthesis = text(header, "SOPClassUID") == _TOMOSYNTHESIS
    if is_tomosynthesis and not is_synthetic(header):
        raise UnsuitableImage(
            "tomosynthesis", "tomosynthesis is not supported: the object is a Breast Tomosynthesis Image"
        )
    frames = number(header, "NumberOfFrames")
    if frames is not None and frames > 1:
        raise UnsuitableImage(
            "tomosynthesis",
            f"tomosynthesis and other sets of images are not supported: the object has {int(frames)} frames",
        )
    described = len(items(header, "PerFrameFunctionalGroupsSequence"))
    if described > 1:
        raise UnsuitableImage(
            "tomosynthesis",
            "tomosynthesis and other sets of images are not supported: the object describes "
            f"{described} frames",
        )
    if is_synthetic(header):
        return
    if kind := next((kind for kind in kinds if kind.startswith("TOMO")), None):
        raise UnsuitableImage(
            "tomosynthesis",
            f"tomosynthesis is not supported: Image Type is {shown(kind)} and not GENERATED_2D",
        )
    if text(header, "VolumetricProperties") in ("VOLUME", "MIXED"):
        raise UnsuitableImage(
            "tomosynthesis", "tomosynthesis is not supported: the image is a plane of a volume"
        )


def _kinds(header: Dataset) -> tuple[str, ...]:
    """Return Image Type from its third value on."""
    return tuple(re.sub(r"[ -]", "_", kind) for kind in texts(header, "ImageType")[2:] if kind)


def _has_contrast_agent(header: Dataset) -> bool:
    """Return whether Contrast/Bolus Agent (PS3.3 C.7.6.4, C.7.6.4b) names one, in words or in codes."""
    return (
        text(header, "ContrastBolusAgent") not in _NO_AGENT
        or text(header, "ContrastBolusIngredient") not in _NO_AGENT
        or bool(items(header, "ContrastBolusAgentSequence"))
    )


def _is_specimen(header: Dataset) -> bool:
    return (
        is_specimen_view(header)
        or bool(items(header, "SpecimenDescriptionSequence"))
        or bool(text(header, "ContainerIdentifier"))
        or SPECIMEN in text(header, "BodyPartExamined")
        or SPECIMEN in _kinds(header)
    )


def is_synthetic(header: Dataset) -> bool:
    """Return whether the image was computed from tomosynthesis as a two-dimensional view."""
    return not _GENERATED.isdisjoint(_kinds(header))


def is_said_synthetic(header: Dataset) -> bool:
    """Return whether only a description has one of the names that devices give to synthesised views."""
    said = (text(header, keyword) for keyword in ("SeriesDescription", "DerivationDescription"))
    return not is_synthetic(header) and any(_SAID.search(words) for words in said)


def is_digitised(header: Dataset) -> bool:
    """Return whether a film was scanned."""
    return (
        text(header, "ConversionType") == "DF"
        or text(header, "DetectorType") == "FILM"
        or any(text(header, keyword) for keyword in _SCANNED_BY)
    )
