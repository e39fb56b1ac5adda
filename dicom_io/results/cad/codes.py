"""Coded concepts of the CAD templates, by the context group that each value is taken from (PS3.16).

Code meanings are those of the standard. A context group is given here as far as the reports use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from models.concepts import Concept

__all__ = ["CHEST_FINDINGS", "CHEST_VIEWS", "CHEST_VIEW_MODIFIERS", "Status", "dcm", "sct", "ucum"]


def dcm(code: str, meaning: str) -> Concept:
    """Return a concept of the DICOM Controlled Terminology."""
    return Concept(code, "DCM", meaning)


def sct(code: str, meaning: str) -> Concept:
    """Return a concept of SNOMED CT."""
    return Concept(code, "SCT", meaning)


def ucum(code: str, meaning: str) -> Concept:
    """Return a unit of measurement."""
    return Concept(code, "UCUM", meaning)


Status = Literal["succeeded", "partial", "failed", "not-attempted"]

ENGLISH: Final = Concept("en", "RFC5646", "English")  # CID 5000

# CID 6047 CAD Processing and Findings Summary
ALL_WITHOUT_FINDINGS: Final = dcm("111241", "All algorithms succeeded; without findings")
ALL_WITH_FINDINGS: Final = dcm("111242", "All algorithms succeeded; with findings")
SOME_WITHOUT_FINDINGS: Final = dcm("111243", "Not all algorithms succeeded; without findings")
SOME_WITH_FINDINGS: Final = dcm("111244", "Not all algorithms succeeded; with findings")
NONE_WITHOUT_FINDINGS: Final = dcm("111245", "No algorithms succeeded; without findings")

# CID 6042 Result Status
STATUS: Final[Mapping[Status, Concept]] = {
    "succeeded": dcm("111222", "Succeeded"),
    "partial": dcm("111223", "Partially Succeeded"),
    "failed": dcm("111224", "Failed"),
    "not-attempted": dcm("111225", "Not Attempted"),
}

# CID 6034 CAD Output Intended Use
PRESENTATION_REQUIRED: Final = dcm("111150", "Presentation Required: Rendering device is expected to present")
PRESENTATION_OPTIONAL: Final = dcm("111151", "Presentation Optional: Rendering device may present")

# CID 6101 Chest Finding or Feature, and of CID 6102 its modifiers that an abnormal opacity can be
ABNORMAL_OPACITY: Final = dcm("112033", "Abnormal opacity")
CHEST_FINDINGS: Final[Mapping[tuple[str, str], Concept]] = {
    ("27925004", "SCT"): sct("27925004", "Nodule"),
    ("4147007", "SCT"): sct("4147007", "Mass"),
}

# CID 6014 Mammography Single Image Finding, CID 6016 Mammography Composite Feature
BREAST_DENSITY: Final = sct("129793001", "Mammography breast density")
BREAST_MASS: Final = sct("129788004", "Mammographic breast mass")

# CID 6035 Composite Feature Relations, CID 6036 Feature Scope
RELATED_SPATIALLY: Final = dcm("111154", "Target Content Items are related spatially")
ON_MULTIPLE_IMAGES: Final = dcm("111158", "Feature detected on multiple images")

# CID 6043 Mammography CAD Analysis Type
SPATIAL_COLLOCATION: Final = sct("133884007", "Spatial collocation analysis")

# CID 6022 Side, CID 244 Laterality
BREASTS: Final = {"L": sct("80248007", "Left breast"), "R": sct("73056007", "Right breast")}
SIDES: Final = {
    "L": sct("7771000", "Left"),
    "R": sct("24028007", "Right"),
    "B": sct("51440002", "Bilateral"),
}

# CID 7470 Linear Measurement
HEIGHT: Final = dcm("121207", "Height")
WIDTH: Final = sct("103355008", "Width")

PERCENT: Final = ucum("%", "Percent")
MILLIMETRE: Final = ucum("mm", "mm")  # CID 7460
MICROMETRE: Final = ucum("um", "micrometer")
SLICE_MILLIMETRE: Final = ucum("mm", "millimeter")  # as TID 4020 has it
DEGREE: Final = ucum("deg", "deg")
PIXELS: Final = ucum("{pixels}", "pixels")

# CID 4010 DX View: by View Position (PS3.3 C.8.7.1.1, C.8.11.5.1.1), and by the codes that sources write,
# SNOMED CT or SNOMED-RT.
_PA, _AP = sct("272479007", "postero-anterior"), sct("399348003", "antero-posterior")
_LATERAL = sct("399067008", "lateral")
_LEFT_LATERAL, _RIGHT_LATERAL = sct("399173006", "left lateral"), sct("399198007", "right lateral")
CHEST_VIEWS: Final[Mapping[str, Concept]] = {
    "PA": _PA,
    "AP": _AP,
    "LAT": _LATERAL,
    "LATERAL": _LATERAL,
    "LL": _LEFT_LATERAL,
    "LLAT": _LEFT_LATERAL,
    "RL": _RIGHT_LATERAL,
    "RLAT": _RIGHT_LATERAL,
    "272479007": _PA,
    "R-10214": _PA,
    "R-40888": _PA,
    "399348003": _AP,
    "R-10206": _AP,
    "399067008": _LATERAL,
    "R-102CD": _LATERAL,
    "399173006": _LEFT_LATERAL,
    "R-10236": _LEFT_LATERAL,
    "399198007": _RIGHT_LATERAL,
    "R-10232": _RIGHT_LATERAL,
}

# CID 4011 DX View Modifier
CHEST_VIEW_MODIFIERS: Final[Mapping[str, Concept]] = {
    concept.code: concept
    for concept in (
        dcm("111069", "Crosstable"),
        sct("399162004", "caudad"),
        sct("399196006", "cephalad"),
        sct("272476000", "transthoracic"),
    )
}

# CID 4014 View for Mammography, CID 4015 View Modifier for Mammography; keys as in PS3.3 Table C.8-77
MAMMOGRAPHY_VIEWS: Final[Mapping[str, Concept]] = {
    "CC": sct("399162004", "cranio-caudal"),
    "MLO": sct("399368009", "medio-lateral oblique"),
    "ML": sct("399260004", "medial-lateral"),
    "LM": sct("399352003", "latero-medial"),
    "LMO": sct("399099002", "latero-medial oblique"),
    "FB": sct("399196006", "caudo-cranial"),
    "SIO": sct("399188001", "superolateral to inferomedial oblique"),
    "ISO": sct("441555000", "inferomedial to superolateral oblique"),
    "XCCL": sct("399192008", "cranio-caudal exaggerated laterally"),
    "XCCM": sct("399101009", "cranio-caudal exaggerated medially"),
}
MAMMOGRAPHY_VIEW_MODIFIERS: Final[Mapping[str, Concept]] = {
    "CV": sct("399161006", "Cleavage"),
    "AT": sct("399011000", "Axillary Tail"),
    "RL": sct("399197002", "Rolled Lateral"),
    "RM": sct("399226006", "Rolled Medial"),
    "RI": sct("414493004", "Rolled Inferior"),
    "RS": sct("415670009", "Rolled Superior"),
    "ID": sct("399209000", "Implant Displaced"),
    "M": sct("399163009", "Magnification"),
    "S": sct("399055006", "Spot Compression"),
    "TAN": sct("399110001", "tangential"),
    "NP": sct("442581004", "Nipple in profile"),
    "AC": sct("441752004", "Anterior compression"),
    "IMF": sct("442593008", "Infra-mammary fold"),
    "AX": sct("442580003", "Axillary tissue"),
}
