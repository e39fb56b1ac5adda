"""Attributes of untrusted data sets: absent, empty, malformed and repeated values become plain types."""

from __future__ import annotations

import math
import re
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

__all__ = [
    "acquired_at",
    "items",
    "number",
    "numbers",
    "patient_of",
    "shown",
    "text",
    "texts",
    "uid",
    "whole_number",
]

_LONGEST_SHOWN = 32
_DATE = re.compile(r"(?:19|2\d)\d{6}")
# PS3.5 6.2, DT: hours, minutes and seconds may be left out from the right; fractions and offset are not read.
_STAMP = re.compile(r"((?:19|2\d)\d{6}(?:\d{2}){0,3})(?:\.\d{1,6})?(?:[+-]\d{4})?")
_CONVERSION_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    ArithmeticError,
    AttributeError,
    NotImplementedError,
    BytesLengthException,
)


def _value(dataset: Dataset, keyword: str) -> object:
    try:
        return dataset.get(keyword)
    # A raw element is converted at first use, and any malformed value fails here with its own error.
    except (*_CONVERSION_ERRORS, KeyError, LookupError, OSError):
        return None


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return every value as stripped upper-case text; empty where absent or malformed."""
    value = _value(dataset, keyword)
    if value is None or isinstance(value, (bytes, Sequence)):
        return ()
    values = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    return tuple(str(one).strip("\0 \t\r\n").upper() for one in values)


def text(dataset: Dataset, keyword: str) -> str:
    """Return the first value as stripped upper-case text, ``""`` where there is none."""
    values = texts(dataset, keyword)
    return values[0] if values else ""


def uid(dataset: Dataset, keyword: str) -> str:
    """Return a UID as it stands, without padding; ``""`` where there is none."""
    value = _value(dataset, keyword)
    return value.strip("\0 ") if isinstance(value, str) else ""


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Return every value as a finite number; empty where one of them is not."""
    found = []
    for one in texts(dataset, keyword):
        try:
            found.append(float(one))
        except ValueError:
            return ()
    return tuple(found) if all(math.isfinite(one) for one in found) else ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a finite number, None where there is none."""
    values = numbers(dataset, keyword)
    return values[0] if values else None


def whole_number(dataset: Dataset, keyword: str, default: int) -> int:
    """Return the first value as an integer, ``default`` where there is none."""
    value = number(dataset, keyword)
    return default if value is None else int(value)


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence; empty where the attribute is no sequence."""
    value = _value(dataset, keyword)
    return tuple(value) if isinstance(value, Sequence) else ()


def shown(value: str) -> str:
    """Return a technical value fit for a message: printable ASCII, short, never empty."""
    clean = "".join(c if c.isprintable() and c.isascii() else "?" for c in value)[:_LONGEST_SHOWN]
    return clean or "(empty)"


def patient_of(header: Dataset) -> tuple[str, str]:
    """Return Patient ID and Issuer of Patient ID, to tell patients apart; nothing of it is decoded.

    Elements stay as they are in ``header``, so that what is copied from it later is still what was read.
    """
    return _undecoded(header, "PatientID"), _undecoded(header, "IssuerOfPatientID")


def acquired_at(header: Dataset) -> datetime | None:
    """Return when the images were made, in the time of the site, without a zone; None where nothing says so.

    The acquisition says it best, then the series, then the study; a date without a time is its midnight.
    """
    stamps = [text(header, "AcquisitionDateTime")]
    for what in ("Acquisition", "Series", "Study"):
        date = text(header, f"{what}Date")
        if _DATE.fullmatch(date):
            stamps.append(date + text(header, f"{what}Time"))
            stamps.append(date)
    for stamp in stamps:
        found = _STAMP.fullmatch(stamp)
        if found is None:
            continue
        digits = found[1]
        try:
            return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007 - the site's own
        except ValueError:
            continue
    return None


def _undecoded(header: Dataset, keyword: str) -> str:
    item = header.get_item(keyword) if keyword in header else None
    value = None if item is None else item.value
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")
