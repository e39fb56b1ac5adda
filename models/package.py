"""The model package: a folder with ``package.toml`` and the networks that it names.

The manifest is the whole truth about a package: what it may read, what it answers, where its numbers
come from. A package that loads has every file that it names, with the content that it names.
"""

from __future__ import annotations

import hashlib
import tomllib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.exam_tables import ExamRules
from models.package_schema import (
    MAIN,
    Branch,
    ClassificationOutput,
    Network,
    PackageManifest,
    Plan,
    UnsupportedSubset,
)
from models.package_tables import (
    About,
    Calibration,
    Code,
    FindingConcept,
    InputContract,
    MammographyContract,
    Member,
    Metric,
    OperatingPoint,
    Platt,
    Tensor,
    VolumeContract,
)

__all__ = [
    "MAIN",
    "MANIFEST",
    "About",
    "Branch",
    "Calibration",
    "ClassificationOutput",
    "Code",
    "ExamRules",
    "FindingConcept",
    "InputContract",
    "MammographyContract",
    "Member",
    "Metric",
    "Network",
    "OperatingPoint",
    "Package",
    "PackageError",
    "PackageManifest",
    "Plan",
    "Platt",
    "Tensor",
    "UnsupportedSubset",
    "VolumeContract",
    "load_manifest",
    "load_package",
]

MANIFEST = "package.toml"
_NAMESPACE = uuid.UUID("6f1c7d64-1f0a-5a8e-9f43-6d0c5b1f6a11")


class PackageError(Exception):
    """A package that cannot be used; the text names the file and what to do."""


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
        """The main networks in the manifest's order."""
        return self.paths_of(MAIN)

    def paths_of(self, network: str) -> tuple[Path, ...]:
        """Return the files of the main network or of a branch, in the manifest's order."""
        return tuple(self.folder / member.file for member in self.manifest.network(network).members)

    def network_of(self, path: Path) -> tuple[Network, Member]:
        """Return what the manifest says of a file; KeyError where it does not name it."""
        for name in (MAIN, *(branch.name for branch in self.manifest.branches)):
            network = self.manifest.network(name)
            for member in network.members:
                if self.folder / member.file == path:
                    return network, member
        raise KeyError(path)


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
    for member in package.manifest.all_members:
        path = package.folder / member.file
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
