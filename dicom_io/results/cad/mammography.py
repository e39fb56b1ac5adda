"""Mammography CAD SR: what a CAD workstation shows of mammograms (PS3.3 A.35.5, PS3.16 TID 4000)."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import MammographyCADSRStorage

from dicom_io.results.cad import codes, items, parts
from dicom_io.results.cad.checks import check_cad_report
from dicom_io.results.cad.codes import dcm
from dicom_io.results.cad.document import begin, detection_run
from dicom_io.results.cad.image_library import ImageLibrary, LibraryView
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_context import FilmContext
from dicom_io.results.mammography_context import (
    BREAST_WORDS,
    MammographyContext,
    exam_problems,
    view_words,
)
from dicom_io.results.vocabulary import AI_NOTICE
from models.mammography_results import DensityReading, LesionGroup, MammographyExam
from models.results import Finding

__all__ = ["encode_mammography_cad_report"]


def encode_mammography_cad_report(
    context: FilmContext, exam: MammographyExam | None = None, *, attempted: bool = True
) -> Dataset:
    """Return the Mammography CAD SR of a reading, with findings, without, or of one that failed.

    Parameters
    ----------
    context : FilmContext
        The reading. The same context and examination give the same data set.
    exam : MammographyExam or None
        The views of its images, and the lesions that were seen on several of them; that of a
        :class:`~dicom_io.results.mammography_context.MammographyContext` where None.
    attempted : bool
        False where the detection was never started, so that nothing failed either.

    Returns
    -------
    Dataset
        Explicit VR Little Endian, with file meta information, ready for
        :func:`dicom_io.results.write.write_object`.

    Raises
    ------
    ResultInvalid
        The examination is not the one of the reading, or the report does not say what the reading says;
        nothing of it must be sent.

    References
    ----------
    PS3.16 TID 4000 to 4006, 4011, 4108, 4015 to 4021, 1204, 1400.
    """
    if exam is None:
        if not isinstance(context, MammographyContext):
            raise ResultInvalid("a CAD report of mammograms needs their examination")
        exam = context.exam
    problems = list(exam_problems(context, exam))
    if problems:
        raise ResultInvalid("; ".join(problems))
    run = detection_run(context, codes.BREAST_DENSITY, attempted=attempted)
    compared = parts.Run(codes.SPATIAL_COLLOCATION, run.succeeded, run.failed)
    library = ImageLibrary(context.headers, lambda header: _view_of(header, exam))
    root = items.container(
        None,
        dcm("111036", "Mammography CAD Report"),
        [  # TID 4000
            parts.language(),  # row 2
            library.content(),  # rows 3, 4
            _overall_impression(context, exam, library),  # row 5
            parts.summary_of_detections(run, context, library),  # rows 6, 7
            parts.summary_of_analyses(  # rows 8, 9
                compared if exam.views_compared and run.succeeded else None, context, library
            ),
        ],
        template="4000",
    )
    report = begin(context, MammographyCADSRStorage)
    report.update(root)
    check_cad_report(report, context, exam)
    return report


def _overall_impression(context: FilmContext, exam: MammographyExam, library: ImageLibrary) -> Dataset:
    """Return TID 4001: one individual impression per lesion, those of several images and the others."""
    by_number = {finding.number: finding for finding in context.findings}
    grouped = {number for group in exam.groups for number in group.findings}
    lesions: list[tuple[int, Dataset]] = [
        (min(group.findings), _composite_feature(context, group, library)) for group in exam.groups
    ]
    lesions += [
        (number, _single_image_finding(context, finding, library, "CONTAINS"))
        for number, finding in by_number.items()
        if number not in grouped
    ]
    return items.code(
        "CONTAINS",
        dcm("111017", "CAD Processing and Findings Summary"),
        parts.findings_code(context),  # row 1
        [
            *_impression(context, exam),  # row 2
            *(_individual(context, lesion) for _, lesion in sorted(lesions, key=lambda one: one[0])),  # row 3
        ],
    )


def _impression(context: FilmContext, exam: MammographyExam) -> Iterator[Dataset]:
    """Yield TID 4002: what the report says in words, which no category of BI-RADS could."""
    words = [AI_NOTICE, "Not for diagnosis"]
    if context.partial:
        words.append("Not every image of the study was read")
    told = (*context.assessment.reasons, *context.statements)
    reasons = dict.fromkeys(failure.reason for failure in context.failures)
    words += [f"Not read: {reason}" for reason in reasons if not any(reason in one for one in told)]
    if not context.findings and context.readings:
        words.append("No finding at or above the operating point; this does not exclude disease")
    density = exam.density
    if isinstance(context, MammographyContext):
        words += _breast_words(context)
        density = density if context.density is None else _density_words(context.density)
    if density:
        words.append(f"Breast density in the words of the algorithm, not BI-RADS: {density}")
    words += [*told, *context.package.statements]
    sentences = ". ".join(word.strip().rstrip(".") for word in words if word.strip())
    yield items.text("HAS PROPERTIES", dcm("111033", "Impression Description"), f"{sentences}.")  # row 5
    yield from parts.algorithm("HAS PROPERTIES", context)  # row 11


def _breast_words(context: MammographyContext) -> Iterator[str]:
    """Yield what TID 4000 has no rows for: which views were read, and the score of each breast."""
    views = ", ".join(view_words(view) for view in context.views_read())
    if views:
        yield f"Views read: {views}"
    if context.views_missing:
        yield f"Views not read: {', '.join(context.views_missing)}"
    for breast in context.breasts:
        yield f"Score of the {BREAST_WORDS[breast.laterality]}: {100 * breast.score:.0f} %"


def _density_words(density: DensityReading) -> str:
    shares = ", ".join(f"{label} {100 * share:.0f} %" for label, share in density.probabilities.items())
    return f"{density.label} ({shares})"


def _individual(context: FilmContext, lesion: Dataset) -> Dataset:
    """Return TID 4003 with one lesion."""
    name = dcm("111034", "Individual Impression/Recommendation")
    return items.container(
        "INFERRED FROM", name, [parts.rendering_intent(context), lesion]
    )  # rows 1, 2, 4, 5


def _composite_feature(context: FilmContext, group: LesionGroup, library: ImageLibrary) -> Dataset:
    """Return TID 4004 and TID 4005: findings of several images that are one mass."""
    by_number = {finding.number: finding for finding in context.findings}
    targets = [
        _single_image_finding(context, by_number[number], library, "INFERRED FROM")
        for number in sorted(group.findings)
    ]
    certainty = dcm("111011", "Certainty of Feature")
    below = [
        parts.rendering_intent(context),  # row 2
        *parts.tracking(context, f"Lesion {group.number}", f"lesion-{group.number}"),
        items.code("HAS PROPERTIES", dcm("111016", "Composite type"), codes.RELATED_SPATIALLY),
        items.code("HAS PROPERTIES", dcm("111057", "Scope of Feature"), codes.ON_MULTIPLE_IMAGES),
        *parts.algorithm("HAS PROPERTIES", context),
        items.number("HAS PROPERTIES", certainty, 100 * group.probability, codes.PERCENT),
        *targets,
    ]
    return items.code("CONTAINS", dcm("111015", "Composite Feature"), codes.BREAST_MASS, below)  # row 1


def _single_image_finding(
    context: FilmContext, finding: Finding, library: ImageLibrary, relationship: items.Relationship
) -> Dataset:
    """Return TID 4006: a density, as CID 6014 has no mass on a single image."""
    header = context.header_of(finding.sop_instance_uid)
    words = f"{context.package.finding.meaning} {finding.number}"
    below = [
        parts.rendering_intent(context),  # row 2
        *parts.tracking(context, words, f"finding-{finding.number}"),  # row 4
        *parts.algorithm("HAS PROPERTIES", context),  # row 5
        parts.certainty(finding),  # row 6
        *parts.geometry(finding, header, library),  # row 8
        *parts.sizes(finding, header, library),  # row 14: TID 4011
    ]
    return items.code(relationship, dcm("111059", "Single Image Finding"), codes.BREAST_DENSITY, below)


def _view_of(header: Dataset, exam: MammographyExam) -> LibraryView:
    view = exam.view_of(str(header.SOPInstanceUID))
    if view is None:
        return LibraryView()
    modifiers = tuple(codes.MAMMOGRAPHY_VIEW_MODIFIERS[modifier] for modifier in view.modifiers)
    return LibraryView(codes.BREASTS[view.laterality], codes.MAMMOGRAPHY_VIEWS[view.view], modifiers)
