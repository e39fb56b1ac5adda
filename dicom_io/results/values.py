"""What is a value of its kind: form, number of values and length, on text that is still encoded.

No value is decoded by anything that could warn about it, as warnings end in logs.
"""

from __future__ import annotations

import math
import re
from typing import Final

from pydicom.datadict import dictionary_VM, keyword_for_tag
from pydicom.tag import BaseTag

__all__ = ["is_value", "single_characters"]

_DATE = r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?"
_FORMS: Final = {  # PS3.5 6.2; what is not listed is free text
    representation: re.compile(form)
    for representation, form in {
        "AE": r"[\x20-\x5b\x5d-\x7e]{1,16}",
        "AS": r"\d{3}[DWMY]",
        "CS": r"[A-Z0-9 _]{1,16}",
        "DA": _DATE,
        "DS": r"(?=.{1,16}$) *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *",
        "IS": r"(?=.{1,12}$) *[+-]?\d+ *",
        "TM": _TIME,
        # Leading zeros are no form, and yet in use: what identifies is kept.
        "UI": r"[\d.]{1,64}",
    }.items()
}
_LONGEST: Final = {"DT": 26, "LO": 64, "LT": 10240, "PN": 64, "SH": 16, "ST": 1024}  # characters
_UNDIVIDED: Final = frozenset({"LT", "ST", "UR", "UT"})
# Matched with patients and orders: a result without them is lost, one too long is found.
_ANY_LENGTH: Final = frozenset({"AccessionNumber", "PatientID", "PatientName", "StudyID"})
_ENUMERATED: Final = {
    "PatientSex": {"M", "F", "O"},
    "PatientIdentityRemoved": {"YES", "NO"},
    "QualityControlSubject": {"YES", "NO"},
    "SmokingStatus": {"YES", "NO", "UNKNOWN"},
    "BurnedInAnnotation": {"YES", "NO"},
    "RecognizableVisualFeatures": {"YES", "NO"},
    "LossyImageCompression": {"00", "01"},
}
_POSITIVE: Final = frozenset({"LossyImageCompressionRatio"})
# PS3.3 C.12.1.1.2: two bytes a character between this escape and the next (JIS), or in the upper half.
_TWO_BYTES_LOWER = re.compile(r"\x1b\$(?:[@B]|\(D)([^\x1b]*)")
_TWO_BYTES_UPPER = re.compile(r"[\xa1-\xfe]{2}")
_ESCAPE = re.compile(r"\x1b[\x20-\x2f]+[\x30-\x7e]")


def is_value(tag: BaseTag, representation: str, text: str) -> bool:
    """Return whether text is as many values as the attribute may have, each of its form and length.

    Parameters
    ----------
    tag : BaseTag
        The attribute. Those that patients and orders are matched by may have any length.
    representation : str
        Its VR.
    text : str
        One character for each of the value, see :func:`single_characters`; values are divided by backslashes.

    References
    ----------
    PS3.5 6.2 (value representations), 6.4 (value multiplicity); PS3.6 (of which multiplicity each is).
    """
    keyword = keyword_for_tag(tag)
    parts = [text] if representation in _UNDIVIDED else [part.strip(" ") for part in text.split("\\")]
    if not _may_have(tag, len(parts)):
        return False
    longest = None if keyword in _ANY_LENGTH else _LONGEST.get(representation)
    groups = [group for part in parts for group in (part.split("=") if representation == "PN" else [part])]
    if longest is not None and max(map(len, groups)) > longest:
        return False
    form, allowed = _FORMS.get(representation), _ENUMERATED.get(keyword)
    return all(
        (form is None or form.fullmatch(part) is not None)
        and (allowed is None or part in allowed)
        and (keyword not in _POSITIVE or 0 < float(part) < math.inf)
        for part in parts
        if part
    )


def single_characters(value: bytes, character_sets: tuple[str, ...]) -> str:
    """Return encoded text with one character for each that it has; which ones they are is not preserved.

    Parameters
    ----------
    value : bytes
        As it is encoded. Bytes of a character of several are never taken for a backslash.
    character_sets : tuple of str
        Values of Specific Character Set.
    """
    if "ISO_IR 192" in character_sets:
        return value.decode("utf-8", errors="replace")
    if {"GB18030", "GBK"} & set(character_sets):
        return value.decode("gb18030", errors="replace")
    text = value.decode("latin-1")
    if "\x1b" not in text:
        return text
    upper = "\x1b$)" in text
    text = _TWO_BYTES_LOWER.sub(lambda found: "x" * (len(found[1]) // 2), text)
    text = _ESCAPE.sub("", text)
    return _TWO_BYTES_UPPER.sub("x", text) if upper else text


def _may_have(tag: BaseTag, count: int) -> bool:
    try:
        multiplicity = dictionary_VM(tag)
    except KeyError:
        return True
    low, _, high = multiplicity.partition("-")
    if not high:
        return count == int(low)
    if high.endswith("n"):
        return count >= int(low) and count % int(high[:-1] or 1) == 0
    return int(low) <= count <= int(high)
