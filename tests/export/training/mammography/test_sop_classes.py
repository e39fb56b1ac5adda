from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastTomosynthesisImageStorage,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    SecondaryCaptureImageStorage,
)

from dicom_io.reading import check_header
from export.training.mammography.packaging import SOP_CLASSES
from tests.dicom_io.reading.mammography.cases import CONTRACT, mammogram, refusal

LISTED = CONTRACT.model_copy(update={"sop_classes": tuple(str(one) for one in SOP_CLASSES)})
SYNTHETIC = ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"SOPClassUID": CTImageStorage}, "wrong-sop-class"),
        ({"SOPClassUID": DigitalXRayImageStorageForPresentation}, "wrong-sop-class"),
        ({"SOPClassUID": ComputedRadiographyImageStorage}, "wrong-sop-class"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary-capture"),
        ({"SOPClassUID": BreastTomosynthesisImageStorage}, "tomosynthesis"),
    ],
)
def test_objects_of_another_kind_are_refused(attributes: dict[str, Any], code: str) -> None:
    assert refusal(mammogram(**attributes), LISTED).code == code


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"SOPClassUID": BreastProjectionXRayImageStorageForPresentation},
        {"SOPClassUID": BreastTomosynthesisImageStorage, "ImageType": SYNTHETIC},
        {"SOPClassUID": ComputedRadiographyImageStorage, "DetectorType": "FILM"},
        {"SOPClassUID": SecondaryCaptureImageStorage, "ConversionType": "DF"},
    ],
)
def test_mammograms_of_every_listed_kind_are_read(attributes: dict[str, Any]) -> None:
    check_header(mammogram(**attributes), LISTED)
