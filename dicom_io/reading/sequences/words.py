"""Words of series descriptions: cut into tokens, and what they name.

Vendors and sites write the same thing in many ways ("T1_TSE_TRA_KM", "+C Ax T1 FSPGR", "t1w/gd"). Everything
is brought to upper-case tokens first; only tokens of fixed vocabularies are repeated in evidence, because
the rest of a description is free text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from dicom_io.reading.sequences.contrast import AGENTS

__all__ = ["Named", "named", "tokens_of"]

_AGENT = rf"(?:{'|'.join(sorted(AGENTS - {'WITHC'}, key=lambda agent: (-len(agent), agent)))})"
_ALONE = r"(?:(?<=T1)|(?<![A-Z0-9]))"
_REWRITTEN: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"_", " "),
        (r"[\u2010-\u2015\u2212]", "-"),
        (r"(?<![A-Z])Ø(?![A-Z])|\u2205", " NO "),
        (r"\bHAND[- ]*(?=INJ|PUSH|BOLUS|ADMIN)|(?<=INJ)[- ]*(?:BY[- ])?HAND\b|\bBY[- ]HAND\b", " "),
        (r"\bSUB[- ]?(?=MM\b|MILLI)", " "),
        (r"T2\s*\*|T2[-_ ]?STAR", " T2STAR "),
        (r"T1[-_ ]?RHO", " T1RHO "),
        (r"MP[-_ ]?2[-_ ]?RAGE", " MP2RAGE "),
        (r"\+\s*/\s*-|-\s*/\s*\+|±", " PLUSMINUS "),
        # A minus is joined to the agent on one side only; between two words it may be a mere dash.
        (rf"{_ALONE}({_AGENT})(?:-(?![A-Z0-9])|\s+-\s*$)", r" MINUS \1 "),
        (rf"(?<![A-Z0-9])-(?={_AGENT}(?![A-Z0-9]))", " MINUS "),
        (rf"(?<=[A-Z0-9])-\s*(?={_AGENT}(?![A-Z0-9]|-[A-Z0-9]|\s?\+))", " DASH "),
        (rf"(?<=\s)-\s+(?={_AGENT}(?![A-Z0-9]|\s?\+))", " DASH "),
        (r"(?<=T1)-\s*(?=C(?![A-Z0-9+-]))", " DASH "),
        (r"\b(?:S\s*/\s*C|C\s*/\s*S)\s+(?=CONTR)", " WWO "),
        (rf"(?<![A-Z0-9/])S\s*/\s*(?=(?:{_AGENT}|C|CIV)(?![A-Z0-9]))", " WITHOUT "),
        (rf"(?<![A-Z0-9/])C\s*/\s*(?=(?:{_AGENT}|C|CIV)(?![A-Z0-9]))", " WITH "),
        (r"\bW\s*/\s*WO\b|\bW(?:ITH)?[-_ &/+]*(?:AND[-_ ]*)?W(?:ITH)?/?OU?T?\b", " WWO "),
        (r"\bW\s*/\s*O(?:UT)?\b", " WITHOUT "),
        (rf"\+\s?C(?![A-Z])|{_ALONE}C\s?\+|(?<=T1)\s?\+(?=\s|$)", " WITHC "),
        (rf"{_ALONE}C(?:-(?![A-Z0-9])|\s+-\s*$)|(?<![A-Z0-9+])-\s?C(?![A-Z0-9]|-[A-Z0-9])", " NOC "),
        (r"[^A-Z0-9]+", " "),
        (r"\b(AX|SAG|COR|TRA|TRANS|OBL|3D|2D|IR|TSE|FSE|TIR|EP2D)(?=T[12](?!\d))", r"\1 "),
        (r"\b(T[12])(?=[A-Z])(?!T2STAR|T1RHO)", r"\1 "),
        (r"\bT2 STAR\b", "T2STAR"),
        (r"\bT1 RHO\b", "T1RHO"),
        (r"\bDARK FLUID\b|\bDA FL\b|\bDAFL\b|\bDARKFL\b|\bSPCIR\b", "DARKFLUID"),
        (r"\bFLAIR(?=[A-Z0-9])", "FLAIR "),
        (r"(?<=[A-Z0-9])FLAIR\b", " FLAIR"),
        (r"\bMP RAGE\b", "MPRAGE"),
        (r"\b(?:3|THREE) ?(?:PLANES?|PL)\b", "THREEPLANE"),
        (r"\bFAT ?(?:SAT\w*|SUP\w*|FREE|NULL\w*)\b", "FATSAT"),
        (r"\bPROTON (?:DENSITY|DENS)\b", "PD"),
        (r"\bMIN(?:IMUM)? IP\b", "MINIP"),
        (r"\bOUT (?:OF )?PHASE\b|\bOPP(?:OSED)? PHASE\b", "OPPOSED"),
        (r"\b(?:ARTERIAL )?SPIN LABEL\w*\b", "ASL"),
        (r"\bCSF FLOW\b", "QFLOW"),
        (r"\bFA (?=\d)", "FLIP "),
    )
)
_T1_NAMES: Final = frozenset(
    "MPRAGE MEMPRAGE MP2RAGE BRAVO FSPGR SPGR IRSPGR EFGRE3D TFL TFL3D TFL3D1 MDEFT TFE VIBE THRIVE LAVA "
    "RSSG TIGRE".split()
)
_FLAIR_NAMES: Final = frozenset(("FLAIR", "DARKFLUID"))
_T2_NAMES: Final = frozenset(("HASTE", "SSFSE", "SSTSE", "FASE"))  # codespell:ignore fase
_PD_NAMES: Final = frozenset(("PD", "PDW", "DP", "RHO"))


@dataclass(frozen=True, slots=True)
class Named:
    """What the words of one attribute name.

    Parameters
    ----------
    base : {"T1", "T2", "FLAIR", "PD"} or None
        The weighting; None where no word or no single one is named.
    words : tuple of str
        The words it follows from, of fixed vocabularies.
    unclear : bool
        Whether several weightings are named.
    """

    base: Literal["T1", "T2", "FLAIR", "PD"] | None
    words: tuple[str, ...] = ()
    unclear: bool = False


def tokens_of(text: str) -> tuple[str, ...]:
    """Return the upper-case tokens of a description, with the many ways to write one thing made one."""
    plain = unicodedata.normalize("NFKD", text.upper())
    changed = "".join(character for character in plain if not unicodedata.combining(character))
    for pattern, replacement in _REWRITTEN:
        changed = pattern.sub(replacement, changed)
    return tuple(changed.split())


def named(tokens: tuple[str, ...]) -> Named:
    """Return the weighting that tokens name.

    "T1 FLAIR" is a T1 (inversion prepared, grey and white matter apart), "T2 FLAIR" and "FLAIR" alone are
    FLAIR; a Siemens TIRM with T2 in its name is FLAIR, with T1 it is a T1.
    """
    found = frozenset(tokens)
    words = tuple(dict.fromkeys(token for token in tokens if token in _VOCABULARY))
    t1, t2 = "T1" in found, "T2" in found
    flair = bool(found & _FLAIR_NAMES) or (t2 and bool(found & {"TIRM", "TIR"}))
    proton = bool(found & _PD_NAMES)
    if t1 and t2:
        return Named(None, words, unclear=True)
    if t1:
        return Named("T1", words, unclear=False)
    if flair:
        return Named("FLAIR", words)
    if t2 or found & _T2_NAMES:
        return Named("T2", words) if not proton else Named(None, words, unclear=True)
    if proton:
        return Named("PD", words)
    return Named("T1", words) if found & _T1_NAMES else Named(None)


_VOCABULARY: Final = frozenset(("T1", "T2", "TIRM", "TIR")) | _T1_NAMES | _FLAIR_NAMES | _T2_NAMES | _PD_NAMES
