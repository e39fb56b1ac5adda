"""From an answer on the source grid to a reading: one segment, measured."""

from __future__ import annotations

from models.brain_tumour.answer import BrainAnswer
from models.geometry import AlignedStudy
from models.package import PackageManifest
from models.volume_results import VolumeReading

__all__ = ["reading_of"]


def reading_of(answer: BrainAnswer, study: AlignedStudy, manifest: PackageManifest) -> VolumeReading:
    """Measure what the package reports and say what was read."""
    raise NotImplementedError
