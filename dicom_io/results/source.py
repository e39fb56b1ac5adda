"""Patient and study as the source states them, byte for byte.

Values are carried over undecoded wherever they are still undecoded: a name in any character set arrives as
it left, and no patient data passes through a decoder that might warn about it. What is no value of its
kind (an age of ``62``, two values where one may stand) is left out, as a result must not inherit the faults
of its source.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from dicom_io.results.values import is_value, single_characters

__all__ = ["PATIENT_AND_STUDY", "TEXT_REPRESENTATIONS", "copy_elements", "copy_patient_and_study"]

TEXT_REPRESENTATIONS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)

_CHARACTER_SET = re.compile(r"ISO[ ._-]?(?P<extended>2022[ ._-])?IR[ ._-]?(?P<number>\d+)", re.IGNORECASE)
# A raw element is converted at first use, and any malformed value fails here with its own error.
_CONVERSION_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    EOFError,
    OSError,
)
_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")

# PS3.3 C.7.1.1, C.7.1.3, C.7.2.1 to C.7.2.3; type 2 first, they are there even where the source lacks them
_TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
)
PATIENT_AND_STUDY = (
    *_TYPE_2,
    "StudyInstanceUID",
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "TypeOfPatientID",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientBirthTime",
    "QualityControlSubject",
    "EthnicGroup",
    "PatientComments",
    "ResponsiblePerson",
    "ResponsiblePersonRole",
    "ResponsibleOrganization",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "IssuerOfAccessionNumberSequence",
    "ConsultingPhysicianName",
    "StudyDescription",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingService",
    "ProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "LastMenstrualDate",
    "SmokingStatus",
    "Occupation",
    "AdditionalPatientHistory",
    "AdmissionID",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "PatientState",
)


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Copy character set, patient and study of ``source``; empty where a type 2 attribute is missing.

    The Study Instance UID is copied whatever its form. What has too many values is left out: a Patient ID
    with a backslash would be read as two values, or by its first as that of another patient, so the result
    has an empty one and names no wrong patient. Patient ID, name, accession number and study ID may be too
    long, which receivers find by them all the same; other text that is too long is left out.
    """
    terms = _character_set(source)
    if terms:
        target.SpecificCharacterSet = terms if len(terms) > 1 else terms[0]
    target.set_original_encoding(False, True, convert_encodings(terms) if terms else default_encoding)
    for keyword in _TYPE_2:
        setattr(target, keyword, None)
    copy_elements(source, target, PATIENT_AND_STUDY)
    _complete_conditional_modules(target)


def _complete_conditional_modules(target: Dataset) -> None:
    """Complete what the source began, or take it away where something is missing that cannot be empty."""
    trial = [
        keyword for keyword in PATIENT_AND_STUDY if keyword.startswith("ClinicalTrial") and keyword in target
    ]
    subject = "ClinicalTrialSubjectID" in target or "ClinicalTrialSubjectReadingID" in target
    if subject and all(
        keyword in target for keyword in ("ClinicalTrialSponsorName", "ClinicalTrialProtocolID")
    ):
        for keyword in ("ClinicalTrialProtocolName", "ClinicalTrialSiteID", "ClinicalTrialSiteName"):
            if keyword not in target:
                setattr(target, keyword, None)
        if "ClinicalTrialTimePointDescription" in target and "ClinicalTrialTimePointID" not in target:
            target.ClinicalTrialTimePointID = None
    else:
        for keyword in trial:
            delattr(target, keyword)
    if "DeidentificationMethod" not in target and "DeidentificationMethodCodeSequence" not in target:
        target.pop("PatientIdentityRemoved", None)
    if ("ResponsiblePerson" in target) != ("ResponsiblePersonRole" in target):
        target.pop("ResponsiblePerson", None)
        target.pop("ResponsiblePersonRole", None)


def copy_elements(source: Dataset, target: Dataset, keywords: tuple[str, ...]) -> None:
    """Copy what ``source`` has of ``keywords`` and is a value of its kind; what is none is left out."""
    character_sets = tuple(_character_set(source))
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is no DICOM keyword")
        if tag in source:
            element = _carried(source, BaseTag(tag), dictionary_VR(tag), character_sets)
            if element is not None:
                target[element.tag] = element


def _carried(
    source: Dataset, tag: BaseTag, representation: str, character_sets: tuple[str, ...]
) -> DataElement | RawDataElement | None:
    raw: Any = source.get_item(tag)
    if isinstance(raw, RawDataElement) and (raw.VR or representation) in TEXT_REPRESENTATIONS:
        value = (raw.value or b"").rstrip(b"\0 ")
        if not value or not _fits(tag, representation, single_characters(value, character_sets)):
            return None
        if len(value) % 2:
            value += b"\0" if representation == "UI" else b" "
        return RawDataElement(tag, representation, len(value), value, 0, False, True)
    try:
        element = source[tag]
    except _CONVERSION_ERRORS:
        return None
    if element.VR == "SQ":
        items = [_copied_item(item, character_sets) for item in element.value or ()]
        if keyword_for_tag(tag).endswith("CodeSequence"):
            items = [item for item in items if all(keyword in item for keyword in _CODE)]
        return DataElement(tag, "SQ", Sequence(items)) if items else None
    if element.is_empty or not _fits(tag, element.VR, _joined(element.value)):
        return None
    return DataElement(tag, element.VR, element.value, already_converted=True)


def _fits(tag: BaseTag, representation: str, text: str) -> bool:
    return keyword_for_tag(tag) == "StudyInstanceUID" or is_value(tag, representation, text)


def _joined(value: Any) -> str:
    return "\\".join(map(str, value)) if isinstance(value, (list, MultiValue)) else str(value)


def _copied_item(item: Dataset, character_sets: tuple[str, ...]) -> Dataset:
    copied = Dataset()
    character_sets = tuple(_character_set(item)) or character_sets
    copied.set_original_encoding(False, True, item.original_character_set or default_encoding)
    for tag in list(item.keys()):
        if not tag.is_private and tag.element != 0:
            raw: Any = item.get_item(tag)
            representation = raw.VR if raw.VR and raw.VR != "UN" else _known_representation(tag)
            element = _carried(item, tag, representation, character_sets) if representation else None
            if element is not None:
                copied[tag] = element
    return copied


def _known_representation(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def _character_set(source: Dataset) -> list[str]:
    """Return the source's character sets, with their common misspellings put right."""
    value = source.get("SpecificCharacterSet")
    terms = [value] if isinstance(value, str) else list(value or ())
    return [_put_right(str(term).strip()) for term in terms]


def _put_right(term: str) -> str:
    found = _CHARACTER_SET.fullmatch(term)
    if found is None:
        return term
    return f"ISO 2022 IR {found['number']}" if found["extended"] else f"ISO_IR {found['number']}"
