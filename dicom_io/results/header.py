"""What every result object says before its content: patient, study, series, equipment, times."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.metadata import PackageNotFoundError, version

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from dicom_io.reading.attributes import text
from dicom_io.results.context import ResultContext
from dicom_io.results.identity import derived_uid
from dicom_io.results.loop_guard import (
    MANUFACTURER,
    MODEL_NAME,
    PURPOSE_CODE,
    PURPOSE_MEANING,
    PURPOSE_SCHEME,
)
from dicom_io.results.source import copy_patient_and_study
from dicom_io.results.vocabulary import ascii_text

__all__ = [
    "CAD_REPORTS",
    "KEY_IMAGES",
    "PRESENTATION_STATES",
    "SEGMENTATIONS",
    "STRUCTURED_REPORTS",
    "SeriesKind",
    "local_content_time",
    "software_version",
    "start",
]

_OFFSET = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d")


@dataclass(frozen=True, slots=True)
class SeriesKind:
    """A kind of result; each has a series of its own with a number that never changes."""

    name: str
    number: int
    modality: str
    description: str


STRUCTURED_REPORTS = SeriesKind("structured-report", 9301, "SR", "report")
KEY_IMAGES = SeriesKind("key-image", 9302, "OT", "key images")
SEGMENTATIONS = SeriesKind("segmentation", 9303, "SEG", "segmentation")
CAD_REPORTS = SeriesKind("cad-report", 9304, "SR", "CAD report")
PRESENTATION_STATES = SeriesKind("presentation-state", 9305, "PR", "presentation states")


def software_version() -> str:
    """Return the version of SecondRead, as installed."""
    try:
        return version("secondread")
    except PackageNotFoundError:
        return "0+unknown"


def start(
    context: ResultContext,
    source: Dataset,
    *,
    kind: SeriesKind,
    sop_class_uid: str,
    instance: str,
    number: int,
) -> Dataset:
    """Return a data set with all that is common to results.

    Parameters
    ----------
    context : ResultContext
        The reading.
    source : Dataset
        Header that patient and study are taken from.
    kind : SeriesKind
        Series that the object belongs to.
    sop_class_uid : str
        Of the object.
    instance : str
        Kind of the object within the result, from which its UID follows.
    number : int
        Instance number, from 1.
    """
    dataset = Dataset()
    copy_patient_and_study(source, dataset)
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = context.identity.uid(instance)
    dataset.InstanceNumber = number
    _add_times(dataset, local_content_time(context, source))
    _add_series(dataset, context, kind)
    _add_equipment(dataset, context)
    dataset.file_meta = _file_meta(sop_class_uid, str(dataset.SOPInstanceUID))
    return dataset


def local_content_time(context: ResultContext, source: Dataset) -> datetime:
    """Return the time of the reading in the zone of the source where it names one, else in its own."""
    stated = text(source, "TimezoneOffsetFromUTC")
    if not _OFFSET.fullmatch(stated):
        return context.content_time
    minutes = int(stated[1:3]) * 60 + int(stated[3:5])
    offset = timedelta(minutes=-minutes if stated[0] == "-" else minutes)
    return context.content_time.astimezone(timezone(offset))


def _add_times(dataset: Dataset, moment: datetime) -> None:
    date, time = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date, time
    dataset.SeriesDate, dataset.SeriesTime = date, time
    dataset.ContentDate, dataset.ContentTime = date, time
    dataset.TimezoneOffsetFromUTC = moment.strftime("%z")[:5]


def _add_series(dataset: Dataset, context: ResultContext, kind: SeriesKind) -> None:
    dataset.Modality = kind.modality
    dataset.SeriesInstanceUID = context.identity.uid(f"series:{kind.name}")
    dataset.SeriesNumber = kind.number
    # The kind first: viewers show the beginning of a description, and it ends after 64 characters.
    dataset.SeriesDescription = ascii_text(f"AI {kind.description}, research use: {context.package.title}")[
        :64
    ]


def _add_equipment(dataset: Dataset, context: ResultContext) -> None:
    package = context.package
    dataset.Manufacturer = MANUFACTURER
    dataset.ManufacturerModelName = MODEL_NAME
    dataset.DeviceSerialNumber = ascii_text(package.serial)[:64]
    dataset.SoftwareVersions = [software_version(), f"{package.name}@{package.version}"[:64]]
    purpose = Dataset()
    purpose.CodeValue = PURPOSE_CODE
    purpose.CodingSchemeDesignator = PURPOSE_SCHEME
    purpose.CodeMeaning = PURPOSE_MEANING
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [purpose]
    item.Manufacturer = ascii_text(package.manufacturer)[:64]
    item.ManufacturerModelName = ascii_text(package.name)[:64]
    item.SoftwareVersions = package.version[:64]
    item.DeviceUID = package.device_uid
    item.ContributionDateTime = context.content_time.strftime("%Y%m%d%H%M%S.%f%z")
    item.ContributionDescription = ascii_text(f"{package.title}, content {package.content_hash}")
    dataset.ContributingEquipmentSequence = [item]


def _file_meta(sop_class_uid: str, sop_instance_uid: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(derived_uid("implementation", MANUFACTURER))
    meta.ImplementationVersionName = f"SECONDREAD {software_version()}"[:16]
    return meta
