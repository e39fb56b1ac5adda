"""Reading conventions of mammography: which breast, which view, which kind of image, and what is refused."""

from __future__ import annotations

from dicom_io.reading.mammography.body_part import check_breast
from dicom_io.reading.mammography.check import check_mammogram
from dicom_io.reading.mammography.doubts import (
    mammogram_doubts,
    orientation_doubt,
    paddle_doubt,
    unstated_orientation_doubt,
)
from dicom_io.reading.mammography.facts import MammogramFacts, facts_of
from dicom_io.reading.mammography.functional_groups import with_functional_groups
from dicom_io.reading.mammography.kind import check_kind
from dicom_io.reading.mammography.orientation import chest_wall_of
from dicom_io.reading.mammography.statements import mammogram_statements

__all__ = [
    "MammogramFacts",
    "check_breast",
    "check_kind",
    "check_mammogram",
    "chest_wall_of",
    "facts_of",
    "mammogram_doubts",
    "mammogram_statements",
    "orientation_doubt",
    "paddle_doubt",
    "unstated_orientation_doubt",
    "with_functional_groups",
]
