"""Every voxel where it belongs, for every orientation: written, then read by two independent readers.

One part of the matrix is all combinations of plane, slice order, negated rows, negated columns and kind of
source, each with voxels of three different sizes. The masks have no symmetry, so a flip, a shift or a
transposition cannot hide. What comes back is compared in patient millimetres, voxel by voxel.
"""

from __future__ import annotations

import gzip
import io
import itertools
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread
from scipy.spatial import cKDTree

from dicom_io.results import VolumeContext, encoded_bytes
from dicom_io.results.segmentation import encode_segmentation
from tests.dicom_io.results.volume_factory import ORIENTATIONS, volume_context
from tests.peers import missing

SHAPE = (6, 11, 9)
SPACING = (2.5, 0.625, 1.125)
TOLERANCE_MM = 0.01
Found = dict[int, NDArray[np.float64]]


@dataclass(frozen=True)
class Case:
    plane: str
    against_slices: bool
    rows_negated: bool
    columns_negated: bool
    enhanced: bool
    kind: Any = "binary"
    overlapping: bool = False

    def __str__(self) -> str:
        words = [self.plane, "enhanced" if self.enhanced else "classic", self.kind]
        words += ["reversed"] * self.against_slices + ["rows"] * self.rows_negated
        return "-".join(words + ["columns"] * self.columns_negated + ["overlapping"] * self.overlapping)

    def context(self) -> VolumeContext:
        signs = [-1 if on else 1 for on in (self.against_slices, self.rows_negated, self.columns_negated)]
        return volume_context(
            orientation=ORIENTATIONS[self.plane] * signs,
            shape=SHAPE,
            spacing=SPACING,
            enhanced=self.enhanced,
            masks=asymmetric_masks(),
            overlapping=self.overlapping,
        )


MATRIX = [Case(*values) for values in itertools.product(ORIENTATIONS, *[(False, True)] * 4)]
LABEL_MAPS = [
    Case(*values, kind="labelmap") for values in itertools.product(ORIENTATIONS, *[(False, True)] * 4)
]
OVERLAPPING = [
    Case(plane, False, True, False, on, overlapping=True) for plane in ORIENTATIONS for on in (False, True)
]


def asymmetric_masks() -> NDArray[np.bool_]:
    """Return two masks ``(z, y, x, 2)`` apart from each other, different under every flip and exchange.

    The fourth slice is empty: its frames are left out between others.
    """
    masks = np.zeros((*SHAPE, 2), dtype=bool)
    masks[0, 1, 1, 0] = masks[1, 1, 1:4, 0] = masks[2, 1:6, 1, 0] = masks[2, 2, 2:4, 0] = True
    masks[4, 8:10, 2, 0] = masks[4, 9, 3, 0] = True
    masks[1, 7, 5:8, 1] = masks[2, 4:8, 7, 1] = masks[2, 9, 6, 1] = masks[5, 10, 8, 1] = True
    return masks


def wanted(context: VolumeContext) -> Found:
    """Return the centres of the voxels of each segment in patient millimetres, by the images themselves."""
    found = {}
    for finding in context.reading.findings:
        points = []
        for k, row, column in np.argwhere(context.reading.mask(finding.number)):
            points.append(pixel_centre(context, int(k), int(row), int(column)))
        found[finding.number] = np.array(points)
    return found


def pixel_centre(context: VolumeContext, k: int, row: int, column: int) -> NDArray[np.float64]:
    """Return where a pixel of the source lies: PS3.3 C.7.6.2.1.1, from the header alone."""
    source = context.reading.slices[k]
    header = context.header_of(source.sop_instance_uid)
    if source.frame is None:
        position, orientation, spacing = (
            header.ImagePositionPatient,
            header.ImageOrientationPatient,
            header.PixelSpacing,
        )
    else:
        frame = header.PerFrameFunctionalGroupsSequence[source.frame - 1]
        (shared,) = header.SharedFunctionalGroupsSequence
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    right, down = np.array(orientation[:3], dtype=float), np.array(orientation[3:], dtype=float)
    return (
        np.array(position, dtype=float) + right * float(spacing[1]) * column + down * float(spacing[0]) * row
    )


def by_highdicom(data: bytes, _folder: Path) -> Found:
    segmentation = hd.seg.Segmentation.from_dataset(dcmread(io.BytesIO(data)))
    volume = segmentation.get_volume(combine_segments=False)
    found = {}
    for index, number in enumerate(segmentation.segment_numbers):
        indices = np.argwhere(volume.array[..., index])
        found[int(number)] = volume.map_indices_to_reference(indices)
    return found


