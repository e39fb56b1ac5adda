"""Every kind of object that a reading can become."""

from __future__ import annotations

from typing import Any

import numpy as np
from highdicom import Volume
from pydicom.dataset import Dataset

from dicom_io.results import (
    FilmContext,
    VolumeContext,
    encode_finding_image,
    encode_overview,
    encode_presentation_state,
    encode_structured_report,
    encode_volume_finding_image,
    encode_volume_overview,
)
from dicom_io.results.cad import encode_chest_cad_report
from dicom_io.results.segmentation import encode_film_segmentation, encode_segmentation
from tests.dicom_io.results.factory import film


def film_objects(made: FilmContext) -> dict[str, Dataset]:
    """Return what the reading of films becomes, by kind."""
    objects = {
        "structured-report": encode_structured_report(made),
        "cad-report": encode_chest_cad_report(made),
    }
    read = {reading.sop_instance_uid for reading in made.readings}
    films = [film(header) for header in made.headers if str(header.SOPInstanceUID) in read]
    if films:
        objects["key-image-1"] = encode_overview(made, films)
    if made.findings:
        first = made.findings[0]
        (carrier,) = [one for one in films if one.sop_instance_uid == first.sop_instance_uid]
        objects["key-image-2"] = encode_finding_image(made, carrier, first, 2)
        objects["segmentation-1"] = encode_film_segmentation(made, first.sop_instance_uid)
        header = made.header_of(first.sop_instance_uid)
        objects["presentation-state-1"] = encode_presentation_state(made, header, 1)
    return objects


def volume_image(made: VolumeContext) -> Volume:
    """Return a grey ramp on the grid of the reading."""
    ramp = np.indices(made.reading.labels.spatial_shape).sum(axis=0).astype(np.int16)
    labels = made.reading.labels
    return Volume(
        ramp,
        labels.affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=labels.frame_of_reference_uid,
    )


def volume_objects(made: VolumeContext, **options: Any) -> dict[str, Dataset]:
    """Return what the reading of a volume becomes, by kind; ``options`` are those of the segmentation."""
    segmentation = encode_segmentation(made, **options)
    objects = {
        "segmentation": segmentation,
        "structured-report": encode_structured_report(made, segmentation if made.has_findings else None),
        "key-image-1": encode_volume_overview(made, volume_image(made)),
    }
    if made.has_findings:
        first = made.reading.findings[0]
        objects["key-image-2"] = encode_volume_finding_image(made, volume_image(made), first, 2)
    return objects
