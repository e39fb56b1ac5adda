"""Testing a condition on a header, with the reason where it fails."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite
from typing import Final

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from flows.routing.rules import Condition, Route

__all__ = ["QUOTABLE", "candidate_routes", "could_pass", "definite_failures", "failures"]

# Technical attributes whose values may be quoted where explanations are kept. Descriptions, names,
# dates, comments and protocol names are not among them: people type patients into those.
QUOTABLE: Final[Collection[str]] = frozenset(
    {
        "BitsAllocated", "BitsStored", "BodyPartExamined",
        "BurnedInAnnotation", "Columns", "ConversionType", "DetectorType", "EchoTime", "HighBit",
        "ImageLaterality", "ImageType", "ImagerPixelSpacing", "Laterality", "MRAcquisitionType",
        "MagneticFieldStrength", "Manufacturer", "ManufacturerModelName", "Modality", "NumberOfFrames",
        "PartialView", "PatientOrientation", "PatientPosition", "PhotometricInterpretation",
        "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "PixelRepresentation", "PixelSpacing",
        "PresentationIntentType", "PresentationLUTShape", "RepetitionTime", "Rows", "SOPClassUID",
        "SamplesPerPixel", "ScanOptions", "ScanningSequence", "SequenceVariant", "SliceThickness",
        "SpacingBetweenSlices", "ViewPosition",
    }
)  # fmt: skip
_LONGEST_QUOTE = 64


class _UnreadableValue(ValueError):
    """The bytes of an attribute do not fit its value representation."""


def failures(condition: Condition, header: Dataset) -> list[str]:
    """Return why a condition does not hold for a header; empty where it does.

    The texts quote values of `QUOTABLE` attributes only, so that they may be kept and logged.
    """
    if condition.all_ is not None:
        return [reason for part in condition.all_ for reason in failures(part, header)]
    if condition.any_ is not None:
        reasons = [failures(part, header) for part in condition.any_]
        if any(not found for found in reasons):
            return []
        return ["none of: " + "; ".join(reason for found in reasons for reason in found)]
    if condition.not_ is not None:
        if failures(condition.not_, header):
            return []
        return [f"excluded because {_describe(condition.not_, header)}"]
    assert condition.tag is not None  # noqa: S101 - the condition's own validator
    return _test_failures(condition, condition.tag, header)


def could_pass(condition: Condition, known: Mapping[str, str]) -> bool:
    """Return whether a condition may hold for an instance of which only some attributes are known.

    Parameters
    ----------
    known : mapping
        Values by keyword; an empty value is an absent attribute. Tests of other attributes are open.
    """
    return _decide(condition, known) is not False


def definite_failures(condition: Condition, known: Mapping[str, str]) -> list[str]:
    """Return why a condition cannot hold whatever the other attributes are; empty where it could."""
    if _decide(condition, known) is not False:
        return []
    if condition.all_ is not None:
        return [reason for part in condition.all_ for reason in definite_failures(part, known)]
    if condition.any_ is not None:
        reasons = [reason for part in condition.any_ for reason in definite_failures(part, known)]
        return ["none of: " + "; ".join(reasons)]
    return failures(condition, _header(known))


def candidate_routes(kinds: Iterable[tuple[str, str]], routes: Sequence[Route]) -> list[Route]:
    """Return the routes that may read a study of which (Modality, SOP Class UID) pairs are known."""
    known = [{"Modality": modality, "SOPClassUID": sop_class} for modality, sop_class in kinds]
    return [route for route in routes if any(could_pass(route.when, one) for one in known)]


def _header(known: Mapping[str, str]) -> Dataset:
    header = Dataset()
    for keyword, value in known.items():
        if value:
            setattr(header, keyword, value)
    return header


def _decide(condition: Condition, known: Mapping[str, str]) -> bool | None:
    if condition.all_ is not None:
        parts = [_decide(part, known) for part in condition.all_]
        return False if False in parts else None if None in parts else True
    if condition.any_ is not None:
        parts = [_decide(part, known) for part in condition.any_]
        return True if True in parts else None if None in parts else False
    if condition.not_ is not None:
        part = _decide(condition.not_, known)
        return None if part is None else not part
    if condition.tag not in known:
        return None
    return not failures(condition, _header(known))


def _values(header: Dataset, keyword: str) -> list[object]:
    """Return the values of an attribute; none where it is absent or empty."""
    try:
        if keyword not in header:
            return []
        value = header[keyword].value
    except Exception as error:
        # Conversion is lazy, and pydicom's errors for bytes that do not fit share no base.
        raise _UnreadableValue(keyword) from error
    if isinstance(value, DicomSequence):
        return list(value)
    several = value if isinstance(value, list | tuple) or type(value).__name__ == "MultiValue" else [value]
    return [one for one in several if one is not None and str(one).strip() != ""]


def _test_failures(condition: Condition, keyword: str, header: Dataset) -> list[str]:
    try:
        values = _values(header, keyword)
    except _UnreadableValue:
        return [f"{keyword} cannot be decoded"]
    if condition.present is not None:
        holds = bool(values) == condition.present
        return [] if holds else [f"{keyword} is {'absent' if condition.present else 'present'}"]
    if any(_passes(condition, value) for value in values if not isinstance(value, Dataset)):
        return []
    if any(isinstance(value, Dataset) for value in values):
        return [f"{keyword} is a sequence and can only be tested for presence"]
    found = _quote(keyword, values) if values else "absent"
    return [f"{keyword} is {found}, {_wanted(condition)} is needed"]


def _passes(condition: Condition, value: object) -> bool:
    if condition.equals is not None:
        return _same(condition.equals, value)
    if condition.in_ is not None:
        return any(_same(wanted, value) for wanted in condition.in_)
    if condition.matches is not None:
        return re.search(condition.matches, str(value)) is not None
    if condition.range is not None:
        number = _number(value)
        return number is not None and condition.range[0] <= number <= condition.range[1]
    return False


def _same(wanted: str | float, value: object) -> bool:
    if isinstance(wanted, str):
        return str(value).strip() == wanted.strip()
    return _number(value) == float(wanted)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if isfinite(number) else None


def _wanted(condition: Condition) -> str:
    if condition.equals is not None:
        return repr(condition.equals)
    if condition.in_ is not None:
        return "one of " + ", ".join(repr(one) for one in condition.in_)
    if condition.matches is not None:
        return f"a match of /{condition.matches}/"
    if condition.range is not None:
        return f"{condition.range[0]:g} to {condition.range[1]:g}"
    return "a value"


def _quote(keyword: str, values: list[object]) -> str:
    if keyword not in QUOTABLE:
        return "another (value withheld)"
    text = "\\".join(str(value) for value in values)
    text = "".join(character if character.isprintable() else "?" for character in text)
    return repr(text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…")


def _describe(condition: Condition, header: Dataset) -> str:
    """Return in words what holds, for a test that must not hold."""
    if condition.all_ is not None:
        return " and ".join(_describe(part, header) for part in condition.all_) or "of an empty test"
    if condition.any_ is not None:
        return " or ".join(_describe(p, header) for p in condition.any_ if not failures(p, header))
    if condition.not_ is not None:
        return " and ".join(failures(condition.not_, header))
    assert condition.tag is not None  # noqa: S101 - the condition's own validator
    if condition.present is not None:
        return f"{condition.tag} is {'present' if condition.present else 'absent'}"
    return f"{condition.tag} is {_quote(condition.tag, _values(header, condition.tag))}"
