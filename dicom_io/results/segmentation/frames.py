"""Which frames a segmentation has, their pixels, and what each says about itself.

Frames differ in a few numbers only, so their descriptions are put together from encoded parts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from dicom_io.results.segmentation.encoding import (
    encoded_element,
    instance_reference,
    sequence_element,
    sequence_of,
    short_element,
    text_value,
)
from dicom_io.results.segmentation.planes import Planes, decimal
from models.volume_results import SliceSource

__all__ = ["Frame", "FrameGroups", "frames_of", "packed_bits"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Parameters
    ----------
    segment : int or None
        Number of its segment; None where a frame holds all of them (label maps).
    plane : int
        Slice of the grid.
    position : int
        Which of the stored planes it is, from 1, along the normal.
    """

    segment: int | None
    plane: int
    position: int

    @property
    def dimension_index(self) -> tuple[int, ...]:
        """Value of Dimension Index Values."""
        return (self.position,) if self.segment is None else (self.segment, self.position)


def frames_of(
    present: NDArray[np.bool_], planes: Iterable[int], order: Iterable[int], *, each_segment: bool, all_: bool
) -> tuple[Frame, ...]:
    """Return the frames in their order: segment by segment, along the normal.

    Parameters
    ----------
    present : numpy.ndarray
        ``(planes, segments)``: whether a segment has something on a slice.
    planes : iterable of int
        Slices that are stored at all.
    order : iterable of int
        All slices along the normal.
    each_segment : bool
        A frame a segment, else one for all.
    all_ : bool
        Also frames without anything.
    """
    stored = set(planes)
    positions = {plane: n for n, plane in enumerate((k for k in order if k in stored), start=1)}
    if not each_segment:
        return tuple(Frame(None, plane, position) for plane, position in positions.items())
    return tuple(
        Frame(number, plane, position)
        for number in range(1, present.shape[1] + 1)
        for plane, position in positions.items()
        if all_ or present[plane, number - 1]
    )


def packed_bits(
    frames: tuple[Frame, ...], shape: tuple[int, int], fill: Callable[[Frame, NDArray[np.bool_]], None]
) -> bytes:
    """Return masks as pixel data of one bit a pixel, without gaps between frames (PS3.5 8.1.1).

    Parameters
    ----------
    frames : tuple of Frame
        In their order.
    shape : tuple of int
        Rows and columns.
    fill : callable
        Writes the mask of a frame into an array ``(y, x)``.
    """
    # Eight frames are whole bytes, whatever their size.
    chunk = np.empty((8, *shape), dtype=np.bool_)
    parts = []
    for start in range(0, len(frames), 8):
        some = frames[start : start + 8]
        for target, frame in zip(chunk, some, strict=False):
            fill(frame, target)
        parts.append(np.packbits(chunk[: len(some)].reshape(-1), bitorder="little").tobytes())
    if sum(map(len, parts)) % 2:
        parts.append(b"\0")
    return b"".join(parts)


class FrameGroups:
    """The per-frame functional groups of a segmentation.

    Parameters
    ----------
    prototype : Dataset
        First item of highdicom's own per-frame functional groups.
    planes : Planes
        Where the slices lie.
    """

    tag = Tag("PerFrameFunctionalGroupsSequence")

    def __init__(self, prototype: Dataset, planes: Planes) -> None:
        self._planes = planes
        derivation = prototype.DerivationImageSequence[0]
        source = derivation.SourceImageSequence[0]
        self._derivation_code = encoded_element(derivation, "DerivationCodeSequence")
        self._preserved = encoded_element(source, "SpatialLocationsPreserved")
        self._purpose = encoded_element(source, "PurposeOfReferenceCodeSequence")
        self._identified = "SegmentIdentificationSequence" in prototype

    def element(self, frames: tuple[Frame, ...]) -> RawDataElement:
        """Return the sequence, encoded in Explicit VR Little Endian."""
        return sequence_element(self.tag, self._items(frames))

    def _items(self, frames: tuple[Frame, ...]) -> Iterator[bytes]:
        planes = {plane: self._plane(plane) for plane in {frame.plane for frame in frames}}
        for frame in frames:
            derivation, position = planes[frame.plane]
            index = struct.pack(f"<{len(frame.dimension_index)}I", *frame.dimension_index)
            content = sequence_of(0x0020, 0x9111, short_element(0x0020, 0x9157, b"UL", index))
            parts = derivation + content + position
            if self._identified and frame.segment is not None:
                number = short_element(0x0062, 0x000B, b"US", struct.pack("<H", frame.segment))
                parts += sequence_of(0x0062, 0x000A, number)
            yield parts

    def _plane(self, plane: int) -> tuple[bytes, bytes]:
        position = "\\".join(decimal(value) for value in self._planes.geometry[plane].position)
        return (
            sequence_of(0x0008, 0x9124, self._derivation(self._planes.sources[plane])),
            sequence_of(0x0020, 0x9113, short_element(0x0020, 0x0032, b"DS", text_value(position, b" "))),
        )

    def _derivation(self, source: SliceSource) -> bytes:
        reference = instance_reference(source.sop_class_uid, source.sop_instance_uid)
        if source.frame is not None:
            reference += short_element(0x0008, 0x1160, b"IS", text_value(str(source.frame), b" "))
        reference += self._preserved + self._purpose
        return sequence_of(0x0008, 0x2112, reference) + self._derivation_code
