"""Computed films as DICOM objects: Computed Radiography and Digital X-Ray images of nobody.

Whatever a real device may write is an option here: polarity, window or table, the kinds of spacing,
transfer syntaxes, views and body parts that a package must refuse, and marker strings in every
attribute that can name a person. The objects are DERIVED, and their identifiers follow from a key, so
that the same call gives the same object.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
)

from dicom_io.phantom_markers import plant_markers

__all__ = ["FilmOptions", "PhantomStudy", "make_film", "phantom_uid", "write_study"]

_NAMESPACE = uuid.UUID("1b0d8f4e-3a77-5f0c-9c0e-2f6f5b8d7e31")
_BITS = 12
_HIGHEST = (1 << _BITS) - 1
_MAGNIFICATION = 1.1
_SOP_CLASSES = {
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "DX-FOR-PROCESSING": DigitalXRayImageStorageForProcessing,
}
_VIEW_CODES = {
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
}
_REGION_CODES = {"CHEST": ("43799004", "Chest"), "ABDOMEN": ("818981001", "Abdomen")}


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How a film is written.

    Parameters
    ----------
    kind : {"CR", "DX", "DX-FOR-PROCESSING"}
        SOP class; the modality follows unless ``attributes`` says otherwise.
    view : str
        View Position such as PA, AP or LL; ``""`` leaves the view unsaid.
    view_as_code : bool
        Say the view in View Code Sequence alone.
    body_part : str
        Body Part Examined; ``""`` leaves it unsaid.
    monochrome1 : bool
        Store the inverted values as MONOCHROME1: another file, the same displayed film.
    values_of_interest : {"none", "window", "table"}
        What the header says about contrast; ``window`` is (centre, width) of the MONOCHROME2 form.
    spacing : {"imager", "pixel", "calibrated", "none"}
        Which attributes carry the pixel spacing. A DX image always has Imager Pixel Spacing.
    transfer_syntax : str
        Little endian, RLE, JPEG 2000 lossless or JPEG-LS lossless.
    markers : str
        A word to plant in every attribute that can name a person; none are planted when empty.
    attributes : mapping
        More attributes by keyword, over all others; None removes one.
    """

    kind: Literal["CR", "DX", "DX-FOR-PROCESSING"] = "DX"
    view: str = "PA"
    view_as_code: bool = False
    body_part: str = "CHEST"
    monochrome1: bool = False
    values_of_interest: Literal["none", "window", "table"] = "window"
    window: tuple[float, float] = (2048.0, 4096.0)
    spacing: Literal["imager", "pixel", "calibrated", "none"] = "imager"
    transfer_syntax: str = ExplicitVRLittleEndian
    markers: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """A study on disk."""

    study_instance_uid: str
    sop_instance_uids: tuple[str, ...]
    paths: tuple[Path, ...]


def phantom_uid(*parts: str | int) -> str:
    """Return the UID under 2.25 that belongs to a key and its parts."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(str(part) for part in parts)).int}"


def make_film(
    stored: NDArray[np.uint16],
    spacing_mm: float,
    key: str,
    number: int = 1,
    options: FilmOptions | None = None,
) -> Dataset:
    """Wrap a computed film.

    Parameters
    ----------
    stored : numpy.ndarray
        ``(rows, columns)`` uint16 of 12 bits, bone bright and air dark.
    spacing_mm : float
        Pixel pitch at the detector.
    key : str
        Names the study; the identifiers follow from it.
    number : int
        Instance Number, from 1.
    options : FilmOptions, optional
        How it is written; a DX film without peculiarities by default.

    Returns
    -------
    pydicom.dataset.Dataset
        With file meta information, ready for ``save_as(path, enforce_file_format=True)``.

    Raises
    ------
    ValueError
        The array is not what is asked for.
    """
    options = options or FilmOptions()
    if stored.ndim != 2 or stored.dtype != np.uint16 or not stored.size:
        raise ValueError(f"stored must be (rows, columns) uint16, not {stored.shape} {stored.dtype}")
    if int(stored.max()) > _HIGHEST:
        raise ValueError(f"stored must have {_BITS} bits, not {int(stored.max())}")
    dataset = Dataset()
    _identify(dataset, key, number, options)
    _describe(dataset, options)
    _space(dataset, spacing_mm, options)
    _set_values_of_interest(dataset, options)
    if options.markers:
        plant_markers(dataset, options.markers)
    _set_pixels(dataset, stored, options)
    for keyword, value in options.attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def write_study(
    folder: Path,
    key: str,
    films: Sequence[tuple[NDArray[np.uint16], FilmOptions]],
    spacing_mm: float,
) -> PhantomStudy:
    """Write the films of one study as ``1.dcm``, ``2.dcm``, ... into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, uids = [], []
    for number, (stored, options) in enumerate(films, start=1):
        dataset = make_film(stored, spacing_mm, key, number, options)
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
        uids.append(str(dataset.SOPInstanceUID))
    return PhantomStudy(phantom_uid(key), tuple(uids), tuple(paths))


