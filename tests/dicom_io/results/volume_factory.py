"""Volumes and readings of a made-up patient: classic and enhanced MR series in any orientation."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage
from scipy.spatial.transform import Rotation

from dicom_io.results import VolumeContext
from models.concepts import Concept
from models.measurements import centre_mm as centre_of
from models.results import Assessment
from models.study_results import Classification, VolumeChange
from models.volume_findings import measured_finding
from models.volume_results import Segment, Side, SliceSource, VolumeFinding, VolumeReading
from tests.dicom_io.results.factory import IDENTITY, MOMENT, PACKAGE, STUDY

FRAME_OF_REFERENCE = "2.25.777"
SERIES = "2.25.555"
SHAPE = (7, 24, 20)
SPACING = (3.0, 0.75, 1.25)
ORIGIN = (-31.5, 17.25, -40.125)
CATEGORY = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
TUMOUR = Concept("108369006", "SCT", "Neoplasm")
BRAIN = Concept("12738006", "SCT", "Brain")
TUMOUR_TYPE = Concept("tumour-type", "99SECONDREAD", "Type of tumour")
MENINGIOMA = Concept("302820008", "SCT", "Meningioma")
GLIOMA = Concept("393564001", "SCT", "Glioma")
COLOURS = ((255, 191, 0), (0, 158, 115), (86, 180, 233), (213, 94, 0))

# Columns are the patient directions (LPS) of one step along slices, down the rows and along the columns.
_AXIAL = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
_SAGITTAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
_CORONAL = np.array([[0, 0, 1], [1, 0, 0], [0, -1, 0]], dtype=float)
ORIENTATIONS: dict[str, NDArray[np.float64]] = {
    "axial": _AXIAL,
    "sagittal": _SAGITTAL,
    "coronal": _CORONAL,
    "oblique-axial": Rotation.from_euler("xyz", [12, -7, 21], degrees=True).as_matrix() @ _AXIAL,
    "oblique-sagittal": Rotation.from_euler("xyz", [-9, 14, 5], degrees=True).as_matrix() @ _SAGITTAL,
    "oblique-coronal": Rotation.from_euler("xyz", [33, 8, -17], degrees=True).as_matrix() @ _CORONAL,
}


def as_read(dataset: Dataset) -> Dataset:
    """Return ``dataset`` as a reader sees it: raw, from bytes, without pixels."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    buffer.seek(0)
    read = dcmread(buffer, force=True, stop_before_pixels=True)
    read.file_meta = meta
    return read


def affine_of(
    orientation: str | NDArray[np.float64] = "axial",
    spacing: tuple[float, float, float] = SPACING,
    origin: Sequence[float] = ORIGIN,
) -> NDArray[np.float64]:
    """Return the affine of a grid ``(z, y, x)``; ``orientation`` is a name or directions in columns."""
    directions = ORIENTATIONS[orientation] if isinstance(orientation, str) else orientation
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing)
    affine[:3, 3] = origin
    return affine


def volume_header(
    number: int = 1,
    *,
    affine: NDArray[np.float64] | None = None,
    shape: tuple[int, int, int] = SHAPE,
    **attributes: Any,
) -> Dataset:
    """Return the header of the classic MR image behind slice ``number`` (from 1) of a grid."""
    affine = affine_of() if affine is None else affine
    position = (affine @ np.array([number - 1, 0, 0, 1]))[:3]
    values = _common(shape) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "SE"],
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": f"2.25.888{number:04d}",
        "InstanceNumber": number,
        "ScanningSequence": "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": "9000",
        "EchoTime": "120",
        "EchoTrainLength": "1",
        "ImagePositionPatient": _decimals(position),
        "ImageOrientationPatient": _orientation(affine),
        "PixelSpacing": _decimals(_spacing(affine)[1:]),
        "SliceThickness": _decimals(_spacing(affine)[:1])[0],
        "SpacingBetweenSlices": _decimals(_spacing(affine)[:1])[0],
    }
    return as_read(_dataset({**values, **attributes}))


