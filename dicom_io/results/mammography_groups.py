"""Measurement groups of an examination of the breasts: each breast, lesions of several views, the whole.

All are of TID 1501. A lesion that is seen on two views keeps one group of TID 1410 per view: the marks are
two regions on two projections, of unlike size and score, and segments and CAD findings point at each by its
tracking unique identifier. What is tracked as one thing is the lesion: it has a group of its own, which
refers to both images, and the tracking unique identifier of the composite feature in the CAD report.
"""

from __future__ import annotations

from highdicom.sr import CodedConcept, MeasurementsAndQualitativeEvaluations, QualitativeEvaluation
from pydicom.sr.codedict import codes

from dicom_io.results.film_groups import breast_site, source_film
from dicom_io.results.mammography_context import BREAST_WORDS, MammographyContext, view_words
from dicom_io.results.measurement_groups import (
    add_comment,
    algorithm,
    measurement,
    summary_code,
    tracking,
)
from dicom_io.results.vocabulary import AI_NOTICE, concept, own
from models.mammography_results import BreastReading, DensityReading, LesionGroup, MammographyView

__all__ = [
    "ASYMMETRY",
    "BREAST_SCORE",
    "EXAM_SCORE",
    "TISSUE",
    "TISSUE_CLASSES",
    "breast_group",
    "examination_group",
    "lesion_group",
    "mammography_group_count",
    "mammography_groups",
    "tissue_probability",
]

BREAST_SCORE = own("breast-score", "Score that the breast is abnormal as the package means it")
ASYMMETRY = own("breast-asymmetry", "Excess of conspicuity over the other breast")
EXAM_SCORE = own("exam-score", "Score of the more suspicious breast")
TISSUE = own("tissue-class", "Background tissue in the classes of mini-MIAS")
TISSUE_CLASSES: dict[str, CodedConcept] = {
    "fatty": own("tissue-f", "fatty"),
    "fatty-glandular": own("tissue-g", "fatty-glandular"),
    "dense-glandular": own("tissue-d", "dense-glandular"),
}
"""Concepts of the own scheme: no code of CID 6000 says the same, as the classes are no BI-RADS categories."""


def mammography_groups(context: MammographyContext) -> list[MeasurementsAndQualitativeEvaluations]:
    """Return the groups of lesions, breasts and the examination, in this order."""
    return [
        *(lesion_group(context, lesion) for lesion in context.exam.groups),
        *(breast_group(context, breast) for breast in context.breasts),
        examination_group(context),
    ]


def mammography_group_count(context: MammographyContext) -> int:
    """Return how many groups a report has of lesions, breasts and the examination."""
    return len(context.exam.groups) + len(context.breasts) + 1


def lesion_group(context: MammographyContext, lesion: LesionGroup) -> MeasurementsAndQualitativeEvaluations:
    """Return what is known of findings of several images that are taken for one lesion."""
    found = {finding.number: finding for finding in context.findings}
    parts = [found[number] for number in sorted(lesion.findings)]
    package = context.package.finding
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, f"Lesion {lesion.number}", f"lesion-{lesion.number}"),
        finding_type=concept(package.code, package.scheme, package.meaning),
        algorithm_id=algorithm(context),
        finding_sites=[breast_site(context.view_of(parts[0]).laterality)],
        measurements=[
            measurement(codes.DCM.CertaintyOfFinding, 100 * lesion.probability, codes.UCUM.Percent)
        ],
        source_images=[source_film(context.header_of(part.sop_instance_uid)) for part in parts],
    )
    seen = ", ".join(f"finding {part.number} on {view_words(context.view_of(part))}" for part in parts)
    add_comment(group, f"{AI_NOTICE}. Taken for one lesion: {seen}.")
    return group


def breast_group(context: MammographyContext, breast: BreastReading) -> MeasurementsAndQualitativeEvaluations:
    """Return what the views of one breast say together."""
    name = BREAST_WORDS[breast.laterality].capitalize()
    found = [one for one in context.findings if one.sop_instance_uid in breast.views]
    measurements = [measurement(BREAST_SCORE, 100 * breast.score, codes.UCUM.Percent)]
    if breast.asymmetry is not None:
        measurements.append(measurement(ASYMMETRY, breast.asymmetry, codes.UCUM.NoUnits))
    failed = [view for view in _failed_views(context) if view.laterality == breast.laterality]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, name, f"breast-{breast.laterality}"),
        finding_type=summary_code(findings=bool(found), partial=bool(failed)),
        algorithm_id=algorithm(context),
        finding_sites=[breast_site(breast.laterality)],
        measurements=measurements,
        source_images=[source_film(context.header_of(uid)) for uid in breast.views],
    )
    views = [view_words(view) for view in context.views_read(breast.laterality)]
    add_comment(group, f"{AI_NOTICE}. {name}, views read: {', '.join(views)}.")
    if failed:
        add_comment(group, f"Not read: {', '.join(view_words(view) for view in failed)}.")
    return group


def examination_group(context: MammographyContext) -> MeasurementsAndQualitativeEvaluations:
    """Return what is said of both breasts: score, class of the tissue, which views there were."""
    measurements = []
    if context.breasts:
        highest = max(breast.score for breast in context.breasts)
        measurements.append(measurement(EXAM_SCORE, 100 * highest, codes.UCUM.Percent))
    evaluations = []
    if context.density is not None:
        evaluations.append(QualitativeEvaluation(TISSUE, TISSUE_CLASSES[context.density.label]))
        measurements += [
            measurement(tissue_probability(label), 100 * share, codes.UCUM.Percent)
            for label, share in context.density.probabilities.items()
        ]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking(context, "Examination", "examination"),
        finding_type=summary_code(
            findings=context.has_findings, partial=context.partial, failed=not context.readings
        ),
        algorithm_id=algorithm(context),
        finding_sites=[breast_site(None)],
        measurements=measurements or None,
        qualitative_evaluations=evaluations or None,
    )
    read = ", ".join(view_words(view) for view in context.views_read()) or "none"
    missing = (
        f" Views that were not read: {', '.join(context.views_missing)}." if context.views_missing else ""
    )
    add_comment(group, f"{AI_NOTICE}. Views read: {read}.{missing}")
    if context.density is not None:
        add_comment(group, _density_words(context.density))
    return group


def tissue_probability(label: str) -> CodedConcept:
    """Return the name of the probability of a class of tissue."""
    return own(f"p-{TISSUE_CLASSES[label].value}", f"Probability of tissue: {label}")


def _density_words(density: DensityReading) -> str:
    shares = ", ".join(f"{label} {100 * share:.0f} %" for label, share in density.probabilities.items())
    return (
        f"Background tissue in the words of the mini-MIAS data set: {density.label} ({shares}). These "
        "classes are no categories of breast composition of any reporting system."
    )


def _failed_views(context: MammographyContext) -> list[MammographyView]:
    views = (context.exam.view_of(failure.sop_instance_uid) for failure in context.failures)
    return [view for view in views if view is not None]