def _identify(dataset: Dataset, key: str, number: int, options: FilmOptions) -> None:
    tag = phantom_uid(key)[-8:]
    sop_class = UID(_SOP_CLASSES[options.kind])
    values: dict[str, Any] = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": sop_class,
        "SOPInstanceUID": phantom_uid(key, "instance", number),
        "StudyInstanceUID": phantom_uid(key),
        "SeriesInstanceUID": phantom_uid(key, "series", options.kind),
        "StudyDate": "20260102",
        "StudyTime": "030405",
        "SeriesDate": "20260102",
        "SeriesTime": "030405",
        "AcquisitionDate": "20260102",
        "AcquisitionTime": "030405",
        "ContentDate": "20260102",
        "ContentTime": "030405",
        "TimezoneOffsetFromUTC": "+0000",
        "AccessionNumber": f"A{tag}",
        "StudyID": tag,
        "SeriesNumber": 1,
        "InstanceNumber": number,
        "StudyDescription": "Chest phantom",
        "PatientName": "PHANTOM^CHEST",
        "PatientID": f"PHANTOM-{tag}",
        "PatientBirthDate": "",
        "PatientSex": "O",
        "ReferringPhysicianName": "",
        "Manufacturer": "SecondRead",
        "ManufacturerModelName": "Chest phantom",
        "SoftwareVersions": "1",
        "DeviceSerialNumber": "PHANTOM",
    }
    dataset.update(_dataset(values))
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _describe(dataset: Dataset, options: FilmOptions) -> None:
    lateral = options.view in ("LL", "RL", "LATERAL")
    digital = options.kind != "CR"
    values: dict[str, Any] = {
        "ImageType": ["DERIVED", "PRIMARY", ""] if digital else ["DERIVED", "PRIMARY"],
        "DerivationDescription": "Computed from a mathematical phantom; no patient was exposed",
        "Modality": "DX" if digital else "CR",
        "BodyPartExamined": options.body_part,
        "ViewPosition": "" if options.view_as_code else options.view,
        "PatientOrientation": ["A", "F"] if lateral else ["L", "F"],
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "KVP": "110",
        "FilterType": "NONE",
    }
    if not digital and not options.body_part:
        values["Laterality"] = ""
    if digital:
        values |= {
            "PresentationIntentType": "FOR PROCESSING" if "PROC" in options.kind else "FOR PRESENTATION",
            "ImageLaterality": "U",
            "AnatomicRegionSequence": [],
            "DetectorType": "DIRECT",
            "PositionerType": "",
            "PixelIntensityRelationship": "LOG",
            "PixelIntensityRelationshipSign": 1 if options.monochrome1 else -1,
            "RescaleIntercept": "0",
            "RescaleSlope": "1",
            "RescaleType": "US",
            "PresentationLUTShape": "INVERSE" if options.monochrome1 else "IDENTITY",
            "AcquisitionContextSequence": [],
        }
        region = _REGION_CODES.get(options.body_part)
        if region:
            values["AnatomicRegionSequence"] = [_code(*region)]
    dataset.update(_dataset(values))
    if options.view in _VIEW_CODES and (digital or options.view_as_code):
        view = _code(*_VIEW_CODES[options.view])
        if digital:
            view.ViewModifierCodeSequence = []
        dataset.ViewCodeSequence = [view]
    if not options.view:
        # Unsaid means unsaid: the orientation would tell a lateral film.
        dataset.PatientOrientation = [] if not digital else ["L", "F"]


def _space(dataset: Dataset, spacing_mm: float, options: FilmOptions) -> None:
    detector = [f"{spacing_mm:.6g}"] * 2
    patient = [f"{spacing_mm / _MAGNIFICATION:.6g}"] * 2
    if options.spacing in ("imager", "calibrated") or options.kind != "CR":
        dataset.ImagerPixelSpacing = detector
    if options.spacing == "pixel":
        dataset.PixelSpacing = detector
    if options.spacing == "calibrated":
        dataset.PixelSpacing = patient
        dataset.PixelSpacingCalibrationType = "GEOMETRY"
        dataset.PixelSpacingCalibrationDescription = "Plane of the phantom's middle"


def _set_values_of_interest(dataset: Dataset, options: FilmOptions) -> None:
    centre, width = options.window
    if options.kind == "DX-FOR-PROCESSING":
        return
    if options.values_of_interest == "window":
        # LINEAR of PS3.3 C.11.2.1.2 is exact for the inverted values with this centre.
        dataset.WindowCenter = f"{_HIGHEST + 1 - centre if options.monochrome1 else centre:.10g}"
        dataset.WindowWidth = f"{width:.10g}"
    elif options.values_of_interest == "table":
        place = (np.arange(_HIGHEST + 1) - centre) / width
        table = np.rint(65535 / (1 + np.exp(-4 * place))).astype("<u2")
        if options.monochrome1:
            table = 65535 - table[::-1]
        item = Dataset()
        item.add_new("LUTDescriptor", "US", [_HIGHEST + 1, 0, 16])
        item.LUTExplanation = "S-shaped"
        item.add_new("LUTData", "OW", table.tobytes())
        dataset.VOILUTSequence = [item]


def _set_pixels(dataset: Dataset, stored: NDArray[np.uint16], options: FilmOptions) -> None:
    values = (_HIGHEST - stored).astype(np.uint16) if options.monochrome1 else stored
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if options.monochrome1 else "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS, _BITS - 1
    dataset.PixelRepresentation = 0
    dataset.add_new("PixelData", "OW", values.astype("<u2").tobytes())
    syntax = UID(options.transfer_syntax)
    dataset.file_meta.TransferSyntaxUID = syntax if not syntax.is_encapsulated else ExplicitVRLittleEndian
    if syntax.is_encapsulated:
        dataset.compress(syntax, values, generate_instance_uid=False)


def _dataset(values: Mapping[str, Any]) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def _code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    return _dataset({"CodeValue": value, "CodingSchemeDesignator": scheme, "CodeMeaning": meaning})