def enhanced_header(
    *, affine: NDArray[np.float64] | None = None, shape: tuple[int, int, int] = SHAPE, **attributes: Any
) -> Dataset:
    """Return the header of an enhanced MR image that has all slices of a grid as its frames."""
    affine = affine_of() if affine is None else affine
    measures = _dataset(
        {
            "PixelSpacing": _decimals(_spacing(affine)[1:]),
            "SliceThickness": _decimals(_spacing(affine)[:1])[0],
            "SpacingBetweenSlices": _decimals(_spacing(affine)[:1])[0],
        }
    )
    shared = _dataset(
        {
            "PixelMeasuresSequence": [measures],
            "PlaneOrientationSequence": [_dataset({"ImageOrientationPatient": _orientation(affine)})],
        }
    )
    frames = []
    for index in range(shape[0]):
        position = _decimals((affine @ np.array([index, 0, 0, 1]))[:3])
        content = {
            "StackID": "1",
            "InStackPositionNumber": index + 1,
            "DimensionIndexValues": [1, index + 1],
        }
        frames.append(
            _dataset(
                {
                    "FrameContentSequence": [_dataset(content)],
                    "PlanePositionSequence": [_dataset({"ImagePositionPatient": position})],
                }
            )
        )
    values = _common(shape) | {
        "ImageType": ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
        "SOPClassUID": EnhancedMRImageStorage,
        "SOPInstanceUID": "2.25.8889999",
        "InstanceNumber": 1,
        "NumberOfFrames": shape[0],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": frames,
    }
    return as_read(_dataset({**values, **attributes}))


