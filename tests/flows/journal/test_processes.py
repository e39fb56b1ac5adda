"""The journal under several processes, and under one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.journal import Journal
from tests.flows.conftest import Clock, MakeInstance, pseudonym

_ROOT = Path(__file__).parents[3]

_WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dicom_io.receive.records import StoredInstance
from flows.journal import Journal

url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
journal = Journal(url, pseudonym=lambda uid: "S-" + uid.replace(".", ""))
for number in range(count):
    uid = f"1.2.{name}.1.{number}"
    journal.record_instance(StoredInstance(
        "1.2." + name, f"1.2.{name}.1", uid, "1.2", "1.2.840.10008.1.2", "a" * 64, 1, Path(uid), "DX",
        datetime.now(UTC), "a",
    ))
    print(uid, flush=True)
"""

_STARTER = """
import sys
from flows.journal import IllegalTransition, Journal

journal = Journal(sys.argv[1])
won = 0
for job in journal.jobs():
    try:
        journal.finish_job(job.id, sys.argv[2])
        won += journal.job(job.id).state == sys.argv[2]
    except IllegalTransition:
        pass
print(won)
"""


def _start(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )


def test_processes_write_at_once(journal: Journal, journal_url: str) -> None:
    writers = [_start(_WRITER, journal_url, str(n), "60") for n in range(1, 4)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    assert sorted(study.instances for study in journal.studies()) == [60, 60, 60]


def test_what_was_acknowledged_survives_a_kill(journal: Journal, journal_url: str) -> None:
    writer = _start(_WRITER, journal_url, "7", "100000")
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(20)]
    writer.send_signal(signal.SIGKILL)
    told += writer.stdout.read().split("\n")[:-1]
    writer.wait(30)
    kept = {one.sop_instance_uid for one in journal.study_instances(journal.studies()[0].id)}
    assert {uid for uid in told if uid} <= kept
    assert len(kept) - len(told) <= 1


def test_only_one_process_ends_a_job(
    journal: Journal, journal_url: str, instance: MakeInstance, draft: object
) -> None:
    journal.record_instance(instance())
    study = journal.studies()[0]
    for number in range(30):
        made = journal.create_job(study.id, draft(route=f"route-{number}"))  # type: ignore[operator]
        journal.start_job(made.id)
    racers = [_start(_STARTER, journal_url, state) for state in ("completed", "failed", "cancelled")]
    won = [int(racer.communicate(timeout=60)[0]) for racer in racers]
    assert sum(won) == 30


@pytest.mark.parametrize("journal_url", ["sqlite"], indirect=True)
def test_a_reader_is_not_stopped_by_a_writer(journal: Journal, journal_url: str, clock: Clock) -> None:
    with (
        journal._writing() as connection,
        Journal(journal_url, pseudonym=pseudonym, clock=clock) as other,
    ):
        connection.exec_driver_sql("UPDATE studies SET tries = 1")
        assert other.overview().studies == ()
        assert other.waiting_jobs() == []
