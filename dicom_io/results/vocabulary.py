"""Coded concepts and words of the results."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

__all__ = [
    "AI_NOTICE",
    "OWN_SCHEME",
    "ascii_text",
    "coding_scheme_identification",
    "component_concept",
    "concept",
    "own",
]

AI_NOTICE: Final = "AI result, research use"
OWN_SCHEME: Final = "99SECONDREAD"
_CODE_LENGTH = 16
_COMPONENTS = {
    "member_support": "Member support (fraction of all members)",
    "score_spread": "Spread of member scores (standard deviation)",
    "mean_iou": "Mean IoU of member boxes with the finding",
    "pairwise_f1": "Mean F1 of member pairs at IoU 0.2",
    "case_score": "Highest film score",
}
_SUBSTITUTES = str.maketrans(
    {"≥": ">=", "≤": "<=", "≈": "~", "×": "x", "µ": "u", "–": "-", "—": "-", "−": "-", "→": "->", "±": "+/-"}
    | {"‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "·": "-", "•": "-", "ß": "ss", "ø": "o", "Ø": "O"}
)


def ascii_text(text: str) -> str:
    """Return ``text`` in ASCII, which every DICOM character set can carry.

    What the report itself says must never fail in, or change, the character set of the patient's name.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_SUBSTITUTES))
    return decomposed.encode("ascii", "ignore").decode("ascii").replace("\\", "/").strip()


def concept(value: str, scheme: str, meaning: str) -> CodedConcept:
    """Return a coded concept; the meaning is cut to the 64 characters that it may have."""
    return CodedConcept(value=value, scheme_designator=scheme, meaning=ascii_text(meaning)[:64])


def own(value: str, meaning: str) -> CodedConcept:
    """Return a concept of SecondRead's own coding scheme."""
    return concept(_short(value), OWN_SCHEME, meaning)


def component_concept(name: str) -> CodedConcept:
    """Return the concept of a confidence component, e.g. ``member_support``."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", ascii_text(name)).strip()
    meaning = _COMPONENTS.get(name, words[:1].upper() + words[1:])
    return own(words.lower().replace(" ", "-"), meaning)


def coding_scheme_identification() -> Dataset:
    """Return the item of Coding Scheme Identification Sequence that names the own scheme."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "SecondRead concepts of result confidence"
    item.CodingSchemeResponsibleOrganization = "SecondRead"
    return item


def _short(value: str) -> str:
    if len(value) <= _CODE_LENGTH:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:5]
    return f"{value[: _CODE_LENGTH - 6]}-{digest}"
