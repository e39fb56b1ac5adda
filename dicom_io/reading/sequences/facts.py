"""What the headers of one series state, classic or enhanced, as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import items, number, numbers, text, texts, uid, whole_number
from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.sequences.contrast import Stated, contrast_named
from dicom_io.reading.sequences.words import tokens_of
from dicom_io.reading.volume.planes import Plane, planes_of

__all__ = ["Places", "SeriesFacts", "facts_of"]

_NO_AGENT = frozenset(("", "NO", "NONE", "N", "WITHOUT", "NO CONTRAST", "OHNE", "0", "N/A", "NA", "-"))
_EXAMINATION = (
    "StudyDescription",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
    "ScheduledProcedureStepDescription",
)
_SAME_ECHO_MS = 5.0
_SAME_ECHO_SHARE = 0.1
_SAME_DIRECTION = 0.2


@dataclass(frozen=True, slots=True)
class Places:
    """Where the images of a series lie: all but ``images`` and ``orientations`` of its commonest orientation.

    Parameters
    ----------
    normal : tuple of float
        Unit normal of the slices (LPS).
    pixel_mm, gap_mm : float
        Coarser pixel spacing, and median distance of neighbouring positions; 0 for a single position.
    positions : int
        Distinct positions along the normal.
    images : int
        Images or frames.
    aligned : int
        Those of the commonest orientation.
    orientations : int
        Directions that clearly differ.
    extent_mm : tuple of float
        Along left-right, front-back and foot-head.
    """

    normal: tuple[float, float, float]
    pixel_mm: float
    gap_mm: float
    positions: int
    images: int
    aligned: int
    orientations: int
    extent_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """Attributes of a series; text is upper case, ``None`` and empty mean absent."""

    series_instance_uid: str
    series_number: int | None
    modality: str
    sop_class_uid: str
    photometric: frozenset[str]
    samples: int
    body_part: str
    description: str
    protocol: str
    examination: tuple[str, ...]
    pulse_names: tuple[str, ...]
    image_type: frozenset[str]
    derived: bool
    secondary: bool
    techniques: frozenset[str]
    variants: frozenset[str]
    acquisition: str
    repetition_ms: float | None
    echoes_ms: tuple[float, ...]
    inversion_ms: float | None
    inverted: bool
    flip_deg: float | None
    b_values: tuple[float, ...]
    acquisition_contrasts: frozenset[str]
    components: frozenset[str]
    agent: Stated
    angiography: bool
    acquired_at: str
    places: Places | None
    unreadable: tuple[str, str] | None


def facts_of(headers: Sequence[Dataset]) -> SeriesFacts:
    """Return what the headers of one series state, whatever their order.

    Raises
    ------
    ValueError
        There is no header.
    """
    if not headers:
        raise ValueError("a series has at least one header")
    first = min(
        headers, key=lambda one: (whole_number(one, "InstanceNumber", 1 << 31), uid(one, "SOPInstanceUID"))
    )
    groups = [group for header in headers for group in _sources(header)]
    types = [texts(group, keyword) for group in groups for keyword in ("ImageType", "FrameType")]
    values = frozenset(value for one in types for value in one)
    places, unreadable = _places(headers)
    return SeriesFacts(
        series_instance_uid=uid(first, "SeriesInstanceUID"),
        series_number=_whole(number(first, "SeriesNumber")),
        modality=text(first, "Modality"),
        sop_class_uid=uid(first, "SOPClassUID"),
        photometric=frozenset(text(header, "PhotometricInterpretation") for header in headers),
        samples=max(whole_number(header, "SamplesPerPixel", 1) for header in headers),
        body_part=text(first, "BodyPartExamined"),
        description=text(first, "SeriesDescription"),
        protocol=text(first, "ProtocolName"),
        examination=_examination(first),
        pulse_names=tuple(sorted(_words(groups, "SequenceName") | _words(groups, "PulseSequenceName"))),
        image_type=values,
        derived=any(one[:1] == ("DERIVED",) for one in types),
        secondary=any(one[1:2] == ("SECONDARY",) for one in types),
        techniques=_techniques(groups),
        variants=_words(groups, "SequenceVariant") | _words(groups, "ScanOptions"),
        acquisition=_acquisition(groups),
        repetition_ms=_middle(groups, "RepetitionTime"),
        echoes_ms=_apart([*_all(groups, "EffectiveEchoTime"), *_all(groups, "EchoTime")]),
        inversion_ms=_middle(groups, "InversionTime") or _middle(groups, "InversionTimes"),
        inverted=bool(
            "IR" in _words(groups, "ScanningSequence") or "YES" in _words(groups, "InversionRecovery")
        ),
        flip_deg=_middle(groups, "FlipAngle"),
        b_values=tuple(sorted(set(_all(groups, "DiffusionBValue")))),
        acquisition_contrasts=_words(groups, "AcquisitionContrast"),
        components=_words(groups, "ComplexImageComponent"),
        agent=_agent(groups),
        angiography="Y" in _words(groups, "AngioFlag"),
        acquired_at=_acquired(headers),
        places=places,
        unreadable=unreadable,
    )


def _examination(header: Dataset) -> tuple[str, ...]:
    """Return what the examination around a series and its region are called; free text, not to be shown."""
    sources = (header, *items(header, "RequestAttributesSequence"))
    found = [text(source, keyword) for source in sources for keyword in _EXAMINATION]
    found += [text(region, "CodeMeaning") for region in items(header, "AnatomicRegionSequence")]
    return tuple(one for one in found if one)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


_GROUPS = (
    "MRImageFrameTypeSequence",
    "MRTimingAndRelatedParametersSequence",
    "MREchoSequence",
    "MRModifierSequence",
    "MRDiffusionSequence",
    "MRMetaboliteMapSequence",
    "ContrastBolusUsageSequence",
    "FrameContentSequence",
)


def _sources(header: Dataset) -> Iterator[Dataset]:
    """Yield the header, and the functional groups of an enhanced one that say how it was acquired."""
    yield header
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for item in items(header, keyword):
            for group in _GROUPS:
                yield from items(item, group)


def _words(groups: Sequence[Dataset], keyword: str) -> frozenset[str]:
    return frozenset(value for group in groups for value in texts(group, keyword) if value)


def _all(groups: Sequence[Dataset], keyword: str) -> list[float]:
    return [value for group in groups for value in numbers(group, keyword)]


def _middle(groups: Sequence[Dataset], keyword: str) -> float | None:
    values = [value for value in _all(groups, keyword) if value > 0]
    return float(np.median(values)) if values else None


def _apart(values: Sequence[float]) -> tuple[float, ...]:
    """Return the echoes that clearly differ, rising; zero means not stated.

    Passes of one acquisition, and echoes that adapt to the field of view, differ by some milliseconds.
    """
    kept: list[float] = []
    for value in sorted(value for value in values if value > 0):
        if not kept or value - kept[-1] > max(_SAME_ECHO_MS, _SAME_ECHO_SHARE * kept[-1]):
            kept.append(value)
    return tuple(kept)


def _techniques(groups: Sequence[Dataset]) -> frozenset[str]:
    """Return SE, GR, EP, IR, RM: as classic images say, or as enhanced ones do in other words."""
    found = set(_words(groups, "ScanningSequence"))
    pulses = _words(groups, "EchoPulseSequence")
    if pulses & {"SPIN", "BOTH"}:
        found.add("SE")
    if "GRADIENT" in pulses and "SPIN" not in pulses:
        found.add("GR")
    if "YES" in _words(groups, "EchoPlanarPulseSequence"):
        found.add("EP")
    if "YES" in _words(groups, "InversionRecovery"):
        found.add("IR")
    return frozenset(found)


def _acquisition(groups: Sequence[Dataset]) -> str:
    for value in sorted(_words(groups, "MRAcquisitionType")):
        if value in ("2D", "3D"):
            return value
    return ""


def _agent(groups: Sequence[Dataset]) -> Stated:
    administered = _words(groups, "ContrastBolusAgentAdministered")
    if administered:
        return "yes" if "YES" in administered else "no"
    if any(not _is_no_agent(value) for value in _words(groups, "ContrastBolusAgent")):
        return "yes"
    if any(items(group, "ContrastBolusAgentSequence") for group in groups):
        return "yes"
    if any(volume > 0 for volume in _all(groups, "ContrastBolusVolume")):
        return "yes"
    return "no" if _words(groups, "ContrastBolusAgent") - {""} else "unknown"


def _is_no_agent(value: str) -> bool:
    return value in _NO_AGENT or contrast_named(tokens_of(value))[0] == "no"


def _acquired(headers: Sequence[Dataset]) -> str:
    """Return a sortable time of the earliest image, for ranking only."""
    found = []
    for header in headers:
        whole = text(header, "AcquisitionDateTime")
        day = text(header, "AcquisitionDate") or text(header, "SeriesDate") or text(header, "StudyDate")
        time = text(header, "AcquisitionTime") or text(header, "SeriesTime")
        found.append(whole or day + time)
    return min(found)


def _places(headers: Sequence[Dataset]) -> tuple[Places | None, tuple[str, str] | None]:
    planes: list[Plane] = []
    try:
        for header in headers:
            planes += planes_of(header)
    except (UnsuitableImage, AttributeError) as error:
        code = error.code if isinstance(error, UnsuitableImage) else "no-position"
        return None, (code, str(error) if isinstance(error, UnsuitableImage) else "an image has no identity")
    directions = np.array([plane.orientation for plane in planes], dtype=np.float64).reshape(-1, 2, 3)
    normals = np.cross(directions[:, 0], directions[:, 1])
    groups: list[list[int]] = []
    for index, one in enumerate(normals):
        for group in groups:
            if 1 - abs(float(one @ normals[group[0]])) <= _SAME_DIRECTION:
                group.append(index)
                break
        else:
            groups.append([index])
    aligned = max(groups, key=len)
    first = planes[aligned[0]]
    normal = normals[aligned[0]] / np.linalg.norm(normals[aligned[0]])
    along = np.unique(np.round(np.array([planes[index].position for index in aligned]) @ normal, 2))
    gap = float(np.median(np.diff(along))) if len(along) > 1 else 0.0
    rows, columns = first.shape
    spacing = first.pixel_spacing
    row, column = directions[aligned[0]]
    sides = np.stack([row * columns * spacing[1], column * rows * spacing[0],
                      normal * (along[-1] - along[0] + gap)])  # fmt: skip
    extent = np.abs(sides).max(axis=0)
    if not all(math.isfinite(value) for value in extent):
        return None, ("no-position", "the places of the images are no numbers")
    return Places(
        normal=(float(normal[0]), float(normal[1]), float(normal[2])),
        pixel_mm=max(spacing),
        gap_mm=gap,
        positions=len(along),
        images=len(planes),
        aligned=len(aligned),
        orientations=len(groups),
        extent_mm=(float(extent[0]), float(extent[1]), float(extent[2])),
    ), None
