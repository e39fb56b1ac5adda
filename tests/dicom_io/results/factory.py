"""Chest films and readings of a made-up patient."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from dicom_io.reading.spacing import spacing_of
from dicom_io.results import (
    FilmContext,
    PackageIdentity,
    ResultIdentity,
    derived_uid,
)
from models.concepts import Concept
from models.film import Film
from models.results import Assessment, Box, Candidate, FilmReading, Finding

STUDY = "2.25.111"
MOMENT = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)
ROWS, COLUMNS = 640, 512
PACKAGE = PackageIdentity(
    name="chest-nodule",
    version="0.1.0",
    title="Chest nodule detector",
    device_uid=derived_uid("device", "test"),
    content_hash="ab" * 32,
    finding=Concept("27925004", "SCT", "Nodule"),
    intended_use="Research use: points at possible nodules on frontal chest films.",
    serial="SR-TEST-0001",
)
IDENTITY = ResultIdentity("f" * 64, "ab" * 32, "c" * 64, 1)


def header(number: int = 1, **attributes: Any) -> Dataset:
    """Return the header of a film as a reader sees it: raw, from bytes, without pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 100",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": f"2.25.333{number}",
        "StudyDate": "20260304",
        "StudyTime": "050000",
        "AccessionNumber": "A1",
        "Modality": "CR",
        "Manufacturer": "Phantom maker",
        "ReferringPhysicianName": "Referrer^Some",
        "StudyDescription": "Chest",
        "PatientName": "Müller^Änne",
        "PatientID": "P1",
        "PatientBirthDate": "19500101",
        "PatientSex": "F",
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "ImagerPixelSpacing": ["0.5", "0.4"],
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": "2.25.222",
        "StudyID": "S1",
        "SeriesNumber": 1,
        "InstanceNumber": number,
        "PatientOrientation": ["L", "F"],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
    }
    for keyword, value in {**values, **attributes}.items():
        if value is not ...:
            setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    buffer.seek(0)
    read = dcmread(buffer, force=True, stop_before_pixels=True)
    read.file_meta = dataset.file_meta
    return read


def candidate(top: float, left: float, bottom: float, right: float, score: float) -> Candidate:
    """Return a candidate that three members agree on more or less."""
    return Candidate(
        Box(top, left, bottom, right),
        score,
        (score, max(0.0, score - 0.1), min(1.0, score + 0.1)),
        1.0,
        0.61,
    )


def film(source: Dataset) -> Film:
    """Return a grey film with a bright spot."""
    rows, columns = np.mgrid[0 : source.Rows, 0 : source.Columns].astype(np.float32)
    spot = np.exp(-((rows - 200) ** 2 + (columns - 150) ** 2) / 400)
    pixels = (0.2 + 0.3 * columns / source.Columns + 0.4 * spot).astype(np.float32)
    spacing, calibrated = spacing_of(source)
    return Film(
        sop_instance_uid=str(source.SOPInstanceUID),
        pixels=pixels,
        view="PA",
        pixel_spacing_mm=spacing,
        spacing_is_calibrated=calibrated,
    )


def context(
    *headers: Dataset, boxes: tuple[tuple[float, float, float, float], ...] = (), **more: Any
) -> FilmContext:
    """Return a reading with ``boxes`` on the first film."""
    headers = headers or (header(),)
    candidates = tuple(candidate(*box, score=0.9 - 0.01 * n) for n, box in enumerate(boxes))
    first = headers[0]
    spacing, calibrated = spacing_of(first)
    findings = tuple(
        Finding(
            number=n,
            sop_instance_uid=str(first.SOPInstanceUID),
            candidate=c,
            size_mm=(c.box.height * spacing[0], c.box.width * spacing[1]) if spacing else None,
            size_is_calibrated=calibrated,
        )
        for n, c in enumerate(candidates, start=1)
    )
    values: dict[str, Any] = {
        "headers": headers,
        "findings": findings,
        "readings": tuple(
            FilmReading(str(h.SOPInstanceUID), 0.9 if boxes and h is first else 0.12,
                        candidates if h is first else (), 3, 0.4)
            for h in headers
        ),
        "assessment": Assessment(
            "not-assessed",
            components={"member_support": 1.0, "score_spread": 0.08},
            reasons=("No calibration is fitted for this package.",),
        ),
        "package": PACKAGE,
        "identity": IDENTITY,
        "content_time": MOMENT,
    }  # fmt: skip
    return FilmContext(**{**values, **more})


ONE = ((180.0, 130.0, 220.0, 170.0),)
MANY = tuple((20.0 + 60 * n, 10.0 + 40 * n, 55.5 + 60 * n, 45.25 + 40 * n) for n in range(10))
