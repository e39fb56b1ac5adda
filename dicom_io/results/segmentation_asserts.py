"""What no validator notices: a last look at a segmentation before anybody else sees it.

The object is read as a receiver would read it, from its encoded parts, and compared with the reading.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_sequence
from pydicom.pixels.utils import iter_pixels
from pydicom.tag import Tag

from dicom_io.reading.attributes import items, numbers, text, uid
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.segmentation.planes import TOLERANCE_MM, Planes, planes_of
from dicom_io.results.segmentation.segments import tracking
from dicom_io.results.volume_context import VolumeContext
from models.measurements import box_on_slice, volume_ml
from models.results import Box

__all__ = ["check_film_segmentation", "check_segmentation", "segmentation_problems"]

_VOLUME_TOLERANCE = 1e-3
_FRAMES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _StoredFrame:
    segment: int | None
    source: tuple[str, str, int | None]
    position: tuple[float, ...]


def check_segmentation(segmentation: Dataset, context: VolumeContext, planes: Planes | None = None) -> None:
    """Compare a segmentation with the reading that it is made from.

    Parameters
    ----------
    segmentation : Dataset
        As it would be written.
    context : VolumeContext
        The reading.
    planes : Planes or None
        Where its slices lie, if that is known already.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    _refuse(list(segmentation_problems(segmentation, context, planes or planes_of(context))))


