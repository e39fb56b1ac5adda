from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from flows.completeness import Completeness
from flows.journal import Journal
from flows.routing.rules import Route
from tests.flows.conftest import SR, STUDY, Clock, MakeInstance, pseudonym

CT = "1.2.840.10008.5.1.4.1.1.2"
Make = Callable[..., Completeness]


def _route(name: str, modality: str, quiet: float) -> Route:
    return Route.model_validate(
        {
            "name": name,
            "package": name,
            "quiet_time_s": quiet,
            "when": [{"tag": "Modality", "equals": modality}, {"tag": "BodyPartExamined", "equals": "CHEST"}],
        }
    )


ROUTES = (_route("chest", "DX", 5.0), _route("slow", "MR", 60.0))


@pytest.fixture
def open_uids() -> set[str]:
    return set()


@pytest.fixture
def make(journal: Journal, clock: Clock, open_uids: set[str]) -> Make:
    def build(routes: tuple[Route, ...] = ROUTES, journal: Journal = journal) -> Completeness:
        return Completeness(journal, routes, lambda: frozenset(open_uids), clock, clock.monotonic)

    return build


def test_nothing_received_is_nothing_complete(make: Make) -> None:
    completeness = make()
    assert completeness.sweep() == []
    assert completeness.next_due_s is None


def test_a_study_is_complete_after_its_quiet_time(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    completeness = make()
    journal.record_instance(instance(1))
    assert completeness.sweep() == []
    assert completeness.next_due_s == pytest.approx(5.0)
    clock.advance(4)
    journal.record_instance(instance(2))
    clock.advance(4.999)
    assert completeness.sweep() == []
    assert completeness.next_due_s == pytest.approx(0.001)
    clock.advance(0.001)
    assert [s.study_instance_uid for s in completeness.sweep()] == [STUDY]
    study = journal.studies()[0]
    assert (study.state, study.completed_at) == ("complete", clock())
    assert completeness.sweep() == []


def test_an_open_association_holds_the_study_however_long_it_is_silent(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock, open_uids: set[str]
) -> None:
    completeness = make()
    journal.record_instance(instance(1))
    journal.record_instance(instance(1, study="1.2.3"))
    open_uids.add(STUDY)
    clock.advance(3600)
    assert [s.study_instance_uid for s in completeness.sweep()] == ["1.2.3"]
    open_uids.clear()
    assert [s.study_instance_uid for s in completeness.sweep()] == [STUDY]


def test_the_quiet_time_is_that_of_the_routes_that_may_read_the_study(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    completeness = make()
    journal.record_instance(instance(1))
    journal.record_instance(instance(1, study="1.2.4", modality="MR"))
    journal.record_instance(instance(1, study="1.2.5"))
    journal.record_instance(instance(1, study="1.2.5", series="1.2.5.2", modality="MR"))
    journal.record_instance(instance(1, study="1.2.6", modality="CT", sop_class_uid=CT))
    clock.advance(5)
    assert [s.study_instance_uid for s in completeness.sweep()] == [STUDY]
    clock.advance(55)
    assert {s.study_instance_uid for s in completeness.sweep()} == {"1.2.4", "1.2.5", "1.2.6"}


def test_without_routes_nothing_is_waited_for(make: Make, journal: Journal, instance: MakeInstance) -> None:
    journal.record_instance(instance(1))
    assert len(make(routes=()).sweep()) == 1


def test_late_instances_open_a_complete_study_again(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    completeness = make()
    journal.record_instance(instance(1))
    clock.advance(5)
    assert len(completeness.sweep()) == 1
    journal.record_instance(instance(2))
    assert completeness.sweep() == []
    assert journal.studies()[0].state == "receiving"
    clock.advance(5)
    assert len(completeness.sweep()) == 1


def test_own_results_hold_and_open_nothing(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    completeness = make()
    own = {"own_result": True, "sop_class_uid": SR, "modality": "SR", "series": f"{STUDY}.9"}
    journal.record_instance(instance(1))
    clock.advance(4)
    journal.record_instance(instance(2, **own))
    clock.advance(1)
    assert len(completeness.sweep()) == 1
    journal.record_instance(instance(3, **own))
    clock.advance(60)
    assert completeness.sweep() == []
    assert journal.studies()[0].state == "complete"


def test_a_restart_takes_up_from_the_journal(
    make: Make, journal: Journal, journal_url: str, instance: MakeInstance, clock: Clock
) -> None:
    journal.record_instance(instance(1))
    make().sweep()
    clock.advance(3)
    with Journal(journal_url, pseudonym=pseudonym, clock=clock) as reopened:
        completeness = make(journal=reopened)
        assert completeness.sweep() == []
        assert completeness.next_due_s == pytest.approx(2.0)
        clock.advance(2)
        assert len(completeness.sweep()) == 1


def test_a_wall_clock_set_back_does_not_hold_a_study(
    make: Make, journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    completeness = make()
    journal.record_instance(instance(1))
    assert completeness.sweep() == []
    clock.now -= timedelta(days=1)
    clock.steady += 4
    assert completeness.sweep() == []
    assert completeness.next_due_s == pytest.approx(1.0)
    clock.steady += 1
    assert len(completeness.sweep()) == 1


def test_an_instance_that_comes_during_the_sweep_is_not_lost(
    journal: Journal, instance: MakeInstance, clock: Clock
) -> None:
    def receive() -> frozenset[str]:
        journal.record_instance(instance(2))
        return frozenset()

    completeness = Completeness(journal, ROUTES, receive, clock, clock.monotonic)
    journal.record_instance(instance(1))
    clock.advance(10)
    assert completeness.sweep() == []
    assert journal.studies()[0].state == "receiving"
