"""What every structured report says about itself as a document (PS3.3 C.17.2)."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items
from dicom_io.results.context import Predecessor, ResultContext
from dicom_io.results.source import copy_elements
from dicom_io.results.vocabulary import coding_scheme_identification

__all__ = ["add_document_header"]

_REQUEST = (
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)
_REQUEST_TYPE_2 = tuple(keyword for keyword in _REQUEST if not keyword.startswith("Issuer"))


def add_document_header(
    report: Dataset, context: ResultContext, *, evidence: Iterable[Dataset] | None = None
) -> None:
    """Add the SR Document General module: completion, evidence, request, predecessor.

    Parameters
    ----------
    report : Dataset
        As :func:`dicom_io.results.header.start` returns it.
    context : ResultContext
        The reading.
    evidence : iterable of Dataset or None
        Every object that the content refers to, by its study, series, class and instance UID; the images
        that were read where None.
    """
    source = context.headers[0]
    report.ReferencedPerformedProcedureStepSequence = []
    report.CodingSchemeIdentificationSequence = [coding_scheme_identification()]
    report.CompletionFlag = "PARTIAL" if context.partial else "COMPLETE"
    if context.partial:
        report.CompletionFlagDescription = "Not every image of the study was read"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = []
    referenced = context.headers if evidence is None else evidence
    report.CurrentRequestedProcedureEvidenceSequence = [_evidence(referenced)]
    request = _request(source)
    if request is not None:
        report.ReferencedRequestSequence = [request]
    if context.predecessor is not None:
        report.PredecessorDocumentsSequence = [
            _predecessor(str(source.StudyInstanceUID), context.predecessor)
        ]


def _evidence(headers: Iterable[Dataset]) -> Dataset:
    by_series: dict[str, list[Dataset]] = {}
    item = Dataset()
    for header in headers:
        item.StudyInstanceUID = str(header.StudyInstanceUID)
        reference = Dataset()
        reference.ReferencedSOPClassUID = str(header.SOPClassUID)
        reference.ReferencedSOPInstanceUID = str(header.SOPInstanceUID)
        by_series.setdefault(str(header.SeriesInstanceUID), []).append(reference)
    item.ReferencedSeriesSequence = [_series(uid, references) for uid, references in by_series.items()]
    return item


def _predecessor(study_instance_uid: str, predecessor: Predecessor) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = predecessor.sop_class_uid
    reference.ReferencedSOPInstanceUID = predecessor.sop_instance_uid
    item = Dataset()
    item.StudyInstanceUID = study_instance_uid
    item.ReferencedSeriesSequence = [_series(predecessor.series_instance_uid, [reference])]
    return item


def _series(uid: str, references: list[Dataset]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedSOPSequence = references
    return item


def _request(source: Dataset) -> Dataset | None:
    """Return which order the report answers, where the source names one."""
    item = Dataset()
    item.set_original_encoding(False, True, source.original_character_set)
    copy_elements(source, item, _REQUEST)
    attributes = items(source, "RequestAttributesSequence")
    if attributes:
        copy_elements(attributes[0], item, _REQUEST)
    if "AccessionNumber" not in item and not attributes:
        return None
    item.StudyInstanceUID = str(source.StudyInstanceUID)
    item.ReferencedStudySequence = []
    for keyword in _REQUEST_TYPE_2:
        if keyword not in item:
            setattr(item, keyword, [] if keyword.endswith("Sequence") else None)
    return item
