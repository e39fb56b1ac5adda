"""The segmentation of a volume: BINARY, FRACTIONAL or LABELMAP, on the pixels of the segmented series."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
from highdicom import Volume
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, RLELossless, SegmentationStorage

from dicom_io.results.errors import ResultInvalid
from dicom_io.results.header import SEGMENTATIONS, start
from dicom_io.results.segmentation.encoding import (
    instance_reference,
    sequence_element,
    sequence_of,
    short_element,
    text_value,
)
from dicom_io.results.segmentation.frames import FrameGroups, frames_of, packed_bits
from dicom_io.results.segmentation.masks import MAXIMUM_FRACTIONAL_VALUE, Masks, SegmentationKind
from dicom_io.results.segmentation.overlay import HEADER_STAND_INS, add_content
from dicom_io.results.segmentation.planes import Planes, planes_of, stand_in
from dicom_io.results.segmentation.run_length import run_length_encoded
from dicom_io.results.segmentation.segments import finding_segment, searched_segment
from dicom_io.results.segmentation_asserts import check_segmentation
from dicom_io.results.vocabulary import ascii_text
from dicom_io.results.volume_context import VolumeContext

__all__ = ["encode_segmentation", "segment_descriptions"]

_INSTANCE = "segmentation"
_LABEL_MAP_STORAGE = UID("1.2.840.10008.5.1.4.1.1.66.7")
_TYPES = {
    "binary": SegmentationTypeValues.BINARY,
    "fractional": SegmentationTypeValues.FRACTIONAL,
    "labelmap": SegmentationTypeValues.LABELMAP,
}


def encode_segmentation(
    context: VolumeContext, *, kind: SegmentationKind = "binary", omit_empty_frames: bool = True
) -> Dataset:
    """Return the segmentation of a reading, with findings or without.

    One finding is one segment, by its number. Each frame names the image, and the frame of an enhanced one,
    that it lies on, and has its position word for word.

    **A reading without findings** gives an object too: every segment that was searched for, said to be empty
    in its description and without tracking identifiers, with exactly one frame of zeros on the middle slice.
    An object must have a frame, so "no frames" cannot be said; all frames of zeros (what highdicom does
    silently) are hundreds of megabytes of nothing; and no object at all leaves a receiver that waits for one,
    or that still shows the masks of an earlier revision, in the dark.

    **Compression**: RLE works on whole bytes (PS3.5 Annex G) and deflated objects are not read everywhere, so
    BINARY is bit-packed and uncompressed. FRACTIONAL and LABELMAP are RLE Lossless, which Orthanc, dcmqi and
    highdicom decode, byte for byte the same wherever it is made.

    Parameters
    ----------
    context : VolumeContext
        The reading. The same context gives the same data set. ``kind`` and ``omit_empty_frames`` are part of
        the effective configuration that its identity follows from.
    kind : {"binary", "fractional", "labelmap"}
        FRACTIONAL takes the probabilities of the reading, 255 for 1. LABELMAP is a SOP class of its own,
        which not every archive knows.
    omit_empty_frames : bool
        Leave out frames without anything; else every segment has a frame on every slice.

    Returns
    -------
    Dataset
        With file meta information, ready for :func:`dicom_io.results.write.write_object`.

    Raises
    ------
    ResultInvalid
        The reading cannot be said in this kind (overlapping segments as LABELMAP, FRACTIONAL without
        probabilities), its grid does not lie on its images, or the object does not say what the reading says.

    References
    ----------
    PS3.3 A.51, C.8.20 (Segmentation), C.7.6.16 (Multi-frame Functional Groups).
    """
    if kind not in get_args(SegmentationKind):
        raise ResultInvalid(f"a segmentation is {', '.join(get_args(SegmentationKind))}, not {kind!r}")
    planes, masks = planes_of(context), Masks(context.reading, kind)
    every = masks.empty or not omit_empty_frames
    stored = _stored_slices(masks, len(planes.sources), omit_empty_frames)
    frames = frames_of(masks.present, stored, planes.order, each_segment=kind != "labelmap", all_=every)
    segmentation = start(
        context,
        context.segmented_headers[0],
        kind=SEGMENTATIONS,
        sop_class_uid=_LABEL_MAP_STORAGE if kind == "labelmap" else SegmentationStorage,
        instance=_INSTANCE,
        number=1,
    )
    prototype = _prototype(context, planes, masks, kind)
    syntax = ExplicitVRLittleEndian if kind == "binary" else RLELossless
    add_content(segmentation, prototype, context, instance=_INSTANCE, transfer_syntax_uid=syntax)
    segmentation.SegmentsOverlap = masks.overlap
    segmentation.pop("DimensionOrganizationType", None)
    if (kind == "labelmap" or masks.segments == 1) and planes.is_regular(stored):
        segmentation.DimensionOrganizationType = "3D"
    segmentation.NumberOfFrames = len(frames)
    _add_references(segmentation, context)
    groups = FrameGroups(prototype.PerFrameFunctionalGroupsSequence[0], planes)
    segmentation[groups.tag] = groups.element(frames)
    if kind == "binary":
        _, rows, columns = context.reading.labels.spatial_shape
        segmentation.add_new("PixelData", "OB", packed_bits(frames, (rows, columns), masks.fill))
    else:
        compressed = [run_length_encoded(masks.samples(frame)) for frame in frames]
        segmentation.add_new("PixelData", "OB", encapsulate(compressed))
        segmentation["PixelData"].is_undefined_length = True
    check_segmentation(segmentation, context, planes)
    return segmentation


def _stored_slices(masks: Masks, slices: int, omit_empty_frames: bool) -> list[int]:
    """Return the slices that have frames, in the order of the grid."""
    if masks.empty:
        return [slices // 2]
    return masks.used_planes() if omit_empty_frames else list(range(slices))


def segment_descriptions(context: VolumeContext) -> list[SegmentDescription]:
    """Return what the segments stand for: the findings, or all that was searched for and not found."""
    reading = context.reading
    if reading.findings:
        return [finding_segment(context, finding, reading.operating_point) for finding in reading.findings]
    return [
        searched_segment(context, segment, number, reading.operating_point)
        for number, segment in enumerate(reading.searched, start=1)
    ]


def _add_references(segmentation: Dataset, context: VolumeContext) -> None:
    """Add the references to all images of the segmented series."""
    headers = context.segmented_headers
    images = [instance_reference(str(header.SOPClassUID), str(header.SOPInstanceUID)) for header in headers]
    series = sequence_of(0x0008, 0x114A, *images) + short_element(
        0x0020, 0x000E, b"UI", text_value(str(headers[0].SeriesInstanceUID), b"\0")
    )
    for keyword, items in (("SourceImageSequence", images), ("ReferencedSeriesSequence", [series])):
        tag = Tag(keyword)
        segmentation[tag] = sequence_element(tag, items)


def _prototype(context: VolumeContext, planes: Planes, masks: Masks, kind: SegmentationKind) -> Segmentation:
    """Return highdicom's segmentation of the first slice alone, empty."""
    reading = context.reading
    _, rows, columns = reading.labels.spatial_shape
    source = stand_in(context.segmented_headers[0], planes, multi_frame=planes.sources[0].frame is not None)
    channels: Any = None
    array = np.zeros((1, rows, columns), dtype=masks.dtype)
    if kind == "fractional":
        array = np.zeros((1, rows, columns, masks.segments), dtype=np.float32)
        channels = {"SegmentNumber": list(range(1, masks.segments + 1))}
    return Segmentation(
        source_images=[source],
        pixel_array=Volume(
            array,
            _first_affine(planes, reading.labels.affine),
            coordinate_system="PATIENT",
            frame_of_reference_uid=reading.labels.frame_of_reference_uid,
            channels=channels,
        ),
        segmentation_type=_TYPES[kind],
        segment_descriptions=segment_descriptions(context),
        max_fractional_value=MAXIMUM_FRACTIONAL_VALUE,
        content_label="FINDINGS",
        content_description=ascii_text(context.package.title)[:64],
        omit_empty_frames=False,
        **HEADER_STAND_INS,
    )


def _first_affine(planes: Planes, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine of a grid of the first slice alone, as its image states it."""
    first = planes.geometry[0]
    right, down = np.asarray(planes.orientation).reshape(2, 3)
    normal = np.cross(right, down)
    made = np.eye(4)
    made[:3, 0] = np.sign(normal @ affine[:3, 0]) * normal / np.linalg.norm(normal) * planes.distance_mm
    made[:3, 1] = down * first.pixel_spacing[0]
    made[:3, 2] = right * first.pixel_spacing[1]
    made[:3, 3] = first.position
    return made
