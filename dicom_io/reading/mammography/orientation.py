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

__all__ = ["check_orientation", "chest_wall_of"]

# The detector lies below and beside the breast in the first, below and between the breasts in the others.
_DOWN_IS_MEDIAL = frozenset({"MLO", "LMO"})
_DOWN_IS_LATERAL = frozenset({"SIO", "ISO"})


def chest_wall_of(header: Dataset) -> ImageSide | None:
    """Return on which side of the stored image the chest wall lies by Patient Orientation, None if unsaid.

    Rows that run to the front (A) start at the chest wall. A left breast is usually stored that way and a
    right one the other way, but either may be stored mirrored: the side tells nothing of the breast.
    """
    rows, _ = _directions(header)
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
    rows, columns = _directions(header)
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


def _directions(header: Dataset) -> tuple[str, str]:
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
