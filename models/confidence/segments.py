"""Agreement of an ensemble of segmenters, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping

from models.package import PackageManifest
from models.results import Assessment
from models.volume_results import VolumeReading

__all__ = ["assess_segmentation"]


def assess_segmentation(
    reading: VolumeReading, branch: str, components: Mapping[str, float], manifest: PackageManifest
) -> Assessment:
    """Report how far the members agree on a study; no decision is fitted yet."""
    raise NotImplementedError
