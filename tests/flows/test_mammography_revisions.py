"""Raw data comes first and is refused; the images for presentation come later and are a new revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
import pytest

from flows.completeness import Completeness
from flows.detectors import DetectorCache
from flows.intake import Intake
from flows.journal import JobRecord, Journal
from flows.reading import Refused
from flows.settings import Settings
from flows.study_run import StudyRun
from models.registry import Registry
from tests.flows.breasts import FOUR, exam, words_of
from tests.flows.conftest import Clock
from tests.flows.films import receive
from tests.packages.mammograms import NAME, build_mammogram_package


@dataclass(frozen=True)
class Site:
    """A service whose steps are turned by hand."""

    folder: Path
    journal: Journal
    clock: Clock
    settings: Settings
    detectors: DetectorCache

    def receive(self, paths: Sequence[Path]) -> JobRecord:
        """Receive files, wait until the study is complete, and return its job."""
        for path in paths:
            self.journal.record_instance(receive(pydicom.dcmread(path), self.settings.inbox, self.clock))
        self.clock.advance(60)
        routes = self.settings.routes
        intake = Intake(
            self.journal,
            self.settings.inbox,
            routes,
            Registry(self.settings.runtime.package_dirs),
            configuration_hash=lambda route, package: "c" * 64,
            completeness=Completeness(self.journal, routes, frozenset, self.clock, self.clock.monotonic),
        )
        (job,) = intake.run_once()
        self.clock.advance(1)
        return self.journal.start_job(job.id, f"run-{job.id}")

    def run(self, job: JobRecord) -> StudyRun:
        return StudyRun(job, self.journal, self.settings, self.detectors, self.folder / f"scratch-{job.id}")


@pytest.fixture
def site(tmp_path: Path, sqlite_journal: Journal, clock: Clock) -> Site:
    build_mammogram_package(tmp_path / "packages")
    settings = Settings.model_validate(
        {
            "state_dir": tmp_path / "state",
            "runtime": {"package_dirs": [tmp_path / "packages"], "threads": 1},
            "routes": [{"name": "breast", "package": NAME, "when": [{"tag": "Modality", "equals": "MG"}]}],
        }
    )
    return Site(tmp_path, sqlite_journal, clock, settings, DetectorCache(settings.runtime))


def test_what_was_refused_is_read_once_the_images_for_presentation_are_there(
    site: Site, tmp_path: Path
) -> None:
    raw = [replace(one, for_processing=True) for one in FOUR[2:]]
    paths = exam(tmp_path / "sent", (*raw, *FOUR[2:]))
    first = site.receive(paths[:2])
    run = site.run(first)
    with pytest.raises(Refused, match="For Processing") as caught:
        run.gather()
    reader = run.reader()
    run.keep(reader.refused(run.basis(), caught.value.not_read))
    run.finish("refused", str(caught.value), {"refusal": str(caught.value)})

    second = site.receive(paths[2:])
    assert (second.revision, second.predecessor_id) == (2, first.id)
    run = site.run(second)
    prepared = reader.gate(reader.prepare(run.gather(), run.scratch))
    assert [one.code for one in prepared.set_aside] == ["for-processing", "for-processing"]
    reading = reader.infer(prepared, run.detector(), run.scratch)
    objects = reader.encode(run.basis(), prepared, reading, reader.assess(reading))
    run.keep_reading(reader.outcome(prepared, reading, reader.assess(reading)))
    run.keep(objects)
    (before,) = site.journal.job_results(first.id)
    (report,) = [one for one in site.journal.job_results(second.id) if one.kind == "structured-report"]
    written = pydicom.dcmread(report.path)
    (named,) = written.PredecessorDocumentsSequence
    replaced = named.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert replaced == before.sop_instance_uid
    assert "2 images were set aside: the image is For Processing" in words_of(written)
    assert run.kept_reading()["views"] == ["R MLO", "L MLO"]
