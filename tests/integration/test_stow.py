"""A real Orthanc takes segmentations, reports and pictures over STOW-RS, and gives them back unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from dicom_io.receive.part10 import data_set_sha256
from dicom_io.send import DicomwebAddress, SendError, SendResult, echo_web, store_over_web
from tests.dicom_io.receive.support import CT, make_film, save
from tests.peers import Orthanc, start_orthanc

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

_SERIES: dict[str, Any] = {
    "series_number": 9,
    "sop_instance_uid": None,
    "instance_number": 1,
    "manufacturer": "Maker",
    "manufacturer_model_name": "Model",
    "software_versions": "1",
    "device_serial_number": "1",
}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with start_orthanc(tmp_path_factory.mktemp("stow"), stable_age_s=600) as peer:
        yield peer


@pytest.fixture(scope="module")
def slices() -> list[Dataset]:
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    made = []
    for number in range(4):
        one = make_film(
            32,
            48,
            SOPClassUID=CT,
            Modality="CT",
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            FrameOfReferenceUID=frame,
            PixelSpacing=[1.0, 1.0],
            SliceThickness=2.0,
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            ImagePositionPatient=[0.0, 0.0, 2.0 * number],
            InstanceNumber=number + 1,
            PatientBirthDate="",
            PatientSex="",
            AccessionNumber="",
            StudyID="",
            StudyDate="20260101",
            StudyTime="120000",
            ReferringPhysicianName="",
        )
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.append(one)
    return made


def series(**changes: Any) -> dict[str, Any]:
    return {**_SERIES, "series_instance_uid": generate_uid(), "sop_instance_uid": generate_uid(), **changes}


def segmentation(slices: list[Dataset], kind: str, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    mask = np.zeros((4, 32, 48), np.uint8)
    mask[1:3, 8:20, 10:30] = 1
    description = hd.seg.SegmentDescription(
        1,
        "Lesion",
        CodedConcept("49755003", "SCT", "Morphologically abnormal structure"),
        CodedConcept("4147007", "SCT", "Mass"),
        "AUTOMATIC",
        hd.AlgorithmIdentificationSequence("Test", CodedConcept("123109", "DCM", "AI"), "1"),
    )
    seg: Dataset = hd.seg.Segmentation(
        slices, mask, kind, [description], transfer_syntax_uid=syntax, **series()
    )
    return seg


def report(slices: list[Dataset]) -> Dataset:
    context = hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            CodedConcept("121007", "DCM", "Device"), hd.sr.DeviceObserverIdentifyingAttributes(generate_uid())
        )
    )
    content = hd.sr.MeasurementReport(
        context,
        CodedConcept("126000", "DCM", "Imaging Measurement Report"),
        referenced_images=slices[:1],
        imaging_measurements=[
            hd.sr.MeasurementsAndQualitativeEvaluations(
                hd.sr.TrackingIdentifier(generate_uid(), "1"),
                qualitative_evaluations=[
                    hd.sr.QualitativeEvaluation(
                        CodedConcept("121071", "DCM", "Finding"), CodedConcept("4147007", "SCT", "Mass")
                    )
                ],
            )
        ],
    )
    names = {"series_instance_uid", "series_number", "sop_instance_uid", "instance_number", "manufacturer"}
    about = {name: value for name, value in series().items() if name in names}
    made: Dataset = hd.sr.Comprehensive3DSR(slices, content[0], is_complete=True, **about)
    return made


def picture(slices: list[Dataset]) -> Dataset:
    pixels = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    made: Dataset = hd.sc.SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=slices[0].StudyInstanceUID,
        series_instance_uid=generate_uid(),
        series_number=10,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Maker",
        patient_orientation=("L", "P"),
    )
    return made


def keep(dataset: Dataset, folder: Path, name: str) -> Path:
    path = folder / f"{name}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def paths(tmp_path: Path, slices: list[Dataset]) -> list[Path]:
    return [
        keep(segmentation(slices, "BINARY"), tmp_path, "binary"),
        keep(segmentation(slices, "FRACTIONAL"), tmp_path, "fractional"),
        keep(segmentation(slices, "LABELMAP", RLELossless), tmp_path, "labelmap"),
        keep(report(slices), tmp_path, "report"),
        keep(picture(slices), tmp_path, "picture"),
    ]


def address(orthanc: Orthanc) -> DicomwebAddress:
    return DicomwebAddress(orthanc.dicomweb_url, 10.0)


def test_results_arrive_unchanged(tmp_path: Path, orthanc: Orthanc, paths: list[Path]) -> None:
    told: list[SendResult] = []
    results = store_over_web(paths, address(orthanc), told.append)
    assert [result.error for result in results] == [None] * len(paths)
    assert [result.status for result in results] == [0x0000] * len(paths)
    assert told == results
    for path, result in zip(paths, results, strict=True):
        assert result.sop_instance_uid is not None
        back = orthanc.download(result.sop_instance_uid, tmp_path / f"back-{path.name}")
        assert data_set_sha256(back) == data_set_sha256(path), path.name


def test_repeats_are_taken(orthanc: Orthanc, paths: list[Path]) -> None:
    """A repeat after a lost answer does no harm."""
    first = store_over_web(paths, address(orthanc))
    assert store_over_web(paths, address(orthanc)) == first
    assert all(result.delivered for result in first)


def test_broken_object_among_good_ones(tmp_path: Path, orthanc: Orthanc, paths: list[Path]) -> None:
    """Orthanc wants a patient's, study's and series's identifiers of each object."""
    nameless = make_film()
    del nameless.StudyInstanceUID, nameless.SeriesInstanceUID
    broken = save(nameless, tmp_path / "nameless.dcm")
    results = store_over_web([paths[0], broken, *paths[1:]], address(orthanc))
    assert [result.delivered for result in results] == [True, False, *[True] * (len(paths) - 1)]
    assert results[1].error


def test_large_object(tmp_path: Path, orthanc: Orthanc) -> None:
    path = save(make_film(8000, 4000), tmp_path / "large.dcm")
    (result,) = store_over_web([path], address(orthanc))
    assert result.delivered, result.error
    assert result.sop_instance_uid is not None
    back = orthanc.download(result.sop_instance_uid, tmp_path / "back.dcm")
    assert data_set_sha256(back) == data_set_sha256(path)


def test_echo(orthanc: Orthanc) -> None:
    echo_web(address(orthanc))
    with pytest.raises(SendError, match="correct the url"):
        echo_web(DicomwebAddress(orthanc.url + "/nowhere", 10.0))


def test_wrong_url(orthanc: Orthanc, paths: list[Path]) -> None:
    with pytest.raises(SendError, match="HTTP 404: there is no STOW-RS: correct the url"):
        store_over_web(paths, DicomwebAddress(orthanc.url + "/nowhere", 10.0))
