"""One series by its headers: which sequence the tags say it is, and what speaks for it."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.reading.sequences.body_part import names_head
from dicom_io.reading.sequences.contrast import Stated, contrast_named
from dicom_io.reading.sequences.facts import Places, SeriesFacts, facts_of
from dicom_io.reading.sequences.kinds import SetAside, kind_of
from dicom_io.reading.sequences.physics import Allowed, allowed_by
from dicom_io.reading.sequences.words import Named, named, tokens_of
from dicom_io.results.loop_guard import is_own_result
from models.sequences import Sequence, in_words

__all__ = ["Certainty", "PlaneName", "SeriesDescription", "describe_series"]

Certainty = Literal["sure", "likely", "none"]
PlaneName = Literal["axial", "coronal", "sagittal", "oblique", "unknown"]

_AXES: Final[tuple[PlaneName, ...]] = ("sagittal", "coronal", "axial")
_NEAR_AXIS: Final = float(np.cos(np.radians(35)))
_REFORMATTED: Final = frozenset(
    ("MPR", "REFORMATTED", "REFORMAT", "CSA MPR", "CURVED MPR", "RESAMPLED", "CPR")
)
_HEAD_EXTENT_MM: Final = (100.0, 120.0, 90.0)
# What the times allow beside the sequences, as words name it, and its code.
_NONE_OF_THEM: Final = {
    "T2*": ("susceptibility", "its times are those of a T2* series"),
    "steady state": ("steady-state", "its times are those of a steady-state series"),
    "STIR": ("fat-nulled", "its inversion time nulls fat"),
    "PD": ("proton-density", "it is weighted by proton density"),
}
# Which of those a name may hide: what is called T2 may be T2*, or a STIR.
_HIDDEN_BY: Final = {
    "T2": frozenset(("T2*", "steady state", "STIR")),
    "PD": frozenset(("PD", "STIR", "T2*")),
    None: frozenset(_NONE_OF_THEM),
}


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """What the headers of one series say about it.

    Parameters
    ----------
    series_instance_uid : str
        The series.
    series_number : int or None
        As the scanner counts.
    sequence : {"T1", "T1C", "T2", "FLAIR"} or None
        By tags; None where they are silent or contradict each other, and for what is set aside.
    certainty : {"sure", "likely", "none"}
        Sure where a name and the times of the acquisition agree and, for a T1, contrast is stated too.
    contrast : {"yes", "no", "unknown"}
        Whether a contrast agent was given.
    evidence : tuple of str
        Why, in sentences; free text of the header is never repeated.
    plane : {"axial", "coronal", "sagittal", "oblique", "unknown"}
        Of the slices.
    acquisition : {"2D", "3D", ""}
        MR Acquisition Type.
    pixel_mm, gap_mm : float or None
        Pixel spacing and distance of slices.
    slices : int
        Distinct positions.
    images : int
        Images or frames; more than ``slices`` where positions repeat.
    covers_head : bool
        Whether the extent is that of a head in every direction.
    names_head : bool
        Whether body part, series, protocol or examination are named after the head.
    derived : bool
        A reformat or otherwise computed from other images.
    acquired_at : str
        For ranking: sortable, "" where absent. Not to be shown.
    set_aside : SetAside or None
        Why the series is read in no case.
    """

    series_instance_uid: str
    series_number: int | None
    sequence: Sequence | None
    certainty: Certainty
    contrast: Stated
    evidence: tuple[str, ...]
    plane: PlaneName
    acquisition: str
    pixel_mm: float | None
    gap_mm: float | None
    slices: int
    images: int
    covers_head: bool
    names_head: bool
    derived: bool
    acquired_at: str
    set_aside: SetAside | None

    @property
    def name(self) -> str:
        """What a remark calls the series: never its description, which is free text."""
        return "a series without a number" if self.series_number is None else f"series {self.series_number}"


def describe_series(headers: Many[Dataset]) -> SeriesDescription:
    """Describe one series by the headers of its images, in any order; malformed attributes count as absent.

    Parameters
    ----------
    headers : sequence of pydicom.dataset.Dataset
        Of one series, classic or enhanced, without pixels.

    Raises
    ------
    ValueError
        There is no header.
    """
    facts = facts_of(headers)
    description, protocol = tokens_of(facts.description), tokens_of(facts.protocol)
    own = any(is_own_result(header) for header in headers)
    aside = SetAside("own-result", "it is a result of SecondRead") if own else None
    aside = aside or kind_of(facts, description or protocol)
    if aside is not None:
        return _described(facts, (aside.reason,), aside=aside)
    by_words, source = _weighting(description, protocol, facts)
    allowed = allowed_by(facts)
    contrast, about_contrast = _contrast(facts, description, protocol)
    base, certainty, evidence, aside = _agreed(by_words, source, allowed)
    if aside is not None:
        return _described(facts, (*evidence, aside.reason), contrast=contrast, aside=aside)
    sequence: Sequence | None = "T1C" if base == "T1" and contrast == "yes" else base
    if base == "T1" and contrast == "unknown" and certainty == "sure":
        certainty = "likely"
    said = (*evidence, *about_contrast)
    return _described(facts, said, sequence=sequence, certainty=certainty, contrast=contrast)


def _weighting(
    description: tuple[str, ...], protocol: tuple[str, ...], facts: SeriesFacts
) -> tuple[Named, str]:
    """Return what the most telling attribute names: the description, the protocol, the pulse sequence."""
    pulse = tuple(token for name in facts.pulse_names for token in tokens_of(name.lstrip("*")))
    for tokens, attribute in (
        (description, "Series Description"),
        (protocol, "Protocol Name"),
        (pulse, "the pulse sequence"),
    ):
        found = named(tokens)
        if found.base is not None or found.unclear:
            return found, attribute
    return Named(None), ""


def _agreed(  # noqa: PLR0911 - one for each rule
    by_words: Named, source: str, allowed: Allowed
) -> tuple[Literal["T1", "T2", "FLAIR"] | None, Certainty, tuple[str, ...], SetAside | None]:
    """Bring words and times together; a contradiction is no sequence."""
    base = by_words.base
    evidence: list[str] = []
    if by_words.words:
        evidence.append(f"{source} names {' and '.join(by_words.words)}")
    if allowed.bases:
        evidence.append(f"{allowed.words}: {' or '.join(sorted(allowed.bases))}")
    others = allowed.bases & _NONE_OF_THEM.keys()
    if others == allowed.bases and others and others & _HIDDEN_BY.get(base, frozenset()):
        return None, "none", tuple(evidence), SetAside(*_NONE_OF_THEM[min(others)])
    possible = allowed.bases - _NONE_OF_THEM.keys()
    if base == "PD":
        if possible == {"T2"}:
            return None, "none", (*evidence, "name and times contradict each other"), None
        return None, "none", tuple(evidence), SetAside(*_NONE_OF_THEM["PD"])
    if by_words.unclear or base is None:
        if len(possible) == 1 and not others:
            return _base(min(possible)), "likely", tuple(evidence), None
        return None, "none", tuple(evidence) or ("no attribute names the sequence",), None
    if not allowed.bases:
        return base, "likely", tuple(evidence), None
    if base in allowed.bases:
        return base, "sure", tuple(evidence), None
    return None, "none", (*evidence, "name and times contradict each other"), None


def _base(name: str) -> Literal["T1", "T2", "FLAIR"]:
    return "T1" if name == "T1" else "T2" if name == "T2" else "FLAIR"


def _contrast(
    facts: SeriesFacts, description: tuple[str, ...], protocol: tuple[str, ...]
) -> tuple[Stated, tuple[str, ...]]:
    """Return whether contrast was given; a protocol only counts where it names a sequence itself.

    A whole examination is often called "with and without", and the agent is often entered before the first
    series: a description that says "pre" against it leaves the question open.
    """
    said, word = contrast_named(description)
    attribute = "Series Description"
    if said == "unknown" and named(protocol).base is not None:
        said, word = contrast_named(protocol)
        attribute = "Protocol Name"
    evidence = []
    if said != "unknown":
        shown = "+C" if word == "WITHC" else "-C" if word == "NOC" else word
        evidence.append(f"{attribute} says {shown}: {'with' if said == 'yes' else 'without'} contrast")
    if facts.agent != "unknown":
        evidence.append(
            f"Contrast/Bolus attributes say {'with' if facts.agent == 'yes' else 'without'} contrast"
        )
    if said == "unknown":
        return facts.agent, tuple(evidence)
    if facts.agent in ("unknown", said):
        return said, tuple(evidence)
    return "unknown", (*evidence, "the attributes contradict each other about contrast")


def _described(
    facts: SeriesFacts,
    evidence: tuple[str, ...],
    *,
    sequence: Sequence | None = None,
    certainty: Certainty = "none",
    contrast: Stated = "unknown",
    aside: SetAside | None = None,
) -> SeriesDescription:
    places = facts.places
    return SeriesDescription(
        series_instance_uid=facts.series_instance_uid,
        series_number=facts.series_number,
        sequence=sequence,
        certainty=certainty if sequence is not None else "none",
        contrast=contrast,
        evidence=(f"tags say {in_words(sequence)}", *evidence) if sequence is not None else evidence,
        plane=_plane(places),
        acquisition=facts.acquisition,
        pixel_mm=None if places is None else places.pixel_mm,
        gap_mm=None if places is None or not places.gap_mm else places.gap_mm,
        slices=0 if places is None else places.positions,
        images=0 if places is None else places.images,
        covers_head=places is not None
        and all(size >= least for size, least in zip(places.extent_mm, _HEAD_EXTENT_MM, strict=True)),
        names_head=names_head(facts),
        derived=_is_reformat(facts),
        acquired_at=facts.acquired_at,
        set_aside=aside,
    )


def _is_reformat(facts: SeriesFacts) -> bool:
    """Return whether the images are computed from others: reformats, and what says SECONDARY."""
    if facts.image_type & _REFORMATTED or facts.secondary:
        return True
    return facts.derived


def _plane(places: Places | None) -> PlaneName:
    if places is None:
        return "unknown"
    along = np.abs(places.normal)
    return _AXES[int(along.argmax())] if along.max() >= _NEAR_AXIS else "oblique"
