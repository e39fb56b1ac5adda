"""Real patients wrapped as DICOM, in several grids and orientations, against the arrays without DICOM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom import Volume
from numpy.typing import NDArray

from flows.reading import VolumeReader
from models.detector import VolumeDetector, open_volume_detector
from models.geometry import SeriesVolume, align
from models.package import Package
from models.registry import Registry
from models.volume_results import SliceSource
from tests.lgg import GRIDS, Grid, Patient, load_patient, patients, write_patient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_GREY = 8
_PATIENTS = (3, 40)


@pytest.fixture(scope="module")
def read() -> tuple[Package, VolumeDetector]:
    package = Registry().get("brain-tumour")
    return package, open_volume_detector(package, members=2)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 1.0 if not total else float(2 * np.count_nonzero(one & other) / total)


def by_array(
    patient: Patient, grid: Grid, package: Package, detector: VolumeDetector, folder: Path
) -> NDArray[np.bool_]:
    """Read the arrays as axial volumes on the grid's spacing, without any file."""
    plan = package.manifest.choose(tuple(patient.sequences))
    volumes = {}
    for name in plan.sequences:
        pixels = grid.with_margin(patient.sequences[name]).astype(np.int16) * _GREY
        affine = np.eye(4)
        affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * np.asarray(grid.spacing_mm)
        affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(pixels.shape) - 1) / 2)
        slices = tuple(SliceSource("1.2.3", f"2.25.{number}") for number in range(1, len(pixels) + 1))
        volume = Volume(pixels, affine, "PATIENT", frame_of_reference_uid="2.25.5")
        volumes[name] = SeriesVolume(name, volume, slices, f"2.25.{len(volumes)}")
    study = align(volumes, plan.reference, plan.spacing_mm)
    return np.asarray(detector.read(study, plan, folder).mask)


def by_dicom(
    patient: Patient, grid: Grid, package: Package, detector: VolumeDetector, folder: Path
) -> NDArray[np.bool_]:
    """Read the patient's DICOM study; return the mask in the order of the arrays."""
    write_patient(folder / "in", patient, grid)
    reader = VolumeReader(package)
    gathered = reader.gather(sorted((folder / "in").rglob("*.dcm")))
    prepared = reader.gate(reader.prepare(gathered, folder / "scratch"))
    assert prepared.plan.sequences == package.manifest.choose(tuple(patient.sequences)).sequences
    reading = reader.infer(prepared, detector, folder / "scratch").load()
    return np.asarray(grid.taken(reading.labels.array > 0))


@pytest.mark.parametrize(
    "case",
    [(number, coronal, name) for number in _PATIENTS for coronal in (False, True) for name in GRIDS],
    ids=lambda case: f"{case[0]}-{'coronal' if case[1] else 'axial'}-{case[2]}",
)
def test_a_wrapped_patient_is_read_as_the_array_is(
    case: tuple[int, bool, str], read: tuple[Package, VolumeDetector], data_dir: Path, tmp_path: Path
) -> None:
    (number, coronal, name), (package, detector) = case, read
    patient = load_patient(data_dir, patients(data_dir)[number])
    grid = replace(GRIDS[name], coronal=coronal)
    truth = grid.with_margin(patient.mask)
    array = by_array(patient, grid, package, detector, tmp_path / "array")
    wrapped = by_dicom(patient, grid, package, detector, tmp_path)
    assert wrapped.shape == truth.shape
    assert dice(wrapped, truth) == pytest.approx(dice(array, truth), abs=1e-3)
    assert dice(wrapped, array) >= 0.999
