from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from dicom_io.mammogram_phantoms import (
    FOUR_VIEWS,
    MammogramOptions,
    mammogram_film,
    plain_breast,
    write_breast_phantoms,
    write_mammography_study,
)
from dicom_io.phantom_markers import MARKED_ATTRIBUTES, marker_values
from dicom_io.reading import read_mammogram
from models.package import InputContract
from models.package_tables import MammographyContract
from models.phantoms.breast import breast_phantom
from tests.peers import run_tool

PIXELS = plain_breast(300, 260)
OPTIONS = {
    "default": MammogramOptions(),
    "right cranio-caudal": MammogramOptions(laterality="R", view="CC"),
    "exaggerated": MammogramOptions(view="XCCL"),
    "lateral": MammogramOptions(view="ML"),
    "other oblique": MammogramOptions(view="SIO"),
    "mirrored": MammogramOptions(mirrored=True),
    "inverted": MammogramOptions(photometric="MONOCHROME1", padding=True),
    "lookup tables": MammogramOptions(values_of_interest="lut"),
    "several windows": MammogramOptions(values_of_interest="windows"),
    "sigmoid": MammogramOptions(values_of_interest="sigmoid"),
    "magnified spot": MammogramOptions(modifiers=("M", "S"), magnification=1.8),
    "implant displaced": MammogramOptions(modifiers=("ID",), implant=True),
    "part of the breast": MammogramOptions(partial=True),
    "for processing": MammogramOptions(for_processing=True),
    "of a man": MammogramOptions(sex="M"),
    "run length": MammogramOptions(transfer_syntax="rle"),
    "JPEG 2000": MammogramOptions(transfer_syntax="jpeg2000"),
    "marked": MammogramOptions(marker="MARKER"),
}


@pytest.mark.parametrize(
    "options",
    [
        {"laterality": "B"},
        {"view": "PA"},
        {"modifiers": ("S", "X")},
        {"photometric": "RGB"},
        {"values_of_interest": "none"},
        {"sex": "X"},
        {"transfer_syntax": "zip"},
        {"spacing_mm": 0.0},
        {"magnification": 0.5},
    ],
)
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        MammogramOptions(**options)


@pytest.mark.parametrize(
    "pixels", [PIXELS.astype(np.float32), PIXELS[None], np.full((300, 260), 4096, np.uint16)]
)
def test_pixels_that_are_none(pixels: Any) -> None:
    with pytest.raises(ValueError, match="two-dimensional uint16"):
        mammogram_film(pixels, 1)


def test_an_examination_without_images(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one image at least"):
        write_mammography_study(tmp_path, 1, images=[])


@pytest.mark.peer
@pytest.mark.parametrize("name", OPTIONS)
def test_the_validator_has_no_complaint(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image.dcm"
    mammogram_film(PIXELS, 7, options=OPTIONS[name]).save_as(path, enforce_file_format=True)
    said = run_tool("dciodvfy", "-new", path)
    faults = [line for line in (said.stderr + said.stdout).splitlines() if line.startswith("Error")]
    assert faults == []


def test_four_views_in_hanging_order_are_one_examination(tmp_path: Path) -> None:
    images = [dcmread(path) for path in write_mammography_study(tmp_path, 3)]
    assert [(image.ImageLaterality, image.ViewPosition) for image in images] == list(FOUR_VIEWS)
    assert len({image.StudyInstanceUID for image in images}) == 1
    assert len({image.PatientID for image in images}) == 1
    assert len({image.SOPInstanceUID for image in images}) == 4
    for image in images:
        left, right = (float(image.pixel_array[:, edge].mean()) for edge in (slice(0, 40), slice(-40, None)))
        assert (left > right) is (image.ImageLaterality == "L")


def test_given_pixels_are_stored_as_they_are(tmp_path: Path) -> None:
    given = PIXELS[::-1].copy()
    first, second = (dcmread(path) for path in write_mammography_study(tmp_path, 3, pixels={1: given})[:2])
    np.testing.assert_array_equal(second.pixel_array, given)
    assert first.pixel_array.shape != given.shape


def test_the_same_call_writes_the_same_bytes_and_another_study_of_the_patient_other_ones(
    tmp_path: Path,
) -> None:
    prior = MammogramOptions(study="prior", date="20240105")
    first, again, earlier, other = (
        write_mammography_study(tmp_path / name, seed, options=options)[0]
        for name, seed, options in (("a", 3, None), ("b", 3, None), ("c", 3, prior), ("d", 4, None))
    )
    assert first.read_bytes() == again.read_bytes()
    now, before, stranger = (dcmread(path) for path in (first, earlier, other))
    assert now.PatientID == before.PatientID != stranger.PatientID
    assert now.StudyInstanceUID != before.StudyInstanceUID
    assert before.StudyDate == "20240105"


def test_markers_are_everywhere() -> None:
    said = str(mammogram_film(PIXELS, 7, options=OPTIONS["marked"]))
    planted = marker_values("MARKER")
    assert set(MARKED_ATTRIBUTES) < set(planted)
    assert sum(value in said for value in planted.values()) > 20
    assert "MARKER" not in str(mammogram_film(PIXELS, 7))


@pytest.mark.parametrize("mirrored", [False, True])
def test_breast_phantoms_are_read_back_as_they_are(tmp_path: Path, mirrored: bool) -> None:
    rules = MammographyContract()
    contract = InputContract(modalities=("MG",), mammography=rules)
    phantoms = [breast_phantom(5, side, view, rows=320, columns=260) for side, view in FOUR_VIEWS]  # type: ignore[arg-type]
    options = MammogramOptions(mirrored=mirrored, photometric="MONOCHROME1", magnification=1.05)
    for phantom, path in zip(phantoms, write_breast_phantoms(tmp_path, 5, phantoms, options), strict=True):
        image = read_mammogram(path, contract)
        assert (image.laterality, image.view.view) == (phantom.laterality, phantom.view)
        expected = phantom.pixels[:, ::-1] if mirrored else phantom.pixels
        np.testing.assert_allclose(image.film.pixels, expected, atol=4e-4)
        assert image.film.pixel_spacing_mm == pytest.approx(phantom.pixel_spacing_mm, rel=1e-4)
