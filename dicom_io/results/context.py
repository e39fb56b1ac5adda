"""All that a result object is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from dicom_io.results.errors import ResultInvalid
from dicom_io.results.identity import ResultIdentity
from models.results import Assessment, FilmReading, Finding

if TYPE_CHECKING:
    from models.package import Package

__all__ = ["FindingConcept", "PackageIdentity", "Predecessor", "ResultContext"]

_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class FindingConcept:
    """The coded concept that a package looks for, e.g. (27925004, SCT, "Nodule")."""

    code: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class PackageIdentity:
    """Who read: what a result says about the model package and the installation that ran it.

    Parameters
    ----------
    name, version : str
        Of the package.
    title : str
        For people.
    device_uid : str
        Changes with the weights.
    content_hash : str
        SHA-256 over manifest and members.
    finding : FindingConcept
        What it looks for.
    serial : str
        Stable serial number of this installation.
    intended_use : str
        In words.
    limitations : tuple of str
        In words.
    manufacturer : str
        Of the algorithm.

    Raises
    ------
    ResultInvalid
        Something that every result must state is empty.
    """

    name: str
    version: str
    title: str
    device_uid: str
    content_hash: str
    finding: FindingConcept
    serial: str
    intended_use: str = ""
    limitations: tuple[str, ...] = ()
    manufacturer: str = "SecondRead"

    def __post_init__(self) -> None:
        empty = [
            n
            for n in ("name", "version", "title", "device_uid", "content_hash", "serial")
            if not getattr(self, n)
        ]
        if empty:
            raise ResultInvalid(f"the package identity lacks {', '.join(empty)}")

    @classmethod
    def of(cls, package: Package, *, serial: str) -> PackageIdentity:
        """Take what a result needs from a verified package."""
        about, concept = package.manifest.package, package.manifest.findings[0]
        return cls(
            name=package.name,
            version=package.version,
            title=about.title,
            device_uid=package.device_uid,
            content_hash=package.content_hash,
            finding=FindingConcept(concept.code, concept.scheme, concept.meaning),
            intended_use=about.intended_use,
            limitations=tuple(about.limitations),
            serial=serial,
        )


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The object that a revision replaces; it lies in the same study."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True)
class ResultContext:
    """One reading of one study, ready to be encoded.

    Parameters
    ----------
    headers : tuple of Dataset
        Headers of the films that were read, without pixels, all of one study.
    findings : tuple of Finding
        What is reported; empty for "no findings".
    readings : tuple of FilmReading
        One per film.
    assessment : Assessment
        How far the reading can be trusted.
    package : PackageIdentity
        Who read.
    identity : ResultIdentity
        What the UIDs follow from.
    content_time : datetime.datetime
        When the reading was made, with a time zone. Where the source does not state its own zone, the
        result states the one of this value: pass it in the zone of the site.
    predecessor : Predecessor or None
        The report that this one replaces.
    partial : bool
        True where not everything of the study could be read.
    statements : tuple of str
        More that the report says in words.

    Raises
    ------
    ResultInvalid
        The parts do not belong together; the text lists why.
    """

    headers: tuple[Dataset, ...]
    findings: tuple[Finding, ...]
    readings: tuple[FilmReading, ...]
    assessment: Assessment
    package: PackageIdentity
    identity: ResultIdentity
    content_time: datetime
    predecessor: Predecessor | None = None
    partial: bool = False
    statements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = [*self._header_problems(), *self._finding_problems()]
        if self.content_time.tzinfo is None or self.content_time.utcoffset() is None:
            problems.append("content_time has no time zone")
        if problems:
            raise ResultInvalid("; ".join(problems))

    def _header_problems(self) -> list[str]:
        if not self.headers:
            return ["there is no header"]
        problems = []
        needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Rows", "Columns")
        for number, header in enumerate(self.headers, start=1):
            missing = [keyword for keyword in needed if not header.get(keyword)]
            if missing:
                problems.append(f"header {number} lacks {', '.join(missing)}")
        if problems:
            return problems
        if len({str(header.StudyInstanceUID) for header in self.headers}) != 1:
            problems.append("the headers are not of one study")
        if len({str(header.SOPInstanceUID) for header in self.headers}) != len(self.headers):
            problems.append("a header comes twice")
        films = [reading.sop_instance_uid for reading in self.readings]
        if sorted(films) != sorted(str(header.SOPInstanceUID) for header in self.headers):
            problems.append("there must be one reading per header")
        return problems

    def _finding_problems(self) -> list[str]:
        shapes = {str(h.get("SOPInstanceUID")): (h.get("Rows"), h.get("Columns")) for h in self.headers}
        problems = []
        if len({finding.number for finding in self.findings}) != len(self.findings):
            problems.append("finding numbers must differ")
        for finding in self.findings:
            rows, columns = shapes.get(finding.sop_instance_uid, (None, None))
            if not rows or not columns:
                problems.append(f"finding {finding.number} lies on an image that was not read")
                continue
            box = finding.candidate.box
            if (
                min(box.top, box.left) < -_TOLERANCE
                or box.bottom > rows + _TOLERANCE
                or box.right > columns + _TOLERANCE
            ):
                problems.append(f"the box of finding {finding.number} leaves its image")
        return problems

    def header_of(self, sop_instance_uid: str) -> Dataset:
        """Return the header of a film."""
        for header in self.headers:
            if str(header.SOPInstanceUID) == sop_instance_uid:
                return header
        raise KeyError(sop_instance_uid)

    def findings_on(self, sop_instance_uid: str) -> tuple[Finding, ...]:
        """Return the findings of one film by their numbers."""
        found = (finding for finding in self.findings if finding.sop_instance_uid == sop_instance_uid)
        return tuple(sorted(found, key=lambda finding: finding.number))
