"""The steps of a reading of a mammography examination, one function each, without Prefect or journal.

All images of a study are read together: what is seen on one view is looked for on the other view of the
breast, and the breasts are compared. Steps hand each other paths and small summaries; arrays stay on disk
between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from dicom_io.reading import (
    UnsuitableImage,
    check_header,
    mammogram_statements,
    read_header,
    read_mammogram,
)
from dicom_io.reading.mammography import mammogram_doubts
from flows.reading.earlier_images import EarlierImages, view_in
from flows.reading.exam_checks import (
    chest_wall_seen,
    doubts_of,
    implants_said,
    notes_of,
    orientation_remark,
    shows_part,
)
from flows.reading.films import check_pixels, findings_of
from flows.reading.study import Gathered, NotRead, Refused, SourceFile
from models.confidence import assess_detection
from models.detector import ExamDetector
from models.film import Film
from models.mammogram import Mammogram
from models.mammography.pairing import ViewGeometry, compare_views
from models.mammography_results import MammographyExam, MammographyReading, MammographyView
from models.package import InputContract, MammographyContract, PackageManifest
from models.results import Assessment, Finding

__all__ = [
    "ExamReading",
    "PreparedExam",
    "PreparedMammogram",
    "assess",
    "gate",
    "infer",
    "load_reading",
    "prepare",
]

_READING: TypeAdapter[MammographyReading] = TypeAdapter(MammographyReading)
_HANGING = ("CC", "MLO")
# Of images that are left out: those that are beside the examination, those that add to the views of a breast,
# and those that show again, or in another way, what one image of the same view shows.
_PROCEDURES = frozenset({"biopsy-image", "specimen"})
_ADDITIONS = frozenset({"magnification-view", "spot-view", "view-modifier-not-read", "wrong-view"})
_TWINS = frozenset({"contrast-enhanced", "for-processing", "tomosynthesis"})
_STANDARD = frozenset(_HANGING)


@dataclass(frozen=True, slots=True)
class PreparedMammogram:
    """A decoded mammogram on disk (``.npy``, float32, ``(rows, columns)``) and what is known of it."""

    source: SourceFile
    array: Path
    view: MammographyView
    pixel_spacing_mm: tuple[float, float] | None
    spacing_is_calibrated: bool
    implant: bool = False
    digitised: bool = False
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)`` of the source."""
        rows, columns = np.load(self.array, mmap_mode="r", allow_pickle=False).shape
        return rows, columns

    def film(self, *, mapped: bool = False) -> Film:
        """Read the pixels back, without breast and view.

        With ``mapped`` they stay on disk, and memory holds what is looked at for as long as there is room.
        """
        return Film(
            sop_instance_uid=self.source.sop_instance_uid,
            pixels=np.load(self.array, mmap_mode="r" if mapped else None, allow_pickle=False),
            pixel_spacing_mm=self.pixel_spacing_mm,
            spacing_is_calibrated=self.spacing_is_calibrated,
        )

    def load(self, *, mapped: bool = False) -> Mammogram:
        """Read the mammogram back."""
        return Mammogram(self.film(mapped=mapped), self.view, implant=self.implant, digitised=self.digitised)