def by_dcmqi(data: bytes, folder: Path) -> Found:
    (folder / "seg.dcm").write_bytes(data)
    program = Path(sys.executable).with_name("segimage2itkimage")
    arguments = ["--inputDICOM", folder / "seg.dcm", "--outputDirectory", folder, "-t", "nrrd", "-p", "found"]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: Found = {}
    for path in sorted(folder.glob("found-*.nrrd")):
        array, affine = nrrd(path)
        for value in np.unique(array[array != 0]):
            indices = np.argwhere(array == value)
            found[int(value)] = indices @ affine[:3, :3].T + affine[:3, 3]
    return found


def nrrd(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Read an NRRD file: values by ``(x, y, z)`` index and the affine of these to patient LPS millimetres."""
    head, _, body = path.read_bytes().partition(b"\n\n")
    lines = [line.partition(":") for line in head.decode("ascii").splitlines()[1:] if line[:1] != "#"]
    fields = {name: value.strip() for name, _, value in lines}
    assert fields["space"] == "left-posterior-superior"
    assert fields["encoding"] in {"gzip", "raw"}
    dtype = {"short": "<i2", "unsigned char": "u1", "unsigned short": "<u2"}[fields["type"]]
    values = np.frombuffer(gzip.decompress(body) if fields["encoding"] == "gzip" else body, dtype=dtype)
    array = values.reshape([int(n) for n in fields["sizes"].split()], order="F")
    affine = np.eye(4)
    affine[:3, :3] = np.array([vector(one) for one in fields["space directions"].split()]).T
    affine[:3, 3] = vector(fields["space origin"])
    return array, affine


def vector(value: str) -> list[float]:
    return [float(one) for one in value.strip("()").split(",")]


def displaced(case: Case, read: Callable[[bytes, Path], Found], folder: Path) -> str:
    """Return in what the voxels that come back differ from those that went out; empty where in nothing."""
    context = case.context()
    folder.mkdir()
    found = read(encoded_bytes(encode_segmentation(context, kind=case.kind)), folder)
    expected = wanted(context)
    if found.keys() != expected.keys():
        return f"{case}: segments {sorted(found)} instead of {sorted(expected)}"
    for number, points in expected.items():
        if len(found[number]) != len(points):
            return f"{case}: {len(found[number])} voxels instead of {len(points)} of segment {number}"
        one = cKDTree(found[number]).query(points)[0].max()
        other = cKDTree(points).query(found[number])[0].max()
        if not max(one, other) <= TOLERANCE_MM:
            return f"{case}: a voxel of segment {number} is {max(one, other):.3g} mm off"
    return ""


def all_displaced(cases: list[Case], read: Callable[[bytes, Path], Found], folder: Path) -> list[str]:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda n: displaced(cases[n], read, folder / str(n)), range(len(cases))))
    return [outcome for outcome in outcomes if outcome]


def test_the_masks_differ_under_every_symmetry_of_the_grid() -> None:
    masks = asymmetric_masks()
    assert masks.any(axis=(0, 1, 2)).all()
    assert not masks.all(axis=3).any()
    assert np.flatnonzero(~masks.any(axis=(1, 2, 3))).tolist() == [3]
    for axes in [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]:
        for number in range(2):
            assert not np.array_equal(np.flip(masks[..., number], axes), masks[..., number])
    assert len(MATRIX) == 96


def test_the_comparison_sees_a_shift_of_one_voxel(tmp_path: Path) -> None:
    case = MATRIX[0]

    def shifted(data: bytes, folder: Path) -> Found:
        found = by_highdicom(data, folder)
        return {number: points + [0, 0.625, 0] for number, points in found.items()}

    assert "mm off" in displaced(case, shifted, tmp_path / "0")


def test_highdicom_finds_every_voxel_where_it_was(tmp_path: Path) -> None:
    assert all_displaced(MATRIX + LABEL_MAPS + OVERLAPPING, by_highdicom, tmp_path) == []


@pytest.mark.peer
def test_dcmqi_finds_every_voxel_where_it_was(tmp_path: Path) -> None:
    _require_dcmqi()
    assert all_displaced(MATRIX + LABEL_MAPS + OVERLAPPING, by_dcmqi, tmp_path) == []


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["binary", "fractional", "labelmap"])
@pytest.mark.parametrize("enhanced", [False, True])
def test_dcmqi_reads_an_empty_result_as_empty(kind: Any, enhanced: bool, tmp_path: Path) -> None:
    _require_dcmqi()
    context = volume_context(empty=True, enhanced=enhanced, orientation="oblique-sagittal")
    data = encoded_bytes(encode_segmentation(context, kind=kind))
    assert by_dcmqi(data, tmp_path) == {}
    (image,) = tmp_path.glob("found-*.nrrd")
    array, affine = nrrd(image)
    assert array.shape[2] == 1
    np.testing.assert_allclose(affine[:3, 3], pixel_centre(context, 3, 0, 0), atol=TOLERANCE_MM)


def _require_dcmqi() -> None:
    if not Path(sys.executable).with_name("segimage2itkimage").is_file():
        missing("the program segimage2itkimage is not installed (PyPI dcmqi)")