def check_film_segmentation(segmentation: Dataset, context: FilmContext, sop_instance_uid: str) -> None:
    """Compare the segmentation of a film with its findings.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    _refuse(list(_film_problems(segmentation, context, sop_instance_uid)))


def _refuse(problems: list[str]) -> None:
    if problems:
        more = f" and {len(problems) - 8} more" if len(problems) > 8 else ""
        raise ResultInvalid("the segmentation is wrong: " + "; ".join(problems[:8]) + more)


def segmentation_problems(segmentation: Dataset, context: VolumeContext, planes: Planes) -> Iterator[str]:
    """Yield what is wrong with a segmentation, in words."""
    if str(segmentation.StudyInstanceUID) != str(context.headers[0].StudyInstanceUID):
        yield "it is not in the study of its images"
    if uid(segmentation, "FrameOfReferenceUID") != context.reading.labels.frame_of_reference_uid:
        yield "it is not in the frame of reference of its images"
    yield from _segment_problems(segmentation, context)
    yield from _reference_problems(segmentation, context)
    frames = _stored_frames(segmentation)
    if int(segmentation.NumberOfFrames) != len(frames):
        yield f"it has {len(frames)} descriptions of {segmentation.NumberOfFrames} frames"
        return
    slices: list[int] = []
    yield from _plane_problems(frames, context, planes, slices)
    if len(slices) == len(frames):
        yield from _pixel_problems(segmentation, frames, slices, context)


def _segment_problems(segmentation: Dataset, context: VolumeContext) -> Iterator[str]:
    segments = [item for item in items(segmentation, "SegmentSequence") if int(item.SegmentNumber)]
    expected = len(context.reading.findings) or len(context.reading.searched)
    if [int(item.SegmentNumber) for item in segments] != list(range(1, expected + 1)):
        yield f"its segments are not numbered 1 to {expected}"
        return
    seen: set[str] = set()
    for item, finding in zip(segments, context.reading.findings, strict=False):
        wanted = tracking(context, finding.number, finding.segment.label)
        stated = (str(item.get("TrackingID", "")), uid(item, "TrackingUID"))
        if stated != wanted or stated[1] in seen:
            yield f"segment {finding.number} is not tracked as its finding"
        seen.add(stated[1])
        kinds = items(item, "SegmentedPropertyTypeCodeSequence")
        if [uid(kind, "CodeValue") for kind in kinds] != [finding.segment.type.code]:
            yield f"segment {finding.number} is not what its finding is"
    if not context.reading.findings and any("TrackingUID" in item for item in segments):
        yield "something that was not found is tracked"


def _reference_problems(segmentation: Dataset, context: VolumeContext) -> Iterator[str]:
    wanted = [(str(h.SOPClassUID), str(h.SOPInstanceUID)) for h in context.segmented_headers]
    series = _items_as_written(segmentation, "ReferencedSeriesSequence")
    if [uid(one, "SeriesInstanceUID") for one in series] != [
        str(context.segmented_headers[0].SeriesInstanceUID)
    ]:
        yield "it does not refer to exactly the segmented series"
        return
    stated = [
        (uid(r, "ReferencedSOPClassUID"), uid(r, "ReferencedSOPInstanceUID"))
        for r in items(series[0], "ReferencedInstanceSequence")
    ]
    if sorted(stated) != sorted(wanted):
        yield "the images that it refers to are not those of the grid"


def _plane_problems(
    frames: list[_StoredFrame], context: VolumeContext, planes: Planes, found: list[int]
) -> Iterator[str]:
    """Yield frames that do not lie on their images; the slice of each goes to ``found``."""
    geometry = planes.geometry
    slices = {
        (source.sop_class_uid, source.sop_instance_uid, source.frame): index
        for index, source in enumerate(context.reading.slices)
    }
    findings = len(context.reading.findings) or len(context.reading.searched)
    seen: set[tuple[int | None, int]] = set()
    for number, frame in enumerate(frames, start=1):
        plane = slices.get(frame.source)
        if plane is None:
            yield f"frame {number} comes from an image that is not of the grid"
            continue
        found.append(plane)
        away = math.dist(frame.position, geometry[plane].position) if len(frame.position) == 3 else math.inf
        if not away <= TOLERANCE_MM:
            yield f"frame {number} lies {away:.3g} mm from its image"
        if frame.segment is not None and not 1 <= frame.segment <= findings:
            yield f"frame {number} is of no segment"
        if (frame.segment, plane) in seen:
            yield f"frame {number} comes twice"
        seen.add((frame.segment, plane))


def _pixel_problems(
    segmentation: Dataset, frames: list[_StoredFrame], planes: list[int], context: VolumeContext
) -> Iterator[str]:
    reading = context.reading
    kind = text(segmentation, "SegmentationType")
    stored: dict[int, int] = dict.fromkeys(range(1, len(reading.findings) + 1), 0)
    label_map = kind == "LABELMAP"
    for number, (frame, plane, pixels) in enumerate(
        zip(frames, planes, _decoded(segmentation), strict=True), start=1
    ):
        for segment in range(1, len(reading.findings) + 1) if label_map else [frame.segment or 1]:
            values = pixels == segment if label_map else pixels
            wanted = _wanted(context, kind, plane, segment)
            if not np.array_equal(values, wanted):
                yield f"frame {number} does not hold what the reading has of segment {segment}"
            if segment in stored:
                stored[segment] += int(np.count_nonzero(values))
    if kind == "FRACTIONAL":
        stored = {f.number: int(np.count_nonzero(reading.mask(f.number))) for f in reading.findings}
    everything = np.count_nonzero(reading.labels.array)
    if sum(stored.values()) != everything:
        yield f"it has {sum(stored.values())} voxels instead of {everything}"
    spacing = _spacing(segmentation)
    for finding in reading.findings:
        given = volume_ml(np.ones((stored[finding.number], 1, 1), dtype=np.bool_), spacing)
        if not math.isclose(given, finding.volume_ml, rel_tol=_VOLUME_TOLERANCE):
            yield f"finding {finding.number} has {finding.volume_ml:.5g} ml, its mask {given:.5g} ml"


def _wanted(context: VolumeContext, kind: str, plane: int, segment: int) -> NDArray[Any]:
    reading = context.reading
    labels = reading.labels.array[plane]
    if not reading.findings:
        return np.zeros(labels.shape[:2], dtype=np.bool_)
    if kind == "FRACTIONAL":
        assert reading.probabilities is not None  # noqa: S101
        return np.asarray(np.rint(reading.probabilities.array[plane, ..., segment - 1] * 255))
    return np.asarray(labels[..., segment - 1] != 0 if labels.ndim == 3 else labels == segment)


def _spacing(segmentation: Dataset) -> tuple[float, float, float]:
    (shared,) = items(segmentation, "SharedFunctionalGroupsSequence")
    (measures,) = items(shared, "PixelMeasuresSequence")
    down, right = numbers(measures, "PixelSpacing")
    (between,) = numbers(measures, "SpacingBetweenSlices")
    return between, down, right


def _decoded(segmentation: Dataset) -> Iterator[NDArray[Any]]:
    """Yield the pixels of each frame ``(y, x)``."""
    if int(segmentation.BitsAllocated) != 1:
        yield from iter_pixels(segmentation)
        return
    rows, columns = int(segmentation.Rows), int(segmentation.Columns)
    left, packed = int(segmentation.NumberOfFrames), np.frombuffer(segmentation.PixelData, dtype=np.uint8)
    for start in range(0, len(packed), rows * columns):
        count = min(_FRAMES_AT_ONCE, left)
        some = packed[start : start + rows * columns]
        bits = np.unpackbits(some, count=count * rows * columns, bitorder="little")
        yield from bits.view(np.bool_).reshape(count, rows, columns)
        left -= count


def _stored_frames(segmentation: Dataset) -> list[_StoredFrame]:
    groups = _items_as_written(segmentation, "PerFrameFunctionalGroupsSequence")
    shared = items(segmentation, "SharedFunctionalGroupsSequence")[0]
    cache: dict[bytes, Any] = {}
    frames = []
    for group in groups:
        segment = _segment_of(group) or _segment_of(shared)
        frames.append(
            _StoredFrame(
                segment,
                _once(cache, group, "DerivationImageSequence", _source_of),
                _once(cache, group, "PlanePositionSequence", _position_of),
            )
        )
    return frames


def _items_as_written(segmentation: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a long sequence without parsing it in place.

    What is parsed is encoded anew when it is written, which takes far longer.
    """
    if keyword not in segmentation:
        return []
    element: Any = segmentation.get_item(Tag(keyword))
    if not element.is_raw:
        return list(element.value)
    buffer: Any = DicomBytesIO(element.value)
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    return list(read_sequence(buffer, False, True, len(element.value), "iso8859"))


