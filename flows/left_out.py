"""What the code of an image that is not read says: that it failed, or that nobody meant it to be read."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage
from dicom_io.reading.attributes import text
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.laterality import laterality_of
from dicom_io.reading.mammography.view import view_of_mammogram
from dicom_io.reading.sequences import SET_ASIDE_CODES
from models.mammography_results import MAMMOGRAPHY_VIEWS

__all__ = ["is_of_another_kind", "is_said_mammogram"]

_OF_ANOTHER_KIND = SET_ASIDE_CODES | {
    "bad-photometric",
    "lateral-view",
    "not-chosen",
    "other-body-part",
    "own-result",
    "quality-control-image",
    "secondary-capture",
    "sequence-not-read",
    "several-patients",
    "wrong-body-part",
    "wrong-modality",
    "wrong-sop-class",
}
# What these say against an image does not outweigh that it names a breast and a view.
_OF_HOW_IT_IS_STORED = frozenset(
    {
        "bad-photometric",
        "other-body-part",
        "quality-control-image",
        "secondary-capture",
        "wrong-body-part",
        "wrong-sop-class",
    }
)
_PROJECTIONS = frozenset({"", "CR", "DX", "MG", "OT", "RF", "RG", "SC", "XC"})
_NO_VIEW = frozenset({"missing-view", "wrong-view"})


def is_of_another_kind(code: str) -> bool:
    """Return whether the code of an UnsuitableImage says that the package was never meant for it."""
    return code in _OF_ANOTHER_KIND


def is_said_mammogram(header: Dataset, code: str) -> bool:
    """Return whether an image that is left out as another kind is by its header a mammogram all the same.

    It names a view of the breast, or says as MG which breast it shows. An image in colour or in an unusual
    container would else vanish behind a report that calls itself complete.

    Parameters
    ----------
    header : Dataset
        Of the image.
    code : str
        Of the UnsuitableImage.
    """
    modality = text(header, "Modality")
    if modality not in _PROJECTIONS or code not in {*_OF_HOW_IT_IS_STORED, "wrong-modality"}:
        return False
    plain = with_functional_groups(header)
    return _names_view(plain) or (modality == "MG" and _names_breast(plain))


def _names_view(header: Dataset) -> bool:
    try:
        return view_of_mammogram(header).view in MAMMOGRAPHY_VIEWS
    except UnsuitableImage as error:
        return error.code not in _NO_VIEW


def _names_breast(header: Dataset) -> bool:
    try:
        return bool(laterality_of(header))
    except UnsuitableImage as error:
        return error.code != "missing-laterality"
