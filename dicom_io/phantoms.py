"""Phantom films as DICOM objects with made-up identifiers, for tests and demonstrations.

Everything follows from the seed: UIDs, identifiers and pixels. The objects are DERIVED, the patient is
called PHANTOM, and nothing in them comes from anybody.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from dicom_io.phantom_markers import plant_markers
from models.phantoms import ChestPhantom, PhantomNodule, chest_phantom

__all__ = ["FilmOptions", "chest_film", "phantom_uid", "write_chest_study"]

_NAMESPACE = uuid.UUID("6f0b8c52-7f2e-4f0c-9d0e-6d1d6ad0a0c3")
_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg2000": JPEG2000Lossless,
}
_BITS = 12
_MAXIMUM = (1 << _BITS) - 1
_VIEW_CODES = {
    "PA": ("272479007", "postero-anterior"),
    "AP": ("399348003", "antero-posterior"),
    "LL": ("399173006", "left lateral"),
    "RL": ("399198007", "right lateral"),
}
_REGION_CODES = {
    "CHEST": ("51185008", "Chest"),
    "THORAX": ("51185008", "Chest"),
    "ABDOMEN": ("818981001", "Abdomen"),
}
_ORIENTATIONS = {"PA": ["L", "F"], "AP": ["L", "F"], "LL": ["A", "F"], "RL": ["P", "F"]}


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How a phantom film is written.

    Parameters
    ----------
    modality : {"DX", "CR"}
        Decides the SOP class too.
    view : str
        View Position; empty leaves the view out. The pixels are frontal whatever it says.
    body_part : str
        Body Part Examined; empty leaves it out.
    photometric : {"MONOCHROME2", "MONOCHROME1"}
        MONOCHROME1 stores the complement, so that both look alike.
    values_of_interest : {"window", "lut", "none"}
        What the object says of the presentation of its values.
    spacing : {"imager", "calibrated", "none"}
        Imager Pixel Spacing alone, Pixel Spacing with its calibration beside it, or none. A DX object
        always has the imager's, which it must.
    transfer_syntax : {"explicit", "implicit", "rle", "jpeg2000"}
        All are lossless.
    marker : str
        1 to 12 upper-case letters or digits, planted in every attribute that would identify somebody, for
        tests of leaks.
    study : str
        Distinguishes studies of one seed: enters the UIDs.
    """

    modality: Literal["DX", "CR"] = "DX"
    view: str = "PA"
    body_part: str = "CHEST"
    photometric: Literal["MONOCHROME2", "MONOCHROME1"] = "MONOCHROME2"
    values_of_interest: Literal["window", "lut", "none"] = "window"
    spacing: Literal["imager", "calibrated", "none"] = "imager"
    transfer_syntax: Literal["explicit", "implicit", "rle", "jpeg2000"] = "explicit"
    marker: str = ""
    study: str = ""

    def __post_init__(self) -> None:
        choices = (
            ("modality", self.modality, ("DX", "CR")),
            ("photometric", self.photometric, ("MONOCHROME2", "MONOCHROME1")),
            ("values_of_interest", self.values_of_interest, ("window", "lut", "none")),
            ("spacing", self.spacing, ("imager", "calibrated", "none")),
            ("transfer_syntax", self.transfer_syntax, tuple(_SYNTAXES)),
        )
        for name, value, accepted in choices:
            if value not in accepted:
                raise ValueError(f"{name} must be one of {', '.join(accepted)}, not {value!r}")


