"""Words of series descriptions: cut into tokens, and what they name.

Vendors and sites write the same thing in many ways ("T1_TSE_TRA_KM", "+C Ax T1 FSPGR", "t1w/gd"). Everything
is brought to upper-case tokens first; only tokens of fixed vocabularies are repeated in evidence, because
the rest of a description is free text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Named", "Stated", "contrast_named", "named", "tokens_of"]

Stated = Literal["yes", "no", "unknown"]

_REWRITTEN: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"_", " "),
        (r"[ÄÀÁÂ]", "A"),
        (r"[ÈÉÊ]", "E"),
        (r"T2\s*\*|T2[-_ ]?STAR", " T2STAR "),
        (r"T1[-_ ]?RHO", " T1RHO "),
        (r"MP[-_ ]?2[-_ ]?RAGE", " MP2RAGE "),
        (r"\bW\s*/\s*WO\b|\bW(?:ITH)?[-_ &/+]*(?:AND[-_ ]*)?W(?:ITH)?/?OU?T?\b", " WWO "),
        (r"\bW\s*/\s*O(?:UT)?\b", " WITHOUT "),
        (r"\+\s?C(?![A-Z])|(?:(?<=T1)|(?<![A-Z0-9]))C\s?\+|(?<=T1)\s?\+(?=\s|$)", " WITHC "),
        (r"(?:(?<=T1)|(?<![A-Z0-9]))C-(?![A-Z0-9])|(?:^|(?<=\s))-\s?C(?![A-Z0-9])", " NOC "),
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
_AGENTS: Final = frozenset(
    "WITHC GD GAD GADO GADOLINIUM GADAVIST GADOVIST DOTAREM MAGNEVIST PROHANCE MULTIHANCE CLARISCAN "
    "ELUCIREM VUEWAY CONTRAST CONTRASTE KONTRAST CONTR CE KM MDC INJ INJECTE INJECTEE INJECTION".split()
)
_AFTER: Final = frozenset("POST POSTGD POSTGAD POSTGADO POSTC POSTCONTRAST ENHANCED NACH APRES DOPO".split())
_BEFORE: Final = frozenset(
    "PRE PREGD PREGAD PREGADO PREC PRECONTRAST PRECON NOC NATIV NATIVE NONCON NONCONTRAST UNENHANCED "
    "NOGD NOGAD NOCONTRAST".split()
)
_BOTH: Final = frozenset(("WWO",))
_NEGATIONS: Final = frozenset(
    "WITHOUT WO NO NON OHNE SANS SENZA SIN SEM KEIN PRE BEFORE VOR AVANT".split()  # codespell:ignore vor
)
# "Post-op", "pre-radiation", "posterior fossa" shortened: no word on contrast.
_NOT_OF_CONTRAST: Final = frozenset(
    "OP OPERATIVE SURG SURGERY SURGICAL RT XRT RADIATION RADIO CHEMO TREATMENT TX BIOPSY RESECTION "
    "FOSSA FOS PROC PROCESSED PROCESSING SAT TRAUMA ICTAL DBS STIM".split()
)


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
    changed = text.upper()
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


def contrast_named(tokens: tuple[str, ...]) -> tuple[Stated, str]:
    """Return whether tokens say that the images are after contrast, and a word for it.

    Both said ("pre and post", "w/wo") is unknown. "Post-op" and its like say nothing.
    """
    yes = no = ""
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else ""
        after = tokens[index + 1] if index + 1 < len(tokens) else ""
        if token in _BOTH:
            return "unknown", ""
        if token in ("POST", "PRE", "NACH", "APRES", "DOPO") and after in _NOT_OF_CONTRAST:
            continue
        if token in _BEFORE:
            no = token
        elif token in _AGENTS or token in _AFTER or (before, token) == ("T1", "C"):
            if before in _NEGATIONS:
                no = token
            elif not (token in ("NACH", "APRES", "DOPO") and not after):
                yes = token
    if bool(yes) == bool(no):
        return "unknown", ""
    return ("yes", yes) if yes else ("no", no)


_VOCABULARY: Final = frozenset(("T1", "T2", "TIRM", "TIR")) | _T1_NAMES | _FLAIR_NAMES | _T2_NAMES | _PD_NAMES