def blobs(count: int, shape: tuple[int, int, int] = SHAPE) -> NDArray[np.bool_]:
    """Return ``count`` masks ``(z, y, x, count)`` without any symmetry, which do not overlap."""
    masks = np.zeros((*shape, count), dtype=bool)
    depth, rows, columns = shape
    width = max(2, (columns - 2) // max(count, 1))
    for n in range(count):
        left = 1 + n * width
        masks[n % 2 : max(n % 2 + 2, depth - 2), 2 : rows // 2 + n % 3, left : left + width - 1, n] = True
        masks[n % 2, 2 : rows - 3, left, n] = True
        masks[depth // 2, rows // 2 : rows - 4, left + width - 2, n] = True
    return masks


def volume_context(
    *,
    findings: int = 2,
    empty: bool = False,
    orientation: str | NDArray[np.float64] = "axial",
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = SPACING,
    origin: Sequence[float] = ORIGIN,
    enhanced: bool = False,
    masks: NDArray[np.bool_] | None = None,
    overlapping: bool = False,
    probabilities: bool = False,
    attributes: dict[str, Any] | None = None,
    reading: dict[str, Any] | None = None,
    **more: Any,
) -> VolumeContext:
    """Return a reading of one series.

    Parameters
    ----------
    findings : int
        How many, made by :func:`blobs` unless ``masks`` ``(z, y, x, findings)`` are given.
    empty : bool
        Nothing was found.
    orientation, shape, spacing, origin
        Of the grid, see :func:`affine_of`.
    enhanced : bool
        One enhanced multi-frame instance instead of an image a slice.
    overlapping : bool
        Keep the masks apart, one channel each, instead of a label map.
    probabilities : bool
        Give probabilities too.
    attributes : dict
        More attributes of the headers.
    reading, more
        Other values of the reading and of the context.
    """
    affine = affine_of(orientation, spacing, origin)
    if masks is None:
        masks = blobs(0 if empty else findings, shape)
    if overlapping and masks.shape[3] > 1:
        masks[..., 1] |= masks[..., 0] & (np.indices(shape)[1] < shape[1] // 3)
    shape = (masks.shape[0], masks.shape[1], masks.shape[2])
    count = masks.shape[3]
    if enhanced:
        headers = (enhanced_header(affine=affine, shape=shape, **(attributes or {})),)
        slices = [(headers[0], index + 1) for index in range(shape[0])]
    else:
        headers = tuple(
            volume_header(index + 1, affine=affine, shape=shape, **(attributes or {}))
            for index in range(shape[0])
        )
        slices = [(header, None) for header in headers]
    segments = tuple(_segment(n + 1) for n in range(count))
    if overlapping:
        labels = _volume(masks, affine)
    else:
        labels = _volume(
            (masks * np.arange(1, count + 1, dtype=np.uint8)).sum(axis=3, dtype=np.uint8), affine
        )
    values: dict[str, Any] = {
        "labels": labels,
        "slices": tuple(
            SliceSource(str(header.SOPClassUID), str(header.SOPInstanceUID), frame)
            for header, frame in slices
        ),
        "findings": tuple(_finding(segment, masks[..., n], spacing) for n, segment in enumerate(segments)),
        "searched": (_segment(1),),
        "case_score": 0.03 if not count else 0.97,
        "members": 5,
        "operating_point": 0.5,
        "probabilities": _volume(_smooth(masks), affine) if probabilities else None,
        "series_used": ("FLAIR",),
    }
    rest: dict[str, Any] = {
        "headers": headers,
        "assessment": Assessment("accept", 0.91, {"pairwise_dice": 0.93}, ("Members agree.",)),
        "package": PACKAGE,
        "identity": IDENTITY,
        "content_time": MOMENT,
    }
    return VolumeContext(reading=VolumeReading(**{**values, **(reading or {})}), **{**rest, **more})


def placed(
    made: VolumeContext,
    *,
    side: Side = "left",
    centre_mm: tuple[float, float, float] | None = None,
    parts: int | None = None,
    **reading: Any,
) -> VolumeContext:
    """Return a reading whose findings say where they lie; ``reading`` has other values of it."""
    affine = made.reading.labels.affine
    findings = tuple(
        replace(
            finding,
            side=side,
            centre_mm=centre_mm or centre_of(made.reading.mask(finding.number), affine),
            parts=parts or finding.parts,
        )
        for finding in made.reading.findings
    )
    return replace(made, reading=replace(made.reading, **{"findings": findings, **reading}))


def suggested() -> Classification:
    """Return what a classifier suggests."""
    statements = ("Trained on three types only.",)
    return Classification(TUMOUR_TYPE, MENINGIOMA, 0.71, ((GLIOMA, 0.24),), statements)


def change_to(now_ml: float, previous_ml: float | None = None, **more: Any) -> VolumeChange:
    """Return a change to a volume, from half of it unless told."""
    return VolumeChange.between(
        now_ml / 2 if previous_ml is None else previous_ml,
        now_ml,
        previous_at=datetime(2025, 3, 1, 9, 30, tzinfo=UTC),
        previous_package="brain-tumour 0.9.0",
        **more,
    )


def _volume(array: NDArray[Any], affine: NDArray[np.float64]) -> Volume:
    channels = {"SegmentNumber": list(range(1, array.shape[3] + 1))} if array.ndim == 4 else None
    return Volume(
        array,
        affine,
        coordinate_system="PATIENT",
        frame_of_reference_uid=FRAME_OF_REFERENCE,
        channels=channels,
    )


def _smooth(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    rows = np.indices(masks.shape[:3])[1][..., None] / (2 * masks.shape[1])
    return np.where(masks, 1 - rows, 0).astype(np.float32)


def _segment(number: int) -> Segment:
    return Segment(number, f"Tumour {number}", CATEGORY, TUMOUR, BRAIN, COLOURS[(number - 1) % len(COLOURS)])


def _finding(segment: Segment, mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> VolumeFinding:
    probability = round(0.97 - 0.05 * segment.number, 2)
    return measured_finding(
        segment, mask, spacing, probability=probability, components={"pairwise_dice": 0.93}
    )


def _common(shape: tuple[int, int, int]) -> dict[str, Any]:
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "StudyDate": "20260304",
        "StudyTime": "050000",
        "ContentDate": "20260304",
        "ContentTime": "050100",
        "AccessionNumber": "A1",
        "Modality": "MR",
        "Manufacturer": "Phantom maker",
        "ReferringPhysicianName": "Referrer^Some",
        "StudyDescription": "Brain",
        "SeriesDescription": "FLAIR",
        "PatientName": "Müller^Änne",
        "PatientID": "P1",
        "PatientBirthDate": "19500101",
        "PatientSex": "F",
        "BodyPartExamined": "BRAIN",
        "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES,
        "StudyID": "S1",
        "SeriesNumber": 3,
        "FrameOfReferenceUID": FRAME_OF_REFERENCE,
        "PositionReferenceIndicator": "",
        "PatientPosition": "HFS",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": shape[1],
        "Columns": shape[2],
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
    }


def _dataset(values: dict[str, Any]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        if value is not ...:
            setattr(dataset, keyword, value)
    return dataset


def _spacing(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def _orientation(affine: NDArray[np.float64]) -> list[str]:
    directions = affine[:3, :3] / _spacing(affine)
    return _decimals(np.concatenate([directions[:, 2], directions[:, 1]]))


def _decimals(values: Sequence[float] | NDArray[np.float64]) -> list[str]:
    """Return decimal strings of at most 16 characters."""
    return [f"{float(value) + 0.0:.10g}"[:16] for value in values]
