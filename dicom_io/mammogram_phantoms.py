"""Phantom mammograms as DICOM objects with made-up identifiers, for tests and demonstrations.

Everything follows from the seed, the options and the pixels. The objects are DERIVED, the patient is called
PHANTOM, and nothing in them comes from anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalMammographyXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from dicom_io.phantom_markers import plant_markers
from dicom_io.phantoms import phantom_uid
from models.mammography_results import Breast
from models.phantoms.breast import BreastPhantom

__all__ = [
    "FOUR_VIEWS",
    "MammogramOptions",
    "mammogram_film",
    "plain_breast",
    "write_breast_phantoms",
    "write_mammography_study",
]

FOUR_VIEWS: Final[tuple[tuple[Breast, str], ...]] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
"""Breast and view of a screening examination, in hanging order."""
_SYNTAXES = {"explicit": ExplicitVRLittleEndian, "rle": RLELossless, "jpeg2000": JPEG2000Lossless}
_BITS = 12
_MAXIMUM = (1 << _BITS) - 1
_VIEW_CODES = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medial-lateral"),
    "LM": ("399352003", "latero-medial"),
    "LMO": ("399099002", "latero-medial oblique"),
    "FB": ("399196006", "caudo-cranial"),
    "SIO": ("399188001", "superolateral to inferomedial oblique"),
    "ISO": ("441555000", "inferomedial to superolateral oblique"),
    "XCCL": ("399192008", "cranio-caudal exaggerated laterally"),
    "XCCM": ("399101009", "cranio-caudal exaggerated medially"),
}
_MODIFIER_CODES = {
    "S": ("399055006", "Spot Compression"),
    "M": ("399163009", "Magnification"),
    "ID": ("399209000", "Implant Displaced"),
    "CV": ("399161006", "Cleavage"),
    "AT": ("399011000", "Axillary Tail"),
    "RL": ("399197002", "Rolled Lateral"),
    "RM": ("399226006", "Rolled Medial"),
    "TAN": ("399110001", "tangential"),
}
_MEDIAL = {"L": "R", "R": "L"}


@dataclass(frozen=True, slots=True)
class MammogramOptions:
    """How a phantom mammogram is written.

    Parameters
    ----------
    laterality : {"L", "R"}
        The breast.
    view : str
        Of CID 4014: CC, MLO, ML, ...
    modifiers : tuple of str
        Of CID 4015: S, M, ID, CV, AT, RL, RM, TAN.
    mirrored : bool
        Whether the pixels have the chest wall on the other side than is usual: a left breast on the right.
    photometric : {"MONOCHROME2", "MONOCHROME1"}
        MONOCHROME1 stores the complement, so that both look alike.
    values_of_interest : {"window", "windows", "sigmoid", "lut"}
        What the object says of the presentation of its values; all but the sigmoid show them as they are.
    spacing_mm : float
        Imager Pixel Spacing.
    magnification : float
        Estimated Radiographic Magnification Factor.
    padding : bool
        Whether stored values of nought are said to be padding (the largest value in MONOCHROME1).
    implant : bool
        Breast Implant Present.
    partial : bool
        Partial View, of the anterior part.
    for_processing : bool
        Writes the object that devices make before any processing.
    sex : {"F", "M", "O"}
        Of the patient.
    transfer_syntax : {"explicit", "rle", "jpeg2000"}
        All are lossless.
    marker : str
        1 to 12 upper-case letters or digits, planted in every attribute that would identify somebody, for
        tests of leaks.
    study : str
        Distinguishes studies of one seed: enters the UIDs.
    date : str
        Study date, for examinations of one patient that follow each other.
    """

    laterality: Breast = "L"
    view: str = "MLO"
    modifiers: tuple[str, ...] = ()
    mirrored: bool = False
    photometric: Literal["MONOCHROME2", "MONOCHROME1"] = "MONOCHROME2"
    values_of_interest: Literal["window", "windows", "sigmoid", "lut"] = "window"
    spacing_mm: float = 0.1
    magnification: float = 1.0
    padding: bool = False
    implant: bool = False
    partial: bool = False
    for_processing: bool = False
    sex: Literal["F", "M", "O"] = "F"
    transfer_syntax: Literal["explicit", "rle", "jpeg2000"] = "explicit"
    marker: str = ""
    study: str = ""
    date: str = "20260105"

    def __post_init__(self) -> None:
        choices = (
            ("laterality", self.laterality, ("L", "R")),
            ("view", self.view, tuple(_VIEW_CODES)),
            ("photometric", self.photometric, ("MONOCHROME2", "MONOCHROME1")),
            ("values_of_interest", self.values_of_interest, ("window", "windows", "sigmoid", "lut")),
            ("sex", self.sex, ("F", "M", "O")),
            ("transfer_syntax", self.transfer_syntax, tuple(_SYNTAXES)),
        )
        for name, value, accepted in choices:
            if value not in accepted:
                raise ValueError(f"{name} must be one of {', '.join(accepted)}, not {value!r}")
        if unknown := set(self.modifiers) - set(_MODIFIER_CODES):
            raise ValueError(f"modifiers must be of {', '.join(_MODIFIER_CODES)}, not {sorted(unknown)}")
        if self.spacing_mm <= 0 or self.magnification < 1:
            raise ValueError("spacing_mm must be above nought and magnification 1 or more")

    @property
    def chest_wall(self) -> Literal["left", "right"]:
        """On which side of the stored image the chest wall lies."""
        return "left" if (self.laterality == "L") != self.mirrored else "right"


def plain_breast(
    rows: int = 512, columns: int = 384, chest_wall: Literal["left", "right"] = "left", seed: int = 0
) -> NDArray[np.uint16]:
    """Return half an ellipse of tissue against the chest wall, with air around it: 12 bits, tissue bright."""
    y, x = np.mgrid[0:rows, 0:columns]
    across, down = x / (0.8 * columns), (y - rows / 2) / (0.4 * rows)
    inside = across**2 + down**2 < 1
    noise = np.random.default_rng(seed).integers(0, 200, (rows, columns))
    pixels = np.where(inside, 2600 - 900 * across + noise, 0).astype(np.uint16)
    return pixels if chest_wall == "left" else np.ascontiguousarray(pixels[:, ::-1])


def write_mammography_study(
    folder: Path,
    seed: int,
    *,
    images: Sequence[MammogramOptions] | None = None,
    pixels: Mapping[int, NDArray[np.uint16]] | None = None,
    options: MammogramOptions | None = None,
) -> list[Path]:
    """Write an examination into ``folder`` and return the paths of its images, in their order.

    Parameters
    ----------
    folder : pathlib.Path
        Made where it is missing.
    seed : int
        Same seed, options and pixels, same bytes.
    images : sequence of MammogramOptions, optional
        One for each image; by default the four views of a screening examination, with ``options``.
    pixels : mapping of int to numpy.ndarray, optional
        ``(rows, columns)`` uint16 below 4096, tissue bright, for the image of that place in ``images``, as it
        is stored: the chest wall lies where :attr:`MammogramOptions.chest_wall` says. Images that are not
        named are of :func:`plain_breast`.
    options : MammogramOptions, optional
        How the four views are written where ``images`` is left out.
    """
    how = options or MammogramOptions()
    if images is None:
        images = [replace(how, laterality=side, view=view) for side, view in FOUR_VIEWS]
    if not images:
        raise ValueError("an examination has one image at least")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, image in enumerate(images):
        given = (pixels or {}).get(number)
        shown = plain_breast(chest_wall=image.chest_wall, seed=seed + number) if given is None else given
        dataset = mammogram_film(shown, seed, number=number + 1, options=image)
        path = folder / f"mammogram-{seed}-{number + 1}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_breast_phantoms(
    folder: Path, seed: int, phantoms: Sequence[BreastPhantom], options: MammogramOptions | None = None
) -> list[Path]:
    """Write phantoms as an examination and return the paths of its images, in their order.

    Breast, view and spacing are those of each phantom, everything else is that of ``options``; mirrored, an
    image is stored the other way round than the phantom is.
    """
    how = options or MammogramOptions()
    images, pixels = [], {}
    for number, phantom in enumerate(phantoms):
        spacing = phantom.pixel_spacing_mm[0] * how.magnification
        images.append(replace(how, laterality=phantom.laterality, view=phantom.view, spacing_mm=spacing))
        stored = np.rint(phantom.pixels * _MAXIMUM).astype(np.uint16)
        pixels[number] = stored[:, ::-1].copy() if how.mirrored else stored
    return write_mammography_study(folder, seed, images=images, pixels=pixels)


def mammogram_film(
    pixels: NDArray[np.uint16], seed: int, *, number: int = 1, options: MammogramOptions | None = None
) -> Dataset:
    """Return pixels as a data set with file meta information, ready to be saved.

    Parameters
    ----------
    pixels : numpy.ndarray
        ``(rows, columns)`` uint16 below 4096, tissue bright, air dark, as stored: neither flipped nor
        complemented beforehand.
    seed : int
        Enters every identifier.
    number : int
        Instance Number.
    options : MammogramOptions, optional
        How they are written.

    Raises
    ------
    ValueError
        The pixels are of another kind.
    """
    if pixels.ndim != 2 or pixels.dtype != np.uint16 or int(pixels.max()) > _MAXIMUM:
        raise ValueError("pixels must be a two-dimensional uint16 array below 4096")
    how = options or MammogramOptions()
    stored = (_MAXIMUM - pixels).astype(np.uint16) if how.photometric == "MONOCHROME1" else pixels
    dataset = Dataset()
    _patient_and_study(dataset, seed, how)
    _series_and_equipment(dataset, seed, number, how)
    _breast_and_view(dataset, how)
    _acquisition(dataset, stored, how)
    _image(dataset, stored, number, how)
    if not how.for_processing:
        _presentation(dataset, how)
    if how.marker:
        plant_markers(dataset, how.marker)
        # A mammogram with a contrast agent is an image of another kind.
        del dataset.ContrastBolusAgent
    digest = hashlib.sha256(stored.astype("<u2").tobytes()).hexdigest()
    dataset.SOPInstanceUID = phantom_uid(seed, how.study, "mammogram", number, repr(how), digest)
    _encode(dataset, stored, how)
    return dataset


def _patient_and_study(dataset: Dataset, seed: int, how: MammogramOptions) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"PHANTOM^BREAST {seed}"
    dataset.PatientID = f"PHANTOM-M{seed}"
    dataset.IssuerOfPatientID = "PHANTOMS"
    dataset.PatientBirthDate = f"19{40 + seed % 40}0101"
    dataset.PatientSex = how.sex
    dataset.PatientAge = "060Y"
    dataset.StudyInstanceUID = phantom_uid(seed, how.study, "mammography study")
    dataset.StudyID = str(seed)
    dataset.AccessionNumber = f"M{seed:07d}"[:16]
    dataset.StudyDate = how.date
    dataset.StudyTime = "101500"
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Mammography phantom"


def _series_and_equipment(dataset: Dataset, seed: int, number: int, how: MammogramOptions) -> None:
    dataset.SOPClassUID = (
        DigitalMammographyXRayImageStorageForProcessing
        if how.for_processing
        else DigitalMammographyXRayImageStorageForPresentation
    )
    dataset.Modality = "MG"
    dataset.PresentationIntentType = "FOR PROCESSING" if how.for_processing else "FOR PRESENTATION"
    dataset.SeriesInstanceUID = phantom_uid(seed, how.study, "mammography series", how.for_processing)
    dataset.SeriesNumber = 2 if how.for_processing else 1
    dataset.SeriesDate = how.date
    dataset.SeriesTime = "101600"
    dataset.SeriesDescription = "Mammography phantom"
    dataset.InstanceNumber = number
    dataset.Manufacturer = "SecondRead phantoms"
    dataset.ManufacturerModelName = "Breast phantom"
    dataset.DeviceSerialNumber = "0"
    dataset.SoftwareVersions = "1"
    dataset.InstitutionName = "Nowhere"


def _breast_and_view(dataset: Dataset, how: MammogramOptions) -> None:
    dataset.BodyPartExamined = "BREAST"
    dataset.AnatomicRegionSequence = Items([_code("76752008", "Breast")])
    dataset.ImageLaterality = how.laterality
    view = _code(*_VIEW_CODES[how.view])
    view.ViewModifierCodeSequence = Items([_code(*_MODIFIER_CODES[one]) for one in how.modifiers])
    dataset.ViewCodeSequence = Items([view])
    dataset.ViewPosition = how.view
    dataset.PatientOrientation = ["A" if how.chest_wall == "left" else "P", _downwards(how)]
    dataset.BreastImplantPresent = "YES" if how.implant else "NO"
    dataset.PartialView = "YES" if how.partial else "NO"
    if how.partial:
        dataset.PartialViewCodeSequence = Items([_code("255549009", "Anterior")])


def _downwards(how: MammogramOptions) -> str:
    medial = _MEDIAL[how.laterality]
    if how.view in ("ML", "LM"):
        return "F"
    if how.view in ("MLO", "LMO"):
        return f"F{medial}"
    return f"F{how.laterality}" if how.view in ("SIO", "ISO") else medial


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def _acquisition(dataset: Dataset, stored: NDArray[np.uint16], how: MammogramOptions) -> None:
    dataset.AcquisitionContextSequence = Items([])
    dataset.AcquisitionDate = dataset.ContentDate = how.date
    dataset.AcquisitionTime = dataset.ContentTime = "101600"
    dataset.PositionerType = "MAMMOGRAPHIC"
    dataset.PositionerPrimaryAngle = "0" if how.view in ("CC", "FB", "XCCL", "XCCM") else "45"
    dataset.OrganExposed = "BREAST"
    dataset.KVP = "28"
    dataset.DistanceSourceToDetector = "650"
    dataset.DistanceSourceToPatient = f"{650 / how.magnification:.6g}"
    dataset.EstimatedRadiographicMagnificationFactor = f"{how.magnification:g}"
    dataset.DetectorType = "SCINTILLATOR"
    dataset.DetectorConfiguration = "AREA"
    dataset.FieldOfViewShape = "RECTANGLE"
    dataset.FieldOfViewDimensions = [round(side * how.spacing_mm) or 1 for side in stored.shape]
    dataset.FieldOfViewOrigin = ["0", "0"]
    dataset.FieldOfViewRotation = "0"
    dataset.FieldOfViewHorizontalFlip = "YES" if how.mirrored else "NO"
    dataset.ImagerPixelSpacing = [f"{how.spacing_mm:.6g}"] * 2


def _image(dataset: Dataset, stored: NDArray[np.uint16], number: int, how: MammogramOptions) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.DerivationDescription = "Computed from a numerical phantom"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = how.photometric
    dataset.Rows, dataset.Columns = (int(side) for side in stored.shape)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS, _BITS - 1
    dataset.PixelRepresentation = 0
    dataset.QualityControlImage = "NO"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.PixelIntensityRelationship = "LIN" if how.for_processing else "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if how.photometric == "MONOCHROME1" else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.PresentationLUTShape = "INVERSE" if how.photometric == "MONOCHROME1" else "IDENTITY"
    if how.padding:
        dataset.PixelPaddingValue = _MAXIMUM if how.photometric == "MONOCHROME1" else 0


def _presentation(dataset: Dataset, how: MammogramOptions) -> None:
    if how.values_of_interest == "lut":
        dataset.VOILUTSequence = Items([_table("NORMAL", 1.0), _table("HARDER", 2.0)])
    elif how.values_of_interest == "windows":
        dataset.WindowCenter, dataset.WindowWidth = ["2048", "2400"], ["4096", "1200"]
        dataset.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    else:
        dataset.WindowCenter, dataset.WindowWidth = "2048", "4096"
        if how.values_of_interest == "sigmoid":
            dataset.VOILUTFunction = "SIGMOID"


def _table(name: str, power: float) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [_MAXIMUM + 1, 0, 16])
    table = (np.arange(_MAXIMUM + 1) / _MAXIMUM) ** power * 65535
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    item.LUTExplanation = name
    return item


def _encode(dataset: Dataset, stored: NDArray[np.uint16], how: MammogramOptions) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.add_new("PixelData", "OW", stored.astype("<u2").tobytes())
    syntax = _SYNTAXES[how.transfer_syntax]
    if syntax != ExplicitVRLittleEndian:
        dataset.compress(syntax, generate_instance_uid=False)
