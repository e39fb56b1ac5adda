"""Where the chest wall lies in the stored image, and whether Patient Orientation agrees with the breast.

References
----------
PS3.3 C.7.6.1.1.1 Patient Orientation: directions of the rows and of the columns of the image as it is
stored, after any rotation and flip (Field of View Rotation and Field of View Horizontal Flip, C.8.11.4, say
how the detector was turned and change nothing here); PS3.17 Annex A, figure A-11, for the oblique view.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import shown, texts
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from models.mammography_results import Breast, ImageSide

__all__ = [
    "check_orientation",
    "chest_wall_of",
    "is_upside_down",
    "orientation_contradicts",
    "orientation_of",
]

# The detector lies below and beside the breast in the first, below and between the breasts in the others.
_DOWN_IS_MEDIAL = frozenset({"MLO", "LMO"})
_DOWN_IS_LATERAL = frozenset({"SIO", "ISO"})
_CRANIOCAUDAL = frozenset({"CC", "XCC", "XCCL", "XCCM"})
_STANDING = frozenset({"MLO", "LMO", "ML", "LM", "SIO", "ISO"})


def chest_wall_of(header: Dataset) -> ImageSide | None:
    """Return on which side of the stored image the chest wall lies by Patient Orientation, None if unsaid.

    Rows that run to the front (A) start at the chest wall. A left breast is usually stored that way and a
    right one the other way, but either may be stored mirrored: the side tells nothing of the breast.
    """
    rows, _ = orientation_of(header)
    return {"A": "left", "P": "right"}.get(rows[:1])  # type: ignore[return-value]


def check_orientation(header: Dataset, view: str, laterality: Breast) -> None:
    """Check Patient Orientation against what the other attributes say.

    The columns of an oblique view run down and inwards (``FL`` for a right breast), so that they name the
    breast.

    Raises
    ------
    UnsuitableImage
        ``rotated-image``: the chest wall lies at the top or bottom; ``laterality-contradiction``.
    """
    rows, columns = orientation_of(header)
    if rows[:1] not in ("A", "P"):
        if columns[:1] in ("A", "P"):
            raise UnsuitableImage(
                "rotated-image",
                f"Patient Orientation is {shown(rows)}, {shown(columns)}: the chest wall lies at the top or "
                "the bottom of the image",
            )
        return
    implied = _breast(columns, view)
    if implied and implied != laterality:
        raise UnsuitableImage(
            "laterality-contradiction",
            f"the laterality is {laterality}, but Patient Orientation is {shown(rows)}, {shown(columns)}: "
            f"that is {view} of the other breast",
        )


def is_upside_down(header: Dataset, view: str) -> bool:
    """Return whether the columns of an oblique or lateral view run upwards (``H``): its head lies below."""
    return view in _STANDING and "H" in orientation_of(header)[1]


def orientation_contradicts(header: Dataset, view: str, laterality: Breast) -> bool:
    """Return whether the columns of a craniocaudal view are not those of the breast that is stated.

    A craniocaudal view is seen along the beam, from the head to the feet, with the lateral side at the top:
    ``P, L`` is a right breast and ``A, R`` a left one, and their columns run to the middle of the body also
    where the image is stored mirrored (``A, L`` and ``P, R``). ``A, R`` of a right breast is a right breast
    turned by 180 degrees, or just as well a left one under the wrong name. Columns that run to the head or to
    the feet are none of this view.
    """
    columns = orientation_of(header)[1]
    if view not in _CRANIOCAUDAL or not columns:
        return False
    return columns[0] in {laterality, "H", "F"}


def orientation_of(header: Dataset) -> tuple[str, str]:
    """Return the directions of rows and columns, both empty where Patient Orientation has not two values."""
    values = texts(with_functional_groups(header), "PatientOrientation")
    return (values[0], values[1]) if len(values) == 2 else ("", "")


def _breast(columns: str, view: str) -> str:
    """Return the breast whose oblique view has such columns, ``""`` where they tell none."""
    vertical, sideways = set(columns) & set("HF"), set(columns) & set("LR")
    if len(vertical) != 1 or len(sideways) != 1 or view not in _DOWN_IS_MEDIAL | _DOWN_IS_LATERAL:
        return ""
    (towards,) = sideways
    downwards, medial = "F" in vertical, view in _DOWN_IS_MEDIAL
    other = "L" if towards == "R" else "R"
    return other if downwards == medial else towards
