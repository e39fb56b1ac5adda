"""Patient and study as the source states them, byte for byte.

Values are carried over undecoded wherever they are still undecoded: a name in any character set arrives as
it left, broken values survive as they are, and no patient data passes through a decoder that might warn
about it.
"""

from __future__ import annotations

from typing import Any

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

__all__ = ["PATIENT_AND_STUDY", "TEXT_REPRESENTATIONS", "copy_elements", "copy_patient_and_study"]

TEXT_REPRESENTATIONS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)

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
    "PatientSpeciesDescription",
    "PatientSpeciesCodeSequence",
    "PatientBreedDescription",
    "PatientBreedCodeSequence",
    "BreedRegistrationSequence",
    "StrainDescription",
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
    "ClinicalTrialProtocolEthicsCommitteeName",
    "ClinicalTrialProtocolEthicsCommitteeApprovalNumber",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    "IssuerOfAccessionNumberSequence",
    "ReferringPhysicianIdentificationSequence",
    "ConsultingPhysicianName",
    "StudyDescription",
    "PhysiciansOfRecord",
    "NameOfPhysiciansReadingStudy",
    "RequestingService",
    "ProcedureCodeSequence",
    "ReasonForPerformedProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "LastMenstrualDate",
    "SmokingStatus",
    "PatientSexNeutered",
    "Occupation",
    "AdditionalPatientHistory",
    "AdmissionID",
    "ServiceEpisodeID",
    "ServiceEpisodeDescription",
    "PatientState",
)


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Copy character set, patient and study of ``source``; empty where a type 2 attribute is missing."""
    copy_elements(source, target, ("SpecificCharacterSet",))
    target.set_original_encoding(False, True, _encodings(source))
    for keyword in _TYPE_2:
        setattr(target, keyword, None)
    copy_elements(source, target, PATIENT_AND_STUDY)


def copy_elements(source: Dataset, target: Dataset, keywords: tuple[str, ...]) -> None:
    """Copy what ``source`` has of ``keywords``; text stays as it is encoded."""
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is no DICOM keyword")
        if tag in source:
            element = _carried(source, BaseTag(tag), dictionary_VR(tag))
            target[element.tag] = element


def _carried(source: Dataset, tag: BaseTag, representation: str) -> DataElement | RawDataElement:
    raw: Any = source.get_item(tag)
    if isinstance(raw, RawDataElement) and (raw.VR or representation) in TEXT_REPRESENTATIONS:
        value = raw.value or b""
        if len(value) % 2:
            value += b"\0" if representation == "UI" else b" "
        return RawDataElement(tag, representation, len(value), value, 0, False, True)
    element = source[tag]
    if element.VR != "SQ":
        return DataElement(tag, element.VR, element.value)
    return DataElement(tag, "SQ", Sequence([_copied_item(item) for item in element.value or ()]))


def _copied_item(item: Dataset) -> Dataset:
    copied = Dataset()
    copied.set_original_encoding(False, True, item.original_character_set or default_encoding)
    for tag in list(item.keys()):
        if not tag.is_private and tag.element != 0:
            raw: Any = item.get_item(tag)
            representation = raw.VR if raw.VR and raw.VR != "UN" else _known_representation(tag)
            if representation:
                copied[tag] = _carried(item, tag, representation)
    return copied


def _known_representation(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return ""


def _encodings(source: Dataset) -> str | list[str]:
    value = source.get("SpecificCharacterSet")
    if not value:
        return default_encoding
    return convert_encodings(value if isinstance(value, str) else list(value))
