"""Listener, journal, completeness and intake together, with a real sender."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from dicom_io.receive.records import AssociationRecord, SilentObserver
from flows.completeness import Completeness
from flows.intake import Intake
from flows.journal import Journal
from flows.routing.rules import Route
from models.registry import Registry
from tests.flows.conftest import DX, pseudonym
from tests.flows.films import film, make_package, write

_QUIET_S = 0.3


class _Waker(SilentObserver):
    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self.ended = 0.0

    def association_ended(self, record: AssociationRecord) -> None:
        self.ended = time.perf_counter()
        self.wake()


@dataclass
class Service:
    journal: Journal
    listener: Listener
    observer: _Waker
    folder: Path

    def associate(self) -> Association:
        ae = AE("SENDER")
        ae.add_requested_context(DX, "1.2.840.10008.1.2.1")
        association = ae.associate("127.0.0.1", self.listener.port, ae_title="SECONDREAD")
        assert association.is_established
        return association

    def send(self, association: Association, number: int, study: str) -> None:
        path = write(film(number, study), self.folder / f"{study}.{number}.dcm")
        assert association.send_c_store(path).Status == 0


@pytest.fixture
def service(journal_url: str, tmp_path: Path) -> Iterator[Service]:
    route = Route.model_validate(
        {
            "name": "chest",
            "package": "films",
            "when": [{"tag": "Modality", "equals": "DX"}],
            "quiet_time_s": _QUIET_S,
        }
    )
    observer = _Waker()
    with Journal(journal_url, pseudonym=pseudonym) as journal:
        journal.upgrade()
        inbox = tmp_path / "inbox"
        listener = Listener(Inbox(inbox, tmp_path / "quarantine"), journal, port=0, observer=observer)
        intake = Intake(
            journal,
            inbox,
            [route],
            Registry([make_package(tmp_path / "packages")]),
            configuration_hash=lambda route, package: "c",
            completeness=Completeness(journal, [route], listener.open_study_uids),
            poll_s=30.0,  # nothing here may wait for the next look
        )
        observer.wake = intake.wake
        intake.start()
        listener.start()
        (tmp_path / "films").mkdir()
        yield Service(journal, listener, observer, tmp_path / "films")
        listener.stop()
        intake.stop()


def _wait(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_four_senders_at_once_make_four_jobs(service: Service) -> None:
    def send(study: str) -> None:
        association = service.associate()
        for number in range(1, 6):
            service.send(association, number, study)
        association.release()

    threads = [threading.Thread(target=send, args=(f"1.2.3.{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    _wait(lambda: len(service.journal.jobs()) == 4)
    assert [len(service.journal.job_instances(job.id)) for job in service.journal.jobs()] == [5] * 4
    overview = service.journal.overview()
    assert (overview.associations, overview.open_associations, overview.instances) == (4, 0, 20)


def test_one_study_from_two_senders_is_one_job(service: Service) -> None:
    first, second = service.associate(), service.associate()
    service.send(first, 1, "1.2.3")
    service.send(second, 2, "1.2.3")
    first.release()
    time.sleep(3 * _QUIET_S)
    assert service.journal.jobs() == []
    second.release()
    _wait(service.journal.jobs)
    (job,) = service.journal.jobs()
    assert len(service.journal.job_instances(job.id)) == 2


def test_a_sender_that_aborts_does_not_hold_its_study(service: Service) -> None:
    association = service.associate()
    service.send(association, 1, "1.2.3")
    association.abort()
    _wait(service.journal.jobs)


def test_from_the_end_of_the_association_to_the_job(service: Service) -> None:
    """A study that was quiet for long enough waits only for its association."""
    taken: list[float] = []
    for number in range(1, 8):
        association = service.associate()
        service.send(association, 1, f"1.2.3.{number}")
        time.sleep(1.2 * _QUIET_S)
        assert len(service.journal.jobs()) == number - 1
        association.release()
        _wait(lambda: len(service.journal.jobs()) == number)  # noqa: B023
        taken.append(time.perf_counter() - service.observer.ended)
    assert max(taken) < 5, taken
    print(f"\nassociation end to job row, ms: {sorted(round(1000 * t, 1) for t in taken)}")
