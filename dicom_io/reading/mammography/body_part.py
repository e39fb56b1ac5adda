"""Whether the body part of a mammogram is the breast, in whatever words a site writes.

Body Part Examined is typed by people in every language (``MAMMO``, ``BRUST``, ``SENO``), so that a word that
is not known is no evidence against an image that names a view of the breast.
"""

from __future__ import annotations

from typing import Final

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import shown
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.facts import facts_of
from dicom_io.reading.view import body_parts_of
from models.package import InputContract

__all__ = ["check_breast"]

_BREAST: Final = (
    "MAM",
    "BREAST",
    "BRUST",
    "SEIN",
    "SENO",
    "MAMA",
    "PECHO",
    "BORST",
    "BRYST",
    "BRÖST",
    "BROST",
)
# Words that begin as one of the breast does: thoracic cage and spine.
_NO_BREAST: Final = ("BRUSTBEIN", "BRUSTKORB", "BRUSTWIRBEL", "BORSTBEEN", "BORSTKAS", "BORSTWERVEL")
_OTHER: Final = (
    *_NO_BREAST,
    *("ABDOMEN", "ANKLE", "ARM", "CHEST", "CLAVICLE", "CSPINE", "ELBOW", "EXTREMITY", "FEMUR", "FINGER"),
    *("FOOT", "FOREARM", "HAND", "HEAD", "HEART", "HIP", "HUMERUS", "JAW", "KNEE", "LEG", "LSPINE", "LUNG"),
    "MANDIBLE",
    *("NECK", "PELVIS", "RIB", "SHOULDER", "SKULL", "SPINE", "STERNUM", "THIGH", "THORAX", "TIBIA", "TOE"),
    *("TSPINE", "WRIST"),
)  # fmt: skip


def check_breast(header: Dataset, contract: InputContract) -> None:
    """Refuse an image that is said to be of another part of the body, and states no breast and view.

    Parameters
    ----------
    header : Dataset
        With what its functional groups say at the top.
    contract : InputContract
        Of a package for mammography; its words for the body part count as the breast too.

    Raises
    ------
    UnsuitableImage
        ``other-body-part``: an image that should have been read, as long as nobody has looked at it;
        ``missing-body-part``: nothing names one, and the package asks for it.
    """
    if not contract.body_parts or _states_view(header):
        return
    stated = body_parts_of(header)
    if not stated:
        if not contract.accept_unknown_body_part:
            raise UnsuitableImage("missing-body-part", "no attribute names the body part")
        return
    if any(
        _begins(part, (*_BREAST, *contract.body_parts)) and not _begins(part, _NO_BREAST) for part in stated
    ):
        return
    if other := next((part for part in stated if _begins(part, _OTHER)), None):
        raise UnsuitableImage(
            "other-body-part", f"Body Part Examined is {shown(other)}, and no breast and view are stated"
        )


def _states_view(header: Dataset) -> bool:
    try:
        return bool(facts_of(header).view.view)
    except UnsuitableImage:
        return False


def _begins(part: str, words: tuple[str, ...]) -> bool:
    spelt = "".join(c if c.isalnum() else " " for c in part.upper()).split()
    return any(one.startswith(word.upper()) for one in spelt for word in words)
