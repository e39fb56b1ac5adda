"""Stored values to displayed values: modality transformation, values of interest, polarity.

References
----------
PS3.3 C.11.1 Modality LUT, C.11.2 VOI LUT, C.11.6 Softcopy Presentation LUT, C.7.6.3.1.2 Photometric
Interpretation, C.8.11.3.1.2 Presentation LUT Shape of DX images; PS3.4 N.2 for their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, number, numbers, text
from dicom_io.reading.errors import UnsuitableImage

__all__ = ["display", "padding_mask", "window"]

Values = NDArray[np.float32]


def display(stored: NDArray[np.integer[Any]], header: Dataset) -> Values:
    """Return what a viewer shows of stored values: float32 in [0, 1], white 1.

    The first VOI LUT wins, then the first window, then the range of the image without its padding. Only
    MONOCHROME1 inverts. Presentation LUT Shape INVERSE is what a DX image has to say when it is
    MONOCHROME1 (C.8.11.3.1.2), the same inversion said twice, so that it is not applied again.

    Raises
    ------
    UnsuitableImage
        ``bad-lookup-table``: a LUT of the header is malformed; ``bad-rescale``: by rescale or window, values
        are no finite numbers.
    """
    padding = padding_mask(stored, header)
    with np.errstate(over="ignore", invalid="ignore"):
        values = _modality(stored, header)
        _check_finite(values)
        shown = _values_of_interest(values, header, padding)
        _check_finite(shown)
    # Sixteen binary places, of which one less the value is exact: a film and its negative then stay twins.
    shown = np.ldexp(np.rint(np.ldexp(shown, 16)), -16)
    if text(header, "PhotometricInterpretation") == "MONOCHROME1":
        np.subtract(1.0, shown, out=shown)
    if padding is not None:
        # Padding is background whatever the polarity: as dark as air.
        shown[padding] = 0.0
    return shown


def _check_finite(values: Values) -> None:
    # The sum is finite exactly where all are, short of an overflow of sixty-four bits.
    if not np.isfinite(np.sum(values, dtype=np.float64)):
        raise UnsuitableImage(
            "bad-rescale", "the pixels have no finite values by the rescale or the window of the header"
        )


def padding_mask(stored: NDArray[np.integer[Any]], header: Dataset) -> NDArray[np.bool_] | None:
    """Return where stored values are padding (C.7.5.1.1.2), None where the header tells of none."""
    value = number(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    mask = (stored >= low) & (stored <= high)
    # A film that is all padding by its header is a film with a wrong header.
    return None if not mask.any() or mask.all() else np.asarray(mask)


def _modality(stored: NDArray[np.integer[Any]], header: Dataset) -> Values:
    tables = items(header, "ModalityLUTSequence")
    if tables:
        return _look_up(stored.astype(np.float32), tables[0])[0]
    slope = number(header, "RescaleSlope")
    intercept = number(header, "RescaleIntercept")
    values = stored.astype(np.float32)
    if slope:
        values *= np.float32(slope)
    if intercept:
        values += np.float32(intercept)
    return values


def _values_of_interest(values: Values, header: Dataset, padding: NDArray[np.bool_] | None) -> Values:
    tables = items(header, "VOILUTSequence")
    if tables:
        found, highest = _look_up(values, tables[0])
        return np.asarray(np.clip(found / np.float32(highest), 0, 1), dtype=np.float32)
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if centres and widths and widths[0] > 0:
        function = text(header, "VOILUTFunction") or "LINEAR"
        if function != "LINEAR" or widths[0] >= 1:
            return window(values, centres[0], widths[0], function)
    return _full_range(values if padding is None else values[~padding], values)


def window(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """Apply a window of C.11.2.1.2 or C.11.2.1.3 and return values in [0, 1].

    An unknown function is taken for LINEAR, the default.
    """
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - np.float32(centre)) / np.float32(width), -80, 80)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)), dtype=np.float32)
    if function == "LINEAR_EXACT":
        shown = (values - np.float32(centre)) / np.float32(width) + np.float32(0.5)
    elif width <= 1:
        shown = (values > np.float32(centre - 0.5)).astype(np.float32)
    else:
        shown = (values - np.float32(centre - 0.5)) / np.float32(width - 1) + np.float32(0.5)
    return np.clip(shown, 0, 1, out=shown)


def _full_range(counted: Values, values: Values) -> Values:
    low, high = float(counted.min()), float(counted.max())
    if high <= low:
        return np.zeros_like(values)
    shown = (values - np.float32(low)) / np.float32(high - low)
    return np.clip(shown, 0, 1, out=shown)


def _look_up(values: Values, table: Dataset) -> tuple[Values, float]:
    """Map values by a LUT (C.11.1.1.1, C.11.2.1.1): those below and above take its first and last entry."""
    descriptor = numbers(table, "LUTDescriptor")
    if len(descriptor) != 3:
        raise UnsuitableImage("bad-lookup-table", "a LUT Descriptor has not three values")
    entries, first, bits = (int(value) for value in descriptor)
    entries = (entries & 0xFFFF) or 65536
    bits &= 0xFF
    data = _lut_data(table, entries)
    # Which of US and SS the first value mapped is depends on the image and is often written wrongly.
    if first > 32767 and float(values.min()) < 0:
        first -= 65536
    if not 8 <= bits <= 16 or data.size < entries:
        raise UnsuitableImage(
            "bad-lookup-table", f"a lookup table has {data.size} entries of {entries}, of {bits} bits"
        )
    index = np.clip(values - first, 0, entries - 1).astype(np.int32)
    highest = max(float((1 << bits) - 1), float(data[:entries].max()))
    return data[:entries][index].astype(np.float32), highest


def _lut_data(table: Dataset, entries: int) -> NDArray[np.uint16]:
    element = table.get("LUTData")
    if isinstance(element, bytes):
        if len(element) in (entries, entries + entries % 2):
            return np.frombuffer(element, np.uint8).astype(np.uint16)
        return np.frombuffer(element[: len(element) // 2 * 2], "<u2")
    found = np.asarray(numbers(table, "LUTData"))
    return (found.astype(np.int64) & 0xFFFF).astype(np.uint16)
