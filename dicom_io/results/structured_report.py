"""The root of a result: a Comprehensive 3D SR with a Measurement Report (TID 1500)."""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import (
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage

from dicom_io.reading.attributes import items, text, uid
from dicom_io.results.asserts import check_report
from dicom_io.results.document import add_document_header
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import STRUCTURED_REPORTS, start
from dicom_io.results.loop_guard import MANUFACTURER
from dicom_io.results.measurement_groups import film_group, finding_group, reading_group
from dicom_io.results.vocabulary import ascii_text, concept

__all__ = ["encode_structured_report"]

_CHEST_RADIOGRAPHY = concept("399208008", "SCT", "Plain chest X-ray")
_RADIOGRAPHY = concept("168537006", "SCT", "Plain radiography")
_QUALITATIVE_EVALUATIONS = concept("C0034375", "UMLS", "Qualitative Evaluations")


def encode_structured_report(context: FilmContext) -> Dataset:
    """Return the report of a reading, with findings or without.

    Parameters
    ----------
    context : FilmContext
        The reading. The same context gives the same data set.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information, ready for
        :func:`dicom_io.results.write.write_object`.

    Raises
    ------
    ResultInvalid
        The report does not say what the reading says; nothing of it must be sent.
    """
    source = context.headers[0]
    report = start(
        context,
        source,
        kind=STRUCTURED_REPORTS,
        sop_class_uid=Comprehensive3DSRStorage,
        instance="structured-report",
        number=1,
    )
    add_document_header(report, context)
    report.update(_content(context)[0])
    check_report(report, context)
    return report


def _content(context: FilmContext) -> MeasurementReport:
    package = context.package
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=package.device_uid,
            name=ascii_text(f"{package.name}@{package.version}"),
            manufacturer_name=MANUFACTURER,
            model_name=ascii_text(package.name),
            serial_number=ascii_text(package.serial),
        ),
    )
    by_film = {reading.sop_instance_uid: reading for reading in context.readings}
    planar = [finding_group(context, f) for f in sorted(context.findings, key=lambda f: f.number)]
    whole = [
        film_group(context, by_film[str(header.SOPInstanceUID)], number)
        for number, header in enumerate(context.headers, start=1)
    ]
    whole.append(reading_group(context))
    # Readers that tell planar groups by counting regions over the whole container (PixelMed) take every
    # group for a planar one where there is exactly one region; the groups of whole films then stand apart.
    apart = len(planar) == 1
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=_procedures(context.headers),
        imaging_measurements=planar if apart else [*planar, *whole],
    )
    if apart:
        report[0].ContentSequence.append(_qualitative_evaluations(whole))
    return report


def _qualitative_evaluations(groups: list[MeasurementsAndQualitativeEvaluations]) -> ContainerContentItem:
    container = ContainerContentItem(
        name=_QUALITATIVE_EVALUATIONS, relationship_type=RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = ContentSequence()
    for group in groups:
        container.ContentSequence.extend(group)
    return container


def _procedures(headers: Iterable[Dataset]) -> list[CodedConcept]:
    """Return the imaging procedures as the source codes them, else what its tags say it is."""
    stated: dict[tuple[str, str], CodedConcept] = {}
    chest = False
    for header in headers:
        chest = chest or text(header, "BodyPartExamined") == "CHEST"
        for item in items(header, "ProcedureCodeSequence"):
            value, scheme = uid(item, "CodeValue"), uid(item, "CodingSchemeDesignator")
            meaning = uid(item, "CodeMeaning")
            if value and scheme and meaning:
                stated[(value, scheme)] = CodedConcept(
                    value=value,
                    scheme_designator=scheme,
                    meaning=meaning[:64],
                    scheme_version=uid(item, "CodingSchemeVersion") or None,
                )
    return list(stated.values()) or [_CHEST_RADIOGRAPHY if chest else _RADIOGRAPHY]
