"""Patient and study as the source states them, byte for byte.

Values are carried over undecoded wherever they are still undecoded: a name in any character set arrives as
it left, and no patient data passes through a decoder that might warn about it. What is no value of its
kind (an age of ``62``) is left out, as a result must not inherit the faults of its source.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

__all__ = ["PATIENT_AND_STUDY", "TEXT_REPRESENTATIONS", "copy_elements", "copy_patient_and_study"]

TEXT_REPRESENTATIONS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)

_DATE = r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_FORMS = {  # PS3.5 6.2; what is not listed is free text
    representation: re.compile(form)
    for representation, form in {
        "AE": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "AS": r"\d{3}[DWMY]",
        "CS": r"[A-Z0-9 _]{1,16}",
        "DA": _DATE,
        "DS": r"(?=.{1,16}$) *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *",
        "IS": r"(?=.{1,12}$) *[+-]?\d+ *",
        "TM": _TIME,
        "UI": r"(?=.{1,64}$)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*",
    }.items()
}
_ENUMERATED = {
    "PatientSex": {"M", "F", "O"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlSubject": {"YES", "NO"},
    "SmokingStatus": {"YES", "NO", "UNKNOWN"},
    "BurnedInAnnotation": {"YES", "NO"},
    "RecognizableVisualFeatures": {"YES", "NO"},
    "LossyImageCompression": {"00", "01"},
}
_CHARACTER_SET = re.compile(r"ISO[ ._-]?(?P<extended>2022[ ._-])?IR[ ._-]?(?P<number>\d+)", re.IGNORECASE)
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
    """Copy character set, patient and study of ``source``; empty where a type 2 attribute is missing."""
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
    """Copy what ``source`` has of ``keywords`` and is a value of its kind; text stays as it is encoded."""
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is no DICOM keyword")
        if tag in source:
            element = _carried(source, BaseTag(tag), dictionary_VR(tag))
            if element is not None:
                target[element.tag] = element


def _carried(source: Dataset, tag: BaseTag, representation: str) -> DataElement | RawDataElement | None:
    raw: Any = source.get_item(tag)
    if isinstance(raw, RawDataElement) and (raw.VR or representation) in TEXT_REPRESENTATIONS:
        value = (raw.value or b"").rstrip(b"\0 ")
        if not value or not _is_value(tag, representation, value.decode("latin-1")):
            return None
        if len(value) % 2:
            value += b"\0" if representation == "UI" else b" "
        return RawDataElement(tag, representation, len(value), value, 0, False, True)
    element = source[tag]
    if element.VR == "SQ":
        items = [_copied_item(item) for item in element.value or ()]
        if keyword_for_tag(tag).endswith("CodeSequence"):
            items = [item for item in items if all(keyword in item for keyword in _CODE)]
        return DataElement(tag, "SQ", Sequence(items)) if items else None
    if element.is_empty or (element.VR in _FORMS and not _is_value(tag, element.VR, _joined(element.value))):
        return None
    return DataElement(tag, element.VR, element.value, already_converted=True)


def _is_value(tag: BaseTag, representation: str, text: str) -> bool:
    form, allowed = _FORMS.get(representation), _ENUMERATED.get(keyword_for_tag(tag))
    if form is None:
        return True
    parts = [part.strip(" ") for part in text.split("\\")]
    if len(parts) > 1 and _multiplicity(tag) == "1":
        return False
    return all(form.fullmatch(part) and (allowed is None or part in allowed) for part in parts if part)


def _multiplicity(tag: BaseTag) -> str:
    try:
        return dictionary_VM(tag)
    except KeyError:
        return ""


def _joined(value: Any) -> str:
    return "\\".join(map(str, value)) if isinstance(value, (list, MultiValue)) else str(value)


def _copied_item(item: Dataset) -> Dataset:
    copied = Dataset()
    copied.set_original_encoding(False, True, item.original_character_set or default_encoding)
    for tag in list(item.keys()):
        if not tag.is_private and tag.element != 0:
            raw: Any = item.get_item(tag)
            representation = raw.VR if raw.VR and raw.VR != "UN" else _known_representation(tag)
            element = _carried(item, tag, representation) if representation else None
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