def phantom_uid(*parts: object) -> str:
    """Return the UID under 2.25 that follows from ``parts``."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(str(part) for part in parts)).int}"


def write_chest_study(
    folder: Path,
    seed: int,
    *,
    films: int = 1,
    nodules: Sequence[PhantomNodule] = (),
    rows: int = 1760,
    columns: int = 1760,
    options: FilmOptions | None = None,
) -> list[Path]:
    """Write a study of phantom films into ``folder`` and return their paths.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
    seed : int
        Same seed and options, same bytes. Film n shows the anatomy of ``seed + n - 1``.
    films : int
        Films in the study, all in one series.
    nodules : sequence of PhantomNodule
        Put into the first film.
    rows, columns : int
        Size of every film.
    options : FilmOptions, optional
        How they are written; by default a DX film as a device would send it.
    """
    if films < 1:
        raise ValueError(f"films must be at least 1, not {films}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(1, films + 1):
        phantom = chest_phantom(seed + number - 1, nodules if number == 1 else (), rows, columns)
        dataset = chest_film(phantom, seed, number=number, options=options)
        path = folder / f"film-{seed}-{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def chest_film(
    phantom: ChestPhantom, seed: int, *, number: int = 1, options: FilmOptions | None = None
) -> Dataset:
    """Return a phantom as a data set with file meta information, ready to be saved."""
    how = options or FilmOptions()
    dataset = Dataset()
    _patient_and_study(dataset, seed, how)
    _series_and_equipment(dataset, seed, number, how)
    _acquisition(dataset, how)
    pixels = phantom.pixels
    stored = (_MAXIMUM - pixels).astype(np.uint16) if how.photometric == "MONOCHROME1" else pixels
    _image(dataset, stored, phantom, number, how)
    if how.marker:
        plant_markers(dataset, how.marker)
    dataset.SOPInstanceUID = phantom_uid(seed, how.study, "image", number, repr(how), _digest(stored))
    _encode(dataset, stored, how)
    return dataset


def _digest(stored: NDArray[np.uint16]) -> str:
    return hashlib.sha256(stored.astype("<u2").tobytes()).hexdigest()


def _patient_and_study(dataset: Dataset, seed: int, how: FilmOptions) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"PHANTOM^CHEST {seed}"
    dataset.PatientID = f"PHANTOM-{seed}"
    dataset.IssuerOfPatientID = "PHANTOMS"
    dataset.PatientBirthDate = f"19{40 + seed % 50}0101"
    dataset.PatientSex = "O"
    dataset.PatientAge = "060Y"
    dataset.StudyInstanceUID = phantom_uid(seed, how.study, "study")
    dataset.StudyID = str(seed)
    dataset.AccessionNumber = f"P{seed:07d}"[:16]
    dataset.StudyDate = "20260105"
    dataset.StudyTime = "101500"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Chest phantom"


def _series_and_equipment(dataset: Dataset, seed: int, number: int, how: FilmOptions) -> None:
    dataset.SOPClassUID = (
        DigitalXRayImageStorageForPresentation if how.modality == "DX" else ComputedRadiographyImageStorage
    )
    dataset.Modality = how.modality
    dataset.SeriesInstanceUID = phantom_uid(seed, how.study, "series")
    dataset.SeriesNumber = 1
    dataset.SeriesDate = dataset.StudyDate
    dataset.SeriesTime = "101600"
    dataset.SeriesDescription = "Chest phantom"
    dataset.InstanceNumber = number
    dataset.Manufacturer = "SecondRead phantoms"
    dataset.ManufacturerModelName = "Chest phantom"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    dataset.InstitutionName = "Nowhere"
    if how.modality == "DX":
        dataset.PresentationIntentType = "FOR PRESENTATION"
        dataset.AcquisitionContextSequence = Items([])
        dataset.ImageLaterality = "U"


def _acquisition(dataset: Dataset, how: FilmOptions) -> None:
    if how.body_part or how.modality == "CR":
        dataset.BodyPartExamined = how.body_part
    if how.view or how.modality == "CR":
        dataset.ViewPosition = how.view
    if how.modality == "DX":
        dataset.AnatomicRegionSequence = Items(
            [_code(*_REGION_CODES[how.body_part])] if how.body_part in _REGION_CODES else []
        )
        dataset.ViewCodeSequence = Items([_code(*_VIEW_CODES[how.view])] if how.view in _VIEW_CODES else [])
        dataset.PatientOrientation = _ORIENTATIONS.get(how.view, ["L", "F"])
        dataset.DetectorType = "SCINTILLATOR"
        dataset.DetectorConfiguration = "AREA"
        dataset.PositionerType = "NONE"
    else:
        dataset.PatientOrientation = _ORIENTATIONS.get(how.view, "")
        dataset.PlateType = ""
        dataset.PhosphorType = ""
    dataset.AcquisitionDate = dataset.StudyDate
    dataset.AcquisitionTime = "101600"
    dataset.ContentDate = dataset.StudyDate
    dataset.ContentTime = "101600"
    dataset.KVP = "120"


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _image(
    dataset: Dataset, stored: NDArray[np.uint16], phantom: ChestPhantom, number: int, how: FilmOptions
) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.DerivationDescription = "Computed from a numerical phantom"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = how.photometric
    dataset.Rows, dataset.Columns = (int(side) for side in stored.shape)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS, _BITS - 1
    dataset.PixelRepresentation = 0
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    spacing = [f"{side:.6f}" for side in phantom.pixel_spacing_mm]
    if how.spacing != "none" or how.modality == "DX":
        dataset.ImagerPixelSpacing = spacing
    if how.spacing == "calibrated":
        dataset.PixelSpacing = spacing
        dataset.PixelSpacingCalibrationType = "FIDUCIAL"
        dataset.PixelSpacingCalibrationDescription = "The phantom has no magnification"
    if how.modality == "DX":
        dataset.PixelIntensityRelationship = "LOG"
        dataset.PixelIntensityRelationshipSign = 1 if how.photometric == "MONOCHROME1" else -1
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
        dataset.PresentationLUTShape = "INVERSE" if how.photometric == "MONOCHROME1" else "IDENTITY"
    if how.values_of_interest == "window":
        dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
    elif how.values_of_interest == "lut":
        dataset.VOILUTSequence = Items([_straight_lut()])


def _straight_lut() -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [_MAXIMUM + 1, 0, 16])
    table = np.arange(_MAXIMUM + 1, dtype=np.uint32) * 65535 // _MAXIMUM
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    item.LUTExplanation = "STRAIGHT"
    return item


def _encode(dataset: Dataset, stored: NDArray[np.uint16], how: FilmOptions) -> None:
    syntax = _SYNTAXES[how.transfer_syntax]
    native = ImplicitVRLittleEndian if syntax == ImplicitVRLittleEndian else ExplicitVRLittleEndian
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = native
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.add_new("PixelData", "OW", stored.astype("<u2").tobytes())
    if syntax != native:
        dataset.compress(syntax, generate_instance_uid=False)
