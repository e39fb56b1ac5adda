"""The model package: a folder with ``package.toml`` and the networks that it names.

The manifest is the whole truth about a package: what it may read, what it answers, where its numbers
come from. A package that loads has every file that it names, with the content that it names.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

__all__ = [
    "MANIFEST",
    "About",
    "Calibration",
    "FindingConcept",
    "InputContract",
    "Member",
    "Metric",
    "OperatingPoint",
    "Package",
    "PackageError",
    "PackageManifest",
    "Platt",
    "Tensor",
    "load_manifest",
    "load_package",
]

MANIFEST = "package.toml"
_SEMANTIC_VERSION = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$"
_PLAIN_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
_NEWEST_IR, _NEWEST_OPSET = 13, 26
_NAMESPACE = uuid.UUID("6f1c7d64-1f0a-5a8e-9f43-6d0c5b1f6a11")


class PackageError(Exception):
    """A package that cannot be used; the text names the file and what to do."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class About(_Table):
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


class InputContract(_Table):
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

    @model_validator(mode="after")
    def _ordered(self) -> InputContract:
        if self.minimum_rows > self.maximum_rows or self.minimum_columns > self.maximum_columns:
            raise ValueError("the minimum of rows or columns is above the maximum")
        return self


class Tensor(_Table):
    """One input or output of a member; a text in ``shape`` is a dynamic axis."""

    name: str
    dtype: Literal["float32", "float16", "uint8", "int64"] = "float32"
    shape: tuple[int | str, ...] = Field(min_length=1)


class Member(_Table):
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
            raise ValueError(f"a member's file lies in the package's own folder, not at {value!r}")
        return value


class FindingConcept(_Table):
    """What a finding is, as a code."""

    key: str
    code: str = Field(pattern=r"^[A-Za-z0-9._-]{1,16}$")
    scheme: Literal["SCT", "DCM", "RADLEX"]
    meaning: str = Field(
        min_length=1, max_length=64, description="In words; results show the code where it has no ASCII."
    )


class OperatingPoint(_Table):
    """From which score a candidate is a finding, and how the score was chosen."""

    score: float = Field(ge=0, le=1)
    definition: str


class Platt(_Table):
    """Logistic map of a score's logit: ``sigmoid(slope · logit + offset)``."""

    slope: float
    offset: float


class Calibration(_Table):
    """Maps from raw scores to probabilities, with what they were fitted on."""

    members: tuple[Platt, ...]
    case: Platt
    definition: str


class Resources(_Table):
    """What one study needs."""

    memory_mb: int = Field(ge=1)
    seconds_2_cores: float | None = Field(default=None, gt=0)


class TrainingData(_Table):
    """A data set that the weights know."""

    name: str
    licence: str
    use: str


class Metric(_Table):
    """One measured figure with the name of its definition and its interval."""

    name: str
    definition: str
    value: float
    low: float | None = None
    high: float | None = None
    n: str
    set: str


class PackageManifest(_Table):
    """``package.toml``."""

    package: About
    input: InputContract
    tensor: Tensor
    outputs: tuple[Tensor, ...] = Field(min_length=1)
    preprocessing: dict[str, int | float | str | bool] = Field(default_factory=dict)
    members: tuple[Member, ...] = Field(min_length=1)
    findings: tuple[FindingConcept, ...] = Field(min_length=1)
    operating_point: OperatingPoint
    calibration: Calibration | None = None
    resources: Resources
    training_data: tuple[TrainingData, ...] = ()
    metrics: tuple[Metric, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PackageManifest:
        files = [member.file for member in self.members]
        if len(set(files)) != len(files):
            raise ValueError("two members name the same file")
        if self.calibration is not None and len(self.calibration.members) != len(self.members):
            raise ValueError("calibration.members must have one map per member")
        return self


@dataclass(frozen=True, slots=True)
class Package:
    """A manifest and the folder that it describes.

    Attributes
    ----------
    content_hash : str
        SHA-256 over the manifest's bytes, which name every member's hash.
    """

    manifest: PackageManifest
    folder: Path
    content_hash: str

    @property
    def name(self) -> str:
        """Name of the package."""
        return self.manifest.package.name

    @property
    def version(self) -> str:
        """Semantic version."""
        return self.manifest.package.version

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def device_uid(self) -> str:
        """Device UID (0018,1002): under 2.25, another one for other weights or another manifest."""
        return f"2.25.{uuid.uuid5(_NAMESPACE, self.content_hash).int}"

    @property
    def member_paths(self) -> tuple[Path, ...]:
        """The networks in the manifest's order."""
        return tuple(self.folder / member.file for member in self.manifest.members)


def load_manifest(folder: Path) -> Package:
    """Read and check ``package.toml`` alone.

    Raises
    ------
    PackageError
        The file is missing, is not TOML or breaks the schema.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackageError(
            f"{path}: cannot be read ({error.strerror}); a package is a folder with one"
        ) from error
    try:
        values: dict[str, Any] = tomllib.loads(content.decode("utf-8"))
        manifest = PackageManifest.model_validate(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackageError(f"{path}: is not TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'package'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise PackageError(f"{path}: {faults}") from error
    return Package(manifest, folder, hashlib.sha256(content).hexdigest())


def load_package(folder: Path) -> Package:
    """Read a package and check the hash and size of every file that it names.

    Raises
    ------
    PackageError
        The manifest or a member is missing or is not what it says it is.
    """
    package = load_manifest(folder)
    for member, path in zip(package.manifest.members, package.member_paths, strict=True):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise PackageError(
                f"{path}: cannot be read ({error.strerror}); fetch the package again"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != member.sha256 or len(content) != member.bytes:
            raise PackageError(
                f"{path}: has {len(content)} bytes with SHA-256 {found[:12]}…, "
                f"the manifest says {member.bytes} and {member.sha256[:12]}…; fetch the package again"
            )
    return package
