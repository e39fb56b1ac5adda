"""Readings become result objects in files: of films, of volumes, and of studies that could not be read."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from highdicom import Volume
from pydicom.dataset import Dataset

from dicom_io.reading import UnsuitableImage, read_header
from dicom_io.reading.attributes import numbers
from dicom_io.reading.attributes import uid as uid_of
from dicom_io.results import (
    EncodedObject,
    FilmContext,
    PackageIdentity,
    Predecessor,
    ResultIdentity,
    ResultInvalid,
    VolumeContext,
    encode_finding_image,
    encode_overview,
    encode_presentation_state,
    encode_structured_report,
    encode_volume_finding_image,
    encode_volume_overview,
    write_object,
)
from dicom_io.results.cad import CHEST_FINDINGS, encode_chest_cad_report
from dicom_io.results.segmentation import encode_film_segmentation, encode_segmentation
from flows.reading.films import Prepared, PreparedFilm, findings_of
from flows.reading.persons import with_one_issuer
from flows.reading.study import NotRead
from flows.routing.rules import ReadingOptions
from models.results import Assessment, FilmReading, ImageFailure
from models.volume_results import VolumeReading

__all__ = [
    "Basis",
    "Extra",
    "configuration_hash",
    "encode_films",
    "encode_refusal",
    "encode_volume",
    "failures_of",
    "film_extras",
    "on_request",
    "refusal",
]

_LOG = logging.getLogger(__name__)

Extra = tuple[str, str, Callable[[], Dataset]]
"""Kind of an object that an option adds, its name in words, and what encodes it."""

_FILES = {"structured-report": "report"}
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


def configuration_hash(serial: str, options: ReadingOptions) -> str:
    """Digest what shapes the objects beside input and package: installation, software, options.

    The libraries that encode count too: a new version of one may write other bytes.
    """
    libraries = {name: version(name) for name in ("highdicom", "numpy", "pillow", "pydicom", "simpleitk")}
    software = {"secondread": version("secondread"), **libraries}
    effective = {"serial": serial, "software": software, **options.effective}
    return hashlib.sha256(json.dumps(effective, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Basis:
    """What all objects of one job rest on beside the reading itself.

    Parameters
    ----------
    package : PackageIdentity
        Who read.
    identity : ResultIdentity
        What the UIDs follow from.
    content_time : datetime.datetime
        When it was first read, with the zone of the site.
    options : ReadingOptions
        Which objects are wanted, and how.
    folder : pathlib.Path
        Where the files go; made where it is not there.
    predecessors : mapping of str to Predecessor
        What the documents of this reading replace, by kind.
    """

    package: PackageIdentity
    identity: ResultIdentity
    content_time: datetime
    options: ReadingOptions
    folder: Path
    predecessors: Mapping[str, Predecessor] = field(default_factory=dict)

    @property
    def common(self) -> dict[str, Any]:
        """What every context takes from here."""
        return {
            "package": self.package,
            "identity": self.identity,
            "content_time": self.content_time,
            "predecessor": self.predecessors.get("structured-report"),
        }

    def write(self, objects: Iterator[tuple[str, Dataset]]) -> tuple[EncodedObject, ...]:
        """Write objects as they come, each durably, under the name of its kind."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tuple(
            write_object(dataset, self.folder / f"{_FILES.get(kind, kind)}.dcm", kind)
            for kind, dataset in objects
        )


def encode_films(
    basis: Basis, prepared: Prepared, readings: Sequence[FilmReading], assessment: Assessment
) -> tuple[EncodedObject, ...]:
    """Write the objects of a reading of films: report, key images, and what else the options ask for.

    The first key image is the overview of the films with findings, or of all films where there is none;
    the others show one finding each, by falling score. The same arguments give the same bytes.
    """
    read = [read_header(film.source.path) for film in prepared.films]
    failures, unread = failures_of(prepared.unread_films, str(read[0].StudyInstanceUID))
    context = FilmContext(
        headers=tuple(with_one_issuer([*read, *unread])),
        findings=findings_of(prepared.films, readings),
        readings=tuple(readings),
        failures=failures,
        assessment=assessment,
        partial=prepared.partial,
        statements=prepared.statements,
        **basis.common,
    )
    return basis.write(_film_objects(context, prepared.films, basis))


