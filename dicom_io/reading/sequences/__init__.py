"""Which series of a study is T1, T1 with contrast, T2 or FLAIR: by tags, then by the image, then ranked."""

from __future__ import annotations

from dicom_io.reading.sequences.choose import Choice, choose_series
from dicom_io.reading.sequences.describe import SeriesDescription, describe_series
from dicom_io.reading.sequences.kinds import SET_ASIDE_CODES, SetAside
from dicom_io.reading.sequences.rules import RANKING_RULES, RECOGNITION_RULES

__all__ = [
    "RANKING_RULES",
    "RECOGNITION_RULES",
    "SET_ASIDE_CODES",
    "Choice",
    "SeriesDescription",
    "SetAside",
    "choose_series",
    "describe_series",
]
