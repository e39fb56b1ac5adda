"""Volumes on common grids: axial views, resampling, rigid registration, alignment of a study."""

from models.geometry.alignment import align
from models.geometry.grids import AxialView, axial_view, working_grid
from models.geometry.registration import register_rigid
from models.geometry.resampling import resample, to_source
from models.geometry.study import AlignedStudy, AlignmentFailed, Registration, SeriesVolume

__all__ = [
    "AlignedStudy",
    "AlignmentFailed",
    "AxialView",
    "Registration",
    "SeriesVolume",
    "align",
    "axial_view",
    "register_rigid",
    "resample",
    "to_source",
    "working_grid",
]
