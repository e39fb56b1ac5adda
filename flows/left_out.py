"""What the code of an image that is not read says: that it failed, or that nobody meant it to be read."""

from __future__ import annotations

from dicom_io.reading.sequences import SET_ASIDE_CODES

__all__ = ["is_of_another_kind"]

_OF_ANOTHER_KIND = SET_ASIDE_CODES | {
    "bad-photometric",
    "lateral-view",
    "not-chosen",
    "own-result",
    "quality-control-image",
    "secondary-capture",
    "sequence-not-read",
    "several-patients",
    "wrong-body-part",
    "wrong-modality",
    "wrong-sop-class",
}


def is_of_another_kind(code: str) -> bool:
    """Return whether the code of an UnsuitableImage says that the package was never meant for it."""
    return code in _OF_ANOTHER_KIND
