"""Reading of images: what a package accepts, by header; decoding to a film as it is displayed.

Whatever a file holds, reading it gives a film or an UnsuitableImage with a code and words.
"""

from __future__ import annotations

from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.film import read_film
from dicom_io.reading.header import check_header, read_header
from dicom_io.reading.mammogram import read_mammogram
from dicom_io.reading.mammography import mammogram_statements
from dicom_io.reading.selection import Rejected, SelectedInstance, Selection, select_instances
from dicom_io.receive.part10 import data_set_sha256

__all__ = [
    "Rejected",
    "SelectedInstance",
    "Selection",
    "UnsuitableImage",
    "check_header",
    "data_set_sha256",
    "mammogram_statements",
    "read_film",
    "read_header",
    "read_mammogram",
    "select_instances",
]
