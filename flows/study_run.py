"""One run of one job: what it needs, what it may say, and how it tells the journal."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydicom.dataset import Dataset
from sqlalchemy.exc import OperationalError

from dicom_io.reading import UnsuitableImage, read_header
from dicom_io.reading.attributes import acquired_at, patient_of
from dicom_io.receive.records import StoredInstance
from dicom_io.results import EncodedObject, PackageIdentity, Predecessor, ResultIdentity
from dicom_io.results.write import sync_folder
from flows.detectors import DetectorCache
from flows.encoding import Basis
from flows.installation import Installation
from flows.journal import JobRecord, JobState, Journal, KnownPatient, PriorRecord, ResultRecord
from flows.manifest import end_of_run, read_manifest, start_of_run, write_manifest
from flows.reading import Gathered, Refused, StudyReader, reader_of
from flows.reading.earlier_images import shows_views, view_in
from flows.reading.persons import may_be_one_person, with_one_issuer
from flows.reading.priors import with_images
from flows.routing.rules import Route
from flows.settings import Settings
from models.detector import Detector
from models.package import Package, PackageError

__all__ = ["StepFailed", "StudyRun", "is_out_of_memory", "without_quotes"]

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

# What sites write where they do not say who the patient is.
_NOBODY = frozenset(
    {"", "ANON", "ANONYM", "ANONYMIZED", "ANONYMISED", "ANONYMOUS", "NA", "N/A", "NO ID", "NONE", "PATIENT",
     "TEST", "UNBEKANNT", "UNKNOWN", "X", "XX", "XXX"}
)  # fmt: skip
_EARLIER_STUDIES = 5
_PASSING = (OSError, MemoryError, OperationalError)


class StepFailed(Exception):
    """A step ended with an error; the text has no PHI, whatever the cause quoted.

    Attributes
    ----------
    passing : bool
        Whether another attempt may succeed: memory, disk or database ran short.
    out_of_memory : bool
        Whether memory ran short.
    """

    def __init__(self, text: str, *, passing: bool = False, out_of_memory: bool = False) -> None:
        super().__init__(text)
        self.passing = passing
        self.out_of_memory = out_of_memory


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, in the words of Python or of the runtime."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in ("bad_alloc", "out of memory", "failed to allocate memory"))


def without_quotes(name: str, error: Exception) -> StepFailed:
    """Turn any error into one whose text is ours; what a parser quotes of a file stays out of it."""
    if isinstance(error, StepFailed):
        return error
    memory = is_out_of_memory(error)
    passing = memory or isinstance(error, _PASSING)
    if isinstance(error, PackageError):
        return StepFailed(f"{name}: {error}")
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown place"
    # Frames alone: the text of an error may quote the file, and with it the patient.
    _LOG.error("%s failed with %s\n%s", name, type(error).__name__, "".join(traceback.format_list(frames)))
    return StepFailed(
        f"{name} failed with {type(error).__name__} at {place}", passing=passing, out_of_memory=memory
    )


def _header_in(path: Path) -> Dataset | None:
    try:
        return read_header(path)
    except (UnsuitableImage, OSError):
        return None


class StudyRun:
    """A started job with everything that its steps use.

    Parameters
    ----------
    job : JobRecord
        As it was when it started.
    journal, settings, detectors
        Those of the process; nothing of the study gets into them.
    scratch : pathlib.Path
        Folder of this run alone.
    """

    def __init__(
        self, job: JobRecord, journal: Journal, settings: Settings, detectors: DetectorCache, scratch: Path
    ) -> None:
        self.job = job
        self.journal = journal
        self.settings = settings
        self.detectors = detectors
        self.scratch = scratch
        self.refusal: Refused | None = None
        self._prior: tuple[PriorRecord | None] | None = None

    @property
    def route(self) -> Route:
        """The route that made the job; StepFailed when it is no longer configured."""
        for route in self.settings.routes:
            if route.name == self.job.route:
                return route
        raise StepFailed(f"route {self.job.route!r} is no longer configured")

    @property
    def results_folder(self) -> Path:
        """Where the objects of this job are kept."""
        return self.settings.results / self.job.pseudonym / f"{self.job.route}-{self.job.revision}"

    @property
    def identity(self) -> ResultIdentity:
        """What the UIDs of the objects follow from."""
        configuration = self.job.configuration_hash
        if prior := self.prior():
            # What the report is compared with shapes it as much as a setting does.
            told = f"{configuration}:{prior.package_hash}:{prior.acquired_at.isoformat()}:{prior.digest}"
            configuration = hashlib.sha256(told.encode()).hexdigest()
        return ResultIdentity(self.job.fingerprint, self.job.package_hash, configuration, self.job.revision)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a step for the journal, and let no text of an unexpected error out."""
        started = time.perf_counter()
        try:
            yield
        except (Refused, StepFailed):
            raise
        except Exception as error:
            raise without_quotes(f"study {self.job.pseudonym}, {name}", error) from None
        finally:
            self.journal.stage_time(self.job.id, name, time.perf_counter() - started)

    def do(self, name: str, work: Callable[[], _T]) -> _T:
        """Do a step on this thread."""
        with self.stage(name):
            return work()

    def package(self) -> Package:
        """Return the package of the job, exactly as it was when the job was made."""
        package = self.detectors.package(self.job.package, self.job.package_hash)
        if package.content_hash != self.job.package_hash:
            raise StepFailed(
                f"package {self.job.package} changed since the job was made: reprocess the study"
            )
        return package

    def reader(self) -> StudyReader:
        """Return what reads the studies of the package."""
        return reader_of(self.package())

    def detector(self, *, least_memory: bool = False) -> Detector:
        """Return the opened networks; with ``least_memory`` nothing else stays open."""
        package, members = self.package(), self.route.members
        if least_memory:
            return self.detectors.smaller_detector(package, members)
        return self.detectors.detector(package, members)

    def kept_objects(self) -> list[ResultRecord]:
        """Return the objects of an earlier attempt, if all of them are still there."""
        kept = self.journal.job_results(self.job.id)
        return kept if all(one.path.is_file() for one in kept) else []

    def add_destinations(self, kept: list[ResultRecord]) -> None:
        """Give kept objects to destinations that the route has gained since they were made."""
        named = [route.destinations for route in self.settings.routes if route.name == self.job.route]
        self.journal.record_results(self.job.id, kept, named[0] if named else ())

    @property
    def content_time(self) -> datetime:
        """When the results were first made on this installation, also where the journal was lost since."""
        installation = Installation(self.settings.state_dir)
        return installation.content_time(self.identity.uid("structured-report"), self.job.content_time)

    def gather(self) -> Gathered:
        """Select the instances of the job, and say what else of the study is left out and why."""
        chosen = {one.sop_instance_uid for one in self.journal.job_instances(self.job.id)}
        paths = [self.settings.inbox / one.path for one in self._instances(chosen)]
        try:
            gathered = self.reader().gather(paths)
        except Refused as refusal:
            if any(one.code == "several-patients" for one in refusal.not_read):
                # No report goes out: whose would it be?
                _LOG.warning(
                    "study %s holds images of several patients: refused without a report, somebody must "
                    "correct it in the archive and send it again",
                    self.job.pseudonym,
                )
            raise
        selected = tuple(source for source in gathered.selected if source.sop_instance_uid in chosen)
        gathered = replace(gathered, selected=selected)
        if gathered.fingerprint != self.job.fingerprint:
            raise StepFailed("the files in the inbox are not those that the job was made for")
        self._note_patient(gathered)
        return gathered

    def _note_patient(self, gathered: Gathered) -> None:
        """Keep by a keyed hash whose study it is, as far as its headers say so beyond doubt."""
        headers = with_one_issuer([read_header(source.path) for source in gathered.selected])
        header = headers[0]
        patient_id, issuer = patient_of(header)
        if patient_id and patient_id.strip("*- .0").upper() not in _NOBODY:
            key = Installation(self.settings.state_dir).pseudonymiser.patient(patient_id, issuer)
            self.journal.note_patient(self.job.study_id, KnownPatient(key, bool(issuer)), acquired_at(header))

    def prior(self) -> PriorRecord | None:
        """Return the last earlier reading to compare with, if any; within a run it stays the same."""
        if self._prior is None:
            needed = self.route.multi_site
            found = self.journal.prior_of(self.job, issuer_needed=needed)
            if found is not None and "breasts" in found.outcome:
                found = self._earlier_exam()
            elif found is not None and "volume_ml" not in found.outcome:
                found = None  # of chest films nothing is compared
            self._prior = (found,)
        return self._prior[0]

    def _earlier_exam(self) -> PriorRecord | None:
        """Return the last mammography of another day that has a view of this one, with its images.

        Where no key image is made nothing is shown, and nothing enters the identity. A study of further views
        alone would else hide the one of last year.
        """
        if not self.route.key_images:
            return None
        paths = [self.settings.inbox / one.path for one in self.journal.job_instances(self.job.id)]
        own = [header for path in paths if (header := _header_in(path)) is not None]
        views = [view for path in paths if (view := view_in(path)) is not None]
        named = f"study {self.job.pseudonym}"
        for record in self.journal.priors_of(
            self.job, issuer_needed=self.route.multi_site, another_day=True, most=_EARLIER_STUDIES
        ):
            instances = self.journal.job_instances(record.job_id)
            found = with_images(record, instances, self.settings.inbox, named)
            if found is None or (views and not shows_views(found, views)):
                continue
            theirs = [_header_in(image.path) for image in found.images]
            if all(may_be_one_person(a, b) for a in own for b in theirs if b is not None):
                return found
            _LOG.warning("%s: a prior states another birth date or sex and is not shown", named)
        return None

    def _instances(self, chosen: set[str]) -> list[StoredInstance]:
        everything = self.journal.study_instances(self.job.study_id)
        kinds = {one.modality for one in everything if one.sop_instance_uid in chosen}
        return [
            one
            for one in everything
            if one.sop_instance_uid in chosen
            or (one.modality in kinds and one.received_at <= self.job.content_time)
        ]

    def predecessors(self) -> dict[str, Predecessor]:
        """Return what this job's documents replace, by kind."""
        return {
            one.kind: Predecessor(one.sop_class_uid, one.sop_instance_uid, one.series_instance_uid)
            for one in self.journal.predecessor_results(self.job.id)
        }

    def basis(self) -> Basis:
        """Return what the objects of the job rest on beside the reading."""
        serial = Installation(self.settings.state_dir).serial
        return Basis(
            package=PackageIdentity.of(self.package(), serial=serial),
            identity=self.identity,
            content_time=self.content_time,
            options=self.route,
            folder=self._drafts,
            predecessors=self.predecessors(),
        )

    @property
    def _drafts(self) -> Path:
        return self.results_folder / ".drafts"

    def keep(self, objects: Sequence[EncodedObject]) -> None:
        """Record encoded objects with their destinations, then put them where they are kept.

        In this order: what contradicts an object that was kept before is found before anything of that is
        replaced. A crash in between leaves rows without files, and the same bytes are encoded again.
        """
        kept = [replace(one, path=self.results_folder / one.path.name) for one in objects]
        self.journal.record_results(self.job.id, kept, self.route.destinations)
        for draft, final in zip(objects, kept, strict=True):
            draft.path.replace(final.path)
        sync_folder(self.results_folder)
        shutil.rmtree(self._drafts, ignore_errors=True)

    def keep_reading(self, reading: dict[str, Any]) -> None:
        """Begin the manifest beside the objects, for attempts that only send them again too."""
        manifest = start_of_run(
            self.job, self.route, self.package(), self.journal.job_instances(self.job.id), reading
        )
        write_manifest(self.results_folder, manifest)

    def kept_reading(self) -> dict[str, Any]:
        """Return what this or an earlier attempt read."""
        kept: dict[str, Any] = read_manifest(self.results_folder).get("reading", {})
        return kept

    def complete_manifest(self) -> None:
        """Add objects, deliveries and times to the manifest."""
        ended = end_of_run(
            self.job,
            self.journal.job_results(self.job.id),
            self.journal.deliveries(self.job.id),
            self.journal.stage_times(self.job.id),
        )
        write_manifest(self.results_folder, {**read_manifest(self.results_folder), **ended})

    @property
    def is_current(self) -> bool:
        """Whether the job is still this run's."""
        now = self.journal.job(self.job.id)
        return (now.flow_run_id, now.attempt) == (self.job.flow_run_id, self.job.attempt)

    def finish(self, state: JobState, reason: str | None, outcome: dict[str, Any]) -> None:
        """End the job, unless it was taken from this run meanwhile."""
        if not self.is_current:
            raise StepFailed("the job was given to another run meanwhile")
        self.journal.finish_job(self.job.id, state, reason, outcome, attempt=self.job.attempt)

    def clean(self) -> None:
        """Remove what the steps handed to each other."""
        shutil.rmtree(self.scratch, ignore_errors=True)
