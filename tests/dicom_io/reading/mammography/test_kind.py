from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import (
    BreastProjectionXRayImageStorageForProcessing,
    BreastTomosynthesisImageStorage,
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from dicom_io.reading import check_header
from dicom_io.reading.mammography.kind import is_digitised, is_said_synthetic, is_synthetic
from tests.dicom_io.reading.mammography.cases import CONTRACT, code, item, mammogram, refusal, view

STEREOTACTIC = (
    "STEREO_SCOUT",
    "STEREO_MINUS",
    "STEREO_PLUS",
    "PREFIRE_MINUS",
    "PREFIRE_PLUS",
    "POSTFIRE_MINUS",
    "POSTFIRE_PLUS",
    "POSTBIOPSY_MINUS",
    "POSTBIOPSY_PLUS",
    "POSTBIOPSY",
    "POSTMARKER_MINUS",
    "POSTMARKER_PLUS",
    "POSTMARKER",
    "TOMO_SCOUT",
    "PREFIRE",
    "POSTFIRE",
    "STEREO",
)


@pytest.mark.parametrize(
    ("attributes", "code_"),
    [
        ({"for_processing": True}, "for-processing"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "for-processing"),
        ({"SOPClassUID": BreastProjectionXRayImageStorageForProcessing}, "for-processing"),
        ({"Modality": "US", "SOPClassUID": UltrasoundImageStorage}, "wrong-modality"),
        ({"Modality": "DX", "SOPClassUID": DigitalXRayImageStorageForPresentation}, "wrong-modality"),
        ({"Modality": "CR", "BodyPartExamined": "CHEST"}, "wrong-modality"),
        (
            {
                "SOPClassUID": SecondaryCaptureImageStorage,
                "Manufacturer": "SecondRead",
                "ManufacturerModelName": "SecondRead",
            },
            "own-result",
        ),
        ({"QualityControlImage": "YES"}, "quality-control-image"),
        ({"CalibrationImage": "YES"}, "quality-control-image"),
    ],
)
def test_images_that_are_no_mammograms(attributes: dict[str, Any], code_: str) -> None:
    assert refusal(mammogram(**attributes)).code == code_


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"SOPClassUID": BreastTomosynthesisImageStorage}, "the object is a Breast Tomosynthesis Image"),
        (
            {
                "SOPClassUID": BreastTomosynthesisImageStorage,
                "ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
                "NumberOfFrames": "60",
            },
            "the object has 60 frames",
        ),
        (
            {
                "SOPClassUID": BreastTomosynthesisImageStorage,
                "ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
                "PerFrameFunctionalGroupsSequence": [item(), item()],
            },
            "the object describes 2 frames",
        ),
        ({"NumberOfFrames": "60"}, "the object has 60 frames"),
        (
            {"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ"]},
            "Image Type is TOMO_PROJ and not GENERATED_2D",
        ),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO_PROJ", "LEFT"]}, "Image Type is TOMO_PROJ"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "NONE"]}, "Image Type is TOMOSYNTHESIS"),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO"]}, "Image Type is TOMO "),
        ({"VolumetricProperties": "VOLUME"}, "the image is a plane of a volume"),
        ({"VolumetricProperties": "MIXED"}, "the image is a plane of a volume"),
    ],
)
def test_tomosynthesis_is_not_supported_and_says_so(attributes: dict[str, Any], words: str) -> None:
    error = refusal(mammogram(**attributes))
    assert error.code == "tomosynthesis"
    assert "not supported" in error.reason
    assert words in error.reason


def test_tomosynthesis_is_told_before_a_sop_class_that_is_not_read() -> None:
    only = CONTRACT.model_copy(update={"sop_classes": (DigitalMammographyXRayImageStorageForPresentation,)})
    assert refusal(mammogram(SOPClassUID=BreastTomosynthesisImageStorage), only).code == "tomosynthesis"
    assert refusal(mammogram(SOPClassUID=ComputedRadiographyImageStorage), only).code == "wrong-sop-class"
    check_header(mammogram(), only)


@pytest.mark.parametrize("kind", STEREOTACTIC)
@pytest.mark.parametrize("place", [2, 3])
def test_stereotactic_and_biopsy_images(kind: str, place: int) -> None:
    image_type = ["DERIVED", "PRIMARY", "", ""]
    image_type[place] = kind
    error = refusal(mammogram(ImageType=image_type))
    assert (error.code, error.reason) == (
        "biopsy-image",
        f"the image belongs to a stereotactic or biopsy procedure: Image Type {kind}",
    )


def test_a_synthetic_view_of_a_biopsy_is_an_image_of_a_biopsy() -> None:
    assert (
        refusal(mammogram(ImageType=["DERIVED", "PRIMARY", "PREFIRE", "GENERATED_2D"])).code == "biopsy-image"
    )


@pytest.mark.parametrize(
    "values",
    [
        ["POST_CONTRAST", "SUBTRACTION"],
        ["PRE_CONTRAST"],
        ["POST_CONTRAST", "", "LOW_ENERGY"],
        ["", "ADDITION"],
        ["", "", "HIGH_ENERGY"],
        ["", "RECOMBINED"],
        ["RECOMBINED_IMAGE"],
        ["", "CEDM"],
        ["", "CESM"],
        ["DUAL-ENERGY SUBTRACTED"],
        ["POST CONTRAST"],
        ["LEFT_LOWENERGY"],
    ],
)
def test_contrast_enhanced_mammography(values: list[str]) -> None:
    assert refusal(mammogram(ImageType=["DERIVED", "PRIMARY", *values])).code == "contrast-enhanced"


