from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from dicom_io.results import ResultInvalid, VolumeContext
from dicom_io.results.segmentation import encode_segmentation
from dicom_io.results.segmentation_asserts import check_segmentation
from tests.dicom_io.results.test_segmentation import EMPTY, VARIANTS, made, read
from tests.dicom_io.results.volume_factory import volume_context

Change = Callable[[Dataset], Any]


def frames(dataset: Dataset) -> Any:
    return dataset.PerFrameFunctionalGroupsSequence


def source(dataset: Dataset, frame: int) -> Dataset:
    return frames(dataset)[frame].DerivationImageSequence[0].SourceImageSequence[0]  # type: ignore[no-any-return]


def position(dataset: Dataset, frame: int) -> Dataset:
    return frames(dataset)[frame].PlanePositionSequence[0]  # type: ignore[no-any-return]


def put(target: Dataset, **values: Any) -> None:
    for keyword, value in values.items():
        setattr(target, keyword, value)


def flip_a_bit(dataset: Dataset) -> None:
    pixels = bytearray(dataset.PixelData)
    pixels[100] ^= 0x10
    dataset.PixelData = bytes(pixels)


def swap_positions(dataset: Dataset) -> None:
    one, other = position(dataset, 0), position(dataset, 1)
    one.ImagePositionPatient, other.ImagePositionPatient = (
        other.ImagePositionPatient,
        one.ImagePositionPatient,
    )


def swap_planes(dataset: Dataset) -> None:
    """Exchange positions and sources: each frame is at its image, with the pixels of another."""
    swap_positions(dataset)
    one, other = source(dataset, 0), source(dataset, 1)
    uids = one.ReferencedSOPInstanceUID, other.ReferencedSOPInstanceUID
    other.ReferencedSOPInstanceUID, one.ReferencedSOPInstanceUID = uids


def all_on_one_slice(dataset: Dataset) -> None:
    for index in range(len(frames(dataset))):
        put(position(dataset, index), ImagePositionPatient=list(position(dataset, 0).ImagePositionPatient))


def empty_pixels(dataset: Dataset) -> None:
    dataset.PixelData = bytes(len(dataset.PixelData))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: put(d, StudyInstanceUID="2.25.9"), "not in the study of its images"),
        (lambda d: put(d, FrameOfReferenceUID="2.25.9"), "not in the frame of reference"),
        (lambda d: d.SegmentSequence.pop(), "not numbered 1 to 2"),
        (lambda d: put(d.SegmentSequence[1], SegmentNumber=3), "not numbered 1 to 2"),
        (
            lambda d: d.SegmentSequence[1].__delattr__("TrackingUID"),
            "segment 2 is not tracked as its finding",
        ),
        (lambda d: put(d.SegmentSequence[1], TrackingID="Tumour 1"), "segment 2 is not tracked"),
        (
            lambda d: put(d.SegmentSequence[1], TrackingUID=d.SegmentSequence[0].TrackingUID),
            "segment 2 is not tracked",
        ),
        (
            lambda d: put(d.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0], CodeValue="1"),
            "segment 1 is not what its finding is",
        ),
        (lambda d: d.__delattr__("ReferencedSeriesSequence"), "exactly the segmented series"),
        (lambda d: put(d.ReferencedSeriesSequence[0], SeriesInstanceUID="2.25.9"), "exactly the segmented"),
        (
            lambda d: d.ReferencedSeriesSequence[0].ReferencedInstanceSequence.pop(),
            "the images that it refers to are not those of the grid",
        ),
        (lambda d: put(d, NumberOfFrames=8), "9 descriptions of 8 frames"),
        (
            lambda d: put(source(d, 3), ReferencedSOPInstanceUID="2.25.9"),
            "frame 4 comes from an image that is not of the grid",
        ),
        (
            lambda d: put(source(d, 3), ReferencedFrameNumber=2),
            "frame 4 comes from an image that is not of the grid",
        ),
        (swap_positions, "frame 1 lies 3 mm from its image; frame 2 lies 3 mm from its image"),
        (all_on_one_slice, "frame 2 lies 3 mm from its image"),
        (lambda d: put(position(d, 0), ImagePositionPatient=[-31.5, 17.23, -28.125]), "lies 0.02 mm"),
        (swap_planes, "frame 1 does not hold what the reading has of segment 1"),
        (
            lambda d: put(frames(d)[0].SegmentIdentificationSequence[0], ReferencedSegmentNumber=3),
            "frame 1 is of no segment",
        ),
        (
            lambda d: put(frames(d)[0].SegmentIdentificationSequence[0], ReferencedSegmentNumber=2),
            "frame 5 comes twice|frame 6 comes twice",
        ),
        (flip_a_bit, "does not hold what the reading has of segment 1"),
        (empty_pixels, "frame 9 does not hold|frame 8 does not hold.* and 4 more"),
        (
            lambda d: put(
                d.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], SpacingBetweenSlices="0.3"
            ),
            "finding 1 has 1.1[0-9]+ ml, its mask 0.11",
        ),
    ],
)
def test_what_is_wrong_is_named(change: Change, message: str) -> None:
    context = volume_context()
    segmentation = read(encode_segmentation(context))
    check_segmentation(segmentation, context)
    change(segmentation)
    with pytest.raises(ResultInvalid, match=message):
        check_segmentation(segmentation, context)


