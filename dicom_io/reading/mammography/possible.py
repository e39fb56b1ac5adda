"""Which breasts and views an image may show whose header leaves that open, or contradicts itself."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, text
from dicom_io.reading.mammography.codes import VIEWS, known
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.laterality import sides_named
from dicom_io.reading.mammography.position import read_position
from models.mammography_results import MAMMOGRAPHY_VIEWS, Breast

__all__ = ["possible_views"]

_BREASTS: tuple[Breast, ...] = ("R", "L")
_STANDARD = ("CC", "MLO")


def possible_views(header: Dataset) -> tuple[tuple[Breast, str], ...]:
    """Return every pair of breast and view that any attribute names; nothing where none names either.

    What the header does not say counts as open: both breasts, and the two views of screening.
    """
    plain = with_functional_groups(header)
    coded = [VIEWS.get(known(item), "") for item in items(plain, "ViewCodeSequence")]
    written = read_position(text(plain, "ViewPosition")).view
    views = tuple(dict.fromkeys(name for name in (*coded, written) if name in MAMMOGRAPHY_VIEWS))
    named = sides_named(plain)
    sides = tuple(side for side in _BREASTS if side in named or "B" in named)
    if not views and not sides:
        return ()
    return tuple((side, view) for side in sides or _BREASTS for view in views or _STANDARD)