@pytest.mark.parametrize(
    "attributes",
    [
        {"ViewCodeSequence": view("127457009")},
        {"ViewCodeSequence": view("G-8310", "SNM3")},
        {"ViewCodeSequence": [], "ViewPosition": "SPECIMEN"},
        {"SpecimenDescriptionSequence": [item(SpecimenIdentifier="1")]},
        {"ContainerIdentifier": "1"},
        {"BodyPartExamined": "BREAST SPECIMEN"},
        {"ImageType": ["ORIGINAL", "PRIMARY", "SPECIMEN"]},
        # Before anything else that a specimen lacks.
        {"ViewCodeSequence": view("127457009"), "ImageLaterality": None, "PatientOrientation": None},
    ],
)
def test_a_specimen(attributes: dict[str, Any]) -> None:
    error = refusal(mammogram(**attributes))
    assert (error.code, error.reason) == (
        "specimen",
        "the image is of a tissue specimen, not of a breast",
    )


@pytest.mark.parametrize(
    "sop_class", [SecondaryCaptureImageStorage, MultiFrameGrayscaleWordSecondaryCaptureImageStorage]
)
def test_a_secondary_capture_is_read_when_it_is_a_digitised_film(sop_class: str) -> None:
    plain: dict[str, Any] = {"SOPClassUID": sop_class, "DetectorType": None}
    assert refusal(mammogram(ConversionType="WSD", **plain)).code == "secondary-capture"
    assert refusal(mammogram(**plain)).code == "secondary-capture"
    check_header(mammogram(ConversionType="DF", **plain), CONTRACT)


@pytest.mark.parametrize(
    ("attributes", "digitised"),
    [
        ({}, False),
        ({"ConversionType": "WSD"}, False),
        ({"ConversionType": "DF"}, True),
        ({"DetectorType": "FILM"}, True),
        ({"NominalScannedPixelSpacing": ["0.05", "0.05"]}, True),
        ({"DigitizingDeviceTransportDirection": "ROW"}, True),
        ({"RotationOfScannedFilm": "0"}, True),
        ({"NominalScannedPixelSpacing": ""}, False),
    ],
)
def test_digitised_films(attributes: dict[str, Any], digitised: bool) -> None:
    dataset = mammogram(**attributes)
    check_header(dataset, CONTRACT)
    assert is_digitised(dataset) is digitised


@pytest.mark.parametrize(
    ("attributes", "synthetic", "said"),
    [
        ({}, False, False),
        ({"ImageType": ["ORIGINAL", "PRIMARY"]}, False, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"]}, True, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO_PROJ", "GENERATED_2D"]}, True, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D", "", "", "", "150000"]}, True, False),
        ({"ImageType": ["DERIVED", "PRIMARY", "TOMO_2D", "LEFT"]}, True, False),
        ({"SeriesDescription": "L MLO C-View"}, False, True),
        ({"SeriesDescription": "S-VIEW"}, False, True),
        ({"DerivationDescription": "V-Preview of a tomosynthesis"}, False, True),
        ({"SeriesDescription": "Intelligent 2D"}, False, True),
        ({"SeriesDescription": "Tomosynthesis examination, 2D exposure"}, False, False),
        ({"SeriesDescription": "CC VIEW"}, False, False),
    ],
)
def test_synthetic_views_are_read(attributes: dict[str, Any], synthetic: bool, said: bool) -> None:
    dataset = mammogram(**attributes)
    check_header(dataset, CONTRACT)
    assert (is_synthetic(dataset), is_said_synthetic(dataset)) == (synthetic, said)


@pytest.mark.parametrize(
    "region",
    [("76752008", "SCT"), ("T-04000", "SNM3"), ("T-04000", "SRT"), ("80248007", "SCT"), ("T-04030", "SRT")],
)
def test_the_breast_is_known_by_its_codes_whatever_they_are_called(region: tuple[str, str]) -> None:
    strict = CONTRACT.model_copy(update={"accept_unknown_body_part": False})
    unclear: dict[str, Any] = {"ViewCodeSequence": None, "ViewPosition": None, "BodyPartExamined": None}
    assert (
        refusal(mammogram(**unclear, AnatomicRegionSequence=[code(*region)]), strict).code == "missing-view"
    )
    assert refusal(mammogram(**unclear, AnatomicRegionSequence=None), strict).code == "missing-body-part"
    check_header(mammogram(BodyPartExamined=None, AnatomicRegionSequence=None), strict)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ContrastBolusAgent": "IOHEXOL 300"},
        {"ContrastBolusIngredient": "IODINE"},
        {"ContrastBolusAgentSequence": [code("44588005")]},
    ],
)
def test_a_contrast_agent_of_the_header(attributes: dict[str, Any]) -> None:
    error = refusal(mammogram(**attributes))
    assert error.code == "contrast-enhanced"
    assert "IOHEXOL" not in error.reason


@pytest.mark.parametrize("words", ["", "NONE", "no"])
def test_no_contrast_agent(words: str) -> None:
    check_header(mammogram(ContrastBolusAgent=words), CONTRACT)


@pytest.mark.parametrize("kinds", [["TOMOSYNTHESIS", "GENERATED_2D"], ["", "MCEMENT"], ["LEFT", "PROCESSED"]])
def test_image_types_that_are_read(kinds: list[str]) -> None:
    check_header(mammogram(ImageType=["DERIVED", "PRIMARY", *kinds]), CONTRACT)
