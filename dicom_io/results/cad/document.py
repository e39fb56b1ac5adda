"""What CAD documents of every organ have in common: header, roots, the runs of their algorithms."""

from __future__ import annotations

from pydicom.dataset import Dataset

from dicom_io.results.cad.parts import Run
from dicom_io.results.document import add_document_header
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import CAD_REPORTS, start
from models.concepts import Concept

__all__ = ["begin", "detection_run"]


def begin(context: FilmContext, sop_class_uid: str) -> Dataset:
    """Return a CAD report without content."""
    report = start(
        context,
        context.headers[0],
        kind=CAD_REPORTS,
        sop_class_uid=sop_class_uid,
        instance="cad-report",
        number=1,
    )
    add_document_header(report, context)
    return report


def detection_run(context: FilmContext, performed: Concept, *, attempted: bool) -> Run:
    """Return on which images a detection succeeded and failed.

    Raises
    ------
    ResultInvalid
        Images were read by a detection that was not attempted.
    """
    succeeded = tuple(reading.sop_instance_uid for reading in context.readings)
    failed = tuple(failure.sop_instance_uid for failure in context.failures)
    if attempted:
        return Run(performed, succeeded, failed)
    if succeeded:
        raise ResultInvalid("a detection that read images was attempted")
    return Run(performed)
