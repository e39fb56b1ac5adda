"""Made-up headers of MR series, as the scanners of several makers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
NORMALS = {AXIAL: (0.0, 0.0, 1.0), SAGITTAL: (-1.0, 0.0, 0.0), CORONAL: (0.0, 1.0, 0.0)}


def series(
    description: str = "",
    *,
    protocol: str = "",
    name: str = "s1",
    slices: int = 24,
    gap: float = 6.0,
    orientation: Sequence[float] = AXIAL,
    **attributes: Any,
) -> list[Dataset]:
    """Return the headers of one classic series; ``attributes`` by keyword, None to leave one out."""
    headers = []
    normal = NORMALS[tuple(orientation)]
    for index in range(slices):
        header = Dataset()
        values = {
            "SOPClassUID": MRImageStorage,
            "SOPInstanceUID": generate_uid(entropy_srcs=[name, str(index)]),
            "SeriesInstanceUID": generate_uid(entropy_srcs=[name]),
            "SeriesNumber": 5,
            "InstanceNumber": index + 1,
            "Modality": "MR",
            "Manufacturer": "A maker",
            "SeriesDescription": description,
            "ProtocolName": protocol or None,
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
            "MRAcquisitionType": "2D",
            "PhotometricInterpretation": "MONOCHROME2",
            "SamplesPerPixel": 1,
            "Rows": 256,
            "Columns": 256,
            "PixelSpacing": [0.9, 0.9],
            "ImageOrientationPatient": list(orientation),
            "ImagePositionPatient": [component * gap * index for component in normal],
            "AcquisitionDate": "20260102",
            "AcquisitionTime": "090000",
            **attributes,
        }
        for keyword, value in values.items():
            if value is not None:
                setattr(header, keyword, value)
        headers.append(header)
    return headers


def times(
    technique: str | list[str], repetition: float, echo: float, inversion: float | None = None,
    flip: float | None = None, **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Return the attributes of an acquisition."""
    return {
        "ScanningSequence": technique,
        "RepetitionTime": repetition,
        "EchoTime": echo,
        "InversionTime": inversion,
        "FlipAngle": flip,
        **more,
    }


FLAIR = times(["SE", "IR"], 9000, 120, 2500)
FLAIR_3D = times(["SE", "IR"], 5000, 390, 1800, MRAcquisitionType="3D")
T1 = times("SE", 550, 12)
T1_FLAIR = times(["SE", "IR"], 2200, 9, 860)
MPRAGE = times(["GR", "IR"], 1900, 2.97, 900, 9, SequenceVariant=["SP", "MP"], MRAcquisitionType="3D")
SPGR = times("GR", 8.2, 3.2, 450, 12, SequenceVariant=["SS", "SK"], MRAcquisitionType="3D")
FL2D = times("GR", 250, 2.5, None, 70, SequenceVariant="SP")
T2 = times("SE", 4500, 100)
T2_STAR = times("GR", 650, 20, None, 20)
STIR = times(["SE", "IR"], 4000, 60, 150)
PD = times("SE", 3000, 15)
DIFFUSION = times(["EP", "SE"], 5000, 90)


def enhanced(
    description: str = "",
    *,
    name: str = "e1",
    frames: int = 24,
    gap: float = 6.0,
    contrast: str = "UNKNOWN",
    repetition: float | None = None,
    echo: float | None = None,
    inversion: float | None = None,
    flip: float | None = None,
    pulse: str = "SPIN",
    component: str = "MAGNITUDE",
    administered: str | None = None,
    b_value: float | None = None,
    **attributes: Any,
) -> list[Dataset]:
    """Return the one header of an enhanced series."""
    header = Dataset()
    values = {
        "SOPClassUID": EnhancedMRImageStorage,
        "SOPInstanceUID": generate_uid(entropy_srcs=[name, "i"]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=[name]),
        "SeriesNumber": 7,
        "Modality": "MR",
        "SeriesDescription": description,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
        "AcquisitionContrast": contrast,
        "ComplexImageComponent": component,
        "EchoPulseSequence": pulse,
        "PhotometricInterpretation": "MONOCHROME2",
        "SamplesPerPixel": 1,
        "Rows": 256,
        "Columns": 256,
        "NumberOfFrames": frames,
        "AcquisitionDateTime": "20260102090000",
        **attributes,
    }
    for keyword, value in values.items():
        setattr(header, keyword, value)
    timing = _item(RepetitionTime=repetition, FlipAngle=flip)
    modifier = _item(InversionRecovery="YES" if inversion else "NO", InversionTimes=inversion)
    shared = _item(
        MRTimingAndRelatedParametersSequence=[timing],
        MREchoSequence=[_item(EffectiveEchoTime=echo)],
        MRModifierSequence=[modifier],
        PlaneOrientationSequence=[_item(ImageOrientationPatient=list(AXIAL))],
        PixelMeasuresSequence=[_item(PixelSpacing=[0.9, 0.9], SliceThickness=gap)],
    )
    if administered:
        shared.ContrastBolusUsageSequence = Items([_item(ContrastBolusAgentAdministered=administered)])
    if b_value is not None:
        shared.MRDiffusionSequence = Items([_item(DiffusionBValue=b_value)])
    header.SharedFunctionalGroupsSequence = Items([shared])
    header.PerFrameFunctionalGroupsSequence = Items(
        _item(PlanePositionSequence=[_item(ImagePositionPatient=[0, 0, gap * index])])
        for index in range(frames)
    )
    return [header]


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        if value is not None:
            setattr(item, keyword, value)
    return item
