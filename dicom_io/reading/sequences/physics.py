"""Which sequences the times of an acquisition allow, whatever it is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dicom_io.reading.sequences.facts import SeriesFacts

__all__ = ["Allowed", "allowed_by"]

# Free water is nulled by inversions of 1600 (short repetition, 3D) to 2900 ms; white matter by 300 to 700,
# and MPRAGE uses 600 to 1300. Bounds lie in the gaps between.
_FLUID_INVERSION_MS: Final = 1450.0
_FAT_INVERSION_MS: Final = (90.0, 270.0)
_LONG_ECHO_MS: Final = 60.0
_SHORT_ECHO_MS: Final = 45.0
_LONG_REPETITION_MS: Final = 1800.0
_SHORT_REPETITION_MS: Final = 1300.0
_T2_STAR_ECHO_MS: Final = 12.0
_FAST_REPETITION_MS: Final = 70.0
_CONTRASTS: Final = {
    "T1": frozenset(("T1",)),
    "T2": frozenset(("T2", "FLAIR")),
    "FLUID_ATTENUATED": frozenset(("FLAIR",)),
    "PROTON_DENSITY": frozenset(("PD",)),
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The weightings that are possible; empty ``bases`` where nothing is known.

    Parameters
    ----------
    bases : frozenset of str
        Of ``"T1"``, ``"T2"``, ``"FLAIR"``, and names of what is none of them: ``"PD"``, ``"STIR"``,
        ``"T2*"``, ``"steady state"``.
    words : str
        From what it follows; numbers and defined terms only.
    """

    bases: frozenset[str]
    words: str


def allowed_by(facts: SeriesFacts) -> Allowed:
    """Return what repetition, echo and inversion time, flip angle and Acquisition Contrast allow."""
    stated = [_CONTRASTS[term] for term in sorted(facts.acquisition_contrasts) if term in _CONTRASTS]
    times = _by_times(facts)
    if len(stated) != 1:
        return Allowed(times, _times_in_words(facts) if times else "")
    terms = sorted(facts.acquisition_contrasts & _CONTRASTS.keys())[0]
    if not times:
        return Allowed(stated[0], f"Acquisition Contrast {terms}")
    # T1 of an inversion-prepared series and FLUID_ATTENUATED are both seen on FLAIR: the times decide.
    both = stated[0] & times
    return Allowed(both or times, f"{_times_in_words(facts)} and Acquisition Contrast {terms}")


def _by_times(facts: SeriesFacts) -> frozenset[str]:
    if not facts.echoes_ms or facts.repetition_ms is None:
        return frozenset()
    if "GR" in facts.techniques and "SE" not in facts.techniques:
        return _gradient_echo(facts, facts.repetition_ms, facts.echoes_ms[0])
    return _spin_echo(facts, facts.repetition_ms, facts.echoes_ms[0])


def _spin_echo(facts: SeriesFacts, repetition: float, echo: float) -> frozenset[str]:  # noqa: PLR0911 - one for each rule
    inversion = facts.inversion_ms
    if inversion is not None and inversion > 1:
        if inversion >= _FLUID_INVERSION_MS:
            return frozenset(("FLAIR",)) if echo >= _LONG_ECHO_MS else frozenset()
        if _FAT_INVERSION_MS[0] <= inversion <= _FAT_INVERSION_MS[1] and repetition >= _LONG_REPETITION_MS:
            return frozenset(("STIR",))
        return frozenset(("T1",)) if echo <= _SHORT_ECHO_MS else frozenset()
    if echo >= _LONG_ECHO_MS and repetition >= _LONG_REPETITION_MS:
        # Inversion without a time: some scanners leave it out, and then the times of FLAIR are those of T2.
        return frozenset(("T2", "FLAIR")) if facts.inverted and repetition >= 4000 else frozenset(("T2",))
    if echo <= _SHORT_ECHO_MS:
        if repetition <= _SHORT_REPETITION_MS:
            return frozenset(("T1",))
        if repetition >= _LONG_REPETITION_MS:
            return frozenset(("T1",)) if facts.inverted else frozenset(("PD",))
        return frozenset(("T1", "PD"))
    return frozenset()


def _gradient_echo(facts: SeriesFacts, repetition: float, echo: float) -> frozenset[str]:
    prepared = facts.inverted or bool(facts.inversion_ms) or "MP" in facts.variants
    if echo >= _T2_STAR_ECHO_MS and not prepared:
        return frozenset(("T2*",))
    if prepared:
        return frozenset(("T1",)) if echo < _T2_STAR_ECHO_MS else frozenset()
    flip = facts.flip_deg
    if "SS" in facts.variants and "SP" not in facts.variants and (flip or 0) >= 35 and repetition < 15:
        return frozenset(("steady state",))
    if flip is None:
        return frozenset()
    # Spoiled gradient echo: above the Ernst angle of white matter (7 degrees at 8 ms, 20 at 70 ms) it is T1.
    if repetition <= _FAST_REPETITION_MS and flip >= 8:
        return frozenset(("T1",))
    return frozenset(("T1",)) if repetition <= 500 and flip >= 50 else frozenset()


def _times_in_words(facts: SeriesFacts) -> str:
    parts = []
    if facts.repetition_ms is not None:
        parts.append(f"repetition time {facts.repetition_ms:.0f} ms")
    if facts.echoes_ms:
        parts.append(f"echo time {facts.echoes_ms[0]:.3g} ms")
    if facts.inversion_ms is not None:
        parts.append(f"inversion time {facts.inversion_ms:.0f} ms")
    if facts.flip_deg is not None and "GR" in facts.techniques:
        parts.append(f"flip angle {facts.flip_deg:.0f} degrees")
    return ", ".join(parts)