def _once(cache: dict[bytes, Any], group: Dataset, keyword: str, read: Any) -> Any:
    """Read a part of a group, equal bytes only once: frames of one plane have them in common."""
    element: Any = group.get_item(Tag(keyword)) if keyword in group else None
    if element is None or not element.is_raw:
        return read(group)
    key = keyword.encode() + element.value
    if key not in cache:
        cache[key] = read(group)
    return cache[key]


def _segment_of(group: Dataset) -> int | None:
    found = items(group, "SegmentIdentificationSequence")
    return int(found[0].ReferencedSegmentNumber) if found else None


def _source_of(group: Dataset) -> tuple[str, str, int | None]:
    sources = [s for d in items(group, "DerivationImageSequence") for s in items(d, "SourceImageSequence")]
    if len(sources) != 1:
        return ("", "", None)
    frame = numbers(sources[0], "ReferencedFrameNumber")
    return (
        uid(sources[0], "ReferencedSOPClassUID"),
        uid(sources[0], "ReferencedSOPInstanceUID"),
        int(frame[0]) if frame else None,
    )


def _position_of(group: Dataset) -> tuple[float, ...]:
    found = items(group, "PlanePositionSequence")
    return numbers(found[0], "ImagePositionPatient") if found else ()


def _film_problems(segmentation: Dataset, context: FilmContext, sop_instance_uid: str) -> Iterator[str]:
    header, findings = context.header_of(sop_instance_uid), context.findings_on(sop_instance_uid)
    if str(segmentation.StudyInstanceUID) != str(header.StudyInstanceUID):
        yield "it is not in the study of its film"
    if (int(segmentation.Rows), int(segmentation.Columns)) != (int(header.Rows), int(header.Columns)):
        yield "it is not on the pixels of its film"
        return
    references = [
        (uid(series, "SeriesInstanceUID"), uid(reference, "ReferencedSOPInstanceUID"))
        for series in items(segmentation, "ReferencedSeriesSequence")
        for reference in items(series, "ReferencedInstanceSequence")
    ]
    if references != [(str(header.SeriesInstanceUID), sop_instance_uid)]:
        yield "it does not refer to exactly its film"
    segments = items(segmentation, "SegmentSequence")
    frames = _stored_frames(segmentation)
    numbered = list(range(1, len(findings) + 1))
    if [int(s.SegmentNumber) for s in segments] != numbered or [f.segment for f in frames] != numbered:
        yield f"it has no segment and no frame for each of {len(findings)} findings"
        return
    film = (str(header.SOPClassUID), sop_instance_uid, None)
    for finding, segment, frame, pixels in zip(
        findings, segments, frames, _decoded(segmentation), strict=True
    ):
        name = f"finding {finding.number}"
        wanted = tracking(context, finding.number, f"{context.package.finding.meaning} {finding.number}")
        if (str(segment.get("TrackingID", "")), uid(segment, "TrackingUID")) != wanted:
            yield f"the segment of {name} is not tracked as its finding"
        if frame.source != film:
            yield f"the frame of {name} does not come from its film"
        yield from _box_problems(name, pixels, finding.candidate.box)


def _box_problems(name: str, pixels: NDArray[Any], box: Box) -> Iterator[str]:
    if not pixels.any():
        yield f"the mask of {name} is empty"
        return
    found = box_on_slice(pixels)
    if int(np.count_nonzero(pixels)) != round(found.height * found.width):
        yield f"the mask of {name} is no box"
    edges = zip(
        (found.top, found.left, found.bottom, found.right),
        (box.top, box.left, box.bottom, box.right),
        strict=True,
    )
    if any(abs(stored - wanted) > 1.0 for stored, wanted in edges):
        yield f"the mask of {name} is not its box"
