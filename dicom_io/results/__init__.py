"""Results as DICOM objects: structured reports and key images that a PACS and a viewer accept."""

from __future__ import annotations

from dicom_io.results.context import PackageIdentity, Predecessor, ResultContext
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.identity import ResultIdentity, derived_uid, fingerprint
from dicom_io.results.loop_guard import is_own_result
from dicom_io.results.mammography_capture import (
    PriorMammogram,
    encode_mammography_finding_image,
    encode_mammography_overview,
    encode_prior_comparison,
)
from dicom_io.results.mammography_context import MammographyContext
from dicom_io.results.presentation_state import encode_presentation_state
from dicom_io.results.secondary_capture import (
    encode_finding_image,
    encode_overview,
    encode_volume_finding_image,
    encode_volume_overview,
)
from dicom_io.results.segmentation import (
    SegmentationKind,
    encode_film_segmentation,
    encode_segmentation,
    films_with_findings,
)
from dicom_io.results.structured_report import encode_structured_report
from dicom_io.results.vocabulary import AI_NOTICE
from dicom_io.results.volume_context import VolumeContext
from dicom_io.results.write import EncodedObject, encoded_bytes, write_object

__all__ = [
    "AI_NOTICE",
    "EncodedObject",
    "FilmContext",
    "MammographyContext",
    "PackageIdentity",
    "Predecessor",
    "PriorMammogram",
    "ResultContext",
    "ResultIdentity",
    "ResultInvalid",
    "SegmentationKind",
    "VolumeContext",
    "derived_uid",
    "encode_film_segmentation",
    "encode_finding_image",
    "encode_mammography_finding_image",
    "encode_mammography_overview",
    "encode_overview",
    "encode_presentation_state",
    "encode_prior_comparison",
    "encode_segmentation",
    "encode_structured_report",
    "encode_volume_finding_image",
    "encode_volume_overview",
    "encoded_bytes",
    "films_with_findings",
    "fingerprint",
    "is_own_result",
    "write_object",
]