@dataclass(frozen=True, slots=True)
class PreparedExam:
    """The mammograms of a study in hanging order, decoded, and the instances that are left out.

    Parameters
    ----------
    films : tuple of PreparedMammogram
        Right before left, craniocaudal before mediolateral oblique before other views.
    not_read : tuple of NotRead
        What is left out.
    unread_views : tuple of MammographyView
        Breast and view of what is left out, where its header says so.
    parts : frozenset of str
        SOP Instance UIDs of what is left out and by its own words shows part of a breast.
    """

    films: tuple[PreparedMammogram, ...]
    not_read: tuple[NotRead, ...]
    unread_views: tuple[MammographyView, ...] = ()
    parts: frozenset[str] = frozenset()

    @property
    def views(self) -> tuple[MammographyView, ...]:
        """Breast and view of every image that is read."""
        return tuple(film.view for film in self.films)

    @property
    def unread_films(self) -> tuple[NotRead, ...]:
        """What is left out and leaves a gap: nothing that is read stands in for it."""
        return tuple(one for one in self.not_read if one.is_unread_image and not self._is_covered(one))

    @property
    def set_aside(self) -> tuple[NotRead, ...]:
        """What is left out and leaves no gap: raw data, spot views and the like of breasts that are read."""
        return tuple(one for one in self.not_read if one.is_unread_image and self._is_covered(one))

    @property
    def partial(self) -> bool:
        """Whether the reading covers only part of what should have been read."""
        return bool(self.unread_films)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What people must know of the images that were read, each once."""
        return tuple(dict.fromkeys(text for film in self.films for text in film.remarks))

    @property
    def statements(self) -> tuple[str, ...]:
        """What the report says in words about its input."""
        return (
            *self.remarks,
            *_counted(self.unread_films, "not read"),
            *_counted(self.set_aside, "set aside"),
        )

    def _is_covered(self, left_out: NotRead) -> bool:
        if left_out.code in _PROCEDURES:
            return True
        known = {view.sop_instance_uid: view for view in self.unread_views}
        view = known.get(left_out.sop_instance_uid)
        if view is None:
            return False
        same_breast = {one.view for one in self.views if one.laterality == view.laterality}
        if left_out.code in _ADDITIONS:
            # Spot views and the like show part of a breast. Another view of the whole breast, or one that
            # only its distances call magnified, may be all there is of what a standard view would show.
            is_part = left_out.sop_instance_uid in self.parts
            return bool(same_breast) if is_part else same_breast >= _STANDARD
        return left_out.code in _TWINS and view.view in same_breast


@dataclass(frozen=True, slots=True)
class ExamReading:
    """What is read of an examination.

    Parameters
    ----------
    reading : MammographyReading
        The detector's answer.
    exam : MammographyExam
        Views, and findings of several views that are taken for one lesion.
    findings : tuple of Finding
        Candidates above the operating point, numbered over the examination by falling score.
    doubts : tuple of str
        Why somebody should look at the images whatever the scores say.
    notes : tuple of str
        What else is to be said of the examination as a whole.
    prior : EarlierImages or None
        The earlier examination that is shown beside this one.
    paths : tuple of pathlib.Path
        The files that were read.
    """

    reading: MammographyReading
    exam: MammographyExam
    findings: tuple[Finding, ...]
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    prior: EarlierImages | None = None
    paths: tuple[Path, ...] = ()

    @property
    def members(self) -> int:
        """How many members took part."""
        return self.reading.members


def prepare(gathered: Gathered, contract: InputContract, folder: Path) -> PreparedExam:
    """Decode every selected mammogram into ``folder``.

    Raises
    ------
    Refused
        Not one of them can be decoded.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    rules = contract_of(contract)
    films: list[PreparedMammogram] = []
    not_read = list(gathered.not_read)
    for number, source in enumerate(gathered.selected):
        try:
            mammogram = read_mammogram(source.path, contract)
        except UnsuitableImage as error:
            not_read.append(NotRead(source.sop_instance_uid, error.code, str(error), source.path, meant=True))
            continue
        header = read_header(source.path)
        array = folder / f"mammogram-{number}.npy"
        np.save(array, mammogram.film.pixels, allow_pickle=False)
        films.append(
            PreparedMammogram(
                source,
                array,
                mammogram.view,
                mammogram.film.pixel_spacing_mm,
                mammogram.film.spacing_is_calibrated,
                implant=mammogram.implant,
                digitised=mammogram.digitised,
                remarks=mammogram_statements(header, rules),
            )
        )
    films, not_read = _by_implants(films, not_read, rules)
    if not films:
        raise Refused(not_read)
    return _exam(films, not_read)


def _by_implants(
    films: Sequence[PreparedMammogram], not_read: Sequence[NotRead], rules: MammographyContract
) -> tuple[list[PreparedMammogram], list[NotRead]]:
    """Tell every image of a breast what one image says: that the breast has an implant.

    Devices state it on the view with the implant displaced alone. Where the side of such an image is not
    stated, it may be of either breast.
    """
    sides = {film.view.laterality for film in films if film.implant}
    for one in not_read:
        sides.update(implants_said(one.path, one.code) if one.path is not None else ())
    if rules.accept_implants:
        told = [replace(film, implant=film.implant or film.view.laterality in sides) for film in films]
        return told, list(not_read)
    reason = "the breast has an implant by another of its images, and the package does not know implants"
    refused = [
        NotRead(film.source.sop_instance_uid, "implant", reason, film.source.path, meant=True)
        for film in films
        if film.view.laterality in sides
    ]
    return [film for film in films if film.view.laterality not in sides], [*not_read, *refused]


