"""Codes of mammographic views, view modifiers and sides, as devices of all ages write them.

References
----------
PS3.16 CID 4014 View for Mammography, CID 4015 View Modifier for Mammography, CID 244 Laterality, CID 4013
Anatomic Region for Mammography. SNOMED CT codes (SCT) stand beside the SNOMED-RT codes that older objects
carry under the designators SRT, SNM3 and 99SDM; receivers are to take both (note 2 of CID 4015).
"""

from __future__ import annotations

from typing import Final, Literal

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import text

__all__ = ["MODIFIERS", "REGIONS", "SIDES", "SPECIMEN", "VIEWS", "known"]

SPECIMEN: Final = "SPECIMEN"
_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})

VIEWS: Final[dict[str, str]] = {
    "399260004": "ML",
    "R-10224": "ML",
    "399368009": "MLO",
    "R-10226": "MLO",
    "399352003": "LM",
    "R-10228": "LM",
    "399099002": "LMO",
    "R-10230": "LMO",
    "399162004": "CC",
    "R-10242": "CC",
    "399196006": "FB",
    "R-10244": "FB",
    "399188001": "SIO",
    "R-102D0": "SIO",
    "441555000": "ISO",
    "R-40AAA": "ISO",
    "399265009": "XCC",  # of earlier editions: exaggerated, without saying where to
    "R-102CF": "XCC",
    "399192008": "XCCL",
    "R-1024A": "XCCL",
    "Y-X1770": "XCCL",  # of earlier editions
    "399101009": "XCCM",
    "R-1024B": "XCCM",
    "Y-X1771": "XCCM",
    "127457009": SPECIMEN,
    "G-8310": SPECIMEN,
}
MODIFIERS: Final[dict[str, str]] = {
    "399161006": "CV",
    "R-102D2": "CV",
    "399011000": "AT",
    "R-102D1": "AT",
    "399197002": "RL",
    "R-102D3": "RL",
    "399226006": "RM",
    "R-102D4": "RM",
    "414493004": "RI",
    "R-102CA": "RI",
    "415670009": "RS",
    "R-102C9": "RS",
    "399209000": "ID",
    "R-102D5": "ID",
    "399163009": "M",
    "R-102D6": "M",
    "399055006": "S",
    "R-102D7": "S",
    "399110001": "TAN",
    "R-102C2": "TAN",
    "442581004": "NP",
    "R-40AB3": "NP",
    "441752004": "AC",
    "P2-00161": "AC",
    "442593008": "IMF",
    "R-40ABE": "IMF",
    "442580003": "AX",
    "R-40AB2": "AX",
}
SIDES: Final[dict[str, Literal["L", "R", "B"]]] = {
    "7771000": "L",
    "G-A101": "L",
    "24028007": "R",
    "G-A100": "R",
    "51440002": "B",
    "G-A102": "B",
}
REGIONS: Final[dict[str, Literal["L", "R", "B"]]] = {
    "80248007": "L",
    "T-04030": "L",
    "73056007": "R",
    "T-04020": "R",
    "63762007": "B",
    "T-04080": "B",
}


def known(item: Dataset) -> str:
    """Return the code value of a SNOMED code item, ``""`` where it is of another scheme."""
    return text(item, "CodeValue") if text(item, "CodingSchemeDesignator") in _SCHEMES else ""
