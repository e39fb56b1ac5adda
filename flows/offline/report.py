"""What ``secondread run --json`` writes; the models are the schema (docs/run.schema.json)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from models.results import Box, Candidate, Decision

__all__ = [
    "BoxMillimetres",
    "BoxPixels",
    "BreastReport",
    "CandidateReport",
    "ClassShare",
    "ClassificationReport",
    "ExamReport",
    "FileReport",
    "FilmReport",
    "FindingReport",
    "LesionReport",
    "NotReadReport",
    "ObjectReport",
    "PackageReport",
    "RunReport",
    "SegmentReport",
    "StudyReport",
    "VolumeReport",
    "candidate_values",
]

Probability = Annotated[float, Field(ge=0, le=1)]
Outcome = Literal["completed", "refused", "failed"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BoxPixels(_Model):
    """Edges in source pixels: (0, 0) is the upper left corner of the first pixel, as SCOORD counts."""

    top: float
    left: float
    bottom: float
    right: float


class BoxMillimetres(_Model):
    """The same edges in millimetres from the upper left corner of the image."""

    top: float
    left: float
    bottom: float
    right: float


class CandidateReport(_Model):
    """A place that the ensemble points at, above or below the operating point."""

    sop_instance_uid: str
    score: Probability = Field(description="Fused probability over all members.")
    is_finding: bool = Field(description="The score reaches the operating point.")
    box_px: BoxPixels
    box_mm: BoxMillimetres | None = Field(description="null where the image has no pixel spacing.")
    member_scores: tuple[Probability, ...] = Field(description="One per member, 0 for a silent one.")
    support: Probability = Field(description="Fraction of all members with a hit at IoU > 0.2.")
    score_spread: float = Field(ge=0, description="Population standard deviation of the member scores.")
    mean_iou: Probability = Field(description="Mean IoU of the members' boxes with the fused one.")


class FindingReport(CandidateReport):
    """A candidate that is reported."""

    number: int = Field(ge=1, description="By falling score, unique in the study, as in the report.")
    size_mm: tuple[float, float] | None = Field(description="Height and width of the box.")
    size_is_calibrated: bool = Field(
        description="false: millimetres at the detector front, magnified against the patient's."
    )


class FilmReport(_Model):
    """One image that was read."""

    sop_instance_uid: str
    series_instance_uid: str
    file: str
    view: str = Field(description="PA, AP, LATERAL or UNKNOWN; of a mammogram MLO, CC, ... (PS3.3 C.8.11.7).")
    laterality: Literal["L", "R"] | None = Field(default=None, description="The breast of a mammogram.")
    modifiers: tuple[str, ...] = Field(default=(), description="View modifiers of a mammogram.")
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    pixel_spacing_mm: tuple[float, float] | None = Field(description="Between rows, between columns.")
    case_score: Probability = Field(description="Probability that the image has what the package looks for.")
    operating_point: Probability
    members: int = Field(ge=1)


class BreastReport(_Model):
    """What the views of one breast say together."""

    laterality: Literal["L", "R"]
    score: Probability = Field(description="Calibrated probability that the breast is abnormal.")
    images: tuple[str, ...] = Field(description="SOP Instance UIDs of its views.")
    asymmetry: float | None = Field(
        description="By how much it is more conspicuous than the other one; null where that was not read."
    )


class LesionReport(_Model):
    """Findings of several views that are taken for one lesion."""

    number: int = Field(ge=1)
    findings: tuple[int, ...] = Field(min_length=2, description="Numbers of the findings.")
    probability: Probability


class ExamReport(_Model):
    """What the images of a mammography examination say together."""

    score: Probability = Field(description="That of the more suspicious breast.")
    breasts: tuple[BreastReport, ...]
    views_compared: bool = Field(description="Whether a breast was seen on two views that can be compared.")
    lesions: tuple[LesionReport, ...]
    tissue: str | None = Field(
        description="Background tissue in the words of the mini-MIAS data set: no category of BI-RADS."
    )
    tissue_probabilities: dict[str, Probability] = {}


class SegmentReport(_Model):
    """A finding of a volume: one segment of the segmentation."""

    number: int = Field(ge=1, description="Number of the segment.")
    label: str
    volume_ml: float = Field(gt=0)
    longest_diameter_mm: float | None = Field(description="On the slice of largest extent (RANO).")
    perpendicular_mm: float | None
    centre_mm: tuple[float, float, float] | None = Field(description="Patient coordinates (LPS).")
    side: Literal["left", "right", "both"] | None = Field(description="Of the patient.")
    parts: int | None = Field(description="Separate regions of the segment.")
    probability: Probability | None
    key_image: str = Field(description="SOP Instance UID of the slice of largest extent.")
    key_frame: int | None = Field(description="Its frame in an enhanced image, from 1.")


class ClassShare(_Model):
    """One class and its share."""

    value: str
    probability: Probability


class ClassificationReport(_Model):
    """What is suggested of the study as a whole, apart from what is outlined."""

    name: str
    value: str
    probability: Probability
    alternatives: tuple[ClassShare, ...]
    statements: tuple[str, ...]


class VolumeReport(_Model):
    """The volume that was read, and what was found in it."""

    series_instance_uid: str = Field(description="The series on whose grid the segmentation lies.")
    series: dict[str, str] = Field(description="Series Instance UID of each sequence that was read.")
    networks: str = Field(
        description="main, or the branch of the package for what the main ones cannot read."
    )
    sequences_used: tuple[str, ...]
    sequences_missing: tuple[str, ...] = Field(description="What the package would have read too.")
    slices: int = Field(ge=1)
    spacing_mm: tuple[float, float, float] = Field(description="Between slices, rows and columns.")
    members: int = Field(ge=1)
    operating_point: Probability
    case_score: Probability = Field(description="Probability that the study has what the package looks for.")
    segments: tuple[SegmentReport, ...]
    classifications: tuple[ClassificationReport, ...]


class NotReadReport(_Model):
    """One object of the study that was not read, and why; of a series the first stands for the others."""

    sop_instance_uid: str
    file: str
    code: str
    reason: str
    instances: int = Field(default=1, ge=1, description="For how many objects this stands.")


class ObjectReport(_Model):
    """One DICOM object that was written."""

    kind: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    file: str = Field(description="Relative to the output folder.")
    sha256: str
    size_bytes: int


class StudyReport(_Model):
    """One study."""

    study_instance_uid: str
    pseudonym: str
    variant: int = Field(
        default=1,
        ge=1,
        description="More than 1: objects whose SOP Instance UID another file has with other content.",
    )
    outcome: Outcome = Field(
        description="completed: read; refused: nothing in it is for this package; failed: an error of ours."
    )
    reasons: tuple[str, ...] = Field(description="Why it was refused or failed, or what was left out.")
    warnings: tuple[str, ...] = Field(default=(), description="What to know of it although it was read.")
    partial: bool = Field(default=False, description="A film of the study could not be read.")
    decision: Decision | None = None
    confidence: Probability | None = Field(default=None, description="null while no calibration is fitted.")
    confidence_components: dict[str, float] = {}
    decision_reasons: tuple[str, ...] = ()
    films: tuple[FilmReport, ...] = ()
    volume: VolumeReport | None = Field(default=None, description="null for films.")
    exam: ExamReport | None = Field(default=None, description="null for anything but mammograms.")
    not_read: tuple[NotReadReport, ...] = ()
    findings: tuple[FindingReport, ...] = ()
    candidates: tuple[CandidateReport, ...] | None = Field(
        default=None, description="Every candidate by falling score; only with --all-candidates."
    )
    objects: tuple[ObjectReport, ...] = ()
    timings_s: dict[str, float] = Field(default={}, description="Seconds by stage, and their total.")


class FileReport(_Model):
    """A file that belongs to no study, and why."""

    file: str
    code: str
    reason: str


class PackageReport(_Model):
    """The package that read."""

    name: str
    version: str
    content_hash: str
    device_uid: str
    members: int


class RunReport(_Model):
    """One call of ``secondread run``."""

    format: Literal["secondread-run/1"] = "secondread-run/1"
    software: str = Field(description="Version of SecondRead.")
    started_at: datetime
    package: PackageReport
    models_loaded_s: float = Field(description="Seconds to load the package and open its networks, once.")
    total_s: float
    studies: tuple[StudyReport, ...]
    files: tuple[FileReport, ...] = Field(description="Files outside every study.")


_DIGITS: Final = 3


def _box(box: Box) -> BoxPixels:
    return BoxPixels(top=box.top, left=box.left, bottom=box.bottom, right=box.right)


def _millimetres(box: Box, spacing: tuple[float, float] | None) -> BoxMillimetres | None:
    if spacing is None:
        return None
    between_rows, between_columns = spacing
    return BoxMillimetres(
        top=round(box.top * between_rows, _DIGITS),
        left=round(box.left * between_columns, _DIGITS),
        bottom=round(box.bottom * between_rows, _DIGITS),
        right=round(box.right * between_columns, _DIGITS),
    )


def candidate_values(
    sop_instance_uid: str,
    candidate: Candidate,
    spacing: tuple[float, float] | None,
    operating_point: float,
) -> CandidateReport:
    """Return a candidate as it is reported."""
    return CandidateReport(
        sop_instance_uid=sop_instance_uid,
        score=candidate.score,
        is_finding=candidate.score >= operating_point,
        box_px=_box(candidate.box),
        box_mm=_millimetres(candidate.box, spacing),
        member_scores=candidate.member_scores,
        support=candidate.support,
        score_spread=candidate.score_spread,
        mean_iou=candidate.mean_iou,
    )
