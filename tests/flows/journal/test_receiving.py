from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from dicom_io.receive.records import AssociationRecord, QuarantinedInstance, Recorder, RefusedInstance
from flows.journal import ConflictingInstance, Journal, JournalError
from tests.flows.conftest import SR, STUDY, Clock, MakeInstance, pseudonym


def _association(clock: Clock, number: int = 1, **changes: object) -> AssociationRecord:
    values: dict[str, object] = {
        "association_id": f"a-{number}",
        "calling_ae_title": "PACS",
        "called_ae_title": "SECONDREAD",
        "peer_address": "127.0.0.1",
        "started_at": clock(),
    }
    return AssociationRecord(**(values | changes))  # type: ignore[arg-type]


def test_the_journal_is_the_listeners_recorder(journal: Journal) -> None:
    recorder: Recorder = journal
    assert recorder.find_instance("1.2.3") is None


def test_without_a_pseudonym_key_no_study_is_made(journal_url: str, instance: MakeInstance) -> None:
    with Journal(journal_url) as journal:
        journal.upgrade()
        with pytest.raises(JournalError, match="pseudonym"):
            journal.record_instance(instance())
        assert journal.studies() == []


def test_an_instance_comes_back_as_it_was_recorded(journal: Journal, instance: MakeInstance) -> None:
    one = instance()
    journal.record_instance(one)
    assert journal.find_instance(one.sop_instance_uid) == one
    study = journal.find_study(STUDY)
    assert study is not None
    assert (study.state, study.pseudonym, study.instances, study.series) == (
        "receiving",
        pseudonym(STUDY),
        1,
        1,
    )
    assert journal.find_study(study.pseudonym.lower()) == study
    assert journal.find_study("1.9") is None
    assert journal.study_instances(study.id) == [one]


