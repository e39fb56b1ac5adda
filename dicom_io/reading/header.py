"""What a header alone tells: whether a package reads the image, by tags and geometry."""

from __future__ import annotations

import struct
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from dicom_io.reading.attributes import number, shown, text, whole_number
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography import check_breast, check_kind, check_mammogram, with_functional_groups
from dicom_io.reading.view import body_parts_of, other_view_of, view_of
from dicom_io.receive import part10
from dicom_io.receive.quiet import quiet_libraries
from dicom_io.results.loop_guard import is_own_result
from models.package import InputContract

__all__ = ["check_bits", "check_header", "read_header"]

_DX_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.1.1"
_MAMMOGRAPHY_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.2.1"
_INTRAORAL_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.1.3.1"
_BREAST_PROJECTION_FOR_PROCESSING = "1.2.840.10008.5.1.4.1.1.13.1.5"
_FOR_PROCESSING = frozenset(
    {
        _DX_FOR_PROCESSING,
        _MAMMOGRAPHY_FOR_PROCESSING,
        _INTRAORAL_FOR_PROCESSING,
        _BREAST_PROJECTION_FOR_PROCESSING,
    }
)
_PARSE_ERRORS = (
    InvalidDicomError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    struct.error,
)


def read_header(path: Path) -> Dataset:
    """Return everything before the pixel data, with file meta information.

    Raises
    ------
    UnsuitableImage
        ``not-dicom``: no DICOM data set is found; ``truncated``: the file ends inside one.
    OSError
        The file cannot be opened.
    """
    quiet_libraries()
    try:
        header = part10.read_header(path)
    except EOFError as error:
        raise UnsuitableImage("truncated", "the file ends inside its header") from error
    except _PARSE_ERRORS as error:
        raise UnsuitableImage("not-dicom", "the file is not a readable DICOM file") from error
    if "SOPInstanceUID" not in header or "SOPClassUID" not in header:
        raise UnsuitableImage("not-dicom", "the file names no SOP class and instance")
    return header


def check_header(header: Dataset, contract: InputContract) -> None:
    """Check that the package reads this image, as far as tags and geometry tell.

    Parameters
    ----------
    header : pydicom.dataset.Dataset
        Everything before the pixel data; pixel data is not looked at.
    contract : models.package.InputContract
        What the package reads.

    Raises
    ------
    UnsuitableImage
        The first reason found, most telling first: own result, modality, SOP class, For Processing,
        view, body part, geometry. Of a package for mammography the kind of image comes before the SOP class,
        and what :func:`check_mammogram` finds after the body part.
    """
    _check_kind(header, contract)
    _check_view(header, contract)
    if contract.mammography is None:
        _check_body_part(header, contract)
    else:
        plain = with_functional_groups(header)
        check_breast(plain, contract)
        check_mammogram(plain, contract.mammography)
    _check_geometry(header, contract)


def _check_kind(header: Dataset, contract: InputContract) -> None:
    if is_own_result(header):
        raise UnsuitableImage("own-result", "the object is a result of SecondRead")
    modality = text(header, "Modality")
    if contract.modalities and modality not in contract.modalities:
        raise UnsuitableImage(
            "wrong-modality", f"Modality is {shown(modality)}, not {' or '.join(contract.modalities)}"
        )
    sop_class = text(header, "SOPClassUID")
    if sop_class in _FOR_PROCESSING or text(header, "PresentationIntentType") == "FOR PROCESSING":
        raise UnsuitableImage("for-processing", "the image is For Processing, not For Presentation")
    if contract.mammography is not None:
        check_kind(header)
    if contract.sop_classes and sop_class not in contract.sop_classes:
        raise UnsuitableImage("wrong-sop-class", f"SOP Class is {shown(UID(sop_class).name)}")


def _check_view(header: Dataset, contract: InputContract) -> None:
    if not contract.views:
        return
    accepted = " or ".join(contract.views)
    if other := other_view_of(header):
        raise UnsuitableImage("wrong-view", f"the view is {other}, not {accepted}")
    view = view_of(header)
    if view in contract.views:
        return
    if view == "LATERAL":
        raise UnsuitableImage("lateral-view", f"the view is lateral, not {accepted}")
    if view != "UNKNOWN":
        raise UnsuitableImage("wrong-view", f"the view is {view}, not {accepted}")
    if not contract.accept_unknown_view:
        raise UnsuitableImage("wrong-view", f"no attribute says whether the view is {accepted}")


def _check_body_part(header: Dataset, contract: InputContract) -> None:
    if not contract.body_parts:
        return
    stated = body_parts_of(header)
    if not stated:
        if not contract.accept_unknown_body_part:
            raise UnsuitableImage("wrong-body-part", "no attribute names the body part")
        return
    if not any(_names(part, word) for part in stated for word in contract.body_parts):
        raise UnsuitableImage("wrong-body-part", f"Body Part Examined is {shown(stated[0])}")


def _names(part: str, accepted: str) -> bool:
    """Return whether one of the words of ``part`` starts with ``accepted``: RIBS and LUNGS count."""
    words = "".join(c if c.isalnum() else " " for c in part).split()
    return any(word.startswith(accepted.upper()) for word in words)


def _check_geometry(header: Dataset, contract: InputContract) -> None:
    if "Rows" not in header or "Columns" not in header:
        raise UnsuitableImage("no-pixel-data", "the object has no image: Rows and Columns are absent")
    rows, columns = whole_number(header, "Rows", 0), whole_number(header, "Columns", 0)
    if not (
        contract.minimum_rows <= rows <= contract.maximum_rows
        and contract.minimum_columns <= columns <= contract.maximum_columns
    ):
        raise UnsuitableImage(
            "bad-dimensions",
            f"the image has {rows} rows and {columns} columns; read are "
            f"{contract.minimum_rows} to {contract.maximum_rows} rows and "
            f"{contract.minimum_columns} to {contract.maximum_columns} columns",
        )
    samples = whole_number(header, "SamplesPerPixel", 1)
    photometric = text(header, "PhotometricInterpretation")
    if samples != 1 or photometric not in contract.photometric:
        raise UnsuitableImage(
            "bad-photometric",
            f"Photometric Interpretation is {shown(photometric)} with {samples} samples per pixel, "
            f"not {' or '.join(contract.photometric)} with one",
        )
    frames = number(header, "NumberOfFrames")
    if frames is not None and frames > 1 and contract.volume is None:
        raise UnsuitableImage("multi-frame", f"the image has {int(frames)} frames")
    check_bits(header)


def check_bits(header: Dataset) -> None:
    """Check that the stored values are integers of 8 or 16 bits.

    Raises
    ------
    UnsuitableImage
        ``bad-bit-depth``.
    """
    allocated = whole_number(header, "BitsAllocated", 0)
    stored = whole_number(header, "BitsStored", allocated)
    high = whole_number(header, "HighBit", stored - 1)
    if allocated not in (8, 16) or not 1 < stored <= allocated or high != stored - 1:
        raise UnsuitableImage(
            "bad-bit-depth",
            f"Bits Allocated {allocated}, Bits Stored {stored} and High Bit {high} are not read",
        )
    if whole_number(header, "PixelRepresentation", 0) not in (0, 1):
        raise UnsuitableImage("bad-bit-depth", "Pixel Representation is neither 0 nor 1")
