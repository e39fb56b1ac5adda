"""How studies of one kind are read: the same steps for all, chosen by the package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from dicom_io.reading import read_header
from dicom_io.results import EncodedObject
from flows import encoding, encoding_exams, summary
from flows.journal import PriorRecord
from flows.reading import earlier_images, films, mammograms, volumes
from flows.reading.change import change_of
from flows.reading.study import Gathered, NotRead, gather
from models.detector import ExamDetector, FilmDetector, VolumeDetector
from models.package import Package
from models.results import Assessment, FilmReading

__all__ = ["FilmReader", "MammographyReader", "StudyReader", "VolumeReader", "reader_of"]


class StudyReader(Protocol):
    """The steps of a reading, one after another; what they hand on is theirs and small."""

    package: Package

    def gather(self, paths: Iterable[Path]) -> Gathered:
        """Select the instances that the package reads, by their headers; Refused where there is none."""

    def prepare(self, gathered: Gathered, folder: Path) -> Any:
        """Decode them into ``folder``; Refused where that leaves nothing to read."""

    def gate(self, prepared: Any) -> Any:
        """Pass on what the package may read; Refused where that is nothing."""

    def infer(self, prepared: Any, detector: Any, folder: Path) -> Any:
        """Run all members."""

    def assess(self, reading: Any) -> Assessment:
        """Judge how far the reading can be trusted."""

    def compared(self, reading: Any, prior: PriorRecord | None) -> Any:
        """Return the reading with what it says against an earlier one of the same patient."""

    def encode(
        self, basis: encoding.Basis, prepared: Any, reading: Any, assessment: Assessment
    ) -> tuple[EncodedObject, ...]:
        """Write the result objects."""

    def refused(self, basis: encoding.Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
        """Write the report of a study that was refused; nothing where it has no image of the kind."""

    def outcome(self, prepared: Any, reading: Any, assessment: Assessment) -> dict[str, Any]:
        """Return what was read, as plain JSON values without protected health information."""

    def told(self, reading: Any) -> str:
        """Return one line for the log."""


class FilmReader:
    """Reads projection images one by one."""

    def __init__(self, package: Package) -> None:
        self.package = package

    def gather(self, paths: Iterable[Path]) -> Gathered:
        """Select the films by their headers."""
        return gather(paths, self.package.manifest.input)

    def prepare(self, gathered: Gathered, folder: Path) -> films.Prepared:
        """Decode every film."""
        return films.prepare(gathered, self.package.manifest.input, folder)

    def gate(self, prepared: films.Prepared) -> films.Prepared:
        """Check tags, geometry and pixel range of every film."""
        return films.gate(prepared, self.package.manifest.input)

    def infer(
        self, prepared: films.Prepared, detector: FilmDetector, folder: Path
    ) -> tuple[FilmReading, ...]:
        """Run all members on every film."""
        return films.infer(prepared.films, detector, folder / "readings.json")

    def assess(self, reading: tuple[FilmReading, ...]) -> Assessment:
        """Judge how far the readings can be trusted."""
        return films.assess(reading)

    def compared(
        self, reading: tuple[FilmReading, ...], prior: PriorRecord | None
    ) -> tuple[FilmReading, ...]:
        """Return the reading as it is: films are not compared."""
        return reading

    def encode(
        self,
        basis: encoding.Basis,
        prepared: films.Prepared,
        reading: tuple[FilmReading, ...],
        assessment: Assessment,
    ) -> tuple[EncodedObject, ...]:
        """Write report, key images and what else the options ask for."""
        return encoding.encode_films(basis, prepared, reading, assessment)

    def refused(self, basis: encoding.Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
        """Write the report that says why."""
        return encoding.encode_refusal(basis, not_read)

    def outcome(
        self, prepared: films.Prepared, reading: tuple[FilmReading, ...], assessment: Assessment
    ) -> dict[str, Any]:
        """Return films, scores and findings."""
        return summary.of_films(prepared, reading, assessment)

    def told(self, reading: tuple[FilmReading, ...]) -> str:
        """Return how many films were read."""
        return f"{len(reading)} films read by {reading[0].members} members"


class VolumeReader:
    """Reads the series of a study together, as volumes on one grid."""

    def __init__(self, package: Package) -> None:
        self.package = package

    def gather(self, paths: Iterable[Path]) -> Gathered:
        """Select the series by their headers."""
        return gather(paths, self.package.manifest.input)

    def prepare(self, gathered: Gathered, folder: Path) -> volumes.PreparedStudy:
        """Recognise, read and align the series."""
        return volumes.prepare(gathered, self.package.manifest, folder)

    def gate(self, prepared: volumes.PreparedStudy) -> volumes.PreparedStudy:
        """Check spacing, extent and content."""
        return volumes.gate(prepared, self.package.manifest)

    def infer(
        self, prepared: volumes.PreparedStudy, detector: VolumeDetector, folder: Path
    ) -> volumes.KeptReading:
        """Run the members on the aligned series."""
        return volumes.infer(prepared, detector, self.package.manifest, folder)

    def assess(self, reading: volumes.KeptReading) -> Assessment:
        """Judge how far the reading can be trusted."""
        return volumes.assess(reading, self.package.manifest)

    def compared(self, reading: volumes.KeptReading, prior: PriorRecord | None) -> volumes.KeptReading:
        """Return the reading with the change in volume."""
        change = change_of(reading.load(), reading.branch, prior, self.package.content_hash)
        return replace(reading, parts={**reading.parts, "change": change})

    def encode(
        self,
        basis: encoding.Basis,
        prepared: volumes.PreparedStudy,
        reading: volumes.KeptReading,
        assessment: Assessment,
    ) -> tuple[EncodedObject, ...]:
        """Write segmentation, report and key images."""
        return encoding.encode_volume(
            basis,
            [read_header(source.path) for source in prepared.files],
            reading.load(),
            prepared.image(),
            assessment,
            partial=prepared.partial,
            statements=prepared.statements,
        )

    def refused(self, basis: encoding.Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
        """Write the report that says why."""
        return encoding.encode_refusal(basis, not_read)

    def outcome(
        self, prepared: volumes.PreparedStudy, reading: volumes.KeptReading, assessment: Assessment
    ) -> dict[str, Any]:
        """Return sequences, volumes and diameters."""
        return summary.of_volume(prepared, reading.load(), assessment)

    def told(self, reading: volumes.KeptReading) -> str:
        """Return which networks read what."""
        used = ", ".join(reading.parts["series_used"])
        return f"{used} read by {reading.parts['members']} members of {reading.branch}"


class MammographyReader:
    """Reads the mammograms of a study together, as one examination of the breasts."""

    def __init__(self, package: Package) -> None:
        self.package = package

    def gather(self, paths: Iterable[Path]) -> Gathered:
        """Select the mammograms by their headers."""
        return gather(paths, self.package.manifest.input)

    def prepare(self, gathered: Gathered, folder: Path) -> mammograms.PreparedExam:
        """Decode every mammogram."""
        return mammograms.prepare(gathered, self.package.manifest.input, folder)

    def gate(self, prepared: mammograms.PreparedExam) -> mammograms.PreparedExam:
        """Check tags and pixel range of every image, and that it shows a breast."""
        return mammograms.gate(prepared, self.package.manifest.input)

    def infer(
        self, prepared: mammograms.PreparedExam, detector: ExamDetector, folder: Path
    ) -> mammograms.ExamReading:
        """Run all members on every image, then combine views and breasts."""
        return mammograms.infer(prepared, detector, self.package.manifest, folder / "reading.json")

    def assess(self, reading: mammograms.ExamReading) -> Assessment:
        """Judge how far the reading can be trusted."""
        return mammograms.assess(reading, self.package.manifest)

    def compared(self, reading: mammograms.ExamReading, prior: PriorRecord | None) -> mammograms.ExamReading:
        """Return the reading with the earlier images that are shown beside it."""
        headers = [read_header(path) for path in reading.paths]
        contract = self.package.manifest.input
        return replace(reading, prior=earlier_images.matching(prior, reading.exam.views, headers, contract))

    def encode(
        self,
        basis: encoding.Basis,
        prepared: mammograms.PreparedExam,
        reading: mammograms.ExamReading,
        assessment: Assessment,
    ) -> tuple[EncodedObject, ...]:
        """Write report, key images in hanging order, and what else the options ask for."""
        prior = earlier_images.prior_views(reading.prior, self.package.manifest.input)
        return encoding_exams.encode_exam(basis, prepared, reading, assessment, prior)

    def refused(self, basis: encoding.Basis, not_read: Sequence[NotRead]) -> tuple[EncodedObject, ...]:
        """Write the report that says why, and a CAD report of a detection that was not attempted."""
        return encoding_exams.encode_exam_refusal(basis, not_read)

    def outcome(
        self, prepared: mammograms.PreparedExam, reading: mammograms.ExamReading, assessment: Assessment
    ) -> dict[str, Any]:
        """Return views, breasts, tissue and findings."""
        return summary.of_exam(prepared, reading, assessment)

    def told(self, reading: mammograms.ExamReading) -> str:
        """Return how many images of how many breasts were read."""
        found = reading.reading
        return (
            f"{len(found.images)} mammograms of {len(found.breasts)} breasts read by {found.members} members"
        )


def reader_of(package: Package) -> StudyReader:
    """Return what reads the studies of a package."""
    contract = package.manifest.input
    if contract.volume is not None:
        return VolumeReader(package)
    return FilmReader(package) if contract.mammography is None else MammographyReader(package)