def test_a_frame_that_is_missing_is_seen() -> None:
    context = volume_context()
    segmentation = read(encode_segmentation(context))
    pixels = np.unpackbits(np.frombuffer(segmentation.PixelData, dtype=np.uint8), bitorder="little")
    size = segmentation.Rows * segmentation.Columns
    frames(segmentation).pop()
    segmentation.NumberOfFrames = 8
    segmentation.PixelData = np.packbits(pixels[: 8 * size], bitorder="little").tobytes()
    with pytest.raises(ResultInvalid, match="voxels instead of"):
        check_segmentation(segmentation, context)


@pytest.mark.parametrize("variant", ["fractional", "labelmap"])
def test_compressed_pixels_are_compared_too(variant: str) -> None:
    context, kind, _ = made(variant)
    other = made("labelmap" if kind == "labelmap" else "fractional")[0]
    segmentation = read(encode_segmentation(context, kind=kind))  # type: ignore[arg-type]
    array = other.reading.labels.array if kind == "labelmap" else other.reading.probabilities.array  # type: ignore[union-attr]
    plane = int(np.argmax(array.reshape(len(array), -1).any(axis=1)))
    changed = array.copy()
    changed[plane + 1] = 0
    if kind == "labelmap":
        wrong = _with(context, labels=context.reading.labels.with_array(changed))
    else:
        wrong = _with(
            context, probabilities=context.reading.labels.with_array(changed, {"SegmentNumber": [1, 2]})
        )
    with pytest.raises(ResultInvalid, match="does not hold what the reading has"):
        check_segmentation(segmentation, wrong)


def test_what_was_not_found_is_not_tracked() -> None:
    context = volume_context(empty=True)
    segmentation = read(encode_segmentation(context))
    segmentation.SegmentSequence[0].TrackingUID = "2.25.1"
    with pytest.raises(ResultInvalid, match="something that was not found is tracked"):
        check_segmentation(segmentation, context)


@pytest.mark.parametrize("variant", [*VARIANTS, *EMPTY])
def test_what_is_read_back_passes(variant: str) -> None:
    context, kind, omit = made(variant)
    segmentation = read(encode_segmentation(context, kind=kind, omit_empty_frames=omit))  # type: ignore[arg-type]
    check_segmentation(segmentation, context)


def _with(context: VolumeContext, **reading: Any) -> VolumeContext:
    return replace(context, reading=replace(context.reading, **reading))
