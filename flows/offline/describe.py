"""A reading as ``secondread run --json`` tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dicom_io.reading import read_header
from flows.offline.report import (
    BreastReport,
    ClassificationReport,
    ClassShare,
    ExamReport,
    FilmReport,
    FindingReport,
    LesionReport,
    SegmentReport,
    VolumeReport,
    candidate_values,
)
from flows.reading.films import PreparedFilm, findings_of
from flows.reading.mammograms import ExamReading, PreparedExam, PreparedMammogram
from flows.reading.volumes import KeptReading, PreparedStudy
from models.results import FilmReading
from models.volume_results import VolumeFinding

__all__ = ["described"]


def described(
    prepared: Any, reading: Any, named: Callable[[Path], str], *, all_candidates: bool = False
) -> dict[str, Any]:
    """Return the fields of a StudyReport that depend on what was read.

    Parameters
    ----------
    prepared, reading
        What the steps of a reader of films, volumes or mammograms handed on.
    named : callable
        Names a file as the report does.
    all_candidates : bool
        Also candidates below the operating point.
    """
    if isinstance(prepared, PreparedStudy):
        return {"volume": _volume(prepared, reading)}
    if isinstance(prepared, PreparedExam):
        images = _films(prepared.films, reading.reading.images, named, all_candidates=all_candidates)
        return {**images, "exam": _exam(reading)}
    return _films(prepared.films, reading, named, all_candidates=all_candidates)


def _exam(exam: ExamReading) -> ExamReport:
    reading, tissue = exam.reading, exam.reading.density
    return ExamReport(
        score=reading.exam_score,
        breasts=tuple(
            BreastReport(
                laterality=one.laterality, score=one.score, images=one.views, asymmetry=one.asymmetry
            )
            for one in reading.breasts
        ),
        views_compared=exam.exam.views_compared,
        lesions=tuple(
            LesionReport(number=one.number, findings=one.findings, probability=one.probability)
            for one in exam.exam.groups
        ),
        tissue=None if tissue is None else tissue.label,
        tissue_probabilities={} if tissue is None else tissue.probabilities,
    )


def _volume(prepared: PreparedStudy, kept: KeptReading) -> VolumeReport:
    reading = kept.load()
    spacing = prepared.source.spacing
    return VolumeReport(
        series_instance_uid=prepared.series_instance_uid,
        series=dict(prepared.series),
        networks=kept.branch,
        sequences_used=reading.series_used,
        sequences_missing=reading.series_missing,
        slices=len(reading.slices),
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        members=reading.members,
        operating_point=reading.operating_point,
        case_score=reading.case_score,
        segments=tuple(_segment(finding, reading.slices) for finding in reading.findings),
        classifications=tuple(
            ClassificationReport(
                name=one.name.meaning,
                value=one.value.meaning,
                probability=one.probability,
                alternatives=tuple(
                    ClassShare(value=concept.meaning, probability=share)
                    for concept, share in one.alternatives
                ),
                statements=one.statements,
            )
            for one in reading.classifications
        ),
    )


def _segment(finding: VolumeFinding, slices: Any) -> SegmentReport:
    diameters = finding.diameters
    return SegmentReport(
        number=finding.number,
        label=finding.segment.label,
        volume_ml=finding.volume_ml,
        longest_diameter_mm=None if diameters is None else diameters.longest_mm,
        perpendicular_mm=None if diameters is None else diameters.perpendicular_mm,
        centre_mm=finding.centre_mm,
        side=finding.side,
        parts=finding.parts,
        probability=finding.probability,
        key_image=slices[finding.key_slice].sop_instance_uid,
        key_frame=slices[finding.key_slice].frame,
    )


def _view(film: PreparedFilm | PreparedMammogram) -> dict[str, Any]:
    if isinstance(film, PreparedMammogram):
        view = film.view
        return {"view": view.view, "laterality": view.laterality, "modifiers": view.modifiers}
    return {"view": film.view}


def _films(
    prepared: Sequence[PreparedFilm] | Sequence[PreparedMammogram],
    readings: tuple[FilmReading, ...],
    named: Callable[[Path], str],
    *,
    all_candidates: bool,
) -> dict[str, Any]:
    by_uid = {film.source.sop_instance_uid: film for film in prepared}
    points = {reading.sop_instance_uid: reading.operating_point for reading in readings}
    films = []
    for reading in readings:
        film = by_uid[reading.sop_instance_uid]
        header = read_header(film.source.path)
        films.append(
            FilmReport(
                sop_instance_uid=reading.sop_instance_uid,
                series_instance_uid=str(header.SeriesInstanceUID),
                file=named(film.source.path),
                **_view(film),
                rows=int(header.Rows),
                columns=int(header.Columns),
                pixel_spacing_mm=film.pixel_spacing_mm,
                case_score=reading.case_score,
                operating_point=reading.operating_point,
                members=reading.members,
            )
        )
    findings = tuple(
        FindingReport(
            **candidate_values(
                one.sop_instance_uid,
                one.candidate,
                by_uid[one.sop_instance_uid].pixel_spacing_mm,
                points[one.sop_instance_uid],
            ).model_dump(),
            number=one.number,
            size_mm=one.size_mm,
            size_is_calibrated=one.size_is_calibrated,
        )
        for one in findings_of(prepared, readings)
    )
    answer: dict[str, Any] = {"films": tuple(films), "findings": findings}
    if all_candidates:
        every = [
            candidate_values(
                reading.sop_instance_uid,
                candidate,
                by_uid[reading.sop_instance_uid].pixel_spacing_mm,
                reading.operating_point,
            )
            for reading in readings
            for candidate in reading.candidates
        ]
        every.sort(key=lambda one: -one.score)
        answer["candidates"] = tuple(every)
    return answer
