"""What became of the studies that were sent: from the journal and from the archive node."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dicom_io.archive import ArchiveNode
from flows.demo.system import LocalSystem
from flows.journal import FINAL_JOB_STATES, JobRecord, Journal

__all__ = ["DemoStudy", "Nodule", "StudyResult", "Verdict", "wait_for_studies"]

_POLL_S = 0.1
_SMALLEST_RADIUS_MM = 5.0
_STUCK = frozenset({"not-routed", "failed"})


@dataclass(frozen=True, slots=True)
class Nodule:
    """A nodule of a phantom, in pixels of its film."""

    row: float
    column: float
    diameter_mm: float
    spacing_mm: float

    def is_hit_by(self, box: Sequence[float]) -> bool:
        """Return whether a box (top, left, bottom, right) has its centre in the circle of 5 mm or more."""
        top, left, bottom, right = box
        radius = max(self.diameter_mm / 2, _SMALLEST_RADIUS_MM) / self.spacing_mm
        return math.hypot((top + bottom) / 2 - self.row, (left + right) / 2 - self.column) <= radius


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """A study to send; ``nodules`` is None where nobody knows."""

    study_instance_uid: str
    paths: tuple[Path, ...]
    nodules: tuple[Nodule, ...] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many of the phantom's nodules were found, and how many findings are on none."""

    hits: int
    missed: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class StudyResult:
    """One study after its way through the system.

    Parameters
    ----------
    state : str
        Of its job, or of the study where it has no job.
    stages_s : mapping of str to float
        Seconds by stage, with ``queue`` (complete to running).
    files : tuple of pathlib.Path
        What the archive received back.
    came_back : bool
        The job completed and every object that it made is in the archive.
    """

    study: DemoStudy
    pseudonym: str
    state: str
    reason: str | None
    outcome: Mapping[str, Any] = field(default_factory=dict)
    stages_s: Mapping[str, float] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    came_back: bool = False

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """The findings of the report."""
        return list(self.outcome.get("findings", ()))

    @property
    def verdict(self) -> Verdict | None:
        """Findings against what the phantom has; None where that is not known or the study was not read."""
        nodules = self.study.nodules
        if nodules is None or not self.came_back:
            return None
        boxes = [finding["box"] for finding in self.findings]
        hits = sum(any(nodule.is_hit_by(box) for box in boxes) for nodule in nodules)
        elsewhere = sum(not any(nodule.is_hit_by(box) for nodule in nodules) for box in boxes)
        return Verdict(hits, len(nodules) - hits, elsewhere)


def wait_for_studies(
    system: LocalSystem,
    archive: ArchiveNode,
    studies: Sequence[DemoStudy],
    timeout_s: float,
    on_end: Callable[[StudyResult], None] = lambda result: None,
) -> list[StudyResult]:
    """Wait until every study has come back or has ended otherwise, and tell what became of each.

    Raises
    ------
    SystemFailed
        The service ended by itself.
    """
    if len({study.study_instance_uid for study in studies}) != len(studies):
        raise ValueError("every study is waited for once")
    done: dict[str, StudyResult] = {}
    end = time.monotonic() + timeout_s
    with system.journal() as journal:
        while len(done) < len(studies):
            system.check()
            late = time.monotonic() > end
            for study in studies:
                if study.study_instance_uid in done:
                    continue
                result = _look(journal, archive, study)
                if result is not None or late:
                    done[study.study_instance_uid] = result or _timed_out(journal, study, timeout_s)
                    on_end(done[study.study_instance_uid])
            time.sleep(_POLL_S)
    return [done[study.study_instance_uid] for study in studies]


def _look(journal: Journal, archive: ArchiveNode, study: DemoStudy) -> StudyResult | None:
    """Return what became of a study, or None while it is on its way."""
    record = journal.find_study(study.study_instance_uid)
    if record is None:
        return None
    jobs = journal.jobs(study_id=record.id, limit=1, newest_first=True)
    if not jobs:
        if record.state not in _STUCK:
            return None
        return StudyResult(study, record.pseudonym, record.state, record.reason)
    job = jobs[0]
    if job.state not in FINAL_JOB_STATES:
        return None
    results = journal.job_results(job.id)
    received = {path.stem: path for path in archive.received(study.study_instance_uid)}
    back = [received[one.sop_instance_uid] for one in results if one.sop_instance_uid in received]
    return StudyResult(
        study,
        job.pseudonym,
        job.state,
        job.reason,
        outcome=job.outcome,
        stages_s=_stages(journal, job),
        files=tuple(back),
        came_back=job.state == "completed" and bool(results) and len(back) == len(results),
    )


def _stages(journal: Journal, job: JobRecord) -> dict[str, float]:
    queue = {}
    if job.started_at is not None:
        queue["queue"] = (job.started_at - job.created_at).total_seconds()
    return {**queue, **journal.stage_times(job.id)}


def _timed_out(journal: Journal, study: DemoStudy, timeout_s: float) -> StudyResult:
    record = journal.find_study(study.study_instance_uid)
    if record is None:
        return StudyResult(study, "-", "never arrived", f"nothing of it in the journal after {timeout_s:g} s")
    jobs = journal.jobs(study_id=record.id, limit=1, newest_first=True)
    state = jobs[0].state if jobs else record.state
    return StudyResult(study, record.pseudonym, state, f"no end after {timeout_s:g} s")
