"""All that the results of a reading of a volume are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from pydicom.dataset import Dataset

from dicom_io.results.context import ResultContext
from models.volume_results import VolumeReading

__all__ = ["VolumeContext"]


@dataclass(frozen=True, kw_only=True, eq=False)
class VolumeContext(ResultContext):
    """One reading of one volume of one study, ready to be encoded.

    ``headers`` has every image that was read: those of the segmented series, and those of all other series
    that were looked at.

    Parameters
    ----------
    reading : VolumeReading
        What was found, on the grid of the segmented series.
    """

    reading: VolumeReading

    @property
    def has_findings(self) -> bool:
        """Whether anything is reported."""
        return bool(self.reading.findings)

    @cached_property
    def segmented_headers(self) -> tuple[Dataset, ...]:
        """Headers of the segmented series in the order of the grid; one for an enhanced instance."""
        by_uid = {str(header.SOPInstanceUID): header for header in self.headers}
        uids = dict.fromkeys(source.sop_instance_uid for source in self.reading.slices)
        return tuple(by_uid[uid] for uid in uids)

    def _problems(self) -> Iterator[str]:
        found = list(ResultContext._problems(self))
        yield from found
        if found:
            return
        shapes = {str(h.SOPInstanceUID): (int(h.Rows), int(h.Columns)) for h in self.headers}
        series = {str(h.SOPInstanceUID): str(h.SeriesInstanceUID) for h in self.headers}
        used = {source.sop_instance_uid for source in self.reading.slices}
        if not used <= shapes.keys():
            yield "a slice of the grid comes from an image that was not read"
            return
        if len({series[uid] for uid in used}) != 1:
            yield "the slices of the grid are not of one series"
        if {shapes[uid] for uid in used} != {tuple(self.reading.labels.spatial_shape[1:])}:
            yield "rows and columns of the grid are not those of its images"
        frames = {str(h.get("FrameOfReferenceUID") or "") for h in self.segmented_headers}
        if frames != {str(self.reading.labels.frame_of_reference_uid or "")} or frames == {""}:
            yield "the grid and its images have no frame of reference in common"
