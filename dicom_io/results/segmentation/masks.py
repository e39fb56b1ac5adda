"""The masks of a reading, frame by frame, in the form that a kind of segmentation stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dicom_io.results.errors import ResultInvalid
from dicom_io.results.segmentation.frames import Frame
from models.volume_results import VolumeReading

__all__ = ["MAXIMUM_FRACTIONAL_VALUE", "Masks", "SegmentationKind"]

SegmentationKind = Literal["binary", "fractional", "labelmap"]
MAXIMUM_FRACTIONAL_VALUE = 255


class Masks:
    """What a segmentation stores of a reading.

    Parameters
    ----------
    reading : VolumeReading
        The reading.
    kind : {"binary", "fractional", "labelmap"}
        How it is stored.

    Raises
    ------
    ResultInvalid
        The reading cannot be stored so.
    """

    def __init__(self, reading: VolumeReading, kind: SegmentationKind) -> None:
        self._labels = np.asarray(reading.labels.array)
        if self._labels.dtype == np.bool_:
            self._labels = self._labels.view(np.uint8)
        if not np.issubdtype(self._labels.dtype, np.integer):
            raise ResultInvalid(f"labels are whole numbers, not {self._labels.dtype}")
        self._kind = kind
        self._probabilities: NDArray[Any] | None = None
        self.empty = not reading.findings
        self.segments = len(reading.findings) or len(reading.searched)
        self.present = np.zeros((len(reading.slices), self.segments), dtype=np.bool_)
        self.overlap = "NO"
        problems = list(self._problems(reading))
        if problems:
            raise ResultInvalid("; ".join(problems))

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of a stored sample of more than one bit."""
        return np.uint16 if self._kind == "labelmap" and self.segments > np.iinfo(np.uint8).max else np.uint8

    def used_planes(self) -> list[int]:
        """Return the slices on which anything is stored."""
        return [int(plane) for plane in np.flatnonzero(self.present.any(axis=1))]

    def fill(self, frame: Frame, out: NDArray[np.bool_]) -> None:
        """Write the mask of a frame of one segment into ``out`` ``(y, x)``."""
        plane = self._labels[frame.plane]
        if self.empty or frame.segment is None:
            out[:] = False
        elif plane.ndim == 3:
            np.not_equal(plane[..., frame.segment - 1], 0, out=out)
        else:
            np.equal(plane, frame.segment, out=out)

    def samples(self, frame: Frame) -> NDArray[Any]:
        """Return the samples ``(y, x)`` of a frame of FRACTIONAL or LABELMAP."""
        plane = self._labels[frame.plane]
        if self.empty:
            return np.zeros(plane.shape[:2], dtype=self.dtype)
        if self._probabilities is not None and frame.segment is not None:
            return self._fractions(frame.plane, frame.segment)
        if plane.ndim == 2:
            return np.asarray(plane, dtype=self.dtype)
        combined = np.zeros(plane.shape[:2], dtype=self.dtype)
        for number in range(1, self.segments + 1):
            combined[plane[..., number - 1] != 0] = number
        return combined

    def _problems(self, reading: VolumeReading) -> Iterator[str]:
        counts = self._counts(len(reading.findings))
        if counts is None:
            yield f"the labels are not those of segments 1 to {len(reading.findings)}"
            return
        if self.empty:
            if counts[:, 0].any():
                yield "there are masks and no findings"
            return
        for number in np.flatnonzero(~counts[:, 1:].any(axis=0)):
            yield f"segment {number + 1} has no voxel"
        self.present = counts[:, 1:] > 0
        if self._kind == "labelmap" and self.overlap == "YES":
            yield "segments overlap, which a label map cannot say: encode them as BINARY"
        if self._kind == "fractional":
            yield from self._take_probabilities(reading)

    def _counts(self, findings: int) -> NDArray[np.intp] | None:
        """Return voxels by slice and segment, column 0 for anything at all; None for unknown labels."""
        counts = np.zeros((self._labels.shape[0], findings + 1), dtype=np.intp)
        for row, plane in zip(counts, self._labels, strict=True):
            if not plane.any():
                continue
            row[0] = 1
            if plane.ndim == 3:
                row[1:] = np.count_nonzero(plane, axis=(0, 1))
                if self.overlap == "NO" and np.count_nonzero(plane.any(axis=2)) != row[1:].sum():
                    self.overlap = "YES"
            elif plane.min() < 0 or plane.max() > findings:
                return None
            else:
                row[1:] = np.bincount(plane.ravel(), minlength=findings + 1)[1:]
        return counts

    def _take_probabilities(self, reading: VolumeReading) -> Iterator[str]:
        if reading.probabilities is None:
            yield "the reading has no probabilities, which FRACTIONAL stores"
            return
        self._probabilities = np.asarray(reading.probabilities.array)
        self.overlap = "UNDEFINED" if self.segments > 1 else "NO"
        for plane, values in enumerate(self._probabilities):
            if not (values.min() >= 0.0 and values.max() <= 1.0):
                yield f"slice {plane} has probabilities outside [0, 1]"
                return
            self.present[plane] = (np.rint(values * MAXIMUM_FRACTIONAL_VALUE) > 0).any(axis=(0, 1))
        for number in np.flatnonzero(~self.present.any(axis=0)):
            yield f"segment {number + 1} has no probability above 0"

    def _fractions(self, plane: int, segment: int) -> NDArray[np.uint8]:
        assert self._probabilities is not None  # noqa: S101
        values = self._probabilities[plane, ..., segment - 1]
        return np.asarray(np.rint(values * MAXIMUM_FRACTIONAL_VALUE), dtype=np.uint8)
