"""Stored values of an image, decoded, whatever the transfer syntax; every failure is an UnsuitableImage."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from dicom_io.reading.attributes import shown, whole_number
from dicom_io.reading.codestream import Process, jpeg_2000_size, jpeg_size
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.header import check_bits, check_header
from dicom_io.receive.quiet import quiet_libraries
from models.package import InputContract

__all__ = ["read_frames", "read_pixels"]

# GDCM decodes more, yet aborts the process with malformed data: it has only what nothing else decodes.
_PLUGINS = {
    JPEGBaseline8Bit: "pillow",
    JPEGExtended12Bit: "pillow",
    JPEGLossless: "gdcm",
    JPEGLosslessSV1: "gdcm",
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    JPEG2000Lossless: "pylibjpeg",
    JPEG2000: "pylibjpeg",
    HTJ2KLossless: "pylibjpeg",
    HTJ2KLosslessRPCL: "pylibjpeg",
    HTJ2K: "pylibjpeg",
    RLELossless: "pydicom",
}
_PROCESSES: dict[UID, Process] = {
    JPEGBaseline8Bit: "lossy",
    JPEGExtended12Bit: "lossy",
    JPEGLossless: "lossless",
    JPEGLosslessSV1: "lossless",
    JPEGLSLossless: "ls",
    JPEGLSNearLossless: "ls",
}
_NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
)
_READ = frozenset({*_PLUGINS, *_NATIVE})
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_pixels(path: Path, contract: InputContract) -> tuple[Dataset, NDArray[np.integer[Any]]]:
    """Return the data set of an image that ``contract`` accepts, and its stored values.

    Returns
    -------
    tuple
        The data set without its pixel data, and an integer array ``(rows, columns)``; bits above Bits
        Stored are cleared or sign-extended.

    Raises
    ------
    UnsuitableImage
        The header does not fit, or the pixel data is absent, too short or does not decode.
    """
    dataset = _read(path)
    check_header(dataset, contract)
    _check_presence(dataset)
    stored = _decode(dataset)
    del dataset.PixelData
    return dataset, _cleared(stored, dataset)


def read_frames(path: Path) -> tuple[Dataset, list[NDArray[np.integer[Any]]]]:
    """Return the data set of a greyscale image and the stored values of all its frames.

    Returns
    -------
    tuple
        The data set without its pixel data, and one integer array ``(rows, columns)`` per frame; bits above
        Bits Stored are cleared or sign-extended.

    Raises
    ------
    UnsuitableImage
        The object has no greyscale pixel data, or it is too short or does not decode.
    """
    dataset = _read(path)
    if "SOPInstanceUID" not in dataset or "SOPClassUID" not in dataset:
        raise UnsuitableImage("not-dicom", "the file names no SOP class and instance")
    check_bits(dataset)
    _check_presence(dataset)
    frames = max(whole_number(dataset, "NumberOfFrames", 1), 1)
    stored = [_cleared(_decode(dataset, index, frames), dataset) for index in range(frames)]
    del dataset.PixelData
    return dataset, stored


def _check_presence(dataset: Dataset) -> None:
    present = [keyword for keyword in _PIXEL_KEYWORDS if keyword in dataset]
    if not present:
        raise UnsuitableImage("no-pixel-data", "the object has no pixel data")
    if present[0] != "PixelData":
        raise UnsuitableImage("bad-bit-depth", "the pixel data is floating point")
    if not isinstance(dataset.PixelData, bytes) or not dataset.PixelData:
        raise UnsuitableImage("no-pixel-data", "the pixel data is empty")


def _read(path: Path) -> Dataset:
    quiet_libraries()
    try:
        dataset = pydicom.dcmread(path, force=False)
        _ = dataset.get("PixelData")
    except pydicom.errors.InvalidDicomError as error:
        raise UnsuitableImage("not-dicom", "the file is not a readable DICOM file") from error
    except EOFError as error:
        raise UnsuitableImage("truncated", "the file ends inside an element") from error
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, struct.error) as error:
        raise UnsuitableImage("not-dicom", "the data set does not parse") from error
    return dataset


def _decode(dataset: Dataset, index: int = 0, frames: int = 1) -> NDArray[np.integer[Any]]:
    syntax = _transfer_syntax(dataset)
    if not syntax.is_encapsulated:
        _check_native_length(dataset, frames)
    else:
        _check_codestream(dataset, syntax, index, frames)
    decoder = get_decoder(syntax)
    plugin = _PLUGINS.get(syntax, "")
    if plugin and plugin not in decoder.available_plugins:
        raise UnsuitableImage(
            "unsupported-transfer-syntax", f"no decoder is installed for Transfer Syntax {shown(syntax.name)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array, _ = decoder.as_array(dataset, index=index, raw=True, decoding_plugin=plugin)
    # Codecs of four libraries fail on hostile data each with errors of their own, down to plain Exception.
    except Exception as error:
        raise UnsuitableImage(
            "decode-failed", f"the pixel data does not decode as {shown(syntax.name)}"
        ) from error
    rows, columns = whole_number(dataset, "Rows", 0), whole_number(dataset, "Columns", 0)
    if array.shape != (rows, columns) or array.dtype.kind not in "iu":
        raise UnsuitableImage(
            "decode-failed",
            f"the pixel data decodes to {array.shape} {array.dtype}, not to {rows} x {columns} integers",
        )
    return np.asarray(array)


def _check_codestream(dataset: Dataset, syntax: UID, index: int, frames: int) -> None:
    if syntax == JPEGExtended12Bit and whole_number(dataset, "BitsStored", 8) > 8:
        # GDCM decodes some of these and brings the process down with others.
        raise UnsuitableImage("unsupported-transfer-syntax", "JPEG Extended is read with 8 bits only")
    if syntax == RLELossless:
        return
    process = _PROCESSES.get(syntax)
    try:
        frame = get_frame(dataset.PixelData, index, number_of_frames=frames)
        size = jpeg_size(frame, process) if process else jpeg_2000_size(frame)
    except (ValueError, EOFError, IndexError, struct.error) as error:
        raise UnsuitableImage(
            "decode-failed", f"the pixel data is no well-formed {shown(syntax.name)}"
        ) from error
    stated = (whole_number(dataset, "Rows", 0), whole_number(dataset, "Columns", 0))
    if (size.rows, size.columns, size.components) != (*stated, 1):
        raise UnsuitableImage(
            "decode-failed",
            f"the compressed image has {size.rows} rows, {size.columns} columns and {size.components} "
            f"components, the header {stated[0]} rows and {stated[1]} columns",
        )
    if size.precision > whole_number(dataset, "BitsAllocated", 0):
        raise UnsuitableImage("decode-failed", f"the compressed image has {size.precision} bits")


def _transfer_syntax(dataset: Dataset) -> UID:
    meta = getattr(dataset, "file_meta", None)
    syntax = meta.get("TransferSyntaxUID") if meta is not None else None
    if not syntax:
        raise UnsuitableImage("unsupported-transfer-syntax", "the file does not say its Transfer Syntax")
    uid = UID(str(syntax))
    if uid not in _READ:
        raise UnsuitableImage("unsupported-transfer-syntax", f"Transfer Syntax {shown(uid.name)} is not read")
    return uid


def _check_native_length(dataset: Dataset, frames: int) -> None:
    rows, columns = whole_number(dataset, "Rows", 0), whole_number(dataset, "Columns", 0)
    expected = frames * rows * columns * whole_number(dataset, "BitsAllocated", 0) // 8
    found = len(dataset.PixelData)
    if found < expected:
        raise UnsuitableImage("truncated", f"the pixel data has {found} bytes of {expected}")


def _cleared(stored: NDArray[np.integer[Any]], dataset: Dataset) -> NDArray[np.integer[Any]]:
    """Clear overlay bits above Bits Stored, extending the sign where values are signed."""
    allocated = stored.dtype.itemsize * 8
    bits = whole_number(dataset, "BitsStored", allocated)
    if bits >= allocated:
        return stored
    shift = allocated - bits
    signed = stored.dtype.kind == "i"
    unused = stored.view(np.dtype(f"u{stored.dtype.itemsize}")) << shift
    return (unused.view(stored.dtype) if signed else unused) >> shift
