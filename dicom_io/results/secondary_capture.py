"""Key images as Secondary Capture objects."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    SecondaryCaptureImageStorage,
)

from dicom_io.reading.attributes import numbers, text
from dicom_io.results.film_asserts import check_key_image
from dicom_io.results.film_context import FilmContext
from dicom_io.results.header import KEY_IMAGES, start
from dicom_io.results.key_image import render_key_image
from dicom_io.results.loop_guard import MANUFACTURER, MODEL_NAME
from dicom_io.results.source import copy_elements
from dicom_io.results.vocabulary import AI_NOTICE, concept
from models.film import Film
from models.results import Finding

__all__ = ["encode_key_image"]

_SOURCE_IMAGE = concept("121322", "DCM", "Source image for image processing operation")
_RESAMPLING = concept("113085", "DCM", "Spatial resampling")
_LOSSY_SYNTAXES = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000}


def encode_key_image(
    context: FilmContext, header: Dataset, film: Film, findings: Sequence[Finding], number: int
) -> Dataset:
    """Return a key image of one film, uncompressed RGB that every viewer shows.

    Parameters
    ----------
    context : FilmContext
        The reading.
    header : Dataset
        Header of the film.
    film : Film
        The film as displayed.
    findings : sequence of Finding
        Those of this film, perhaps none.
    number : int
        Number among the key images of the reading, from 1.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information.

    Raises
    ------
    ResultInvalid
        The picture does not belong to the film.
    """
    image = start(
        context,
        header,
        kind=KEY_IMAGES,
        sop_class_uid=SecondaryCaptureImageStorage,
        instance=f"key-image-{number}",
        number=number,
    )
    _add_capture(image)
    _add_derivation(image, header, bool(findings))
    title = f"{context.package.title} {context.package.version}"
    pixels = render_key_image(film, findings, title=title, pixel_aspect=_pixel_aspect(header))
    image.SamplesPerPixel = 3
    image.PhotometricInterpretation = "RGB"
    image.PlanarConfiguration = 0
    image.Rows, image.Columns = pixels.shape[:2]
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelRepresentation = 0
    data = pixels.tobytes()
    image.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))
    check_key_image(image, context, film, findings)
    return image


def _add_capture(image: Dataset) -> None:
    image.ConversionType = "WSD"
    image.DateOfSecondaryCapture = image.ContentDate
    image.TimeOfSecondaryCapture = image.ContentTime
    image.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    image.SecondaryCaptureDeviceManufacturerModelName = MODEL_NAME
    image.SecondaryCaptureDeviceSoftwareVersions = image.SoftwareVersions


def _add_derivation(image: Dataset, header: Dataset, findings: bool) -> None:
    drawn = "findings outlined" if findings else "no findings"
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.DerivationDescription = f"{AI_NOTICE}: display window applied, resampled, annotated, {drawn}"
    image.DerivationCodeSequence = [_RESAMPLING]
    source = Dataset()
    source.ReferencedSOPClassUID = str(header.SOPClassUID)
    source.ReferencedSOPInstanceUID = str(header.SOPInstanceUID)
    source.PurposeOfReferenceCodeSequence = [_SOURCE_IMAGE]
    image.SourceImageSequence = [source]
    image.PatientOrientation = None
    # Both say whether the patient can be recognised. Nothing of that is drawn here, so what holds of the
    # film holds of the picture, and what the film does not say is not claimed.
    copied = ("PatientOrientation", "BodyPartExamined", "BurnedInAnnotation", "RecognizableVisualFeatures")
    copy_elements(header, image, copied)
    if "BodyPartExamined" not in image:
        image.Laterality = None  # type 2C where it is not known whether the body part is paired
    image.LossyImageCompression = "00"
    if _is_lossy(header):
        image.LossyImageCompression = "01"
        copy_elements(header, image, ("LossyImageCompressionRatio", "LossyImageCompressionMethod"))


def _is_lossy(header: Dataset) -> bool:
    if text(header, "LossyImageCompression") == "01":
        return True
    meta = getattr(header, "file_meta", None)
    return meta is not None and meta.get("TransferSyntaxUID") in _LOSSY_SYNTAXES


def _pixel_aspect(header: Dataset) -> float | None:
    ratio = numbers(header, "PixelAspectRatio")
    return ratio[0] / ratio[1] if len(ratio) == 2 and min(ratio) > 0 else None
