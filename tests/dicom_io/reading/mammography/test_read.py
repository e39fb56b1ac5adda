from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import BreastProjectionXRayImageStorageForPresentation, BreastTomosynthesisImageStorage

from dicom_io.mammogram_phantoms import MammogramOptions, plain_breast, write_mammography_study
from dicom_io.reading import UnsuitableImage, read_header, read_mammogram, select_instances
from dicom_io.reading.mammography import chest_wall_of, with_functional_groups
from models.mammogram import Mammogram
from tests.dicom_io.reading.mammography.cases import (
    COLUMNS,
    CONTRACT,
    ROWS,
    changed,
    contract,
    item,
    mammogram,
    saved,
)

SHOWN = plain_breast(ROWS, COLUMNS).astype(np.float64) / 4095
EVERYTHING = contract(refused_modifiers=(), accept_implants=True, accept_male=True)


def read(path: Path, dataset: Dataset, everything: bool = False) -> Mammogram:
    return read_mammogram(saved(path / "image.dcm", dataset), EVERYTHING if everything else CONTRACT)


@pytest.mark.parametrize("value", [0, 1000, 4095])
def test_an_image_without_contrast_is_refused(tmp_path: Path, value: int) -> None:
    flat = np.full((ROWS, COLUMNS), value, np.uint16)
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, mammogram(flat))
    assert caught.value.code == "constant-image"


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"ImageLaterality": None}, "missing-laterality"),
        ({"PixelData": b"\0" * 100}, "truncated"),
        ({"PixelData": None}, "no-pixel-data"),
        ({"modifiers": ("S",)}, "spot-view"),
    ],
)
def test_reading_refuses_what_the_header_or_the_pixels_forbid(
    tmp_path: Path, attributes: dict[str, Any], code: str
) -> None:
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, mammogram(**attributes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"photometric": "MONOCHROME1"},
        {"photometric": "MONOCHROME1", "padding": True},
        # Said against the standard: what the standard says of MONOCHROME1 is done once.
        {"photometric": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        {"PresentationLUTShape": "INVERSE"},
        {"values_of_interest": "windows"},
        {"values_of_interest": "lut"},
        {"values_of_interest": "lut", "WindowCenter": "1", "WindowWidth": "2"},
        {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": "2047.5", "WindowWidth": "4095"},
        {"padding": True},
        {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 30},
        {"transfer_syntax": "rle"},
        {"transfer_syntax": "jpeg2000"},
    ],
)
def test_every_way_of_writing_reads_as_the_same_image(tmp_path: Path, attributes: dict[str, Any]) -> None:
    image = read(tmp_path, mammogram(**attributes))
    np.testing.assert_allclose(image.film.pixels, SHOWN, atol=4e-4)
    assert image.film.shape == (ROWS, COLUMNS)


def test_a_sigmoid_is_applied_and_air_stays_dark(tmp_path: Path) -> None:
    pixels = read(tmp_path, mammogram(values_of_interest="sigmoid", padding=True)).film.pixels
    expected = 1 / (1 + np.exp(-4 * (SHOWN * 4095 - 2048) / 4096))
    tissue = SHOWN > 0
    np.testing.assert_allclose(pixels[tissue], expected[tissue], atol=1e-4)
    assert not pixels[~tissue].any()


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("side", ["L", "R"])
def test_nothing_is_flipped(tmp_path: Path, side: str, mirrored: bool) -> None:
    dataset = mammogram(laterality=side, mirrored=mirrored)
    image = read(tmp_path, dataset)
    left, right = (float(image.film.pixels[:, edge].mean()) for edge in (slice(0, 40), slice(-40, None)))
    assert (left > right) is (chest_wall_of(dataset) == "left")
    assert image.laterality == side
    assert (image.view.view, image.view.modifiers) == ("MLO", ())
    assert image.sop_instance_uid == image.view.sop_instance_uid == str(dataset.SOPInstanceUID)


