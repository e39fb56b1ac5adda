"""Series to volumes: every geometric doubt is a refusal with its reason, never a guess."""

from __future__ import annotations

from dicom_io.reading.volume.planes import Plane, planes_of
from dicom_io.reading.volume.read import SourceVolume, read_volume
from dicom_io.reading.volume.stack import Stack, stack_planes

__all__ = ["Plane", "SourceVolume", "Stack", "planes_of", "read_volume", "stack_planes"]
