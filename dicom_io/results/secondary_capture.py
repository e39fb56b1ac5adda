"""Key images as Secondary Capture objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from highdicom import Volume
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    SecondaryCaptureImageStorage,
)

from dicom_io.reading.attributes import numbers, text
from dicom_io.results.context import ResultContext
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import KEY_IMAGES, start
from dicom_io.results.loop_guard import MANUFACTURER, MODEL_NAME
from dicom_io.results.pictures.film_pictures import render_films, render_finding
from dicom_io.results.pictures.volume_pictures import render_volume, render_volume_finding, shown_slices
from dicom_io.results.source import copy_elements
from dicom_io.results.vocabulary import AI_NOTICE, concept
from dicom_io.results.volume_context import VolumeContext
from models.film import Film
from models.results import Finding
from models.volume_results import VolumeFinding

__all__ = [
    "capture",
    "encode_finding_image",
    "encode_overview",
    "encode_volume_finding_image",
    "encode_volume_overview",
    "title_of",
    "what_is_drawn",
]

_SOURCE_IMAGE = concept("121322", "DCM", "Source image for image processing operation")
_RESAMPLING = concept("113085", "DCM", "Spatial resampling")
_LOSSY_SYNTAXES = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000}


def encode_overview(context: FilmContext, films: Sequence[Film], number: int = 1) -> Dataset:
    """Return the overview of a reading of films: all of them side by side with all findings.

    Parameters
    ----------
    context : FilmContext
        The reading.
    films : sequence of Film
        Those to be shown, as displayed; every film with findings is among them.
    number : int
        Number among the key images of the reading, from 1.

    Returns
    -------
    Dataset
        Uncompressed RGB that every viewer shows, with file meta information.

    Raises
    ------
    ResultInvalid
        A film was not read, or a finding is on none of the films.
    """
    headers = [_header(context, film.sop_instance_uid) for film in films]
    shown = {film.sop_instance_uid for film in films}
    if not films or any(finding.sop_instance_uid not in shown for finding in context.findings):
        raise ResultInvalid("the overview does not show every film with findings")
    pixels = render_films(
        films, context.findings, title=title_of(context), pixel_aspects=[_pixel_aspect(h) for h in headers]
    )
    return capture(context, headers, pixels, number, what_is_drawn(context))


def encode_finding_image(context: FilmContext, film: Film, finding: Finding, number: int) -> Dataset:
    """Return the key image of one finding: where it lies on its film, and the part around it enlarged.

    Raises
    ------
    ResultInvalid
        The finding is none of the reading, or lies on another film.
    """
    header = _header(context, film.sop_instance_uid)
    if finding not in context.findings or finding.sop_instance_uid != film.sop_instance_uid:
        raise ResultInvalid(f"finding {finding.number} is none of this film")
    pixels = render_finding(film, finding, title=title_of(context), pixel_aspect=_pixel_aspect(header))
    return capture(context, [header], pixels, number, f"finding {finding.number} outlined")


def encode_volume_overview(context: VolumeContext, image: Volume, number: int = 1) -> Dataset:
    """Return the overview of a reading of a volume: its largest slices with outlines, and what was read.

    Parameters
    ----------
    context : VolumeContext
        The reading.
    image : highdicom.Volume
        ``(z, y, x)``, the segmented series on the grid of the reading.
    number : int
        Number among the key images of the reading, from 1.

    Raises
    ------
    ValueError
        The image lies on another grid.
    """
    reading = context.reading
    pixels = render_volume(reading, image, title=title_of(context), assessment=context.assessment)
    slices = shown_slices(reading)
    return capture(context, _slice_headers(context, slices), pixels, number, what_is_drawn(context))


def encode_volume_finding_image(
    context: VolumeContext, image: Volume, finding: VolumeFinding, number: int
) -> Dataset:
    """Return the key image of one finding of a volume: its key slice with and without the marks.

    Raises
    ------
    ResultInvalid
        The finding is none of the reading.
    ValueError
        The image lies on another grid.
    """
    if finding not in context.reading.findings:
        raise ResultInvalid(f"finding {finding.number} is none of this reading")
    pixels = render_volume_finding(
        context.reading, image, finding, title=title_of(context), assessment=context.assessment
    )
    headers = _slice_headers(context, [finding.key_slice])
    return capture(context, headers, pixels, number, f"finding {finding.number} outlined")


def _header(context: FilmContext, sop_instance_uid: str) -> Dataset:
    if sop_instance_uid not in {reading.sop_instance_uid for reading in context.readings}:
        raise ResultInvalid("a key image shows an image that was not read")
    return context.header_of(sop_instance_uid)


def _slice_headers(context: VolumeContext, slices: Sequence[int]) -> list[Dataset]:
    uids = [context.reading.slices[index].sop_instance_uid for index in slices]
    return [context.header_of(uid) for uid in dict.fromkeys(uids)] or [context.segmented_headers[0]]


def title_of(context: ResultContext) -> str:
    """Return who read, as it stands below a picture."""
    return f"{context.package.title} {context.package.version}"


def what_is_drawn(context: ResultContext) -> str:
    """Return what a picture of the whole reading has, for its derivation description."""
    return "findings outlined" if context.has_findings else "no findings"


def capture(
    context: ResultContext, headers: Sequence[Dataset], pixels: NDArray[np.uint8], number: int, drawn: str
) -> Dataset:
    """Return a picture as a Secondary Capture object.

    Parameters
    ----------
    context : ResultContext
        The reading.
    headers : sequence of Dataset
        Of the images that are shown; patient and study are those of the first one.
    pixels : numpy.ndarray
        ``(rows, columns, 3)`` uint8.
    number : int
        Among the key images of the reading, from 1.
    drawn : str
        What is drawn, for the derivation description.
    """
    image = start(
        context,
        headers[0],
        kind=KEY_IMAGES,
        sop_class_uid=SecondaryCaptureImageStorage,
        instance=f"key-image-{number}",
        number=number,
    )
    _add_capture(image)
    _add_derivation(image, headers, drawn)
    image.SamplesPerPixel = 3
    image.PhotometricInterpretation = "RGB"
    image.PlanarConfiguration = 0
    image.Rows, image.Columns = pixels.shape[:2]
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelRepresentation = 0
    data = pixels.tobytes()
    image.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    return image


def _add_capture(image: Dataset) -> None:
    image.ConversionType = "WSD"
    image.DateOfSecondaryCapture = image.ContentDate
    image.TimeOfSecondaryCapture = image.ContentTime
    image.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    image.SecondaryCaptureDeviceManufacturerModelName = MODEL_NAME
    image.SecondaryCaptureDeviceSoftwareVersions = image.SoftwareVersions


def _add_derivation(image: Dataset, headers: Sequence[Dataset], drawn: str) -> None:
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.DerivationDescription = f"{AI_NOTICE}: display window applied, resampled, annotated, {drawn}"
    image.DerivationCodeSequence = [_RESAMPLING]
    image.SourceImageSequence = [_source(header) for header in headers]
    image.PatientOrientation = None
    copy_elements(headers[0], image, ("BodyPartExamined",))
    if len(headers) == 1:
        copy_elements(headers[0], image, ("PatientOrientation",))
    # Both say whether the patient can be recognised. Nothing of that is drawn here, so what holds of the
    # images holds of the picture, and what one of them does not say is not claimed.
    for keyword in ("BurnedInAnnotation", "RecognizableVisualFeatures"):
        stated = {text(header, keyword) for header in headers}
        if "YES" in stated or stated == {"NO"}:
            setattr(image, keyword, "YES" if "YES" in stated else "NO")
    if "BodyPartExamined" not in image:
        image.Laterality = None  # type 2C where it is not known whether the body part is paired
    image.LossyImageCompression = "00"
    lossy = next((header for header in headers if _is_lossy(header)), None)
    if lossy is not None:
        image.LossyImageCompression = "01"
        copy_elements(lossy, image, ("LossyImageCompressionRatio", "LossyImageCompressionMethod"))


def _source(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = str(header.SOPClassUID)
    item.ReferencedSOPInstanceUID = str(header.SOPInstanceUID)
    item.PurposeOfReferenceCodeSequence = [_SOURCE_IMAGE]
    return item


def _is_lossy(header: Dataset) -> bool:
    if text(header, "LossyImageCompression") == "01":
        return True
    meta = getattr(header, "file_meta", None)
    return meta is not None and meta.get("TransferSyntaxUID") in _LOSSY_SYNTAXES


def _pixel_aspect(header: Dataset) -> float | None:
    ratio = numbers(header, "PixelAspectRatio")
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 else None
