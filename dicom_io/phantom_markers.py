"""Marker strings for every attribute of a film that can name a person, a place or a case.

A test plants them and then searches everything that the service writes beside its inbox and results.

References
----------
PS3.15 table E.1-1, Application Level Confidentiality Profile Attributes.
"""

from __future__ import annotations

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

__all__ = ["MARKED_ATTRIBUTES", "marker_values", "plant_markers"]

MARKED_ATTRIBUTES = (
    "AccessionNumber",
    "AcquisitionComments",
    "AcquisitionDeviceProcessingDescription",
    "AcquisitionProtocolDescription",
    "AdditionalPatientHistory",
    "AdmissionID",
    "AdmittingDiagnosesDescription",
    "Allergies",
    "BranchOfService",
    "ConfidentialityConstraintOnPatientDataDescription",
    "ContentCreatorName",
    "ContrastBolusAgent",
    "CountryOfResidence",
    "CurrentPatientLocation",
    "DetectorID",
    "DeviceSerialNumber",
    "EthnicGroup",
    "ImageComments",
    "ImagingServiceRequestComments",
    "InstitutionAddress",
    "InstitutionName",
    "InstitutionalDepartmentName",
    "IssuerOfPatientID",
    "MedicalAlerts",
    "MedicalRecordLocator",
    "MilitaryRank",
    "NameOfPhysiciansReadingStudy",
    "Occupation",
    "OperatorsName",
    "OtherPatientNames",
    "PatientAddress",
    "PatientBirthName",
    "PatientComments",
    "PatientID",
    "PatientInstitutionResidence",
    "PatientMotherBirthName",
    "PatientName",
    "PatientReligiousPreference",
    "PatientState",
    "PatientTelephoneNumbers",
    "PerformedProcedureStepDescription",
    "PerformedProcedureStepID",
    "PerformingPhysicianName",
    "PhysiciansOfRecord",
    "ProtocolName",
    "ReasonForStudy",
    "ReferringPhysicianAddress",
    "ReferringPhysicianName",
    "ReferringPhysicianTelephoneNumbers",
    "RegionOfResidence",
    "RequestedProcedureDescription",
    "RequestedProcedureID",
    "RequestingPhysician",
    "RequestingService",
    "ResponsibleOrganization",
    "ResponsiblePerson",
    "SeriesDescription",
    "ServiceEpisodeID",
    "SpecialNeeds",
    "StationName",
    "StudyComments",
    "StudyDescription",
    "StudyID",
)

_BIRTH_DATE, _BIRTH_TIME = "19010203", "040506"
_LONGEST_WORD = 12


def marker_values(word: str) -> dict[str, str]:
    """Return one value per attribute: ``word`` and a number, in a form that its VR allows.

    Dates and times cannot carry a word; they get values that no other attribute has.

    Raises
    ------
    ValueError
        The word is not 1 to 12 upper-case letters or digits: a Short String has 16 characters.
    """
    if not (1 <= len(word) <= _LONGEST_WORD and word.isascii() and word.isalnum() and word.isupper()):
        raise ValueError(f"a marker is 1 to {_LONGEST_WORD} upper-case letters or digits, not {word!r}")
    values = {keyword: f"{word}{number:02d}" for number, keyword in enumerate(MARKED_ATTRIBUTES)}
    for keyword, value in values.items():
        if dictionary_VR(keyword) == "PN":
            values[keyword] = f"{value}^{word}"
    return values | {"PatientBirthDate": _BIRTH_DATE, "PatientBirthTime": _BIRTH_TIME}


def plant_markers(dataset: Dataset, word: str) -> dict[str, str]:
    """Set every attribute of :func:`marker_values` in ``dataset`` and in nested items; return the values."""
    values = marker_values(word)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.ResponsiblePersonRole = "GUARDIAN"
    other = Dataset()
    other.PatientID = f"{word}98"
    other.TypeOfPatientID = "TEXT"
    dataset.OtherPatientIDsSequence = [other]
    request = Dataset()
    request.RequestedProcedureDescription = f"{word}99"
    request.RequestedProcedureID = f"{word}97"
    request.ScheduledProcedureStepID = f"{word}96"
    request.ScheduledProcedureStepDescription = f"{word}95"
    dataset.RequestAttributesSequence = [request]
    return values
