"""Segmentations: what was found, as masks on the pixels that it was found in."""

from __future__ import annotations

from dicom_io.results.segmentation.film import encode_film_segmentation, films_with_findings
from dicom_io.results.segmentation.masks import SegmentationKind
from dicom_io.results.segmentation.volume import encode_segmentation

__all__ = ["SegmentationKind", "encode_film_segmentation", "encode_segmentation", "films_with_findings"]
