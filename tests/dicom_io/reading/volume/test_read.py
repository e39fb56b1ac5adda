"""Series read from files: bad ones are refused with their reason, good ones keep every voxel in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, RLELossless

from dicom_io.reading import UnsuitableImage
from dicom_io.reading.volume import read_volume
from dicom_io.results import write_object
from tests.dicom_io.results.volume_factory import affine_of, enhanced_header, volume_header

SHAPE = (6, 24, 20)


def values(offset: int = 0) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Return a volume in which every voxel has a value of its own."""
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) + offset).astype(np.uint16)


def write(
    folder: Path,
    *,
    orientation: str = "axial",
    enhanced: bool = False,
    change: Callable[[int, Dataset], Dataset | None] = lambda _number, header: header,
) -> list[Path]:
    """Write a series of :func:`values`; ``change`` may alter or drop (None) each of its images."""
    affine, pixels = affine_of(orientation, (2.5, 0.75, 1.25)), values()
    if enhanced:
        headers = [enhanced_header(affine=affine, shape=SHAPE)]
        frames = [pixels]
    else:
        headers = [volume_header(n + 1, affine=affine, shape=SHAPE) for n in range(SHAPE[0])]
        frames = list(pixels)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (header, data) in enumerate(zip(headers, frames, strict=True)):
        header.PixelData = data.tobytes()
        header.BitsStored, header.HighBit = 16, 15
        header["PixelData"].VR = "OW"
        header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        changed = change(number, header)
        if changed is not None:
            paths.append(write_object(changed, folder / f"{number:03d}.dcm", "image").path)
    return paths


def set_on(which: int | None, **attributes: Any) -> Callable[[int, Dataset], Dataset]:
    """Set attributes of one image (of all where None); ``...`` takes one away."""

    def change(number: int, header: Dataset) -> Dataset:
        if which in (None, number):
            for keyword, value in attributes.items():
                if value is ...:
                    delattr(header, keyword)
                else:
                    setattr(header, keyword, value)
        return header

    return change


def drop(which: int) -> Callable[[int, Dataset], Dataset | None]:
    return lambda number, header: None if number == which else header


def cut_off(number: int, header: Dataset) -> Dataset:
    if number == 2:
        header.PixelData = header.PixelData[:400]
    return header


def smaller(number: int, header: Dataset) -> Dataset:
    if number == 2:
        header.Rows, header.Columns = header.Columns, header.Rows
    return header


BAD: dict[str, tuple[Callable[[int, Dataset], Dataset | None], str]] = {
    "missing slice": (drop(2), "missing-slice"),
    "no frame of reference": (set_on(None, FrameOfReferenceUID=...), "no-frame-of-reference"),
    "frame of reference of one image missing": (set_on(3, FrameOfReferenceUID=...), "no-frame-of-reference"),
    "two frames of reference": (set_on(3, FrameOfReferenceUID="2.25.1"), "several-frames-of-reference"),
    "two series": (set_on(3, SeriesInstanceUID="2.25.1"), "several-series"),
    "no position": (set_on(3, ImagePositionPatient=...), "no-position"),
    "no orientation": (set_on(3, ImageOrientationPatient=...), "no-orientation"),
    "bad orientation": (set_on(3, ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "bad-orientation"),
    "no pixel spacing": (set_on(3, PixelSpacing=...), "no-pixel-spacing"),
    "no pixels": (set_on(3, PixelData=...), "no-pixel-data"),
    "pixels cut off": (cut_off, "truncated"),
    "mixed sizes": (smaller, "mixed-sizes"),
    "colour": (set_on(3, PhotometricInterpretation="RGB"), "bad-photometric"),
    "inverted": (set_on(None, PhotometricInterpretation="MONOCHROME1"), "bad-photometric"),
    "no slope": (set_on(3, RescaleSlope=0, RescaleIntercept=0), "bad-rescale"),
    "modality LUT": (set_on(3, ModalityLUTSequence=[Dataset()]), "bad-rescale"),
    "another modality": (set_on(None, Modality="US"), "wrong-modality"),
    "an instance twice": (set_on(3, SOPInstanceUID="2.25.8880001"), "duplicate-instance"),
}


@pytest.mark.parametrize("case", list(BAD))
def test_a_series_that_is_no_volume_is_refused_with_its_reason(case: str, tmp_path: Path) -> None:
    change, code = BAD[case]
    with pytest.raises(UnsuitableImage) as caught:
        read_volume(write(tmp_path, change=change))
    assert caught.value.code == code
    assert "Müller" not in str(caught.value)


def test_a_series_without_files_is_refused() -> None:
    with pytest.raises(UnsuitableImage) as caught:
        read_volume([])
    assert caught.value.code == "few-slices"


def test_what_is_no_dicom_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path)
    paths[1].write_bytes(b"no DICOM at all")
    with pytest.raises(UnsuitableImage) as caught:
        read_volume(paths)
    assert caught.value.code == "not-dicom"


