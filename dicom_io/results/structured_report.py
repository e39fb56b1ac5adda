"""The root of a result: a Comprehensive 3D SR with a Measurement Report (TID 1500)."""

from __future__ import annotations

from highdicom.sr import (
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    RelationshipTypeValues,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import Comprehensive3DSRStorage

from dicom_io.results.document import add_document_header
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_asserts import check_film_report
from dicom_io.results.film_context import FilmContext
from dicom_io.results.film_groups import failure_group, film_group, finding_group, source_film
from dicom_io.results.header import STRUCTURED_REPORTS, start
from dicom_io.results.image_library import image_library
from dicom_io.results.loop_guard import MANUFACTURER
from dicom_io.results.mammography_asserts import check_mammography_report
from dicom_io.results.mammography_context import MammographyContext
from dicom_io.results.mammography_groups import mammography_groups
from dicom_io.results.measurement_groups import reading_group
from dicom_io.results.procedures import MAMMOGRAPHY, procedures_of
from dicom_io.results.study_groups import study_groups
from dicom_io.results.vocabulary import ascii_text, concept
from dicom_io.results.volume_asserts import check_volume_report
from dicom_io.results.volume_context import VolumeContext
from dicom_io.results.volume_groups import (
    is_label_map,
    key_slice_groups,
    told_volume_group,
    volume_group,
    whole_volume_group,
)

__all__ = ["encode_structured_report"]

_QUALITATIVE_EVALUATIONS = concept("C0034375", "UMLS", "Qualitative Evaluations")
_Group = (
    MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations
)


def encode_structured_report(
    context: FilmContext | VolumeContext,
    segmentation: Dataset | None = None,
    *,
    point_at_segments: bool = True,
) -> Dataset:
    """Return the report of a reading, with findings or without, and of one that failed.

    Parameters
    ----------
    context : FilmContext or VolumeContext
        The reading. The same context gives the same data set. One of mammograms
        (:class:`~dicom_io.results.mammography_context.MammographyContext`) adds the image library with breast
        and view of every image, the breasts, the lesions of several views and the class of the tissue.
    segmentation : Dataset or None
        The segmentation of a volume with findings, which the volumetric groups point at.
    point_at_segments : bool
        Write volumetric groups as TID 1411. Without, and always with a label map, they are of TID 1501 and
        belong to their segments by tracking unique identifiers alone: for readers that stop at TID 1411
        (OHIF 3.13) or at segment numbers in a label map (dcmtk 3.6.7).

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information, ready for
        :func:`dicom_io.results.write.write_object`.

    Raises
    ------
    ResultInvalid
        The report does not say what the reading says; nothing of it must be sent.

    References
    ----------
    PS3.16 TID 1500 with TID 1410, 1411 and 1501; IHE Radiology AI Results.
    """
    report = start(
        context,
        context.headers[0],
        kind=STRUCTURED_REPORTS,
        sop_class_uid=Comprehensive3DSRStorage,
        instance="structured-report",
        number=1,
    )
    if isinstance(context, FilmContext):
        add_document_header(report, context)
        report.update(_content(context, *_film_groups(context)))
        check_film_report(report, context)
        if isinstance(context, MammographyContext):
            check_mammography_report(report, context)
        return report
    if context.has_findings and segmentation is None:
        raise ResultInvalid("the report of a volume with findings points at its segmentation")
    evidence = context.headers if segmentation is None else (*context.headers, segmentation)
    add_document_header(report, context, evidence=evidence)
    report.update(_content(context, *_volume_groups(context, segmentation, point_at_segments)))
    check_volume_report(report, context, segmentation)
    return report


def _film_groups(context: FilmContext) -> tuple[list[_Group], list[_Group]]:
    read = {reading.sop_instance_uid: reading for reading in context.readings}
    failed = {failure.sop_instance_uid: failure for failure in context.failures}
    planar: list[_Group] = [
        finding_group(context, f) for f in sorted(context.findings, key=lambda f: f.number)
    ]
    whole: list[_Group] = []
    for position, header in enumerate(context.headers, start=1):
        film = str(header.SOPInstanceUID)
        if film in read:
            whole.append(film_group(context, read[film], position))
        else:
            whole.append(failure_group(context, failed[film], position))
    if isinstance(context, MammographyContext):
        whole.extend(mammography_groups(context))
    films = [source_film(header) for header in context.headers]
    whole.append(reading_group(context, failed=not context.readings, source_images=films))
    return planar, whole


def _volume_groups(
    context: VolumeContext, segmentation: Dataset | None, point_at_segments: bool
) -> tuple[list[_Group], list[_Group]]:
    findings = context.reading.findings
    whole: list[_Group] = [whole_volume_group(context), *study_groups(context), reading_group(context)]
    planar: list[_Group] = [group for finding in findings for group in key_slice_groups(context, finding)]
    if segmentation is None:
        return planar, whole
    if not point_at_segments or is_label_map(segmentation):
        return planar, [*(told_volume_group(context, finding) for finding in findings), *whole]
    # First: OHIF 3.13 goes through the groups from the last one, and stops at one without coordinates.
    volumes: list[_Group] = [volume_group(context, finding, segmentation) for finding in findings]
    return [*volumes, *planar], whole


def _content(context: FilmContext | VolumeContext, of_findings: list[_Group], whole: list[_Group]) -> Dataset:
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
    # Readers that tell groups by looking over the whole container (PixelMed) take every group for a planar
    # one where there is exactly one region, and for a volumetric one where there is any segment; the groups
    # of whole images then stand apart.
    regions = sum(isinstance(one, PlanarROIMeasurementsAndQualitativeEvaluations) for one in of_findings)
    apart = regions == 1 or (regions > 1 and isinstance(context, VolumeContext))
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=procedures_of(
            context.headers, MAMMOGRAPHY if isinstance(context, MammographyContext) else None
        ),
        imaging_measurements=of_findings if apart else [*of_findings, *whole],
    )
    if apart:
        report[0].ContentSequence.append(_qualitative_evaluations(whole))
    if isinstance(context, MammographyContext):  # TID 1500 row 5: before the measurements
        children = report[0].ContentSequence
        children.insert(len(children) - (2 if apart else 1), image_library(context))
    content: Dataset = report[0]
    return content


def _qualitative_evaluations(groups: list[_Group]) -> ContainerContentItem:
    container = ContainerContentItem(
        name=_QUALITATIVE_EVALUATIONS, relationship_type=RelationshipTypeValues.CONTAINS
    )
    container.ContentSequence = ContentSequence()
    for group in groups:
        container.ContentSequence.extend(group)
    return container