def test_a_repeat_is_no_second_row_and_no_news(
    journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    journal.record_instance(instance())
    before = journal.find_study(STUDY)
    clock.advance(60)
    journal.record_instance(instance())
    assert journal.find_study(STUDY) == before


def test_other_content_under_a_used_uid_raises(journal: Journal, instance: MakeInstance) -> None:
    first = instance()
    journal.record_instance(first)
    with pytest.raises(ConflictingInstance, match=first.sop_instance_uid):
        journal.record_instance(instance(sha256="f" * 64))
    with pytest.raises(ConflictingInstance):
        journal.record_instance(instance(study="1.2.3", uid=first.sop_instance_uid))
    assert journal.find_instance(first.sop_instance_uid) == first
    assert journal.find_study("1.2.3") is None


def test_late_instances_open_a_study_again(journal: Journal, instance: MakeInstance, clock: Clock) -> None:
    journal.record_instance(instance(1))
    study = journal.studies()[0]
    assert study.last_instance_at is not None
    assert journal.mark_complete(study.id, study.last_instance_at)
    assert journal.mark_not_routed(study.id, "chest: lateral view", ["chest: lateral view"])
    assert journal.study(study.id).explanation == ("chest: lateral view",)
    clock.advance(5)
    journal.record_instance(instance(2))
    again = journal.study(study.id)
    assert (again.state, again.reason, again.last_instance_at) == ("receiving", None, clock())
    assert [e.name for e in journal.study_events(study.id)] == [
        "receiving",
        "complete",
        "not-routed",
        "receiving",
    ]


def test_an_older_time_never_sets_the_last_news_back(
    journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    journal.record_instance(instance(1))
    journal.record_instance(instance(2, received_at=clock() - timedelta(minutes=1)))
    assert journal.studies()[0].last_instance_at == clock()


def test_own_results_open_nothing(journal: Journal, instance: MakeInstance, clock: Clock) -> None:
    own = instance(9, own_result=True, sop_class_uid=SR, modality="SR", series=f"{STUDY}.9")
    journal.record_instance(own)
    alone = journal.studies()[0]
    assert (alone.state, alone.instances, alone.last_instance_at) == ("not-routed", 0, None)
    assert journal.receiving_studies() == []
    journal.record_instance(instance(1))
    study = journal.study(alone.id)
    assert (study.state, study.instances) == ("receiving", 1)
    assert study.last_instance_at is not None
    assert journal.study_kinds(study.id) == {("DX", "1.2.840.10008.5.1.4.1.1.1.1")}
    journal.mark_complete(study.id, study.last_instance_at)
    clock.advance(1)
    journal.record_instance(
        instance(10, own_result=True, sop_class_uid=SR, modality="SR", series=f"{STUDY}.9")
    )
    assert journal.study(study.id).state == "complete"
    assert len(journal.study_instances(study.id)) == 1
    assert len(journal.study_instances(study.id, own_results=True)) == 2


def test_news_between_look_and_mark_wins(journal: Journal, instance: MakeInstance, clock: Clock) -> None:
    journal.record_instance(instance(1))
    seen = journal.receiving_studies()[0]
    clock.advance(1)
    journal.record_instance(instance(2))
    assert not journal.mark_complete(seen.id, seen.last_instance_at)
    assert journal.study(seen.id).state == "receiving"


def test_a_purged_study_may_come_again(journal: Journal, instance: MakeInstance) -> None:
    one = instance(1)
    journal.record_instance(one)
    study = journal.purge_study(journal.studies()[0].id, "kept for 30 days")
    assert (study.state, study.reason, study.instances) == ("purged", "kept for 30 days", 0)
    assert journal.find_instance(one.sop_instance_uid) is None
    journal.record_instance(one)
    again = journal.study(study.id)
    assert (again.state, again.instances) == ("receiving", 1)


def test_associations_are_recorded_open_closed_and_rejected(journal: Journal, clock: Clock) -> None:
    record = _association(clock)
    journal.association_opened(record)
    assert journal.overview().open_associations == 1
    clock.advance(2)
    journal.association_closed(
        _association(clock, started_at=record.started_at, ended_at=clock(), instances=3, bytes=2**33,
                     presentation_contexts=2, end_reason="released")
    )  # fmt: skip
    journal.association_closed(
        _association(clock, 2, ended_at=clock(), end_reason="rejected: unknown caller")
    )
    overview = journal.overview()
    assert (overview.associations, overview.open_associations) == (2, 0)
    rejected, released = overview.last_associations
    assert rejected.end_reason == "rejected: unknown caller"
    assert (released.instances, released.bytes, released.state) == (3, 2**33, "closed")


def test_associations_of_a_listener_that_died_are_closed(journal: Journal, clock: Clock) -> None:
    journal.association_opened(_association(clock))
    assert journal.close_open_associations() == 1
    assert journal.close_open_associations() == 0
    assert journal.overview().last_associations[0].end_reason == "listener stopped"


def test_what_was_set_aside_is_shown_with_its_reason(
    journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    journal.record_instance(instance())
    journal.record_quarantined(
        QuarantinedInstance(
            "used-uid", "another object has this SOP Instance UID", STUDY, f"{STUDY}.1", f"{STUDY}.1.1",
            None, "a" * 64, 12, Path("x1"), clock(), "a-1",
        )
    )  # fmt: skip
    journal.record_refused(RefusedInstance("a-1", 0xC000, "unparsable", "no data set", clock()))
    overview = journal.overview()
    assert (overview.quarantined, overview.refused) == (1, 1)
    assert overview.last_quarantined[0].reason == "another object has this SOP Instance UID"
    assert overview.last_quarantined[0].pseudonym == pseudonym(STUDY)
    assert (overview.last_refused[0].status, overview.last_refused[0].reason_code) == (0xC000, "unparsable")


def test_naive_times_are_refused(journal: Journal, instance: MakeInstance, clock: Clock) -> None:
    with pytest.raises(Exception, match="with a zone"):
        journal.record_instance(instance(received_at=clock().replace(tzinfo=None)))


def test_four_associations_write_at_once(journal: Journal, instance: MakeInstance) -> None:
    errors: list[BaseException] = []
    shared = [instance(900 + n) for n in range(5)]

    def send(thread: int) -> None:
        try:
            for number in range(25):
                journal.record_instance(instance(100 * thread + number))
            for one in shared:
                journal.record_instance(one)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert [s.instances for s in journal.studies()] == [105]
