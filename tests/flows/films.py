"""Film files in an inbox, and a package that may read them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_io.receive.part10 import data_set_sha256
from dicom_io.receive.records import StoredInstance
from tests.flows.conftest import DX, STUDY, Clock

MARKER = "Zzyzx"


def film(number: int = 1, study: str = STUDY, **changes: Any) -> Dataset:
    """Return a small chest film whose patient has the marker in every attribute that people fill."""
    data = Dataset()
    data.SOPClassUID = DX
    data.SOPInstanceUID = f"{study}.1.{number}"
    data.StudyInstanceUID = study
    data.SeriesInstanceUID = f"{study}.1"
    data.Modality = "DX"
    data.BodyPartExamined = "CHEST"
    data.ViewPosition = "PA"
    data.PatientName = f"{MARKER}^Anna"
    data.PatientID = MARKER
    data.PatientBirthDate = "19500101"
    data.AccessionNumber = MARKER
    data.StudyDescription = f"Thorax {MARKER}"
    data.SeriesDescription = f"PA {MARKER}"
    data.ReferringPhysicianName = MARKER
    data.InstitutionName = MARKER
    data.Rows, data.Columns = 320, 300
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    data.PixelRepresentation, data.SamplesPerPixel = 0, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelSpacing = [0.5, 0.5]
    pixels = np.random.default_rng(number).integers(0, 4096, (320, 300), dtype=np.uint16)
    data.PixelData = pixels.tobytes()
    for keyword, value in changes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    return data


def write(data: Dataset, path: Path) -> Path:
    """Write a Part 10 file."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def receive(data: Dataset, inbox: Path, clock: Clock) -> StoredInstance:
    """Put a film into an inbox as the listener does, and return its record."""
    study, series, uid = data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID
    path = Path(study, series, f"{uid}.dcm")
    write(data, inbox / path)
    return StoredInstance(
        study_instance_uid=study,
        series_instance_uid=series,
        sop_instance_uid=uid,
        sop_class_uid=str(data.SOPClassUID),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        sha256=data_set_sha256(inbox / path),
        size_bytes=(inbox / path).stat().st_size,
        path=path,
        modality=str(data.get("Modality", "")),
        received_at=clock(),
        association_id="a-1",
    )


def make_package(folder: Path, name: str = "films", version: str = "1.0.0", **contract: Any) -> Path:
    """Write a package whose network is a few bytes: enough for whoever does not run it."""
    place = folder / name / version
    place.mkdir(parents=True)
    network = b"no network: " + name.encode()
    (place / "member.onnx").write_bytes(network)
    wanted = {"modalities": ["CR", "DX"], "views": ["PA", "AP"], "body_parts": ["CHEST"], **contract}
    lines = "\n".join(f"{key} = {_toml(value)}" for key, value in wanted.items())
    (place / "package.toml").write_text(
        f'''
[package]
name = "{name}"
version = "{version}"
task = "detect"
family = "centre-heatmap"
title = "Test"
intended_use = "Tests"
limitations = ["reads nothing"]
licence = "Apache-2.0"
created = 2026-01-01
[input]
{lines}
[tensor]
name = "image"
shape = [1, 1, 64, 64]
[[outputs]]
name = "centre"
shape = [1, 1, 16, 16]
[[members]]
file = "member.onnx"
sha256 = "{hashlib.sha256(network).hexdigest()}"
bytes = {len(network)}
opset = 17
ir_version = 9
[[findings]]
key = "nodule"
code = "27925004"
scheme = "SCT"
meaning = "Nodule"
[operating_point]
score = 0.5
definition = "none"
[resources]
memory_mb = 1
''',
        encoding="utf-8",
    )
    return folder


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).replace("'", '"')
