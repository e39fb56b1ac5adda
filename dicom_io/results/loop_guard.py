"""Own results are recognised when they come back."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

__all__ = [
    "MANUFACTURER",
    "MODEL_NAME",
    "PURPOSE_CODE",
    "PURPOSE_MEANING",
    "PURPOSE_SCHEME",
    "RESULT_SOP_CLASSES",
    "is_own_result",
]

MANUFACTURER = "SecondRead"
MODEL_NAME = "SecondRead"
# IHE Radiology AI Results, Contributing Equipment
PURPOSE_CODE, PURPOSE_SCHEME, PURPOSE_MEANING = "Newcode1", "99IHE", "Processing Algorithm"

RESULT_SOP_CLASSES = frozenset(
    str(uid)
    for uid in (
        EnhancedSRStorage,
        ComprehensiveSRStorage,
        Comprehensive3DSRStorage,
        SecondaryCaptureImageStorage,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        SegmentationStorage,
        GrayscaleSoftcopyPresentationStateStorage,
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.88.50",  # Mammography CAD SR
        "1.2.840.10008.5.1.4.1.1.88.65",  # Chest CAD SR
    )
)


def is_own_result(header: Dataset) -> bool:
    """Return whether ``header`` belongs to an object that a SecondRead made.

    An own result has one of the result SOP classes, names SecondRead as the manufacturer of the object
    itself, and either as its model or beside an algorithm that contributed. A report of somebody else is
    never taken for an own one, even where it refers to our objects or copied their contributing equipment.

    Works on any data set, whatever is missing or malformed in it.
    """
    if _text(header, "SOPClassUID") not in RESULT_SOP_CLASSES:
        return False
    if _text(header, "Manufacturer").casefold() != MANUFACTURER.casefold():
        return False
    model = _text(header, "ManufacturerModelName").casefold() == MODEL_NAME.casefold()
    return model or _has_processing_algorithm(header)


def _has_processing_algorithm(header: Dataset) -> bool:
    for item in _items(header, "ContributingEquipmentSequence"):
        for code in _items(item, "PurposeOfReferenceCodeSequence"):
            if (_text(code, "CodeValue"), _text(code, "CodingSchemeDesignator")) == (
                PURPOSE_CODE,
                PURPOSE_SCHEME,
            ):
                return True
    return False


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = dataset.get(keyword)
    return list(value) if isinstance(value, Sequence) else []


def _text(dataset: Dataset, keyword: str) -> str:
    value = dataset.get(keyword)
    return "" if value is None else str(value).strip("\0 ")
