"""What the words of a description say about contrast: with, without, or nothing that is clear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["AGENTS", "Stated", "contrast_named"]

Stated = Literal["yes", "no", "unknown"]

AGENTS: Final = frozenset(
    "WITHC GD GAD GADO GADOLINIUM GADOLINIO GADOBUTROL GADOTERATE GADAVIST GADOVIST DOTAREM MAGNEVIST "
    "PROHANCE MULTIHANCE OMNISCAN CLARISCAN ELUCIREM VUEWAY CONTRAST CONTRASTE CONTRASTO CONTR KONTRAST "
    "KONTRASTMITTEL CE KM MDC PDC CIV INJ INJECTE INJECTEE INJECTED INJECTION ENHANCED ENHANCEMENT".split()
)
"""Words for contrast agents and for giving them; alone they say that it was given."""

_POST: Final = frozenset("POST POSTGD POSTGAD POSTGADO POSTC POSTCONTRAST POSTKM".split())
_PRE: Final = frozenset(("PRE",))
_NATIVE: Final = frozenset(
    "PREGD PREGAD PREGADO PREC PRECONTRAST PRECON PREKM NOC NATIV NATIVE NATIF NATIVO NATIVA NONCON "
    "NONCONTRAST UNENHANCED NOGD NOGAD NOCONTRAST".split()
)
# Without: of contrast only where an agent follows, or nothing, or how and of what the images are.
_WITHOUT: Final = frozenset("WITHOUT WO WOUT OHNE SANS SENZA SIN SEM ZONDER".split())
_NOT: Final = frozenset(
    "NO NON NOT KEIN KEINE MINUS O BEFORE VOR AVANT AVT ANTES PRIMA".split()  # codespell:ignore vor
)
_WITH: Final = frozenset("WITH W MIT AVEC CON COM MET AFTER NACH APRES DOPO DESPUES TRAS NA".split())
_EITHER: Final = frozenset(("PLUSMINUS",))
_DENIED: Final = frozenset("NEG NEGATIV NEGATIVE NEGATIF NEGATIVO NEIN".split())  # codespell:ignore negativ
_DENIED_AT_END: Final = frozenset("MINUS NO NON NONE 0".split())
_DASH: Final = frozenset(("DASH",))
_FILLERS: Final = _DASH | frozenset(
    "AND UND ET Y E EN OU OR OF DE DEL DI DU THE IV I V THEN VS PRODUIT MEDIO MEIO MEZZO ADMIN".split()
)
_PLACES: Final = frozenset(
    "T1 AX AXIAL SAG SAGITTAL COR CORONAL TRA TRANS TRANSVERSAL OBL SE TSE FSE MPRAGE BRAVO SPGR FSPGR "
    "BRAIN HEAD KOPF".split()
)
_BOTH: Final = frozenset(("WWO",))
# "Post-op", "pre-radiation", "posterior fossa" shortened: no word on contrast.
_NOT_OF_CONTRAST: Final = frozenset(
    "OP OPERATIVE OPERATION SURG SURGERY SURGICAL CHIRURGIE RT XRT RADIATION RADIO RADIOTHERAPY BESTRAHLUNG "
    "CHEMO CHEMOTHERAPY THERAPY THERAPIE TREATMENT TX BIOPSY RESECTION FOSSA FOS PROC PROCESSED PROCESSING "
    "SAT TRAUMA STROKE ICTAL DBS STIM".split()
)


@dataclass(frozen=True, slots=True)
class _Word:
    token: str
    before: str
    after: str
    is_last_but_one: bool


_Said = dict[bool, str]
"""The word that says with (True) and the one that says without (False), where there are such."""


def contrast_named(tokens: tuple[str, ...]) -> tuple[Stated, str]:
    """Return whether tokens say that the images are after contrast, and a word for it.

    A preposition counts for the agents that follow it ("sans injection de gado"). Both said ("pre and post",
    "mit/ohne KM") is unknown, and so is a dash that may be a minus ("T1-KM"). "Post-op" and its like say
    nothing.
    """
    if not _BOTH.isdisjoint(tokens):
        return "unknown", ""
    said: _Said = {}
    pending: _Said = {}
    is_minus = False
    for index, token in enumerate(tokens):
        word = _Word(
            token,
            tokens[index - 1] if index else "",
            tokens[index + 1] if index + 1 < len(tokens) else "",
            index + 2 == len(tokens),
        )
        if _is_agent(word, pending):
            said.update(_of_agent(word, pending, may_be_minus=is_minus))
            continue
        said.update(_by_itself(word, pending))
        pending = _carried(word, pending)
        is_minus = token in _DASH and not pending
    said.update(_alone(pending))
    if len(said) != 1:
        return "unknown", ""
    return ("yes", said[True]) if True in said else ("no", said[False])


def _is_agent(word: _Word, pending: _Said) -> bool:
    if word.token == "C":  # noqa: S105 - a word
        return word.after != "SPINE" and (bool(pending) or word.before == "T1")
    return word.token in AGENTS


def _of_agent(word: _Word, pending: _Said, *, may_be_minus: bool) -> _Said:
    if word.after in _DENIED or (word.after in _DENIED_AT_END and word.is_last_but_one):
        return {False: word.token}
    if word.after in _EITHER:
        return {True: word.token, False: word.token}
    if pending:
        return dict.fromkeys(pending, word.token)
    return {} if may_be_minus else {True: word.token}


def _by_itself(word: _Word, pending: _Said) -> _Said:
    """Return what a word says that needs no agent after it."""
    token = word.token
    if token in _POST | _PRE and word.after in _NOT_OF_CONTRAST:
        return {}
    if token in _PRE | _NATIVE:
        return {False: token}
    if token in _POST:
        return {**{said: pending[said] for said in pending if not said}, True: token}
    if (word.before, token) in (("NO", "CON"), ("NON", "CON"), ("WO", "CON"), ("WITHOUT", "CON")):
        return {False: word.before}
    return _alone(pending) if token in _PLACES or token[0].isdigit() else {}


def _carried(word: _Word, pending: _Said) -> _Said:
    """Return what prepositions up to a word say of an agent that follows it."""
    token, said = word.token, set[bool]()
    if word.after not in _NOT_OF_CONTRAST:
        if token in _WITHOUT | _NOT | _PRE | _EITHER or _is_short_for_not(word):
            said.add(False)
        if token in _WITH | _POST | _EITHER and (word.before, token) not in (("T1", "W"), ("T2", "W")):
            said.add(True)
    if said:
        return {**pending, **dict.fromkeys(said, token)}
    return pending if token in _FILLERS else {}


def _is_short_for_not(word: _Word) -> bool:
    """Return whether it is "v. KM" (not "i.v. KM") or "ss inj" (not single-shot)."""
    return (word.token, word.before) != ("V", "I") and (
        word.token == "V" or (word.token == "SS" and word.after.startswith("INJ"))  # noqa: S105 - words
    )


def _alone(pending: _Said) -> _Said:
    """Return what prepositions say that no agent follows: without, if anything."""
    return pending if pending.get(False) in _WITHOUT else {}
