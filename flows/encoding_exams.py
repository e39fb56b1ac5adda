"""Readings of mammography examinations become result objects in files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from pydicom.dataset import Dataset

from dicom_io.reading import read_header
from dicom_io.results import (
    EncodedObject,
    MammographyContext,
    PriorMammogram,
    encode_mammography_finding_image,
    encode_mammography_overview,
    encode_prior_comparison,
    encode_structured_report,
)
from dicom_io.results.cad import encode_mammography_cad_report
from flows import encoding
from flows.reading.exam_checks import view_stated
from flows.reading.mammograms import ExamReading, PreparedExam
from flows.reading.persons import with_one_issuer
from flows.reading.study import NotRead
from models.mammography_results import MammographyExam
from models.results import Assessment

__all__ = ["encode_exam", "encode_exam_refusal"]


def encode_exam(
    basis: encoding.Basis,
    prepared: PreparedExam,
    reading: ExamReading,
    assessment: Assessment,
    prior: Sequence[PriorMammogram] = (),
) -> tuple[EncodedObject, ...]:
    """Write the objects of a reading of mammograms: report, key images, and what else the options ask for.

    The first key image shows all images as they hang with all marks, the second one each view beside the
    earlier image of it where there is one, the others one finding each, by falling score. The same arguments
    give the same bytes.

    Parameters
    ----------
    basis : Basis
        Of the job.
    prepared : PreparedExam
        The images.
    reading : ExamReading
        What was read of them.
    assessment : Assessment
        How far it can be trusted.
    prior : sequence of PriorMammogram
        Earlier images of the same breasts and views, to be shown beside these.
    """
    read = [read_header(film.source.path) for film in prepared.films]
    failures, unread = encoding.failures_of(prepared.unread_films, str(read[0].StudyInstanceUID))
    prior = prior if basis.options.key_images else ()
    failed = {failure.sop_instance_uid for failure in failures}
    views = (view for view in prepared.unread_views if view.sop_instance_uid in failed)
    context = MammographyContext(
        headers=tuple(with_one_issuer([*read, *unread])),
        findings=reading.findings,
        readings=reading.reading.images,
        failures=failures,
        assessment=assessment,
        partial=prepared.partial,
        statements=(*prepared.statements, *_of_prior(reading, prior)),
        exam=replace(reading.exam, views=(*reading.exam.views, *views)),
        breasts=reading.reading.breasts,
        density=reading.reading.density,
        **basis.common,
    )
    return basis.write(_objects(context, prepared, reading, prior, basis))


def encode_exam_refusal(basis: encoding.Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
    """Write the report of an examination of which no image could be read.

    Nothing is written where the study has no image of the kind that the package reads.
    """
    failures, headers = encoding.failures_of(not_read)
    if not failures:
        return ()
    views = tuple(view for header in headers if (view := view_stated(header)) is not None)
    context = MammographyContext(
        **encoding.refusal(failures, headers), exam=MammographyExam(views), **basis.common
    )
    return basis.write(_with_report(context, _cad_report(context, basis, attempted=False)))


def _with_report(
    context: MammographyContext, extras: Iterable[encoding.Extra]
) -> Iterator[tuple[str, Dataset]]:
    others, missing = encoding.on_request(extras)
    if missing:
        context = replace(context, statements=(*context.statements, *missing))
    yield "structured-report", encode_structured_report(context)
    yield from others


def _of_prior(reading: ExamReading, prior: Sequence[PriorMammogram]) -> list[str]:
    if reading.prior is None or not prior:
        return []
    views = ", ".join(sorted(f"{one.view.laterality} {one.view.view}" for one in prior))
    said = [
        f"Images of an earlier examination of {reading.prior.record.acquired_at:%Y-%m-%d} are shown beside "
        f"these ({views}); the reading does not use them",
        *reading.prior.doubts,
    ]
    if reading.prior.left_out:
        said.append(
            f"Of the earlier examination are not shown, as they cannot be read: "
            f"{', '.join(reading.prior.left_out)}"
        )
    return said


def _objects(
    context: MammographyContext,
    prepared: PreparedExam,
    reading: ExamReading,
    prior: Sequence[PriorMammogram],
    basis: encoding.Basis,
) -> Iterator[tuple[str, Dataset]]:
    yield from _with_report(context, (*_cad_report(context, basis), *encoding.film_extras(context, basis)))
    if not basis.options.key_images:
        return
    anatomy = reading.reading.anatomy
    mammograms = {film.source.sop_instance_uid: film.load(mapped=True) for film in prepared.films}
    yield "key-image-1", encode_mammography_overview(context, list(mammograms.values()), anatomy=anatomy)
    number = 2
    if prior:
        beside = encode_prior_comparison(context, list(mammograms.values()), prior, number, anatomy=anatomy)
        if beside is not None:
            yield f"key-image-{number}", beside
            number += 1
    ranked = sorted(context.findings, key=lambda finding: finding.number)
    for position, finding in enumerate(ranked[: basis.options.key_images], start=number):
        mammogram = mammograms[finding.sop_instance_uid]
        yield (
            f"key-image-{position}",
            encode_mammography_finding_image(
                context, mammogram, finding, position, anatomy=anatomy, priors=prior
            ),
        )


def _cad_report(
    context: MammographyContext, basis: encoding.Basis, *, attempted: bool = True
) -> Iterator[encoding.Extra]:
    if basis.options.cad_report:
        of_cad = replace(context, predecessor=basis.predecessors.get("cad-report"))
        encode = partial(encode_mammography_cad_report, of_cad, context.exam, attempted=attempted)
        yield "cad-report", "CAD report", encode