@pytest.mark.parametrize(
    ("attributes", "spacing", "calibrated"),
    [
        ({}, 0.1, False),
        ({"spacing_mm": 0.085, "magnification": 1.0625}, 0.08, False),
        ({"magnification": 2.0}, 0.05, False),
        ({"magnification": 2.0, "EstimatedRadiographicMagnificationFactor": None}, 0.05, False),
        ({"magnification": 2.0, "PixelSpacing": ["0.05", "0.05"]}, 0.05, True),
        ({"PixelSpacing": ["0.1", "0.1"]}, 0.1, False),
        ({"PixelSpacing": ["0.1", "0.1"], "PixelSpacingCalibrationType": "GEOMETRY"}, 0.1, True),
        ({"ImagerPixelSpacing": None, "NominalScannedPixelSpacing": ["0.05", "0.05"]}, 0.05, False),
        ({"ImagerPixelSpacing": None}, None, False),
        ({"ImagerPixelSpacing": ["0", "0"]}, None, False),
    ],
)
def test_spacing(tmp_path: Path, attributes: dict[str, Any], spacing: float | None, calibrated: bool) -> None:
    film = read(tmp_path, mammogram(**attributes), everything=True).film
    assert film.pixel_spacing_mm == (None if spacing is None else pytest.approx((spacing, spacing), rel=1e-5))
    assert film.spacing_is_calibrated is calibrated


def test_rows_and_columns_of_a_spacing_keep_their_order(tmp_path: Path) -> None:
    film = read(tmp_path, mammogram(ImagerPixelSpacing=["0.1", "0.2"])).film
    assert film.pixel_spacing_mm == (0.1, 0.2)


def test_implant_and_digitised_film(tmp_path: Path) -> None:
    image = read(tmp_path, mammogram(implant=True, ConversionType="DF"), everything=True)
    assert (image.implant, image.digitised) == (True, True)
    image = read(tmp_path, mammogram())
    assert (image.implant, image.digitised) == (False, False)


def enhanced(**frame: Any) -> Dataset:
    """Return a Breast Projection X-Ray image of one frame, which says in functional groups what it can."""
    anatomy = item(FrameLaterality="R", AnatomicRegionSequence=[item(CodeValue="76752008")])
    group = item(
        FrameAnatomySequence=[anatomy],
        FrameVOILUTSequence=[item(WindowCenter="1024", WindowWidth="2048", VOILUTFunction="LINEAR")],
        PixelValueTransformationSequence=[item(RescaleIntercept="0", RescaleSlope="0.5")],
        FramePixelDataPropertiesSequence=[item(ImagerPixelSpacing=["0.07", "0.07"])],
        PatientOrientationInFrameSequence=[item(PatientOrientation=["P", "FL"])],
    )
    moved = ("ImageLaterality", "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope")
    moved += ("ImagerPixelSpacing", "PatientOrientation", "AnatomicRegionSequence")
    return mammogram(
        laterality="R",
        SOPClassUID=BreastProjectionXRayImageStorageForPresentation,
        NumberOfFrames="1",
        SharedFunctionalGroupsSequence=[group],
        PerFrameFunctionalGroupsSequence=[item(**frame)],
        **dict.fromkeys(moved),
    )


def test_an_enhanced_object_of_one_frame_is_read_through_its_functional_groups(tmp_path: Path) -> None:
    dataset = enhanced()
    image = read(tmp_path, dataset)
    assert image.laterality == "R"
    assert chest_wall_of(dataset) == "right"
    assert image.film.pixel_spacing_mm == (0.07, 0.07)
    np.testing.assert_allclose(image.film.pixels, SHOWN[:, ::-1], atol=6e-4)


def test_functional_groups_contradict_like_anything_else(tmp_path: Path) -> None:
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, enhanced(FrameAnatomySequence=[item(FrameLaterality="L")]))
    assert caught.value.code == "laterality-contradiction"
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, changed(enhanced(), NumberOfFrames="2"))
    assert caught.value.code == "tomosynthesis"


