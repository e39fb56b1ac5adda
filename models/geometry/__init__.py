"""Volumes on common grids: axial views, resampling, rigid registration, alignment of a study."""

from models.geometry.study import AlignedStudy, AlignmentFailed, Registration, SeriesVolume

__all__ = ["AlignedStudy", "AlignmentFailed", "Registration", "SeriesVolume"]