def test_an_enhanced_image_with_fewer_frames_than_it_states_is_refused(tmp_path: Path) -> None:
    def fewer(_number: int, header: Dataset) -> Dataset:
        header.PerFrameFunctionalGroupsSequence = header.PerFrameFunctionalGroupsSequence[:-1]
        return header

    with pytest.raises(UnsuitableImage) as caught:
        read_volume(write(tmp_path, enhanced=True, change=fewer))
    assert caught.value.code == "bad-frames"


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal", "oblique-axial", "oblique-coronal"])
def test_every_voxel_is_where_it_was(orientation: str, enhanced: bool, tmp_path: Path) -> None:
    paths = write(tmp_path, orientation=orientation, enhanced=enhanced)
    found = read_volume(paths[::-1])
    affine = affine_of(orientation, (2.5, 0.75, 1.25))
    index = np.indices(SHAPE).reshape(3, -1)
    places = affine @ np.vstack([index, np.ones(index.shape[1])])
    back = np.rint(np.linalg.inv(found.volume.affine) @ places)[:3].astype(int)
    assert np.array_equal(found.volume.array[tuple(back)], values()[tuple(index)])
    assert found.volume.frame_of_reference_uid == "2.25.777"
    for position, source in enumerate(found.slices):
        header = next(h for h in found.headers if h.SOPInstanceUID == source.sop_instance_uid)
        number = (source.frame or int(header.InstanceNumber)) - 1
        assert np.array_equal(found.volume.array[position], values()[number])
        assert "PixelData" not in header
    assert len(found.headers) == (1 if enhanced else SHAPE[0])


def test_highdicom_reads_the_same_volume(tmp_path: Path) -> None:
    paths = write(tmp_path, orientation="oblique-sagittal")
    found = read_volume(paths)
    other = highdicom.get_volume_from_series([dcmread(path) for path in paths]).match_geometry(
        found.volume, mode="EDGE"
    )
    assert np.array_equal(other.array, found.volume.array)


def test_values_are_rescaled_and_kept_exact(tmp_path: Path) -> None:
    def hounsfield(_number: int, header: Dataset) -> Dataset:
        header.Modality, header.SOPClassUID = "CT", CTImageStorage
        header.file_meta.MediaStorageSOPClassUID = CTImageStorage
        header.RescaleSlope, header.RescaleIntercept = 1, -1024
        return header

    found = read_volume(write(tmp_path / "ct", change=hounsfield))
    assert found.volume.array.dtype == np.int16
    assert int(found.volume.array.min()) == -1024
    scaled = read_volume(write(tmp_path / "mr", change=set_on(None, RescaleSlope=0.5, RescaleIntercept=3)))
    assert scaled.volume.array.dtype == np.float32
    assert float(scaled.volume.array.max()) == pytest.approx(0.5 * (np.prod(SHAPE) - 1) + 3)


def test_a_compressed_series_reads_the_same(tmp_path: Path) -> None:
    paths = write(tmp_path)
    plain = read_volume(paths)
    for path in paths:
        dataset = dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    assert np.array_equal(read_volume(paths).volume.array, plain.volume.array)


@pytest.mark.data
@pytest.mark.skipif(
    not os.environ.get("SECONDREAD_DATA"), reason="SECONDREAD_DATA is not set: no real slices"
)
def test_real_slices_are_one_volume() -> None:
    paths = sorted((Path(os.environ["SECONDREAD_DATA"]) / "dicom" / "brain_vs_seg").glob("*.dcm"))
    found = read_volume(paths)
    assert found.volume.spatial_shape[0] == 60
    for position, source in enumerate(found.slices):
        header = next(h for h in found.headers if h.SOPInstanceUID == source.sop_instance_uid)
        place = (found.volume.affine @ [position, 0, 0, 1])[:3]
        assert np.abs(place - np.array(header.ImagePositionPatient, dtype=float)).max() < 0.01
    other = highdicom.get_volume_from_series([dcmread(path) for path in paths])
    matched = other.match_geometry(found.volume, mode="EDGE")
    assert np.array_equal(matched.array, found.volume.array)
