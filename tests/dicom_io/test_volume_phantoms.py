"""Volumetric phantoms: every voxel is the head at its place, and files are what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from models.phantoms.brain import SEQUENCES, BrainPhantom, Contrast, PhantomLesion
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


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("uid", [None, "2.25.7"])
def test_the_truth_has_the_frame_of_reference_of_the_files(
    enhanced: bool, uid: str | None, tmp_path: Path
) -> None:
    attributes = {"FrameOfReferenceUID": uid, "StudyInstanceUID": "2.25.8"}
    options = VolumeOptions(shape=(3, 16, 16), enhanced=enhanced, attributes=attributes)
    written = write_volume_series(tmp_path, options)
    assert written.volume.frame_of_reference_uid == uid
    assert written.study_instance_uid == "2.25.8"


@pytest.mark.parametrize(
    "changed",
    [
        {"directions": SAGITTAL},
        {"spacing": (30, 12, 11)},
        {"origin": (1.0, 2.0, 3.0)},
        {"reversed_slices": True},
        {"lesions": ()},
        {"contrast": "T2"},
        {"attributes": {"PatientID": "X"}},
        {"seed": 2},
    ],
)
@pytest.mark.parametrize("enhanced", [False, True])
def test_what_differs_has_other_uids(changed: dict[str, Any], enhanced: bool, tmp_path: Path) -> None:
    plain = VolumeOptions(shape=(3, 16, 16), spacing=(30, 12, 12), enhanced=enhanced)
    one = write_volume_series(tmp_path / "a", plain)
    two = write_volume_series(tmp_path / "b", replace(plain, **changed))
    assert one.series_instance_uid != two.series_instance_uid
    assert not {s.sop_instance_uid for s in one.slices} & {s.sop_instance_uid for s in two.slices}
    assert (one.study_instance_uid == two.study_instance_uid) == ("seed" not in changed)


def test_equal_directions_of_another_type_are_the_same_series(tmp_path: Path) -> None:
    one, two = (
        write_volume_series(tmp_path / name, VolumeOptions(shape=(2, 8, 8), directions=directions))
        for name, directions in (("a", AXIAL), ("b", np.array(AXIAL)))
    )
    assert one.slices == two.slices


@pytest.mark.parametrize("enhanced", [False, True])
def test_an_origin_is_where_the_first_voxel_lies(enhanced: bool, tmp_path: Path) -> None:
    origin = (-40.5, -30.25, 12.125)
    lesion = PhantomLesion((-30.3, -20.1, 20.7), (6.1, 7.3, 8.9))
    options = VolumeOptions(
        shape=(6, 12, 12), spacing=(3, 2, 2), origin=origin, lesions=(lesion,), enhanced=enhanced
    )
    written = write_volume_series(tmp_path, options)
    read = read_volume(written.paths)
    assert np.allclose(read.volume.affine[:3, 3], origin)
    inside = np.argwhere(written.lesions == 1)
    places = inside * np.array([3, 2, 2])
    radius = lesion.radius(origin[0] + places[:, 2], origin[1] + places[:, 1], origin[2] + places[:, 0])
    assert len(inside) > 50
    assert radius.max() < 1


@pytest.mark.parametrize("reversed_slices", [False, True])
def test_instance_numbers_run_as_asked_for(reversed_slices: bool, tmp_path: Path) -> None:
    options = VolumeOptions(shape=(4, 8, 8), reversed_slices=reversed_slices)
    written = write_volume_series(tmp_path, options)
    headers = [dcmread(path) for path in written.paths]
    numbers = [header.InstanceNumber for header in headers]
    assert numbers == ([4, 3, 2, 1] if reversed_slices else [1, 2, 3, 4])
    assert [header.SOPInstanceUID for header in headers] == [s.sop_instance_uid for s in written.slices]
    for header, plane in zip(headers, written.volume.array, strict=True):
        assert np.array_equal(header.pixel_array, plane)


def test_an_enhanced_image_says_its_contrast(tmp_path: Path) -> None:
    found = {}
    for contrast in SEQUENCES:
        options = VolumeOptions(contrast=contrast, shape=(2, 8, 8), enhanced=True)
        header = dcmread(write_volume_series(tmp_path / contrast, options).paths[0])
        frame = header.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence[0]
        assert frame.AcquisitionContrast == header.AcquisitionContrast
        found[contrast] = header.AcquisitionContrast
    assert found == {"FLAIR": "FLUID_ATTENUATED", "T1": "T1", "T1c": "T1", "T2": "T2"}


def test_what_is_no_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="right angles"):
        VolumeOptions(directions=((1, 0, 0), (1, 0, 0), (0, 0, 1)))
    with pytest.raises(ValueError, match="positive"):
        VolumeOptions(shape=(0, 4, 4))
    with pytest.raises(ValueError, match="origin"):
        VolumeOptions(origin=(0.0, float("nan"), 0.0))
    with pytest.raises(ValueError, match="own SOPInstanceUID"):
        VolumeOptions(attributes={"SOPInstanceUID": "2.25.6"})


@pytest.mark.peer
@pytest.mark.parametrize("contrast", ["FLAIR", "T1", "T1c", "T2", "CT"])
@pytest.mark.parametrize("enhanced", [False, True])
def test_no_validator_finds_an_error(contrast: Contrast, enhanced: bool, tmp_path: Path) -> None:
    options = VolumeOptions(contrast=contrast, shape=(3, 16, 16), spacing=(30, 12, 12), enhanced=enhanced)
    assert header_errors(write_volume_series(tmp_path, options).paths[0]) == []
