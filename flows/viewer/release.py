"""Which release of the OHIF viewer is served, and where it lies once it was fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["FOLDER", "INTEGRITY", "PACKAGE", "STAMP", "default_folders"]

PACKAGE: Final = "@ohif/app@3.13.2"
"""The npm package that holds the site, ready built (MIT licence)."""

INTEGRITY: Final = (
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
)
"""What its archive must hash to, in the form of Subresource Integrity."""

FOLDER: Final = ".viewer"
STAMP: Final = "integrity.txt"
"""Written last: a folder without it was never whole."""


def default_folders() -> tuple[Path, ...]:
    """Return where a fetched site is looked for: below the working folder, then in the checkout."""
    return Path(FOLDER).resolve(), Path(__file__).resolve().parents[2] / FOLDER
