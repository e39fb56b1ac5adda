"""What the segments of a segmentation stand for."""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from dicom_io.results.context import ResultContext
from dicom_io.results.vocabulary import AI_NOTICE, ascii_text, concept
from models.concepts import Concept
from models.volume_results import Segment, VolumeFinding

__all__ = ["described", "finding_segment", "searched_segment", "tracking"]

_LONGEST = 64


def tracking(context: ResultContext, number: int, label: str) -> tuple[str, str]:
    """Return tracking identifier and tracking UID of a finding, the same in every object of a result.

    A label that has nothing in ASCII is replaced by the number of the finding.
    """
    return ascii_text(label) or f"Finding {number}", context.identity.uid(f"tracking:finding-{number}")


def finding_segment(
    context: ResultContext, finding: VolumeFinding, operating_point: float
) -> SegmentDescription:
    """Describe the segment of a finding."""
    words = f"{AI_NOTICE}. {finding.volume_ml:.4g} ml"
    if finding.probability is not None:
        words += f", probability {finding.probability:.2f}"
    return described(
        context,
        finding.segment,
        words=f"{words}.",
        parameters={"operating_point": f"{operating_point:.6g}"},
        tracked=tracking(context, finding.number, finding.segment.label),
    )


def searched_segment(
    context: ResultContext, segment: Segment, number: int, operating_point: float
) -> SegmentDescription:
    """Describe the empty segment of something that was searched for and not found."""
    same = Segment(number, segment.label, segment.category, segment.type, segment.site, segment.colour)
    return described(
        context,
        same,
        words=f"{AI_NOTICE}. Searched for and not found: this segment is empty on purpose.",
        parameters={"operating_point": f"{operating_point:.6g}"},
    )


def described(
    context: ResultContext,
    segment: Segment,
    *,
    words: str,
    parameters: dict[str, str],
    tracked: tuple[str, str] | None = None,
) -> SegmentDescription:
    """Describe a segment.

    Parameters
    ----------
    context : ResultContext
        The reading; its package is the algorithm.
    segment : Segment
        What it stands for.
    words : str
        For people.
    parameters : dict
        Of the algorithm.
    tracked : tuple of str or None
        Tracking identifier and UID.

    References
    ----------
    PS3.3 C.8.20.4, Segment Description macro.
    """
    package = context.package
    description = SegmentDescription(
        segment_number=segment.number,
        segment_label=ascii_text(segment.label)[:_LONGEST] or f"Segment {segment.number}",
        segmented_property_category=_coded(segment.category),
        segmented_property_type=_coded(segment.type),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            name=ascii_text(package.name)[:_LONGEST],
            version=package.version[:_LONGEST],
            family=codes.cid7162.ArtificialIntelligence,
            source=ascii_text(package.manufacturer)[:_LONGEST] or None,
            parameters=parameters,
        ),
        anatomic_regions=_regions(segment.site),
        display_color=CIELabColor.from_rgb(*segment.colour),
        tracking_id=tracked[0] if tracked else None,
        tracking_uid=tracked[1] if tracked else None,
    )
    description.SegmentDescription = words
    return description


def _coded(value: Concept) -> CodedConcept:
    return concept(value.code, value.scheme, value.meaning)


def _regions(site: Concept | None) -> Sequence[CodedConcept] | None:
    return None if site is None else [_coded(site)]
