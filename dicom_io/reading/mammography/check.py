"""Whether a package reads a mammogram, as far as its header tells."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import text
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.facts import MAGNIFIED_FROM, facts_of, has_implant, magnification_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.kind import check_kind
from dicom_io.reading.mammography.orientation import check_orientation
from dicom_io.reading.mammography.view import StatedView, view_of_mammogram
from models.package_tables import MammographyContract

__all__ = ["check_mammogram"]

_WORDS = {
    "AC": ("view-modifier-not-read", "an anterior compression view"),
    "AT": ("view-modifier-not-read", "a view of the axillary tail"),
    "AX": ("view-modifier-not-read", "a view of axillary tissue"),
    "CV": ("both-breasts", "a cleavage view, which shows parts of both breasts"),
    "ID": ("implant", "a view with the implant displaced"),
    "IMF": ("view-modifier-not-read", "a view of the inframammary fold"),
    "M": ("magnification-view", "a magnification view"),
    "NP": ("view-modifier-not-read", "a view with the nipple in profile"),
    "RI": ("view-modifier-not-read", "a rolled view"),
    "RL": ("view-modifier-not-read", "a rolled view"),
    "RM": ("view-modifier-not-read", "a rolled view"),
    "RS": ("view-modifier-not-read", "a rolled view"),
    "S": ("spot-view", "a spot compression view"),
    "TAN": ("view-modifier-not-read", "a tangential view"),
}
# An image can be several of them; what it is first of all.
_FIRST = ("S", "M", "CV", "ID")


def check_mammogram(header: Dataset, contract: MammographyContract) -> None:
    """Check kind, patient, view, breast, orientation and implant of an image.

    Raises
    ------
    UnsuitableImage
        The first reason found, most telling first.
    """
    plain = with_functional_groups(header)
    check_kind(plain)
    if text(plain, "PatientSex") == "M" and not contract.accept_male:
        raise UnsuitableImage(
            "male-patient",
            "the package is made for images of women, and the patient is not one by the header",
        )
    stated = view_of_mammogram(plain)
    _check_modifiers(plain, stated, contract)
    if stated.view not in contract.views:
        raise UnsuitableImage("wrong-view", f"the view is {stated.view}, not {' or '.join(contract.views)}")
    facts = facts_of(plain)
    check_orientation(plain, stated.view, facts.laterality)
    if has_implant(plain, stated.modifiers) and not contract.accept_implants:
        raise UnsuitableImage("implant", "the breast has an implant, which the package does not know")


def _check_modifiers(header: Dataset, stated: StatedView, contract: MammographyContract) -> None:
    refused = [modifier for modifier in stated.modifiers if modifier in contract.refused_modifiers]
    for modifier in sorted(refused, key=lambda one: (one not in _FIRST, one)):
        code, words = _WORDS[modifier]
        raise UnsuitableImage(code, f"the image is {words}")
    magnification = magnification_of(header)
    if "M" in contract.refused_modifiers and magnification is not None and magnification >= MAGNIFIED_FROM:
        raise UnsuitableImage(
            "magnification-view", f"the image is magnified {magnification:.2f} times: it is no contact view"
        )
