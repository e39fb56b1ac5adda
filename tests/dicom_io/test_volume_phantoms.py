"""Volumetric phantoms: every voxel is the head at its place, and files are what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from scipy.spatial.transform import Rotation

from dicom_io.reading.volume import read_volume
from dicom_io.volume_phantoms import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    VolumeOptions,
    write_brain_study,
    write_volume_series,
)
from models.phantoms.brain import BrainPhantom
from tests.conformance.checker import header_errors

OBLIQUE = (Rotation.from_euler("xyz", [20, -10, 35], degrees=True).as_matrix() @ np.array(AXIAL)).tolist()


@pytest.mark.parametrize("directions", [AXIAL, SAGITTAL, CORONAL, OBLIQUE])
@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("reversed_slices", [False, True])
def test_every_voxel_is_the_head_at_its_place(
    directions: list[list[float]], enhanced: bool, reversed_slices: bool, tmp_path: Path
) -> None:
    options = VolumeOptions(
        directions=directions,
        shape=(9, 40, 36),
        spacing=(11.0, 4.5, 5.0),
        enhanced=enhanced,
        reversed_slices=reversed_slices,
    )
    written = write_volume_series(tmp_path, options)
    read = read_volume(written.paths)
    index = np.indices(read.volume.spatial_shape).reshape(3, -1)
    places = (read.volume.affine @ np.vstack([index, np.ones(index.shape[1])]))[:3].T
    wanted = BrainPhantom(options.seed, options.lesions).at(places, "FLAIR")
    found = read.volume.array.reshape(-1)
    # positions are rounded to nine digits: a voxel on a border may fall to either side
    assert np.mean(found != wanted) < 1e-3
    assert (written.lesions > 0).any()


def test_a_study_shares_grid_and_frame_of_reference(tmp_path: Path) -> None:
    written = write_brain_study(tmp_path, VolumeOptions(shape=(5, 24, 24), spacing=(30, 8, 8)))
    assert list(written) == ["FLAIR", "T1", "T1c", "T2"]
    headers = [dcmread(path) for series in written.values() for path in series.paths]
    assert len({header.StudyInstanceUID for header in headers}) == 1
    assert len({header.SeriesInstanceUID for header in headers}) == 4
    assert len({header.SOPInstanceUID for header in headers}) == 20
    assert len({header.FrameOfReferenceUID for header in headers}) == 1
    assert {header.ImageType[0] for header in headers} == {"DERIVED"}
    assert {"ContrastBolusAgent" in header for header in headers[10:15]} == {True}


def test_the_same_options_give_the_same_files(tmp_path: Path) -> None:
    options = VolumeOptions(shape=(4, 16, 16), spacing=(30, 12, 12))
    one, two = (write_volume_series(tmp_path / name, options) for name in "ab")
    assert [path.read_bytes() for path in one.paths] == [path.read_bytes() for path in two.paths]


def test_attributes_can_be_changed_and_taken_away(tmp_path: Path) -> None:
    attributes = {"PatientID": "X", "FrameOfReferenceUID": None}
    options = VolumeOptions(shape=(3, 16, 16), spacing=(30, 12, 12), attributes=attributes)
    header = dcmread(write_volume_series(tmp_path, options).paths[1])
    assert header.PatientID == "X"
    assert "FrameOfReferenceUID" not in header


def test_what_is_no_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="right angles"):
        VolumeOptions(directions=((1, 0, 0), (1, 0, 0), (0, 0, 1)))
    with pytest.raises(ValueError, match="positive"):
        VolumeOptions(shape=(0, 4, 4))


@pytest.mark.peer
@pytest.mark.parametrize("contrast", ["FLAIR", "CT"])
@pytest.mark.parametrize("enhanced", [False, True])
def test_no_validator_finds_an_error(contrast: str, enhanced: bool, tmp_path: Path) -> None:
    options = VolumeOptions(
        contrast=contrast,
        shape=(3, 16, 16),
        spacing=(30, 12, 12),
        enhanced=enhanced,  # type: ignore[arg-type]
    )
    found = header_errors(write_volume_series(tmp_path, options).paths[0])
    # an enhanced image of a scanner says much of its acquisition that a computed one has not
    acquired = ("Missing attribute for Type 1", "Missing attribute for Type 2", "ImageType", "FrameType")
    assert [line for line in found if not (enhanced and any(words in line for words in acquired))] == []
