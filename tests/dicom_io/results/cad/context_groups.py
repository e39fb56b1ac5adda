"""Context groups of PS3.16 as pydicom has them: by number, with the meanings of their codes."""

from __future__ import annotations

from functools import cache

from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

__all__ = ["dicom_terms", "group"]


@cache
def group(number: int) -> dict[tuple[str, str], str]:
    """Return code and scheme of every concept of a context group, with its meaning."""
    found = {
        (code, scheme): plain(meaning)
        for scheme, names in cid_concepts[number].items()
        for name in names
        for code, (meaning, groups) in concepts[scheme][name].items()
        if number in groups
    }
    assert found, f"pydicom has no context group {number}"
    return found


@cache
def dicom_terms() -> dict[str, str]:
    """Return every term of the DICOM Controlled Terminology by its code."""
    return {
        code: plain(meaning) for entry in concepts["DCM"].values() for code, (meaning, _) in entry.items()
    }


def plain(meaning: str) -> str:
    """Return a meaning without the break opportunities that the standard's pages have."""
    return meaning.replace("\u200b", "")
