"""What nobody outside the inbox and the results may learn."""

from __future__ import annotations

from pathlib import Path

from dicom_io.phantom_markers import marker_values

_ALLOWED = ("inbox", "results", "quarantine")
_SHORTEST = 8


def assert_nobody_is_named(folder: Path, state: Path, marker: str) -> None:
    """Search every file of a running system outside inbox, results and quarantine for a patient's markers."""
    needles = [
        marker.encode(),
        *(value.encode() for value in marker_values(marker).values() if len(value) >= _SHORTEST),
    ]
    for path in folder.rglob("*"):
        inside = path.is_relative_to(state) and path.relative_to(state).parts[:1]
        if path.is_file() and not (inside and inside[0] in _ALLOWED):
            content = path.read_bytes()
            assert not [needle for needle in needles if needle in content], path.relative_to(folder)
