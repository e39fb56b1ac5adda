from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from flows.journal import JobDraft, JobRecord, Journal, KnownPatient
from tests.flows.conftest import STUDY, Clock, MakeInstance

KEY, OTHER_KEY = KnownPatient("a" * 32, issued=True), KnownPatient("b" * 32, issued=True)
NO_ISSUER = KnownPatient("c" * 32, issued=False)
FIRST = datetime(2025, 3, 1, 10, 0)  # noqa: DTZ001 - DICOM dates have no zone

Read = Callable[..., JobRecord]


@pytest.fixture
def read(journal: Journal, clock: Clock, instance: MakeInstance, draft: Callable[..., JobDraft]) -> Read:
    """Return what receives a study and, unless told otherwise, reads it to its end."""

    def make(
        study: str,
        at: datetime | None,
        key: KnownPatient | None = KEY,
        *,
        state: str = "completed",
        **changes: object,
    ) -> JobRecord:
        received = instance(study=study)
        journal.record_instance(received)
        found = journal.find_study(study)
        assert found is not None
        journal.mark_complete(found.id, received.received_at)
        uids = (received.sop_instance_uid,)
        made = journal.create_job(found.id, draft(sop_instance_uids=uids, **changes))
        assert made is not None
        clock.advance(10)
        journal.start_job(made.id, f"run-{made.id}")
        journal.note_patient(found.id, key, at)
        if state != "open":
            outcome = {"volume_ml": float(made.id)}
            journal.finish_job(made.id, state, None, outcome)  # type: ignore[arg-type]
        clock.advance(10)
        return journal.job(made.id)

    return make


def test_the_last_earlier_reading_of_the_patient_is_the_prior(journal: Journal, read: Read) -> None:
    read(f"{STUDY}.1", FIRST)
    nearer = read(f"{STUDY}.2", FIRST + timedelta(days=90))
    read(f"{STUDY}.3", FIRST + timedelta(days=400))
    now = read(f"{STUDY}.4", FIRST + timedelta(days=200), state="open")
    prior = journal.prior_of(now)
    assert prior is not None
    assert (prior.package, prior.package_hash) == ("blobs@1.0.0", "p" * 64)
    assert prior.acquired_at == FIRST + timedelta(days=90)
    assert prior.outcome == {"volume_ml": float(nearer.id)}


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("another patient", {"key": OTHER_KEY}),
        ("nobody knows whose", {"key": None}),
        ("nobody knows when", {"at": None}),
        ("acquired at the same time", {"at": FIRST + timedelta(days=1)}),
        ("another package", {"package_name": "lumps"}),
        ("refused", {"state": "refused"}),
        ("failed", {"state": "failed"}),
        ("not read to its end", {"state": "open"}),
    ],
)
def test_what_is_no_prior(journal: Journal, read: Read, what: str, changes: dict[str, object]) -> None:
    values = {"at": FIRST} | changes
    read(f"{STUDY}.1", **values)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=1), state="open")
    assert journal.prior_of(now) is None, what


def test_a_study_whose_patient_is_unknown_has_no_prior(journal: Journal, read: Read) -> None:
    read(f"{STUDY}.1", FIRST)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=1), None, state="open")
    assert journal.prior_of(now) is None


def test_what_was_read_after_the_job_was_made_is_no_prior_of_it(journal: Journal, read: Read) -> None:
    now = read(f"{STUDY}.1", FIRST + timedelta(days=1), state="open")
    read(f"{STUDY}.2", FIRST)
    assert journal.prior_of(now) is None


def test_without_an_issuer_an_identifier_counts_within_one_route(journal: Journal, read: Read) -> None:
    read(f"{STUDY}.1", FIRST, NO_ISSUER)
    read(f"{STUDY}.2", FIRST + timedelta(days=2), NO_ISSUER, route="elsewhere")
    now = read(f"{STUDY}.3", FIRST + timedelta(days=3), NO_ISSUER, state="open")
    prior = journal.prior_of(now)
    assert prior is not None and prior.acquired_at == FIRST
    assert journal.prior_of(now, issuer_needed=True) is None


def test_an_issued_identifier_counts_on_every_route(journal: Journal, read: Read) -> None:
    read(f"{STUDY}.1", FIRST, route="elsewhere")
    now = read(f"{STUDY}.2", FIRST + timedelta(days=3), state="open")
    assert journal.prior_of(now, issuer_needed=True) is not None


def test_a_study_stays_known_whoever_reads_it_next(journal: Journal, read: Read) -> None:
    read(f"{STUDY}.1", FIRST)
    now = read(f"{STUDY}.2", FIRST + timedelta(days=1), OTHER_KEY, state="open")
    journal.note_patient(now.study_id, KEY, FIRST + timedelta(days=1))
    assert journal.prior_of(now) is not None
    journal.note_patient(now.study_id, None, FIRST)
    journal.note_patient(now.study_id, KEY, None)
    assert journal.prior_of(now) is not None
