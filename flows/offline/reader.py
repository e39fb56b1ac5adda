"""Reads studies with the models loaded once: the steps of ``process-study``, in this process."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dicom_io.reading import data_set_sha256
from dicom_io.results import EncodedObject, PackageIdentity, ResultIdentity, ResultInvalid, fingerprint
from flows import encoding
from flows.installation import Installation
from flows.offline.describe import described
from flows.offline.files import StudyFiles
from flows.offline.report import NotReadReport, ObjectReport, PackageReport, StudyReport
from flows.reading import Gathered, NotRead, Refused, reader_of
from flows.routing.rules import ReadingOptions
from models.detector import Detector
from models.package import Package

__all__ = ["OfflineReader"]

_log = logging.getLogger(__name__)


@dataclass
class _Stages:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 4)

    def with_total(self) -> dict[str, float]:
        return {**self.seconds, "total": round(sum(self.seconds.values()), 4)}


def _clear(folder: Path) -> None:
    """Remove what an earlier run left: its objects may be others."""
    for stale in folder.glob("*.dcm"):
        stale.unlink()


class OfflineReader:
    """A package, its open networks, and where the results go.

    Parameters
    ----------
    package : Package
        A verified package.
    detector : Detector
        The package's networks, opened.
    installation : Installation
        Gives pseudonyms, the device serial number and the content times, so that a repeat writes the same
        objects.
    input_folder, output_folder : pathlib.Path
        Files are named relative to the first; results go to a folder per study, named by its pseudonym, in
        the second.
    options : ReadingOptions or None
        Which objects are written; those of a route without settings where None.
    all_candidates : bool
        Report every candidate, also those below the operating point.
    """

    def __init__(
        self,
        package: Package,
        detector: Detector,
        installation: Installation,
        *,
        input_folder: Path,
        output_folder: Path,
        options: ReadingOptions | None = None,
        all_candidates: bool = False,
    ) -> None:
        self._package = package
        self._detector = detector
        self._installation = installation
        self._input = input_folder if input_folder.is_dir() else input_folder.parent
        self._output = output_folder
        self._options = options or ReadingOptions()
        self._all_candidates = all_candidates
        self._reader = reader_of(package)
        self._pseudonymiser = installation.pseudonymiser

    @property
    def package_report(self) -> PackageReport:
        """The package as the JSON names it."""
        return PackageReport(
            name=self._package.name,
            version=self._package.version,
            content_hash=self._package.content_hash,
            device_uid=self._package.device_uid,
            members=len(self._package.member_paths),
        )

    def read(self, study: StudyFiles) -> StudyReport:
        """Read one study and write its results; whatever goes wrong is the study's outcome, not ours."""
        stages = _Stages()
        uid, pseudonym = study.study_instance_uid, self._pseudonymiser.study(study.study_instance_uid)
        try:
            return self._read(study, pseudonym, stages)
        except Refused as error:
            objects = self._refusal(error, self._folder(study, pseudonym))
            return StudyReport(
                study_instance_uid=uid,
                pseudonym=pseudonym,
                variant=study.variant,
                outcome="refused",
                reasons=(str(error),),
                warnings=tuple(study.remarks),
                not_read=tuple(self._not_read(study, item) for item in error.not_read),
                objects=tuple(self._object(one) for one in objects),
                timings_s=stages.with_total(),
            )
        except Exception as error:
            _log.exception("study %s failed", pseudonym)
            return StudyReport(
                study_instance_uid=uid,
                pseudonym=pseudonym,
                variant=study.variant,
                outcome="failed",
                reasons=(f"{type(error).__name__}: {error}",),
                warnings=tuple(study.remarks),
                timings_s=stages.with_total(),
            )

    def _read(self, study: StudyFiles, pseudonym: str, stages: _Stages) -> StudyReport:
        folder = self._folder(study, pseudonym)
        with tempfile.TemporaryDirectory(prefix="secondread-") as temporary:
            scratch = Path(temporary)
            with stages("gather"):
                gathered = self._gather(study)
            with stages("prepare"):
                decoded = self._reader.prepare(gathered, scratch)
            with stages("gate"):
                prepared = self._reader.gate(decoded)
            with stages("infer"):
                reading = self._reader.infer(prepared, self._detector, scratch)
            with stages("assess"):
                assessment = self._reader.assess(reading)
            with stages("encode"):
                _clear(folder)
                basis = self._basis(gathered.fingerprint, folder)
                objects = self._reader.encode(basis, prepared, reading, assessment)
            answer = described(prepared, reading, self._named, all_candidates=self._all_candidates)
        return StudyReport(
            study_instance_uid=study.study_instance_uid,
            pseudonym=pseudonym,
            variant=study.variant,
            outcome="completed",
            reasons=tuple(dict.fromkeys(item.reason for item in prepared.not_read)),
            warnings=(*study.remarks, *prepared.remarks),
            partial=prepared.partial,
            decision=assessment.decision,
            confidence=assessment.confidence,
            confidence_components=dict(assessment.components),
            decision_reasons=assessment.reasons,
            not_read=tuple(self._not_read(study, item) for item in prepared.not_read),
            objects=tuple(self._object(one) for one in objects),
            timings_s=stages.with_total(),
            **answer,
        )

    def _gather(self, study: StudyFiles) -> Gathered:
        """Select what is read; a damaged file beside it may be an image of the study, and nobody can say."""
        lost = [
            NotRead(
                "",
                one.code,
                f"{one.reason}; the file lies beside the study and may be an image of it",
                one.path,
            )
            for one in study.damaged
        ]
        try:
            gathered = self._reader.gather(study.paths.values())
        except Refused as error:
            raise Refused([*error.not_read, *lost]) from error
        return replace(gathered, not_read=(*gathered.not_read, *lost))

    def _folder(self, study: StudyFiles, pseudonym: str) -> Path:
        return self._output / (pseudonym if study.variant == 1 else f"{pseudonym}-{study.variant}")

    def _refusal(self, refused: Refused, folder: Path) -> tuple[EncodedObject, ...]:
        """Write the report of a study that could not be read, where it has an image to speak of."""
        named = {
            item.sop_instance_uid: data_set_sha256(item.path)
            for item in refused.not_read
            if item.path is not None and item.sop_instance_uid and item.is_unread_image
        }
        _clear(folder)
        if not named:
            return ()
        try:
            return self._reader.refused(self._basis(fingerprint(named.items()), folder), refused.not_read)
        except ResultInvalid as error:
            _log.warning("the refusal could not be reported: %s", error)
            return ()

    def _basis(self, digest: str, folder: Path) -> encoding.Basis:
        identity = ResultIdentity(
            fingerprint=digest,
            package_hash=self._package.content_hash,
            configuration_hash=encoding.configuration_hash(self._installation.serial, self._options),
            revision=1,
        )
        return encoding.Basis(
            package=PackageIdentity.of(self._package, serial=self._installation.serial),
            identity=identity,
            content_time=self._installation.content_time(identity.uid("structured-report")),
            options=self._options,
            folder=folder,
        )

    def _not_read(self, study: StudyFiles, item: NotRead) -> NotReadReport:
        path = study.paths.get(item.sop_instance_uid) if item.sop_instance_uid else item.path
        return NotReadReport(
            sop_instance_uid=item.sop_instance_uid,
            file="" if path is None else self._named(path),
            code=item.code,
            reason=item.reason,
            instances=item.instances,
        )

    def _object(self, one: EncodedObject) -> ObjectReport:
        return ObjectReport(
            kind=one.kind,
            sop_class_uid=one.sop_class_uid,
            sop_instance_uid=one.sop_instance_uid,
            series_instance_uid=one.series_instance_uid,
            file=str(one.path.relative_to(self._output)),
            sha256=one.sha256,
            size_bytes=one.size_bytes,
        )

    def _named(self, path: Path) -> str:
        return str(path.relative_to(self._input))
