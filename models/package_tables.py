"""The tables of ``package.toml`` that stand for themselves."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from models.mammography_results import MAMMOGRAPHY_VIEWS, VIEW_MODIFIERS
from models.sequences import Sequence

__all__ = [
    "About",
    "Calibration",
    "Code",
    "FindingConcept",
    "InputContract",
    "MammographyContract",
    "Member",
    "Metric",
    "OperatingPoint",
    "Platt",
    "Resources",
    "Table",
    "Tensor",
    "TrainingData",
    "VolumeContract",
    "check_subsets",
]

_SEMANTIC_VERSION = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$"
_PLAIN_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$")
_NEWEST_IR, _NEWEST_OPSET = 13, 26


class Table(BaseModel):
    """A table that takes no other keys and does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class About(Table):
    """Name, version and what people must know before they use the package."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    version: str = Field(pattern=_SEMANTIC_VERSION, description="Semantic version.")
    task: Literal["detect", "segment", "classify", "anomaly", "embed"]
    family: str = Field(description="Which detector of the core reads the members' outputs.")
    title: str = Field(min_length=1)
    intended_use: str
    limitations: tuple[str, ...] = Field(min_length=1)
    licence: str = Field(description="SPDX expression or the file with the terms of the weights.")
    created: date
    changelog: tuple[str, ...] = ()


class VolumeContract(Table):
    """Which volumes the main network reads, and on which grid it reads them.

    ``subsets`` are the sets of sequences that it supports: of those that a study has, the largest is read,
    the first of equals. A study with none of them is refused or goes to a branch.
    """

    subsets: tuple[tuple[Sequence, ...], ...] = Field(min_length=1)
    reference: Sequence = Field(
        description="Its grid is the working grid, its series carries the result; part of every subset."
    )
    spacing_mm: float = Field(gt=0, description="Pixel distance that the network is made for.")
    slice_spacing_mm: tuple[float, float] = Field(description="Least and largest distance of slices.")
    coarsest_pixel_mm: float = Field(gt=0)
    minimum_slices: int = Field(ge=1)
    minimum_extent_mm: float = Field(gt=0, description="From the feet to the head.")
    recognition: tuple[str, ...] = Field(default=(), description="How sequences are recognised, in words.")
    ranking: tuple[str, ...] = Field(default=(), description="Which of several series is taken, in words.")

    @model_validator(mode="after")
    def _ordered(self) -> VolumeContract:
        low, high = self.slice_spacing_mm
        if not 0 < low <= high:
            raise ValueError("slice_spacing_mm is the least and the largest distance, both above nought")
        check_subsets(self.subsets, self.reference)
        return self


def check_subsets(subsets: tuple[tuple[Sequence, ...], ...], reference: Sequence) -> None:
    """Refuse subsets that repeat each other or a sequence, or lack the reference; ValueError."""
    if len({frozenset(subset) for subset in subsets}) != len(subsets):
        raise ValueError("two subsets hold the same sequences")
    for subset in subsets:
        if len(set(subset)) != len(subset):
            raise ValueError("a subset names a sequence twice")
        if reference not in subset:
            raise ValueError(f"the reference {reference} is missing from a subset")


class MammographyContract(Table):
    """Which mammograms the package reads.

    Views and modifiers are abbreviated as in PS3.3 C.8.11.7; what is not named in ``views`` is set aside
    with the reason, as is every image with a refused modifier.
    """

    views: tuple[str, ...] = Field(default=("MLO", "CC"), min_length=1, description="Views that are read.")
    validated_views: tuple[str, ...] = Field(
        default=(), description="Of the views, those that the figures were measured on; others are a remark."
    )
    validated_detectors: tuple[Literal["film", "digital"], ...] = Field(
        default=("film", "digital"),
        description="What the figures were measured on: digitised films, images of digital detectors, or "
        "both; others are for review.",
    )
    refused_modifiers: tuple[str, ...] = Field(
        default=("AC", "AT", "AX", "CV", "ID", "IMF", "M", "RI", "RL", "RM", "RS", "S", "TAN"),
        description="View modifiers that set an image aside: spot, magnification, implant displaced, ...",
    )
    accept_implants: bool = Field(default=False, description="Whether breasts with an implant are read.")
    accept_male: bool = Field(default=False, description="Whether images of men are read.")
    recognition: tuple[str, ...] = Field(
        default=(), description="How laterality, view and kind of image are recognised, in words."
    )

    @model_validator(mode="after")
    def _known(self) -> MammographyContract:
        for name, words, known in (
            ("views", self.views, MAMMOGRAPHY_VIEWS),
            ("validated_views", self.validated_views, frozenset(self.views)),
            ("refused_modifiers", self.refused_modifiers, VIEW_MODIFIERS),
        ):
            unknown = sorted(set(words) - known)
            if unknown:
                raise ValueError(f"{name}: {', '.join(unknown)} is none of {', '.join(sorted(known))}")
            if len(set(words)) != len(words):
                raise ValueError(f"{name} names one of them twice")
        return self


class InputContract(Table):
    """Which instances the package reads (the DICOM selection).

    Lists that are empty accept anything. Words are compared in upper case.
    """

    modalities: tuple[str, ...] = Field(min_length=1)
    sop_classes: tuple[str, ...] = Field(default=(), description="SOP Class UIDs.")
    views: tuple[str, ...] = ()
    accept_unknown_view: bool = True
    body_parts: tuple[str, ...] = ()
    accept_unknown_body_part: bool = True
    photometric: tuple[str, ...] = ("MONOCHROME1", "MONOCHROME2")
    minimum_rows: int = Field(default=256, ge=1)
    maximum_rows: int = Field(default=8192, le=32768)
    minimum_columns: int = Field(default=256, ge=1)
    maximum_columns: int = Field(default=8192, le=32768)
    polarity: Literal["stated", "chest"] = Field(
        default="stated", description="'chest': a negative is recognised from its layout and inverted."
    )
    volume: VolumeContract | None = Field(
        default=None, description="What is read together as volumes; films are read one by one without it."
    )
    mammography: MammographyContract | None = Field(
        default=None, description="Which mammograms are read together as one examination."
    )

    @model_validator(mode="after")
    def _ordered(self) -> InputContract:
        if self.volume is not None and self.mammography is not None:
            raise ValueError("a package reads volumes or mammograms: one of volume and mammography is set")
        if self.minimum_rows > self.maximum_rows or self.minimum_columns > self.maximum_columns:
            raise ValueError("the minimum of rows or columns is above the maximum")
        return self


class Tensor(Table):
    """One input or output of a member; a text in ``shape`` is a dynamic axis."""

    name: str
    dtype: Literal["float32", "float16", "uint8", "int64"] = "float32"
    shape: tuple[int | str, ...] = Field(min_length=1)


class Member(Table):
    """One network of the ensemble."""

    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=1)
    opset: int = Field(ge=7, le=_NEWEST_OPSET)
    ir_version: int = Field(ge=3, le=_NEWEST_IR)
    left_out_blocks: tuple[int, ...] = Field(default=(), description="Blocks of patients it never saw.")

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        if not _PLAIN_FILE.match(value):
            raise ValueError(f"a member's file lies inside the package's own folder, not at {value!r}")
        return value


class Code(Table):
    """A coded concept."""

    code: str = Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")
    scheme: Literal["SCT", "DCM", "RADLEX"]
    meaning: str = Field(
        min_length=1, max_length=64, description="In words; results show the code where it has no ASCII."
    )


class FindingConcept(Code):
    """What a finding is, as a code; of a segment also the category and the place."""

    key: str
    label: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="What people call it, where the code says another.",
    )
    category: Code | None = Field(default=None, description="Segmented property category (PS3.16 CID 7150).")
    site: Code | None = Field(default=None, description="Anatomic region.")


class OperatingPoint(Table):
    """From which score a candidate is a finding, and how the score was chosen."""

    score: float = Field(ge=0, le=1)
    definition: str


class Platt(Table):
    """Logistic map of a score's logit: ``sigmoid(slope · logit + offset)``."""

    slope: float
    offset: float


class Calibration(Table):
    """Maps from raw scores to probabilities, with what they were fitted on."""

    members: tuple[Platt, ...]
    case: Platt
    definition: str


class Resources(Table):
    """What one study needs."""

    memory_mb: int = Field(ge=1)
    seconds_2_cores: float | None = Field(default=None, gt=0)


class TrainingData(Table):
    """A data set that the weights know."""

    name: str
    licence: str
    use: str


class Metric(Table):
    """One measured figure with the name of its definition and its interval."""

    name: str
    definition: str
    value: float
    low: float | None = None
    high: float | None = None
    n: str
    set: str
