"""Boxes as masks, for programs that compute with them: one segmentation a film with findings."""

from __future__ import annotations

import math

import numpy as np
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from dicom_io.reading.attributes import text
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import SEGMENTATIONS, start
from dicom_io.results.segmentation.overlay import HEADER_STAND_INS, add_content
from dicom_io.results.segmentation.planes import stand_in
from dicom_io.results.segmentation.segments import described, tracking
from dicom_io.results.segmentation_asserts import check_film_segmentation
from dicom_io.results.source import copy_elements
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text
from models.concepts import Concept
from models.results import Box, Finding
from models.volume_results import Segment

__all__ = ["box_mask", "encode_film_segmentation", "films_with_findings"]

_ABNORMAL = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
_SITES = {
    "BREAST": Concept("76752008", "SCT", "Breast"),
    "CHEST": Concept("51185008", "SCT", "Chest"),
}
_LONGEST = 64


def films_with_findings(context: FilmContext) -> tuple[str, ...]:
    """Return the SOP Instance UIDs of the films that get a segmentation, in the order of the headers."""
    found = {finding.sop_instance_uid for finding in context.findings}
    uids = (str(header.SOPInstanceUID) for header in context.headers)
    return tuple(uid for uid in uids if uid in found)


def encode_film_segmentation(context: FilmContext, sop_instance_uid: str) -> Dataset:
    """Return the boxes of the findings on one film as BINARY masks on its own pixels.

    A film has no frame of reference, so the masks have none: no plane position and no orientation, which a
    projection cannot have, but the film as the source of each frame, with its locations preserved. Pixel
    measures are left out too: they come with planes (readers, highdicom's among them, then want a slice
    thickness), and those of the film hold.

    highdicom reads such objects. dcmqi 1.5.7 and OHIF 3.13.2 do not: they want an
    orientation in the patient, and show the boxes where one and a position are made up. That is not done: it
    would place a shadow in the patient. Segments count from 1 on each film; identifier and UID of the
    tracking, and the label, are those of the finding.

    Parameters
    ----------
    context : FilmContext
        The reading. The same context gives the same data set.
    sop_instance_uid : str
        A film with findings, see :func:`films_with_findings`.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information. Its kind is ``segmentation-N``, with N the
        place of the film among the headers.

    Raises
    ------
    ResultInvalid
        The film has no findings, or the object does not say what the reading says.

    References
    ----------
    PS3.3 A.51.3: Frame of Reference and the plane macros are there where the source has them.
    """
    findings = context.findings_on(sop_instance_uid)
    if not findings:
        raise ResultInvalid("a film without findings has no segmentation; its report says so")
    header = context.header_of(sop_instance_uid)
    number = [str(one.SOPInstanceUID) for one in context.headers].index(sop_instance_uid) + 1
    instance = f"segmentation-{number}"
    segmentation = start(
        context,
        header,
        kind=SEGMENTATIONS,
        sop_class_uid=SegmentationStorage,
        instance=instance,
        number=number,
    )
    segmentation.PatientOrientation = None
    copy_elements(header, segmentation, ("PatientOrientation",))
    shape = (int(header.Rows), int(header.Columns))
    content = Segmentation(
        source_images=[stand_in(header)],
        pixel_array=np.stack([box_mask(f.candidate.box, shape) for f in findings], axis=-1)[np.newaxis],
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(context, header, f, n) for n, f in enumerate(findings, start=1)],
        content_label="FINDINGS",
        content_description=ascii_text(context.package.title)[:_LONGEST],
        **HEADER_STAND_INS,
    )
    add_content(segmentation, content, context, instance=instance, transfer_syntax_uid=ExplicitVRLittleEndian)
    check_film_segmentation(segmentation, context, sop_instance_uid)
    return segmentation


def box_mask(box: Box, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels ``(y, x)`` whose centres lie in ``box``; at least the one under its middle."""
    mask = np.zeros(shape, dtype=np.bool_)
    rows = _covered(box.top, box.bottom, shape[0])
    columns = _covered(box.left, box.right, shape[1])
    mask[rows, columns] = True
    return mask


def _covered(low: float, high: float, length: int) -> slice:
    first, last = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if first >= last:
        first = math.floor((low + high) / 2)
        last = first + 1
    first = min(max(first, 0), length - 1)
    return slice(first, min(max(last, first + 1), length))


def _described(context: FilmContext, header: Dataset, finding: Finding, number: int) -> SegmentDescription:
    package = context.package
    label = f"{package.finding.meaning} {finding.number}"
    (reading,) = [r for r in context.readings if r.sop_instance_uid == finding.sop_instance_uid]
    segment = Segment(
        number=number,
        label=label[:_LONGEST],
        category=_ABNORMAL,
        type=package.finding,
        site=_SITES.get("BREAST" if text(header, "Modality") == "MG" else text(header, "BodyPartExamined")),
    )
    return described(
        context,
        segment,
        words=f"{AI_NOTICE}. Outlining box, no outline; score {finding.candidate.score:.2f}.",
        parameters={"operating_point": f"{reading.operating_point:.6g}"},
        tracked=tracking(context, finding.number, label),
    )
