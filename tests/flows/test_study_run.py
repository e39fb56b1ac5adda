"""Errors lose what they quote, and summaries say what is known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dicom_io.results import EncodedObject
from flows.detectors import DetectorCache
from flows.journal import JobDraft, JobRecord, Journal
from flows.settings import Settings
from flows.study_run import StepFailed, StudyRun, is_out_of_memory, without_quotes
from flows.summary import summary_markdown
from models.package import PackageError
from tests.flows.conftest import STUDY, MakeInstance
from tests.flows.test_reconciler import job


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - with its traceback
        return caught


def test_the_text_of_an_unknown_error_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        failure = without_quotes("prepare", raised(ValueError("bad value 'DOE^JANE' in (0010,0010)")))
    assert "DOE" not in str(failure)
    assert "DOE" not in caplog.text
    assert "prepare failed with ValueError at test_study_run.py:" in str(failure)
    assert not failure.passing


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(28, "No space left on device"),
        OperationalError("x", {}, Exception()),
        RuntimeError("[ONNXRuntimeError] : 6 : std::bad_alloc"),
        RuntimeError("CUDA out of memory"),
    ],
)
def test_what_may_pass_gets_another_attempt(error: Exception) -> None:
    assert without_quotes("infer", raised(error)).passing


def test_running_out_of_memory_is_told_apart() -> None:
    assert without_quotes("infer", raised(MemoryError())).out_of_memory
    assert not without_quotes("infer", raised(OSError(28, "x"))).out_of_memory
    assert is_out_of_memory(RuntimeError("Failed to allocate memory for requested buffer"))


def test_our_own_errors_keep_their_words() -> None:
    own = StepFailed("the files in the inbox are not those that the job was made for")
    assert without_quotes("gather", own) is own
    assert "blobs@1.0.0 is broken" in str(
        without_quotes("infer", raised(PackageError("blobs@1.0.0 is broken")))
    )


def test_the_summary_shows_findings_files_and_times() -> None:
    finding = {
        "number": 1, "film": 1, "score": 0.8123, "support": 1.0, "score_spread": 0.1,
        "box": [1, 2, 3, 4], "size_mm": [12.4, 11.6], "size_is_calibrated": False,
    }  # fmt: skip
    outcome = {
        "films": 1, "decision": "not-assessed", "components": {"member_support": 1.0}, "findings": [finding],
        "not_read": [{"code": "lateral-view", "reason": "the view is lateral"}],
        "objects": ["structured-report"], "deliveries": {"pacs": {"sent": 1, "failed": 1}},
        "reasons": ["no calibration is fitted"],
    }  # fmt: skip
    text = summary_markdown(job(), "Completed", outcome, {"infer": 1.25})
    for wanted in (
        "# Completed: study S-AAAAAAAAAA",
        "| 1 | 1 | 0.812 | 1.00 | 12 x 12 (at the detector) |",
        "- the view is lateral",
        "| pacs | 1 sent, 1 failed |",
        "| infer | 1.250 |",
        "- no calibration is fitted",
    ):
        assert wanted in text


def test_the_summary_of_a_reading_without_findings_says_so() -> None:
    text = summary_markdown(job(), "Completed", {"findings": []}, {})
    assert "## Findings: 0" in text


def test_cells_cannot_break_the_table() -> None:
    text = summary_markdown(job(), "Completed", {"decision": "a|b"}, {})
    assert "| Decision | a/b |" in text


def run_of(one: JobRecord, journal: Journal, state_dir: Path, *destinations: str) -> StudyRun:
    route = {
        "name": "chest",
        "package": "blobs",
        "when": [{"tag": "Modality", "equals": "DX"}],
        "destinations": destinations,
    }
    nodes = {name: {"kind": "folder", "path": state_dir / name} for name in destinations}
    settings = Settings.model_validate({"state_dir": state_dir, "nodes": nodes, "routes": [route]})
    return StudyRun(one, journal, settings, DetectorCache(settings.runtime), state_dir / "scratch")


def test_kept_objects_reach_a_destination_that_the_route_gained(
    sqlite_journal: Journal, instance: MakeInstance, draft: Callable[..., JobDraft], tmp_path: Path
) -> None:
    journal = sqlite_journal
    journal.record_instance(instance())
    study = journal.find_study(STUDY)
    assert study is not None
    journal.mark_complete(study.id, instance().received_at)
    made = journal.create_job(study.id, draft())
    assert made is not None
    kept = tmp_path / "report.dcm"
    kept.write_bytes(b"object")
    report = EncodedObject("structured-report", "1.2", "2.25.1", "2.25.2", kept, "0" * 64, 6)
    run_of(made, journal, tmp_path).journal.record_results(made.id, [report], ())
    assert journal.deliveries(made.id) == []
    again = run_of(made, journal, tmp_path, "pacs")
    again.add_destinations(again.kept_objects())
    again.add_destinations(again.kept_objects())
    assert [(one.destination, one.state) for one in journal.deliveries(made.id)] == [("pacs", "pending")]


def test_a_lost_journal_does_not_give_used_uids_other_times(sqlite_journal: Journal, tmp_path: Path) -> None:
    first = replace(job(), fingerprint="f" * 64, package_hash="p" * 64, configuration_hash="c" * 64)
    later = replace(first, content_time=first.content_time + timedelta(days=1))
    one = run_of(first, sqlite_journal, tmp_path)
    other = run_of(later, sqlite_journal, tmp_path)
    assert one.identity == other.identity
    assert one.content_time == other.content_time == first.content_time.replace(microsecond=0)
