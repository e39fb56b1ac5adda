"""Where packages lie: those that come with the software, and those of the folders in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from models.package import MANIFEST, Package, PackageError, load_manifest, load_package

__all__ = ["Registry", "UnknownPackage"]

_SHIPPED = Path(__file__).parent / "packages"


class UnknownPackage(PackageError):
    """No package of that name and version; the text lists what there is."""


class Registry:
    """All packages by name and version.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        More folders with ``name/version/package.toml``, after the one that comes with the software.
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = (_SHIPPED, *folders)

    def packages(self) -> list[Package]:
        """Return every package by name and rising version, its manifest read and its files not yet hashed.

        Raises
        ------
        PackageError
            A manifest is broken, or two folders hold the same name and version.
        """
        found: dict[str, Package] = {}
        for folder in self._folders:
            for manifest in sorted(folder.glob(f"*/*/{MANIFEST}")):
                package = load_manifest(manifest.parent)
                other = found.get(package.reference)
                if other is not None and other.content_hash != package.content_hash:
                    raise PackageError(
                        f"{package.reference} lies in {other.folder} and, with other content, in "
                        f"{package.folder}: remove one or give it another version"
                    )
                found[package.reference] = package
        return sorted(found.values(), key=lambda package: (package.name, _precedence(package.version)))

    def find(self, reference: str) -> Package:
        """Return the package ``name@version``, or the newest of ``name``, without hashing its files.

        Raises
        ------
        UnknownPackage
            There is none.
        """
        name, _, version = reference.partition("@")
        packages = self.packages()
        fitting = [p for p in packages if p.name == name and version in ("", p.version)]
        if not fitting:
            there = ", ".join(package.reference for package in packages) or "none"
            raise UnknownPackage(f"there is no package {reference}; installed: {there}")
        return fitting[-1]

    def get(self, reference: str) -> Package:
        """Return a package whose files have been verified.

        Raises
        ------
        UnknownPackage
            There is none.
        PackageError
            A file is missing or changed.
        """
        return load_package(self.find(reference).folder)


def _precedence(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[int, int, str], ...]]:
    """Order semantic versions: a release comes after its own pre-releases (semver 2.0.0, 11)."""
    core, _, pre = version.partition("+")[0].partition("-")
    parts = tuple(
        (0, int(part), "") if re.fullmatch(r"\d+", part) else (1, 0, part) for part in pre.split(".") if part
    )
    return tuple(int(part) for part in core.split(".")), not pre, parts
