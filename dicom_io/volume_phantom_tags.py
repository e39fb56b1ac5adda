"""What a scanner would say about the series of a volumetric phantom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from models.phantoms.brain import Contrast

__all__ = ["classic_tags", "enhanced_tags", "frame_groups", "series_tags"]

_DESCRIPTIONS: Mapping[Contrast, str] = {
    "FLAIR": "FLAIR",
    "T1": "T1",
    "T1c": "T1 with contrast",
    "T2": "T2",
    "CT": "Head CT",
}
_TIMES: Mapping[Contrast, tuple[float, float, float | None]] = {  # repetition, echo, inversion, in ms
    "FLAIR": (9000.0, 120.0, 2500.0),
    "T1": (600.0, 10.0, None),
    "T1c": (600.0, 10.0, None),
    "T2": (4500.0, 100.0, None),
}
_ACQUISITION_CONTRASTS: Mapping[Contrast, str] = {
    "FLAIR": "FLUID_ATTENUATED",
    "T1": "T1",
    "T1c": "T1",
    "T2": "T2",
}
_FRAME_TYPE = (
    "PixelPresentation",
    "VolumetricProperties",
    "VolumeBasedCalculationTechnique",
    "ComplexImageComponent",
    "AcquisitionContrast",
)


def series_tags(contrast: Contrast, seed: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return patient, study, equipment and pixel attributes; everything in them is made up."""
    signed = contrast == "CT"
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": f"Phantom^Head{seed}",
        "PatientID": f"HEAD-{seed}",
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyDate": "20260102",
        "StudyTime": "090000",
        "SeriesDate": "20260102",
        "SeriesTime": "090500",
        "ContentDate": "20260102",
        "ContentTime": "090500",
        "AcquisitionDateTime": "20260102090500",
        "StudyID": f"H{seed}",
        "AccessionNumber": f"HEAD{seed}",
        "ReferringPhysicianName": "",
        "StudyDescription": "Head phantom",
        "SeriesDescription": _DESCRIPTIONS[contrast],
        "Modality": "CT" if contrast == "CT" else "MR",
        "Manufacturer": "Phantom maker",
        "ManufacturerModelName": "Computed head",
        "DeviceSerialNumber": "0",
        "SoftwareVersions": "1",
        "BodyPartExamined": "BRAIN",
        "PatientPosition": "HFS",
        "PositionReferenceIndicator": "",
        "ContrastBolusAgent": "Made-up agent" if contrast == "T1c" else None,
        "BurnedInAnnotation": "NO",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": shape[0],
        "Columns": shape[1],
        "BitsAllocated": 16,
        "BitsStored": 16 if signed else 12,
        "HighBit": 15 if signed else 11,
        "PixelRepresentation": int(signed),
    }