def encode_refusal(basis: Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
    """Write the report of a study of which no image could be read: silence is not a negative reading.

    Nothing is written where the study has no image of the kind that the package reads.
    """
    failures, headers = failures_of(not_read)
    if not failures:
        return ()
    context = FilmContext(**refusal(failures, headers), **basis.common)
    return basis.write(
        _film_objects(context, (), replace(basis, options=basis.options.model_copy(update={"key_images": 0})))
    )


def refusal(failures: Sequence[ImageFailure], headers: Sequence[Dataset]) -> dict[str, Any]:
    """Return what every context of a study says of which nothing was read."""
    reasons = dict.fromkeys(failure.reason for failure in failures)
    return {
        "headers": tuple(with_one_issuer(headers)),
        "failures": tuple(failures),
        "assessment": Assessment("reject", reasons=tuple(f"Not read: {reason}" for reason in reasons)),
        "partial": True,
        "statements": ("The algorithm did not read this study.",),
    }


def encode_volume(
    basis: Basis,
    headers: Sequence[Dataset],
    reading: VolumeReading,
    image: Volume,
    assessment: Assessment,
    *,
    partial: bool = False,
    statements: Sequence[str] = (),
) -> tuple[EncodedObject, ...]:
    """Write the objects of a reading of a volume: segmentation, report, key images.

    Parameters
    ----------
    basis : Basis
        Of the job.
    headers : sequence of Dataset
        Of every image that was read, without pixels; the segmented series among them.
    reading : VolumeReading
        What was found.
    image : highdicom.Volume
        ``(z, y, x)``, the segmented series on the grid of the reading, for the key images.
    assessment : Assessment
        How far it can be trusted.
    partial : bool
        Whether not everything of the study could be read.
    statements : sequence of str
        More that the report says in words.
    """
    context = VolumeContext(
        headers=tuple(with_one_issuer(headers)),
        reading=reading,
        assessment=assessment,
        partial=partial,
        statements=tuple(statements),
        **basis.common,
    )
    return basis.write(_volume_objects(context, image, basis.options))


def _film_objects(
    context: FilmContext, films: Sequence[PreparedFilm], basis: Basis
) -> Iterator[tuple[str, Dataset]]:
    options = basis.options
    others, missing = on_request((*_cad_report(context, basis), *film_extras(context, basis)))
    if missing:
        context = replace(context, statements=(*context.statements, *missing))
    yield "structured-report", encode_structured_report(context)
    yield from others
    by_uid = {film.source.sop_instance_uid: film for film in films}
    ranked = sorted(context.findings, key=lambda finding: finding.number)
    if options.key_images:
        shown = dict.fromkeys(finding.sop_instance_uid for finding in ranked) or dict.fromkeys(by_uid)
        yield "key-image-1", encode_overview(context, [by_uid[uid].load() for uid in shown])
    for number, finding in enumerate(ranked[: options.key_images], start=2):
        film = by_uid[finding.sop_instance_uid].load()
        yield f"key-image-{number}", encode_finding_image(context, film, finding, number)


def on_request(extras: Iterable[Extra]) -> tuple[list[tuple[str, Dataset]], list[str]]:
    """Return the objects that the options add, and what the report says of those that failed.

    They are extras: one that cannot be made of a source with odd attributes must not cost the report.
    """
    made: list[tuple[str, Dataset]] = []
    missing: list[str] = []
    for kind, name, encode in extras:
        try:
            made.append((kind, encode()))
        except (ResultInvalid, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            _LOG.error("%s could not be written: %s", kind, type(error).__name__)
            missing.append(f"The {name} could not be written for this source")
    return made, missing


def _cad_report(context: FilmContext, basis: Basis) -> Iterator[Extra]:
    options, finding = basis.options, context.package.finding
    if options.cad_report and (finding.code, finding.scheme) not in CHEST_FINDINGS:
        _LOG.warning("package %s has no form of CAD report: none is written", context.package.name)
    elif options.cad_report:
        of_cad = replace(context, predecessor=basis.predecessors.get("cad-report"))
        yield "cad-report", "CAD report", partial(encode_chest_cad_report, of_cad)


def film_extras(context: FilmContext, basis: Basis) -> Iterator[Extra]:
    """Yield what the options add for each film with findings: boxes as a segmentation, presentation state."""
    options = basis.options
    ranked = sorted(context.findings, key=lambda one: one.number)
    for number, uid in enumerate(dict.fromkeys(one.sop_instance_uid for one in ranked), start=1):
        if options.film_segmentations:
            encode = partial(encode_film_segmentation, context, uid)
            yield f"segmentation-{number}", "segmentation of the boxes", encode
        if options.presentation_states:
            show = partial(encode_presentation_state, context, context.header_of(uid), number)
            yield f"presentation-state-{number}", "presentation state", show


def _volume_objects(
    context: VolumeContext, image: Volume, options: ReadingOptions
) -> Iterator[tuple[str, Dataset]]:
    segmentation = encode_segmentation(
        context, kind=options.segmentation, omit_empty_frames=options.omit_empty_frames
    )
    yield "segmentation", segmentation
    pointed_at = segmentation if context.has_findings else None
    report = encode_structured_report(context, pointed_at, point_at_segments=options.point_at_segments)
    yield "structured-report", report
    if options.key_images:
        yield "key-image-1", encode_volume_overview(context, image)
    findings = sorted(context.reading.findings, key=lambda one: (-(one.probability or 0), one.number))
    for number, finding in enumerate(findings[: options.key_images], start=2):
        dataset = encode_volume_finding_image(context, image, finding, number)
        yield f"key-image-{number}", dataset


def failures_of(
    not_read: Sequence[NotRead], study_instance_uid: str | None = None
) -> tuple[tuple[ImageFailure, ...], list[Dataset]]:
    """Return what should have been read and was not, as far as a report can refer to it.

    An image that has no UIDs, or no size, has no place in the image library: the statements speak of it.
    """
    failures: list[ImageFailure] = []
    headers: dict[str, Dataset] = {}
    for item in not_read:
        if item.path is None or not item.is_unread_image or item.sop_instance_uid in headers:
            continue
        try:
            header = read_header(item.path)
        except UnsuitableImage:
            continue
        study = uid_of(header, "StudyInstanceUID")
        if not _is_referable(header) or study != (study_instance_uid or study):
            continue
        study_instance_uid = study
        headers[str(header.SOPInstanceUID)] = header
        failures.append(ImageFailure(str(header.SOPInstanceUID), item.reason))
    return tuple(failures), list(headers.values())


def _is_referable(header: Dataset) -> bool:
    """Return whether a report can refer to an image: one value each of its UIDs and of its size."""
    sizes = [numbers(header, keyword) for keyword in ("Rows", "Columns")]
    return all(uid_of(header, keyword) for keyword in _UIDS) and all(
        len(size) == 1 and size[0] >= 1 for size in sizes
    )
