"""All that a result object is made from, whatever was read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from dicom_io.reading.attributes import patient_of
from dicom_io.results.errors import ResultInvalid
from dicom_io.results.identity import ResultIdentity
from models.concepts import Concept
from models.results import Assessment

if TYPE_CHECKING:
    from models.package import Package

__all__ = ["PackageIdentity", "Predecessor", "ResultContext"]


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
    finding : Concept
        What it looks for.
    serial : str
        Stable serial number of this installation.
    intended_use : str
        In words.
    limitations : tuple of str
        In words.
    statements : tuple of str
        What every report says of the package in words, e.g. what is not looked for.
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
    finding: Concept
    serial: str
    intended_use: str = ""
    limitations: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
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
            finding=Concept(concept.code, concept.scheme, concept.meaning),
            intended_use=about.intended_use,
            limitations=tuple(about.limitations),
            statements=() if package.manifest.exam is None else package.manifest.exam.statements,
            serial=serial,
        )


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The object that a revision replaces; it lies in the same study."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultContext(ABC):
    """One reading of one study, ready to be encoded: what readings of every kind have in common.

    Parameters
    ----------
    headers : tuple of Dataset
        Headers of the images that were read, without pixels, all of one study.
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
    assessment: Assessment
    package: PackageIdentity
    identity: ResultIdentity
    content_time: datetime
    predecessor: Predecessor | None = None
    partial: bool = False
    statements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ResultInvalid("; ".join(problems))

    @property
    @abstractmethod
    def has_findings(self) -> bool:
        """Whether anything is reported."""

    def _problems(self) -> Iterator[str]:
        if self.content_time.tzinfo is None or self.content_time.utcoffset() is None:
            yield "content_time has no time zone"
        if not self.headers:
            yield "there is no header"
            return
        whole = True
        needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "Rows", "Columns")
        for number, header in enumerate(self.headers, start=1):
            missing = [keyword for keyword in needed if not header.get(keyword)]
            if missing:
                whole = False
                yield f"header {number} lacks {', '.join(missing)}"
        if not whole:
            return
        if len({str(header.StudyInstanceUID) for header in self.headers}) != 1:
            yield "the headers are not of one study"
        if len({patient_of(header) for header in self.headers}) != 1:
            yield "the headers are not of one patient"
        if len({str(header.SOPInstanceUID) for header in self.headers}) != len(self.headers):
            yield "a header comes twice"

    def header_of(self, sop_instance_uid: str) -> Dataset:
        """Return the header of an image."""
        for header in self.headers:
            if str(header.SOPInstanceUID) == sop_instance_uid:
                return header
        raise KeyError(sop_instance_uid)