def classic_tags(contrast: Contrast, affine: NDArray[np.float64]) -> dict[str, Any]:
    """Return the attributes of every image of a classic series."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    tags: dict[str, Any] = {
        "ImageType": ["DERIVED", "PRIMARY", "AXIAL" if contrast == "CT" else "OTHER"],
        "ImageOrientationPatient": _orientation(affine),
        "PixelSpacing": [_decimal(spacing[1]), _decimal(spacing[2])],
        "SliceThickness": _decimal(spacing[0]),
        "SpacingBetweenSlices": _decimal(spacing[0]),
        "DerivationDescription": "Computed phantom",
        "WindowCenter": "40" if contrast == "CT" else "900",
        "WindowWidth": "400" if contrast == "CT" else "1800",
    }
    if contrast == "CT":
        return {**tags, "RescaleSlope": "1", "RescaleIntercept": "0", "RescaleType": "HU", "KVP": "120",
                "AcquisitionNumber": "1"}  # fmt: skip
    repetition, echo, inversion = _TIMES[contrast]
    return {
        **tags,
        "ScanningSequence": ["SE", "IR"] if inversion else "SE",
        "SequenceVariant": "NONE",
        "ScanOptions": "",
        "MRAcquisitionType": "2D",
        "RepetitionTime": _decimal(repetition),
        "EchoTime": _decimal(echo),
        "EchoTrainLength": "1",
        "InversionTime": _decimal(inversion) if inversion else None,
    }


def enhanced_tags(contrast: Contrast) -> dict[str, Any]:
    """Return the attributes of an enhanced image apart from its frames."""
    image_type = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    organization = Dataset()
    organization.DimensionOrganizationUID = "2.25.270140217"
    pointers = []
    for keyword in (0x00209056, 0x00209057):
        pointer = Dataset()
        pointer.DimensionIndexPointer, pointer.FunctionalGroupPointer = keyword, 0x00209111
        pointer.DimensionOrganizationUID = organization.DimensionOrganizationUID
        pointers.append(pointer)
    return {
        "ImageType": image_type,
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "ComplexImageComponent": None if contrast == "CT" else "MAGNITUDE",
        "AcquisitionContrast": _ACQUISITION_CONTRASTS.get(contrast),
        "AcquisitionContextSequence": [],
        "ContentQualification": "RESEARCH",
        "ApplicableSafetyStandardAgency": None if contrast == "CT" else "IEC",
        "PresentationLUTShape": "IDENTITY",
        "LossyImageCompression": "00",
        "AcquisitionNumber": 1,
        "AcquisitionDuration": 100.0,
        "DimensionOrganizationSequence": [organization],
        "DimensionIndexSequence": pointers,
    }


def frame_groups(
    contrast: Contrast, affine: NDArray[np.float64], frames: int, reversed_slices: bool
) -> tuple[Dataset, list[Dataset]]:
    """Return the shared functional groups, and those of each frame."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    shared = _group(
        PixelMeasuresSequence={
            "PixelSpacing": [_decimal(spacing[1]), _decimal(spacing[2])],
            "SliceThickness": _decimal(spacing[0]),
            "SpacingBetweenSlices": _decimal(spacing[0]),
        },
        PlaneOrientationSequence={"ImageOrientationPatient": _orientation(affine)},
        FrameVOILUTSequence={
            "WindowCenter": "40" if contrast == "CT" else "900",
            "WindowWidth": "400" if contrast == "CT" else "1800",
        },
        PixelValueTransformationSequence={
            "RescaleIntercept": "0",
            "RescaleSlope": "1",
            "RescaleType": "HU" if contrast == "CT" else "US",
        },
    )
    _describe(shared, contrast)
    per_frame = []
    for index in range(frames):
        place = frames - index if reversed_slices else index + 1
        position = (affine @ [index, 0, 0, 1])[:3]
        per_frame.append(
            _group(
                FrameContentSequence={
                    "StackID": "1",
                    "InStackPositionNumber": place,
                    "DimensionIndexValues": [1, place],
                },
                PlanePositionSequence={
                    "ImagePositionPatient": [_decimal(float(value)) for value in position]
                },
            )
        )
    return shared, per_frame


def _describe(shared: Dataset, contrast: Contrast) -> None:
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "12738006", "SCT", "Brain"
    anatomy = Dataset()
    anatomy.FrameLaterality, anatomy.AnatomicRegionSequence = "U", [region]
    shared.FrameAnatomySequence = [anatomy]
    tags = enhanced_tags(contrast)
    kind = Dataset()
    kind.FrameType = tags["ImageType"]
    for keyword in _FRAME_TYPE:
        if tags[keyword] is not None:
            setattr(kind, keyword, tags[keyword])
    if contrast == "CT":
        shared.CTImageFrameTypeSequence = [kind]
        event = Dataset()
        event.IrradiationEventUID = "2.25.270140218"
        shared.IrradiationEventIdentificationSequence = [event]
    else:
        shared.MRImageFrameTypeSequence = [kind]


def _group(**sequences: Mapping[str, Any]) -> Dataset:
    group = Dataset()
    for keyword, attributes in sequences.items():
        item = Dataset()
        for name, value in attributes.items():
            setattr(item, name, value)
        setattr(group, keyword, [item])
    return group


def _orientation(affine: NDArray[np.float64]) -> list[str]:
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return [_decimal(float(value)) for value in (*directions[:, 2], *directions[:, 1])]


def _decimal(value: float) -> str:
    return f"{float(value) + 0.0:.9g}"
