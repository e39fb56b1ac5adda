"""A last look at the report of mammograms: breasts, views, lesions and tissue as the reading has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from dicom_io.reading.errors import UnsuitableImage
from dicom_io.reading.mammography.facts import facts_of
from dicom_io.results.asserts import CERTAINTY, children_of, measurement_groups, number_of, walk
from dicom_io.results.cad.codes import MAMMOGRAPHY_VIEW_MODIFIERS, MAMMOGRAPHY_VIEWS, SIDES
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.film_groups import IMAGE_SCORE
from dicom_io.results.mammography_context import BREAST_WORDS, MammographyContext, view_words
from dicom_io.results.mammography_groups import (
    ASYMMETRY,
    BREAST_SCORE,
    EXAM_SCORE,
    TISSUE,
    TISSUE_CLASSES,
    tissue_probability,
)
from dicom_io.results.vocabulary import ascii_text

__all__ = ["check_mammography_report", "mammography_report_problems"]

_LIBRARY, _LIBRARY_GROUP, _SOURCE = "111028", "126200", "260753009"
_LATERALITY, _VIEW, _MODIFIER = "111027", "111031", "111032"
_FINDING_SITE, _SITE_LATERALITY, _SOURCE_IMAGE = "363698007", "272741003", "121112"
_TRACKING_UID = "112040"
_BREAST = "76752008"
_TOLERANCE = 2e-3  # four digits that count, of a hundred at most
_GroupOf = Callable[[str], Dataset]


def check_mammography_report(report: Dataset, context: MammographyContext) -> None:
    """Compare what a report says of breasts and views with the reading it is made from.

    Raises
    ------
    ResultInvalid
        The text lists every problem.
    """
    problems = list(mammography_report_problems(report, context))
    if problems:
        raise ResultInvalid("the report is wrong: " + "; ".join(problems))


def mammography_report_problems(report: Dataset, context: MammographyContext) -> Iterator[str]:
    """Yield what is wrong with a report, in words."""
    yield from _library_problems(report, context)
    yield from _header_problems(context)
    yield from _reporting_system_problems(report)
    said = {str(item.TextValue) for item in walk(report) if item.get("ValueType") == "TEXT"}
    for statement in context.package.statements:
        if ascii_text(statement) not in said:
            yield f"it does not say what its package states: {statement}"
    groups = {
        str(item.UID): group
        for group in measurement_groups(report)
        for item in children_of(group, _TRACKING_UID)
    }

    def group_of(kind: str) -> Dataset:
        return groups.get(context.identity.uid(f"tracking:{kind}")) or Dataset()

    for header in context.headers:
        uid = str(header.SOPInstanceUID)
        view = context.exam.view_of(uid)
        name = "an image" if view is None else view_words(view)
        side = None if view is None else view.laterality
        yield from _site_problems(group_of(f"film:{uid}"), side, name)
        yield from _image_problems(group_of(f"film:{uid}"), [uid], name)
    for reading in context.readings:
        uid = reading.sop_instance_uid
        if not _close(number_of(group_of(f"film:{uid}"), IMAGE_SCORE.value), 100 * reading.case_score):
            yield "the score of an image is not the one of the reading"
    for finding in context.findings:
        name = f"finding {finding.number}"
        yield from _site_problems(
            group_of(f"finding-{finding.number}"), context.view_of(finding).laterality, name
        )
    yield from _lesion_problems(context, group_of)
    yield from _breast_problems(context, group_of)
    yield from _examination_problems(context, group_of("examination"))


def _library_problems(report: Dataset, context: MammographyContext) -> Iterator[str]:
    entries = [
        entry
        for library in children_of(report, _LIBRARY)
        for group in children_of(library, _LIBRARY_GROUP)
        for entry in children_of(group, _SOURCE)
    ]
    stated = [str(entry.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for entry in entries]
    if stated != [str(header.SOPInstanceUID) for header in context.headers]:
        yield "its image library is not the images of the reading"
        return
    for uid, entry in zip(stated, entries, strict=True):
        view = context.exam.view_of(uid)
        shown = children_of(entry, _VIEW)
        found = (
            _values(entry, _LATERALITY),
            _values(entry, _VIEW),
            [value for item in shown for value in _values(item, _MODIFIER)],
        )
        wanted: tuple[list[str], list[str], list[str]] = ([], [], [])
        if view is not None:
            wanted = (
                [SIDES[view.laterality].code],
                [MAMMOGRAPHY_VIEWS[view.view].code],
                [MAMMOGRAPHY_VIEW_MODIFIERS[modifier].code for modifier in view.modifiers],
            )
        if found != wanted:
            yield "its image library states another breast or view than the reading"


def _header_problems(context: MammographyContext) -> Iterator[str]:
    """Yield images that were read as another breast or view than their own headers state."""
    for reading in context.readings:
        view = context.exam.view_of(reading.sop_instance_uid)
        try:
            stated = facts_of(context.header_of(reading.sop_instance_uid)).view
        except UnsuitableImage as error:
            yield f"an image was read whose header does not state breast and view: {error.code}"
            continue
        if view is None or (view.laterality, view.view) != (stated.laterality, stated.view):
            read_as = "no view" if view is None else view_words(view)
            yield f"an image was read as {read_as}, and its header states {view_words(stated)}"


def _reporting_system_problems(report: Dataset) -> Iterator[str]:
    """Yield codes of breast composition and of BI-RADS: nothing that was read is a category of those."""
    composition = codes.cid6000
    refused = {getattr(composition, name).value for name in composition.dir()}
    for item in walk(report):
        for sequence in ("ConceptNameCodeSequence", "ConceptCodeSequence"):
            for code in item.get(sequence) or ():
                if code.get("CodeValue") in refused or code.get("CodingSchemeDesignator") == "BI":
                    yield "it has a code of breast composition or of BI-RADS"


def _lesion_problems(context: MammographyContext, group_of: _GroupOf) -> Iterator[str]:
    by_number = {finding.number: finding for finding in context.findings}
    for lesion in context.exam.groups:
        name, group = f"lesion {lesion.number}", group_of(f"lesion-{lesion.number}")
        parts = [by_number[number] for number in sorted(lesion.findings)]
        yield from _image_problems(group, [part.sop_instance_uid for part in parts], name)
        yield from _site_problems(group, context.view_of(parts[0]).laterality, name)
        if not _close(number_of(group, CERTAINTY), 100 * lesion.probability):
            yield f"the certainty of {name} is not its probability"


def _breast_problems(context: MammographyContext, group_of: _GroupOf) -> Iterator[str]:
    for breast in context.breasts:
        name, group = f"the {BREAST_WORDS[breast.laterality]}", group_of(f"breast-{breast.laterality}")
        yield from _image_problems(group, breast.views, name)
        yield from _site_problems(group, breast.laterality, name)
        if not _close(number_of(group, BREAST_SCORE.value), 100 * breast.score):
            yield f"the score of {name} is not the one of the reading"
        stated = number_of(group, ASYMMETRY.value)
        if not _same(stated, breast.asymmetry):
            yield f"the asymmetry of {name} is not the one of the reading"


def _examination_problems(context: MammographyContext, group: Dataset) -> Iterator[str]:
    highest = max((100 * breast.score for breast in context.breasts), default=None)
    if not _same(number_of(group, EXAM_SCORE.value), highest):
        yield "the score of the examination is not the one of the more suspicious breast"
    density = context.density
    wanted = [] if density is None else [TISSUE_CLASSES[density.label].value]
    if _values(group, TISSUE.value) != wanted:
        yield "the class of the tissue is not the one of the reading"
    for label in TISSUE_CLASSES:
        share = None if density is None else 100 * density.probabilities[label]
        if not _same(number_of(group, tissue_probability(label).value), share):
            yield f"the probability of the tissue {label} is not the one of the reading"


def _site_problems(group: Dataset, laterality: str | None, name: str) -> Iterator[str]:
    sites = children_of(group, _FINDING_SITE)
    sides = [value for site in sites for value in _values(site, _SITE_LATERALITY)]
    wanted = [] if laterality is None else [SIDES[laterality].code]
    if _values(group, _FINDING_SITE) != [_BREAST] or sides != wanted:
        yield f"the site of {name} is not its breast"


def _image_problems(group: Dataset, wanted: Sequence[str], name: str) -> Iterator[str]:
    stated = [
        str(reference.ReferencedSOPInstanceUID)
        for item in children_of(group, _SOURCE_IMAGE)
        for reference in item.ReferencedSOPSequence
    ]
    if stated != list(wanted):
        yield f"the images of {name} are not those of the reading"


def _values(item: Dataset, name: str) -> list[str]:
    return [str(child.ConceptCodeSequence[0].CodeValue) for child in children_of(item, name)]


def _same(stated: float | None, wanted: float | None) -> bool:
    return stated is None if wanted is None else _close(stated, wanted)


def _close(stated: float | None, wanted: float) -> bool:
    return stated is not None and math.isclose(stated, wanted, rel_tol=1e-3, abs_tol=_TOLERANCE)
