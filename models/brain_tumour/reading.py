"""From an answer on the source grid to a reading: one segment, measured."""

from __future__ import annotations

from typing import Final

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray

from models.brain_tumour.answer import BrainAnswer
from models.concepts import Concept
from models.geometry import AlignedStudy
from models.laterality import midsagittal_plane
from models.package import Code, FindingConcept, PackageManifest
from models.sequences import in_words
from models.volume_findings import measured_finding
from models.volume_results import Segment, VolumeFinding, VolumeReading

__all__ = ["reading_of", "segment_of"]

_ABNORMAL: Final = Concept("49755003", "SCT", "Morphologically Abnormal Structure")


def segment_of(finding: FindingConcept, number: int = 1) -> Segment:
    """Return what a mask stands for; without a category of its own it is an abnormal structure."""
    return Segment(
        number=number,
        label=finding.label or finding.meaning,
        category=_concept(finding.category) if finding.category else _ABNORMAL,
        type=_concept(finding),
        site=_concept(finding.site) if finding.site else None,
    )


def reading_of(answer: BrainAnswer, study: AlignedStudy, manifest: PackageManifest) -> VolumeReading:
    """Measure what the package reports and say what was read.

    Everything marked is one finding, however many parts it has: parts of one tumour on a slice are often
    apart, and the networks were not taught to tell tumours.

    Parameters
    ----------
    answer : BrainAnswer
        On the grid of the study's reference.
    study : AlignedStudy
        What was read.
    manifest : PackageManifest
        Its first finding is what the mask stands for.

    Returns
    -------
    VolumeReading
        With one finding, or none where the mask is empty.
    """
    source = study.source
    segment = segment_of(manifest.finding_of(answer.branch))
    found = bool(answer.mask.any())
    return VolumeReading(
        labels=_on_grid(source.volume, answer.mask.astype(np.uint8)),
        slices=source.slices,
        findings=(_finding(segment, answer, source.volume),) if found else (),
        searched=(segment,),
        case_score=answer.case_score,
        members=answer.members,
        operating_point=manifest.network(answer.branch).operating_point.score,
        probabilities=_probabilities(source.volume, answer.probability) if found else None,
        series_used=tuple(in_words(name) for name in answer.plan.sequences),
        series_missing=tuple(in_words(name) for name in answer.plan.missing),
        classifications=answer.classifications,
    )


def _finding(segment: Segment, answer: BrainAnswer, image: Volume) -> VolumeFinding:
    between, row, column = (float(value) for value in image.spacing)
    return measured_finding(
        segment,
        answer.mask,
        (between, row, column),
        affine=np.asarray(image.affine, dtype=np.float64),
        midplane=midsagittal_plane(image),
        components={"mean_probability": float(np.mean(answer.probability[answer.mask], dtype=np.float64))},
    )


def _on_grid(image: Volume, array: NDArray[np.uint8]) -> Volume:
    return Volume(
        array, image.affine, image.coordinate_system, frame_of_reference_uid=image.frame_of_reference_uid
    )


def _probabilities(image: Volume, probability: NDArray[np.float32]) -> Volume:
    return Volume(
        probability[..., None],
        image.affine,
        image.coordinate_system,
        frame_of_reference_uid=image.frame_of_reference_uid,
        channels={"SegmentNumber": [1]},
    )


def _concept(code: Code) -> Concept:
    return Concept(code.code, code.scheme, code.meaning)