def test_of_a_frame_and_what_frames_share_the_frame_counts_and_the_top_before_both() -> None:
    own = [item(PatientOrientation=["A", "HR"])]
    dataset = enhanced(PatientOrientationInFrameSequence=own)
    assert list(with_functional_groups(dataset).PatientOrientation) == ["A", "HR"]
    dataset.PatientOrientation = ""
    assert list(with_functional_groups(dataset).PatientOrientation) == ["A", "HR"]
    dataset.PatientOrientation = ["P", "HR"]
    assert list(with_functional_groups(dataset).PatientOrientation) == ["P", "HR"]
    plain = mammogram()
    assert "WindowWidth" not in dataset
    assert with_functional_groups(plain) is plain


@pytest.mark.parametrize("group", [None, "", [], [Dataset()]])
def test_functional_groups_that_say_nothing(group: Any) -> None:
    dataset = mammogram(SharedFunctionalGroupsSequence=[item(FrameVOILUTSequence=group)])
    assert with_functional_groups(dataset).WindowWidth == "4096"


def selected(folder: Path, images: list[MammogramOptions]) -> tuple[list[str], list[str]]:
    paths = write_mammography_study(folder, 1, images=images)
    found = select_instances([(path, read_header(path)) for path in paths], CONTRACT)
    return [one.path.name for one in found.selected], [one.code for one in found.rejected]


def options(*views: str, **how: Any) -> list[MammogramOptions]:
    return [MammogramOptions(laterality="L" if one[0] == "L" else "R", view=one[1:], **how) for one in views]


def test_a_four_view_a_partial_and_a_repeated_examination(tmp_path: Path) -> None:
    four = options("RCC", "LCC", "RMLO", "LMLO")
    assert [len(part) for part in selected(tmp_path / "four", four)] == [4, 0]
    assert [len(part) for part in selected(tmp_path / "partial", four[2:3])] == [1, 0]
    again = [*four, *options("LMLO", "LMLO", "RCC", date="20260106")]
    names, codes = selected(tmp_path / "again", again)
    assert (len(names), len(set(names)), codes) == (7, 7, [])


def test_an_examination_of_spot_and_magnification_views_alone_has_nothing_to_read(tmp_path: Path) -> None:
    spots = [*options("LCC", modifiers=("S",)), *options("LMLO", modifiers=("S", "M"), magnification=1.8)]
    names, codes = selected(tmp_path, spots)
    assert names == []
    assert codes == ["spot-view", "magnification-view"]


def test_the_raw_twin_of_an_image_is_left_aside(tmp_path: Path) -> None:
    names, codes = selected(tmp_path, [*options("LMLO"), *options("LMLO", for_processing=True)])
    assert (len(names), codes) == (1, ["for-processing"])


@pytest.mark.parametrize(
    "attributes",
    [
        {"RescaleSlope": "3e38"},
        {"RescaleSlope": "1e300"},
        {"RescaleSlope": "-3e38", "WindowCenter": "0", "WindowWidth": "100"},
        {"RescaleIntercept": "1e39"},
        {"WindowCenter": "1e300", "WindowWidth": "1e300"},
    ],
)
def test_values_that_are_not_finite_are_refused(tmp_path: Path, attributes: dict[str, Any]) -> None:
    plain = {"VOILUTSequence": None, "WindowCenter": None, "WindowWidth": None}
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, mammogram(**{**plain, **attributes}))
    assert caught.value.code in {"bad-rescale", "constant-image"}


SYNTHETIC = {
    "SOPClassUID": BreastTomosynthesisImageStorage,
    "ImageType": ["DERIVED", "PRIMARY", "TOMOSYNTHESIS", "GENERATED_2D"],
    "NumberOfFrames": "1",
    "PerFrameFunctionalGroupsSequence": [Dataset()],
}


def test_a_synthetic_view_in_a_tomosynthesis_object_is_read_as_one_image(tmp_path: Path) -> None:
    found = read(tmp_path, mammogram(**SYNTHETIC))
    assert found.film.pixels.shape == (ROWS, COLUMNS)


def test_a_synthetic_view_whose_pixels_are_no_whole_frame_is_refused(tmp_path: Path) -> None:
    short = mammogram(**SYNTHETIC)
    short.PixelData = short.PixelData[: len(short.PixelData) // 2]
    with pytest.raises(UnsuitableImage) as caught:
        read(tmp_path, short)
    assert caught.value.code != "tomosynthesis"
