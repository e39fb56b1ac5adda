"""From a complete study to its jobs: read headers, route, write the outbox."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pydicom.dataset import Dataset
from sqlalchemy.exc import OperationalError

from dicom_io.reading import read_header
from dicom_io.receive.records import StoredInstance
from dicom_io.results import fingerprint
from flows.completeness import Completeness
from flows.journal import JobDraft, JobRecord, Journal, StudyRecord
from flows.routing.conditions import candidate_routes
from flows.routing.engine import (
    Header,
    PackageSource,
    RouteMatch,
    RoutingDecision,
    UnreadInstance,
    route_study,
)
from flows.routing.rules import Route
from models.package import Package

__all__ = ["Intake", "RoutingFailed", "draft_job", "study_headers"]

_LOG = logging.getLogger(__name__)
_MAXIMUM_LINES = 200
_SHORTEST_PAUSE_S = 0.02
_PASSING_PAUSE_S = 5.0

ConfigurationHash = Callable[[Route, Package], str]


class RoutingFailed(Exception):
    """A study could not be routed; the text says why, without protected health information."""


def study_headers(
    instances: Sequence[StoredInstance], inbox: Path, read: Callable[[Path], Dataset] = read_header
) -> list[Header]:
    """Read the headers of a study's files.

    Raises
    ------
    RoutingFailed
        A file is gone or cannot be read.
    """
    headers: list[Header] = []
    for number, instance in enumerate(instances, 1):
        path = inbox / instance.path
        try:
            headers.append((path, read(path)))
        except Exception as error:
            # The text of a parser's error may quote the file, and with it the patient.
            what = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
            raise RoutingFailed(
                f"file {number} of {len(instances)} {what} in the inbox ({type(error).__name__})"
            ) from error
    return headers


def draft_job(match: RouteMatch, sha256: Mapping[str, str], configuration: str) -> JobDraft:
    """Return the job that a matching route asks for.

    Parameters
    ----------
    sha256 : mapping
        SHA-256 of the study's data sets by SOP Instance UID, as the journal holds them.
    configuration : str
        Digest of what shapes the result beside input and package. The route's name is mixed in: two
        routes with the same package make objects of their own.
    """
    uids = match.sop_instance_uids
    return JobDraft(
        route=match.route.name,
        package_name=match.package.name,
        package_version=match.package.version,
        package_hash=match.package.content_hash,
        configuration_hash=hashlib.sha256(f"{match.route.name}|{configuration}".encode()).hexdigest(),
        fingerprint=fingerprint((uid, sha256[uid]) for uid in uids),
        sop_instance_uids=uids,
        urgency=match.route.urgency,
    )


class Intake:
    """Completes studies and turns them into jobs, on a thread of its own.

    Parameters
    ----------
    journal, inbox, routes, registry
        Where studies are, where their files lie, and what may read them.
    configuration_hash : callable
        Digest of the effective configuration of a route and a package.
    completeness : Completeness
        Says which studies are complete.
    maximum_tries : int
        A study that cannot be routed is failed after so many tries, with the reason.
    retry_s : float
        Pause before the next try of the same study; it doubles each time.
    poll_s : float
        Longest pause between two looks; `wake` cuts it short.
    """

    def __init__(
        self,
        journal: Journal,
        inbox: Path,
        routes: Sequence[Route],
        registry: PackageSource,
        *,
        configuration_hash: ConfigurationHash,
        completeness: Completeness,
        maximum_tries: int = 8,
        retry_s: float = 1.0,
        poll_s: float = 0.1,
    ) -> None:
        self._journal = journal
        self._inbox = inbox
        self._routes = tuple(routes)
        self._registry = _Packages(registry)
        self._configuration_hash = configuration_hash
        self._completeness = completeness
        self._maximum_tries = maximum_tries
        self._retry_s = retry_s
        self._poll_s = poll_s
        self._retry_at: dict[int, float] = {}
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; before the listener, whose predecessor's open associations are closed here."""
        if self._thread is not None:
            raise RuntimeError("the intake is already running")
        self._journal.close_open_associations()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> None:
        """Finish the study at hand and end the thread."""
        self._stopping.set()
        self._news.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    @property
    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Look at once: an instance came or an association ended."""
        self._news.set()

    def run_once(self) -> list[JobRecord]:
        """Complete and route what there is; return the jobs made."""
        self._completeness.sweep()
        made: list[JobRecord] = []
        now = time.monotonic()
        complete = self._journal.complete_studies()
        for study in complete:
            if self._stopping.is_set():
                break
            if self._retry_at.get(study.id, now) <= now:
                made += self._route(study)
        self._retry_at = {s.id: at for s in complete if (at := self._retry_at.get(s.id)) is not None}
        return made

    def _run(self) -> None:
        failed = 0
        while not self._stopping.is_set():
            self._news.clear()
            try:
                self.run_once()
                failed = 0
            except Exception:
                # The journal is out of reach: nothing is lost, and intake must go on when it is back.
                failed += 1
                _LOG.exception("intake could not look at the journal, try %d", failed)
            due = self._completeness.next_due_s
            # Hundreds of instances a second must not become hundreds of looks.
            self._stopping.wait(_SHORTEST_PAUSE_S)
            pause = self._poll_s if due is None else min(self._poll_s, due + 0.001)
            self._news.wait(pause if not failed else min(30.0, self._poll_s * 2**failed))

    def _route(self, study: StudyRecord) -> list[JobRecord]:
        try:
            made = self._route_or_raise(study)
        except RoutingFailed as error:
            self._note_failure(study, str(error))
        except (OSError, OperationalError) as error:
            # Disk or database are away: that is no fault of the study, and it waits as long as it takes.
            self._retry_at[study.id] = time.monotonic() + _PASSING_PAUSE_S
            _LOG.error("study %s waits: %s while routing", study.pseudonym, type(error).__name__)
        except Exception as error:
            # One study must not stop the others. The text of an error may quote the file, and with it
            # the patient: its kind and its place are told.
            place = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("study %s: %s while routing\n%s", study.pseudonym, type(error).__name__, place)
            self._note_failure(study, f"routing failed with {type(error).__name__}")
        else:
            self._retry_at.pop(study.id, None)
            return made
        return []

    def _note_failure(self, study: StudyRecord, reason: str) -> None:
        state = self._journal.note_intake_failure(study.id, reason, self._maximum_tries)
        self._retry_at[study.id] = time.monotonic() + self._retry_s * 2**study.tries
        _LOG.warning(
            "study %s, try %d of %d: %s%s",
            study.pseudonym,
            study.tries + 1,
            self._maximum_tries,
            reason,
            "; given up" if state == "failed" else "",
        )

    def _route_or_raise(self, study: StudyRecord) -> list[JobRecord]:
        instances = self._journal.study_instances(study.id)
        decision = self._decide(instances)
        sha256 = {one.sop_instance_uid: one.sha256 for one in instances}
        _check_content(decision, sha256)
        drafts = [
            draft_job(match, sha256, self._configuration_hash(match.route, match.package))
            for match in decision.matches
        ]
        if decision.problems:
            made = [self._journal.create_job(study.id, draft) for draft in drafts]
            _LOG.info("study %s: %d jobs before a problem", study.pseudonym, len(made))
            raise RoutingFailed("; ".join(decision.problems))
        lines = decision.lines()[:_MAXIMUM_LINES]
        if not drafts:
            if self._journal.mark_not_routed(study.id, decision.reason, lines):
                _LOG.info("study %s is not routed: %s", study.pseudonym, decision.reason)
            return []
        jobs = self._journal.record_routing(study.id, drafts, decision.reason, lines)
        for job in jobs or ():
            _LOG.info(
                "study %s: job %d, route %s, %s, revision %d",
                study.pseudonym,
                job.id,
                job.route,
                job.package,
                job.revision,
            )
        return jobs or []

    def _decide(self, instances: Sequence[StoredInstance]) -> RoutingDecision:
        kinds = {(one.modality, one.sop_class_uid) for one in instances}
        # Headers that fit no route, maybe thousands, need not be read to say so.
        wanted = {kind for kind in kinds if candidate_routes([kind], self._routes)}
        read = [one for one in instances if (one.modality, one.sop_class_uid) in wanted]
        unread = [
            UnreadInstance(one.sop_instance_uid, one.modality, one.sop_class_uid)
            for one in instances
            if (one.modality, one.sop_class_uid) not in wanted
        ]
        headers = study_headers(read, self._inbox)
        return route_study(headers, self._routes, self._registry, unread=unread)


def _check_content(decision: RoutingDecision, sha256: Mapping[str, str]) -> None:
    """Raise RoutingFailed where a selected file is no longer what was received."""
    changed = {
        str(chosen.header.SOPInstanceUID)
        for match in decision.matches
        for chosen in match.selection.selected
        if sha256.get(str(chosen.header.SOPInstanceUID)) != chosen.sha256
    }
    if changed:
        raise RoutingFailed(f"{len(changed)} files of the inbox are not what was received: look at the disk")


class _Packages:
    """Keeps verified packages: their hashes are checked once per service, not once per study."""

    def __init__(self, registry: PackageSource) -> None:
        self._registry = registry
        self._kept: dict[str, Package] = {}

    def get(self, reference: str) -> Package:
        """Return the package, from memory where it was verified before."""
        if reference not in self._kept:
            self._kept[reference] = self._registry.get(reference)
        return self._kept[reference]
