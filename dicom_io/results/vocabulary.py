"""Coded concepts and words of the results."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from models.concepts import Concept

__all__ = [
    "AI_NOTICE",
    "OWN_SCHEME",
    "ascii_text",
    "coded",
    "coding_scheme_identification",
    "component_concept",
    "concept",
    "own",
]

AI_NOTICE: Final = "AI result, research use"
OWN_SCHEME: Final = "99SECONDREAD"
_CODE_LENGTH = 16
_PLAIN_CODE = re.compile(rf"[A-Za-z0-9-]{{1,{_CODE_LENGTH}}}")
_PLAIN_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_COMPONENTS = {
    "member_support": "Member support (fraction of all members)",
    "score_spread": "Spread of member scores (standard deviation)",
    "mean_iou": "Mean IoU of member boxes with the finding",
    "pairwise_f1": "Mean F1 of member pairs at IoU 0.2",
    "case_score": "Highest film score",
    "foreground_entropy": "Sureness of marked voxels, 0 to .69",
    "mean_max": "Mean sureness of all voxels, .5 to 1",
    "mean_probability": "Mean probability of marked voxels",
    "pairwise_dice": "Mean Dice of pairs of members",
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
    """Return a coded concept.

    The meaning is cut to the 64 characters that it may have; one without anything in ASCII is the code.
    """
    shown = "".join(c for c in ascii_text(meaning) if c.isprintable())[:64].strip()
    return CodedConcept(value=value, scheme_designator=scheme, meaning=shown or value)


def coded(what: Concept) -> CodedConcept:
    """Return a concept as a code of a content item."""
    return concept(what.code, what.scheme, what.meaning)


def own(value: str, meaning: str) -> CodedConcept:
    """Return a concept of SecondRead's own coding scheme; other values give other codes."""
    return concept(value if _PLAIN_CODE.fullmatch(value) else _hashed(value), OWN_SCHEME, meaning)


def component_concept(name: str) -> CodedConcept:
    """Return the concept of a confidence component, e.g. ``member_support``; other names give other codes."""
    words = re.sub(r"[^A-Za-z0-9]+", " ", ascii_text(name)).strip()
    meaning = _COMPONENTS.get(name, words[:1].upper() + words[1:])
    return own(name.replace("_", "-") if _PLAIN_NAME.fullmatch(name) else _hashed(name), meaning)


def coding_scheme_identification() -> Dataset:
    """Return the item of Coding Scheme Identification Sequence that names the own scheme."""
    item = Dataset()
    item.CodingSchemeDesignator = OWN_SCHEME
    item.CodingSchemeName = "SecondRead concepts of result confidence"
    item.CodingSchemeResponsibleOrganization = "SecondRead"
    return item


def _hashed(value: str) -> str:
    """Return a code of at most 16 characters that tells ``value`` from others, whatever its script."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", ascii_text(value)).strip("-").lower()
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:5]
    return f"{words[: _CODE_LENGTH - 6] or 'term'}-{digest}"
