"""Key images of mammography examinations as Secondary Capture objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dicom_io.reading.attributes import acquired_at, patient_of
from dicom_io.reading.mammography.possible import possible_views
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.mammography_context import MammographyContext
from dicom_io.results.pictures.hanging import HungMammogram
from dicom_io.results.pictures.mammography_pictures import (
    Pair,
    render_comparison,
    render_mammography,
    render_mammography_finding,
)
from dicom_io.results.pictures.mammography_words import basis_lines, exam_lines, interval_words, numbered_line
from dicom_io.results.secondary_capture import capture, title_of, what_is_drawn
from models.mammogram import Mammogram
from models.mammography_results import BreastAnatomy, MammographyView
from models.results import Finding

__all__ = [
    "PriorMammogram",
    "encode_mammography_finding_image",
    "encode_mammography_overview",
    "encode_prior_comparison",
]


@dataclass(frozen=True, slots=True, eq=False)
class PriorMammogram:
    """A mammogram of an earlier study of the same patient.

    Parameters
    ----------
    mammogram : Mammogram
        As displayed.
    header : Dataset
        Of the image, without pixels.
    anatomy : BreastAnatomy or None
        Where the chest wall lies; found in the pixels where None.
    findings : tuple of Finding
        Those of a reading of its own that is kept; none are drawn otherwise.
    """

    mammogram: Mammogram
    header: Dataset
    anatomy: BreastAnatomy | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        uid = self.mammogram.sop_instance_uid
        if str(self.header.SOPInstanceUID) != uid:
            raise ValueError("image and header of a prior must be of one instance")
        if any(finding.sop_instance_uid != uid for finding in self.findings):
            raise ValueError("the findings of a prior lie on it")

    @property
    def view(self) -> MammographyView:
        """Which breast it shows, and how."""
        return self.mammogram.view


def encode_mammography_overview(
    context: MammographyContext,
    mammograms: Sequence[Mammogram],
    number: int = 1,
    *,
    anatomy: Sequence[BreastAnatomy] = (),
) -> Dataset:
    """Return the overview of an examination: its views as they hang, with all findings.

    Parameters
    ----------
    context : MammographyContext
        The reading.
    mammograms : sequence of Mammogram
        All that were read.
    number : int
        Number among the key images of the reading, from 1.
    anatomy : sequence of BreastAnatomy
        Where the chest walls lie; found in the pixels of images that have none.

    Returns
    -------
    Dataset
        Uncompressed RGB that every viewer shows, with file meta information.

    Raises
    ------
    ResultInvalid
        An image was not read, or a finding is on none of the images.
    """
    shown = {mammogram.sop_instance_uid for mammogram in mammograms}
    if not mammograms or any(finding.sop_instance_uid not in shown for finding in context.findings):
        raise ResultInvalid("the overview does not show every image with findings")
    headers = [_header(context, mammogram) for mammogram in mammograms]
    pixels = render_mammography(
        [_hung(context, mammogram, anatomy) for mammogram in mammograms],
        exam_lines(context),
        title_of(context),
        scores={reading.sop_instance_uid: reading.case_score for reading in context.readings},
        not_read=_views_not_read(context),
    )
    image = capture(context, headers, pixels, number, what_is_drawn(context))
    return _of_breasts(image, [mammogram.view for mammogram in mammograms])


def encode_mammography_finding_image(
    context: MammographyContext,
    mammogram: Mammogram,
    finding: Finding,
    number: int,
    *,
    anatomy: Sequence[BreastAnatomy] = (),
    priors: Sequence[PriorMammogram] = (),
) -> Dataset:
    """Return the key image of one finding: its view, the part around it, and the same view of before.

    Parameters
    ----------
    context, mammogram, finding, number, anatomy
        As for :func:`encode_mammography_overview`; the image that carries the finding.
    priors : sequence of PriorMammogram
        Earlier images of the patient. The latest one of the same breast and view is shown.

    Raises
    ------
    ResultInvalid
        The finding is none of the image, or a prior is none of this patient or not of an earlier study.
    """
    header = _header(context, mammogram)
    if finding not in context.findings or finding.sop_instance_uid != mammogram.sop_instance_uid:
        raise ResultInvalid(f"finding {finding.number} is none of this image")
    hung = _hung(context, mammogram, anatomy)
    chosen = _latest(context, mammogram, header, priors)
    pixels = render_mammography_finding(
        hung,
        finding,
        [numbered_line(context, finding), *basis_lines(context)],
        title_of(context),
        pair=None if chosen is None else _pair(hung, header, chosen),
    )
    shown = [] if chosen is None else [chosen]
    return _compared(
        context, [header], shown, pixels=pixels, number=number, drawn=f"finding {finding.number} outlined"
    )


def encode_prior_comparison(
    context: MammographyContext,
    mammograms: Sequence[Mammogram],
    priors: Sequence[PriorMammogram],
    number: int,
    *,
    anatomy: Sequence[BreastAnatomy] = (),
) -> Dataset | None:
    """Return every view beside the latest earlier image of the same view; None where there is none.

    Raises
    ------
    ResultInvalid
        An image was not read, or a prior is none of this patient or not of an earlier study.
    """
    pairs, headers, shown = [], [], []
    ranked = {reading.sop_instance_uid: -reading.case_score for reading in context.readings}
    seen: set[tuple[str, str]] = set()
    for mammogram in sorted(mammograms, key=lambda one: ranked.get(one.sop_instance_uid, 0.0)):
        header = _header(context, mammogram)
        chosen = _latest(context, mammogram, header, priors)
        key = (mammogram.laterality, mammogram.view.view)
        if key in seen:
            continue
        seen.add(key)
        pairs.append(_pair(_hung(context, mammogram, anatomy), header, chosen))
        headers.append(header)
        if chosen is not None:
            shown.append(chosen)
    if not shown:
        return None
    pixels = render_comparison(pairs, exam_lines(context), title_of(context))
    return _compared(context, headers, shown, pixels=pixels, number=number, drawn=what_is_drawn(context))


def _header(context: MammographyContext, mammogram: Mammogram) -> Dataset:
    uid = mammogram.sop_instance_uid
    if uid not in {reading.sop_instance_uid for reading in context.readings}:
        raise ResultInvalid("a key image shows an image that was not read")
    if context.exam.view_of(uid) != mammogram.view:
        raise ResultInvalid("a key image shows an image as another view than the reading")
    return context.header_of(uid)


def _hung(
    context: MammographyContext, mammogram: Mammogram, anatomy: Sequence[BreastAnatomy]
) -> HungMammogram:
    uid = mammogram.sop_instance_uid
    return HungMammogram.of(
        mammogram,
        context.findings_on(uid),
        header=context.header_of(uid),
        chest_wall=next((one.chest_wall for one in anatomy if one.sop_instance_uid == uid), None),
    )


def _views_not_read(context: MammographyContext) -> list[str]:
    """Return the views that may be among the images that failed: of what a header leaves open, each.

    An image whose header contradicts itself has no view of the examination, and is there all the same.
    """
    found: dict[str, None] = {}
    for failure in context.failures:
        view = context.exam.view_of(failure.sop_instance_uid)
        header = context.header_of(failure.sop_instance_uid)
        places = possible_views(header) if view is None else ((view.laterality, view.view),)
        found |= dict.fromkeys(f"{side} {name}" for side, name in places)
    return list(found)


def _latest(
    context: MammographyContext, mammogram: Mammogram, header: Dataset, priors: Sequence[PriorMammogram]
) -> PriorMammogram | None:
    """Return the latest prior of the same breast and view, those with the same modifiers first."""
    for prior in priors:
        if patient_of(prior.header) != patient_of(header):
            raise ResultInvalid("a prior is of another patient")
        if str(prior.header.StudyInstanceUID) == str(header.StudyInstanceUID):
            raise ResultInvalid("a prior is of the same study")
        made, now = acquired_at(prior.header), acquired_at(header)
        if made is not None and now is not None and made > now:
            raise ResultInvalid("a prior is later than the study")
    key = (mammogram.laterality, mammogram.view.view)
    same = [prior for prior in priors if (prior.view.laterality, prior.view.view) == key]
    alike = [prior for prior in same if prior.view.modifiers == mammogram.view.modifiers]
    return max(alike or same, key=_age_key, default=None)


def _age_key(prior: PriorMammogram) -> tuple[str, str]:
    made = acquired_at(prior.header)
    return ("" if made is None else made.isoformat(), prior.mammogram.sop_instance_uid)


def _pair(hung: HungMammogram, header: Dataset, prior: PriorMammogram | None) -> Pair:
    if prior is None:
        return Pair(hung, None)
    turned = HungMammogram.of(
        prior.mammogram,
        prior.findings,
        header=prior.header,
        chest_wall=None if prior.anatomy is None else prior.anatomy.chest_wall,
    )
    return Pair(hung, turned, interval_words(acquired_at(prior.header), acquired_at(header)))


def _compared(
    context: MammographyContext,
    headers: Sequence[Dataset],
    priors: Sequence[PriorMammogram],
    *,
    pixels: NDArray[np.uint8],
    number: int,
    drawn: str,
) -> Dataset:
    image = capture(context, [*headers, *(prior.header for prior in priors)], pixels, number, drawn)
    views = [context.exam.view_of(str(header.SOPInstanceUID)) for header in headers]
    if priors:
        image.DerivationDescription = f"{image.DerivationDescription}, with earlier images of the same views"
        _add_references(image, headers, priors)
    return _of_breasts(image, [view for view in views if view is not None])


def _add_references(image: Dataset, headers: Sequence[Dataset], priors: Sequence[PriorMammogram]) -> None:
    """Say in which studies the images lie that are shown (PS3.3 C.12.2)."""
    image.ReferencedSeriesSequence = _series_of(headers)
    by_study: dict[str, list[Dataset]] = {}
    for prior in priors:
        by_study.setdefault(str(prior.header.StudyInstanceUID), []).append(prior.header)
    studies = []
    for uid, earlier in by_study.items():
        item = Dataset()
        item.StudyInstanceUID = uid
        item.ReferencedSeriesSequence = _series_of(earlier)
        studies.append(item)
    image.StudiesContainingOtherReferencedInstancesSequence = studies


def _series_of(headers: Sequence[Dataset]) -> list[Dataset]:
    by_series: dict[str, list[Dataset]] = {}
    for header in headers:
        reference = Dataset()
        reference.ReferencedSOPClassUID = str(header.SOPClassUID)
        reference.ReferencedSOPInstanceUID = str(header.SOPInstanceUID)
        by_series.setdefault(str(header.SeriesInstanceUID), []).append(reference)
    series = []
    for uid, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = references
        series.append(item)
    return series


def _of_breasts(image: Dataset, views: Sequence[MammographyView]) -> Dataset:
    """State the breasts that are shown; the orientation is that of the picture and not of a source."""
    sides = {view.laterality for view in views}
    image.PatientOrientation = None
    image.ImageLaterality = "B" if len(sides) > 1 else next(iter(sides))
    if "Laterality" in image:
        del image.Laterality
    image.BodyPartExamined = "BREAST"
    return image
