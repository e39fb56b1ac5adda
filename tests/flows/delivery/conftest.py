"""A completed job with kept objects, and settings with the nodes that a test names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from dicom_io.receive.part10 import data_set_sha256
from flows.journal import DeliveryRecord, JobDraft, JobRecord, Journal
from flows.settings import Settings
from tests.dicom_io.receive.support import CR, CT, EXPLICIT, make_film, save
from tests.flows.conftest import MakeInstance, pseudonym

__all__ = ["Desk", "KeptObject"]


@dataclass(frozen=True)
class KeptObject:
    kind: str
    sop_instance_uid: str
    sop_class_uid: str
    path: Path
    series_instance_uid: str = "2.25.9"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size


@dataclass
class Desk:
    """Journal, settings and a job whose objects are to be delivered."""

    journal: Journal
    settings: Settings
    job: JobRecord
    objects: list[KeptObject]
    make_objects: Callable[[int], list[KeptObject]]

    @property
    def deliveries(self) -> list[DeliveryRecord]:
        return self.journal.deliveries(self.job.id)

    def states(self, destination: str) -> list[str]:
        return [one.state for one in self.deliveries if one.destination == destination]

    def complete(self) -> None:
        self.journal.finish_job(self.job.id, "completed")

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def journal(journal_url: str) -> Iterator[Journal]:
    """Return a journal that keeps the real time."""
    with Journal(journal_url, pseudonym=pseudonym) as opened:
        opened.upgrade()
        yield opened


@pytest.fixture
def journal_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'journal.sqlite'}"


MakeDesk = Callable[..., Desk]


@pytest.fixture
def desk(
    tmp_path: Path, journal: Journal, instance: MakeInstance, draft: Callable[..., JobDraft]
) -> MakeDesk:
    """Return a maker of a job with kept objects for the named nodes."""

    def objects(count: int) -> list[KeptObject]:
        folder = tmp_path / "results" / "S-1" / "chest-1"
        folder.mkdir(parents=True, exist_ok=True)
        made = []
        for number in range(1, count + 1):
            # Two SOP classes, so that one of them can be refused.
            class_uid, uid = (CR if number % 2 else CT), str(generate_uid())
            film = make_film(SOPInstanceUID=uid, SOPClassUID=class_uid)
            path = save(film, folder / f"object-{number}.dcm", EXPLICIT)
            made.append(KeptObject(f"object-{number}", uid, class_uid, path))
        return made

    def make(count: int = 3, **nodes: Any) -> Desk:
        settings = Settings(state_dir=tmp_path / "state", nodes=nodes, routes=())
        settings.inbox.mkdir(parents=True)
        source = save(make_film(), settings.inbox / "source.dcm", EXPLICIT)
        journal.record_instance(instance(1, path=Path("source.dcm"), sha256=data_set_sha256(source)))
        job = journal.create_job(journal.studies()[0].id, draft())
        assert job is not None
        job = journal.start_job(job.id)
        made = objects(count)
        journal.record_results(job.id, made, list(nodes))
        return Desk(journal, settings, job, made, objects)

    return make
