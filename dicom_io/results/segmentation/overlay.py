"""highdicom's content under our own header."""

from __future__ import annotations

from typing import Any, Final

from pydicom.dataset import Dataset
from pydicom.filewriter import correct_ambiguous_vr_element
from pydicom.uid import UID

from dicom_io.results.context import ResultContext

__all__ = ["HEADER_STAND_INS", "add_content"]

# What highdicom's constructors want and our own header says better.
HEADER_STAND_INS: Final[dict[str, Any]] = {
    "series_instance_uid": "2.25.1",
    "series_number": 1,
    "sop_instance_uid": "2.25.2",
    "instance_number": 1,
    "manufacturer": "-",
    "manufacturer_model_name": "-",
    "software_versions": "-",
    "device_serial_number": "-",
}


def add_content(
    header: Dataset, content: Dataset, context: ResultContext, *, instance: str, transfer_syntax_uid: str
) -> None:
    """Add to ``header`` what ``content`` says beyond it.

    What the header has stays: patient and study as the source encodes them, equipment, times and UIDs. The
    dimension organization, which highdicom numbers at random, is named after the result.

    Parameters
    ----------
    header : Dataset
        Made by :func:`dicom_io.results.header.start`; changed.
    content : Dataset
        An object of highdicom, made without patient data.
    context : ResultContext
        The reading.
    instance : str
        Kind of the object within the result.
    transfer_syntax_uid : str
        Of the object.
    """
    for element in content:
        if element.tag not in header:
            header[element.tag] = correct_ambiguous_vr_element(element, content, True)
    header.ContentCreatorName = None
    organization = context.identity.uid(f"dimension-organization:{instance}")
    for item in header.DimensionOrganizationSequence:
        item.DimensionOrganizationUID = organization
    for item in header.get("DimensionIndexSequence") or ():
        item.DimensionOrganizationUID = organization
    header.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