def gate(prepared: PreparedExam, contract: InputContract) -> PreparedExam:
    """Check tags, pixel range, and that a breast is seen that lies as the header says.

    Raises
    ------
    Refused
        No image passes.
    """
    passed: list[PreparedMammogram] = []
    not_read = list(prepared.not_read)
    rules = contract_of(contract)
    for film in prepared.films:
        try:
            header = read_header(film.source.path)
            check_header(header, contract)
            check_pixels(film.array)
            seen = chest_wall_seen(np.load(film.array, allow_pickle=False))
        except UnsuitableImage as error:
            source = film.source
            not_read.append(NotRead(source.sop_instance_uid, error.code, str(error), source.path, meant=True))
        else:
            doubts = doubts_of(header, film.view, rules, implant=film.implant, digitised=film.digitised)
            doubts = (*doubts, *mammogram_doubts(header, seen))
            remark = orientation_remark(header, film.view, seen)
            if remark is None:
                passed.append(replace(film, doubts=doubts))
            else:
                doubts = (
                    *doubts,
                    "The laterality of an image is in doubt by where its chest wall lies.",
                )
                passed.append(replace(film, doubts=doubts, remarks=(*film.remarks, remark)))
    if not passed:
        raise Refused(not_read)
    return _exam(passed, not_read)


def infer(
    prepared: PreparedExam, detector: ExamDetector, manifest: PackageManifest, path: Path
) -> ExamReading:
    """Run all members on the examination, keep the reading in ``path`` (JSON), and pair its findings."""
    # One image in memory at a time: four of them have forty-eight million pixels.
    reading = detector.combine([detector.read_view(film.load()) for film in prepared.films])
    path.write_bytes(_READING.dump_json(reading))
    findings = findings_of(prepared.films, reading.images)
    return ExamReading(
        reading=reading,
        exam=_compared(prepared, reading, findings, manifest),
        findings=findings,
        doubts=tuple(dict.fromkeys(text for film in prepared.films for text in film.doubts)),
        notes=notes_of(prepared.views),
        paths=tuple(film.source.path for film in prepared.films),
    )


def load_reading(path: Path) -> MammographyReading:
    """Read back what :func:`infer` kept."""
    return _READING.validate_json(path.read_bytes())


def assess(exam: ExamReading, manifest: PackageManifest) -> Assessment:
    """Judge how far the reading can be trusted; what the package was not measured on is for review."""
    found = assess_detection(exam.reading.images)
    doubts = (*_doubts_of_members(exam.members, manifest), *exam.doubts)
    return replace(
        found,
        decision="review" if doubts else found.decision,
        reasons=(*doubts, *found.reasons, *exam.notes),
    )


def contract_of(contract: InputContract) -> MammographyContract:
    """Return which mammograms a package reads; ValueError for one that reads none."""
    if contract.mammography is None:
        raise ValueError("the package reads no mammograms")
    return contract.mammography


def _doubts_of_members(members: int, manifest: PackageManifest) -> tuple[str, ...]:
    """Return what is to be said where other members answered than those that the package is set for."""
    wanted = manifest.ensemble or len(manifest.members)
    if members == wanted:
        return ()
    return (
        f"{members} of {wanted} members answered: the operating point and the figures of the package are "
        f"those of all {wanted}.",
    )


def _compared(
    prepared: PreparedExam,
    reading: MammographyReading,
    findings: Sequence[Finding],
    manifest: PackageManifest,
) -> MammographyExam:
    if manifest.exam is None:
        raise ValueError(f"package {manifest.package.name} has no rules for an examination")
    geometries = [
        ViewGeometry(film.view, anatomy, film.shape, film.pixel_spacing_mm)
        for film, anatomy in zip(prepared.films, reading.anatomy, strict=True)
    ]
    density = reading.density.label if reading.density is not None else ""
    return compare_views(findings, geometries, manifest.exam.pairing, density)


def _exam(films: Iterable[PreparedMammogram], not_read: Sequence[NotRead]) -> PreparedExam:
    unread = [view for one in not_read if (view := _view_of(one)) is not None]
    parts = (one.sop_instance_uid for one in not_read if one.path is not None and shows_part(one.path))
    return PreparedExam(tuple(sorted(films, key=_hanging)), tuple(not_read), tuple(unread), frozenset(parts))


def _hanging(film: PreparedMammogram) -> tuple[int, str, bool, str]:
    view = film.view
    place = _HANGING.index(view.view) if view.view in _HANGING else len(_HANGING)
    return place, view.view, view.laterality == "L", film.source.sop_instance_uid


def _view_of(left_out: NotRead) -> MammographyView | None:
    return view_in(left_out.path) if left_out.path is not None and left_out.is_unread_image else None


def _counted(left_out: Sequence[NotRead], what: str) -> list[str]:
    counts = Counter(one.reason for one in left_out)
    return [
        f"One image was {what}: {reason}" if count == 1 else f"{count} images were {what}: {reason}"
        for reason, count in counts.items()
    ]
