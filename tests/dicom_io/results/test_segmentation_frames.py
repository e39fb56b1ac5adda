"""Pixels of frames: packed bits, RLE, and the masks that they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from dicom_io.results.segmentation.frames import Frame, frames_of, packed_bits
from dicom_io.results.segmentation.run_length import run_length_encoded

SHAPES = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=300)


def decoded(frame: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:  # type: ignore[type-arg]
    """Decode with pydicom what is encoded here."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    dataset.Rows, dataset.Columns = frame.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8 * frame.dtype.itemsize
    dataset.HighBit, dataset.PixelRepresentation, dataset.NumberOfFrames = dataset.BitsStored - 1, 0, 1
    dataset.PixelData = encapsulate([run_length_encoded(frame)])
    dataset["PixelData"].VR = "OB"
    return dataset.pixel_array


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 255])))
def test_bytes_come_back(frame: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(decoded(frame), frame)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.uint16, SHAPES, elements=st.integers(0, 700)))
def test_words_come_back(frame: NDArray[np.uint16]) -> None:
    np.testing.assert_array_equal(decoded(frame), frame)


@pytest.mark.parametrize("columns", [1, 2, 3, 127, 128, 129, 130, 256, 257, 512])
def test_runs_and_literals_of_every_length_come_back(columns: int) -> None:
    rows = np.arange(4 * columns).reshape(4, columns)
    for frame in (rows * 0 + 7, rows % 251, rows // 2 % 251, rows // 3 % 2, (rows % 129 == 0) * 1):
        np.testing.assert_array_equal(decoded(frame.astype(np.uint8)), frame)


def test_packets_end_with_their_row() -> None:
    data = run_length_encoded(np.zeros((3, 5), dtype=np.uint8))
    assert data[64:] == bytes([257 - 5, 0] * 3)
    assert data[:8] == (1).to_bytes(4, "little") + (64).to_bytes(4, "little")


def test_empty_frames_are_small() -> None:
    assert len(run_length_encoded(np.zeros((512, 512), dtype=np.uint8))) == 64 + 512 * 8


@settings(max_examples=50, deadline=None)
@given(arrays.arrays(np.bool_, arrays.array_shapes(min_dims=3, max_dims=3, max_side=20)))
def test_bits_are_packed_without_gaps(masks: NDArray[np.bool_]) -> None:
    frames = tuple(Frame(1, plane, plane + 1) for plane in range(len(masks)))

    def fill(frame: Frame, out: NDArray[np.bool_]) -> None:
        out[:] = masks[frame.plane]

    packed = packed_bits(frames, masks.shape[1:], fill)
    assert len(packed) % 2 == 0
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), bitorder="little")
    np.testing.assert_array_equal(bits[: masks.size].reshape(masks.shape), masks)
    assert not bits[masks.size :].any()


def test_frames_come_segment_by_segment_along_the_normal() -> None:
    present = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], dtype=bool)
    frames = frames_of(present, [0, 2, 3], [3, 2, 1, 0], each_segment=True, all_=False)
    assert frames == (Frame(1, 2, 2), Frame(1, 0, 3), Frame(2, 3, 1), Frame(2, 2, 2))
    assert frames[0].dimension_index == (1, 2)
    together = frames_of(present, [0, 2, 3], [3, 2, 1, 0], each_segment=False, all_=False)
    assert together == (Frame(None, 3, 1), Frame(None, 2, 2), Frame(None, 0, 3))
    assert together[2].dimension_index == (3,)
    every = frames_of(present, range(4), [3, 2, 1, 0], each_segment=True, all_=True)
    assert len(every) == 8
