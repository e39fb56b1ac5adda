from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from flows.routing.engine import UnreadInstance, route_study
from flows.routing.rules import Route
from models.registry import Registry
from tests.flows.films import MARKER, film, make_package, write

Headers = list[tuple[Path, Dataset]]


def _route(name: str = "chest", package: str = "films", **changes: Any) -> Route:
    values = {
        "name": name,
        "package": package,
        "when": [{"tag": "Modality", "in": ["CR", "DX"]}, {"tag": "BodyPartExamined", "equals": "CHEST"}],
    }
    return Route.model_validate(values | changes)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry([make_package(tmp_path / "packages")])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "study"


def _headers(folder: Path, *films: Dataset) -> Headers:
    headers = []
    for data in films:
        path = write(data, folder / f"{data.SOPInstanceUID}.dcm")
        del data.PixelData
        headers.append((path, data))
    return headers


def test_a_chest_film_is_read(registry: Registry, folder: Path) -> None:
    decision = route_study(_headers(folder, film(1), film(2)), [_route()], registry)
    (match,) = decision.matches
    assert (match.route.name, match.package.reference) == ("chest", "films@1.0.0")
    assert len(match.sop_instance_uids) == 2
    assert decision.problems == ()
    assert decision.reason == "chest: 2 for films@1.0.0"
    assert decision.lines() == [
        "chest: 2 of 2 instances go to films@1.0.0",
        "  2 instances: read by films@1.0.0",
    ]


def test_the_contract_leaves_single_instances_out(registry: Registry, folder: Path) -> None:
    headers = _headers(folder, film(1), film(2, ViewPosition="LL"), film(3, Modality="CT"))
    decision = route_study(headers, [_route()], registry)
    (match,) = decision.matches
    assert [uid.rsplit(".", 1)[1] for uid in match.sop_instance_uids] == ["1"]
    (explanation,) = decision.explanations
    codes = {one.sop_instance_uid.rsplit(".", 1)[1]: one.code for one in explanation.instances}
    assert codes == {"1": "selected", "2": "lateral-view", "3": "tags"}
    assert explanation.selected == 1
    assert len(explanation.lines()) == 4


def test_a_study_that_fits_no_rule_says_which_test_failed(registry: Registry, folder: Path) -> None:
    decision = route_study(_headers(folder, film(1, Modality="CT")), [_route()], registry)
    assert decision.matches == ()
    assert decision.reason == "chest: Modality is 'CT', one of 'CR', 'DX' is needed"


def test_a_study_that_fits_the_rule_and_not_the_contract_is_not_read(
    registry: Registry, folder: Path
) -> None:
    decision = route_study(_headers(folder, film(1, ViewPosition="LL")), [_route()], registry)
    assert decision.matches == ()
    assert "lateral" in decision.reason.lower()
    assert decision.explanations[0].instances[0].code == "lateral-view"


def test_every_route_is_decided_on_its_own(registry: Registry, folder: Path) -> None:
    routes = [
        _route("ct", when=[{"tag": "Modality", "equals": "CT"}]),
        _route("everything", when=[]),
        _route(),
    ]
    decision = route_study(_headers(folder, film(1)), routes, registry)
    assert [m.route.name for m in decision.matches] == ["everything", "chest"]
    assert [e.matched for e in decision.explanations] == [False, True, True]


def test_a_package_that_is_not_there_is_a_problem_of_its_route_alone(
    registry: Registry, folder: Path
) -> None:
    routes = [_route("lost", package="nothing@9.9.9"), _route()]
    decision = route_study(_headers(folder, film(1)), routes, registry)
    assert [m.route.name for m in decision.matches] == ["chest"]
    (problem,) = decision.problems
    assert problem.startswith("route lost: package nothing@9.9.9 cannot be used: ")


def test_a_damaged_package_is_a_problem(registry: Registry, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "packages" / "films" / "1.0.0" / "member.onnx").write_bytes(b"other weights")
    decision = route_study(_headers(folder, film(1)), [_route()], registry)
    assert decision.matches == ()
    assert "member.onnx" in decision.problems[0]


def test_a_package_is_not_asked_for_where_no_tags_fit(folder: Path) -> None:
    class Nothing:
        def get(self, reference: str) -> Any:
            raise AssertionError(reference)

    assert route_study(_headers(folder, film(1, Modality="MR")), [_route()], Nothing()).problems == ()


def test_nothing_at_all(registry: Registry, folder: Path) -> None:
    assert route_study([], [_route()], registry).reason == "chest: the study has no instance"
    assert route_study(_headers(folder, film(1)), [], registry).reason == "there is no route"


def test_instances_that_were_not_opened_are_explained_by_what_is_known(registry: Registry) -> None:
    unread = [UnreadInstance(f"1.2.{n}", "CT", "1.2.840.10008.5.1.4.1.1.2") for n in range(500)]
    decision = route_study([], [_route()], registry, unread=unread)
    assert decision.lines() == [
        "chest: Modality is 'CT', one of 'CR', 'DX' is needed",
        "  500 instances: Modality is 'CT', one of 'CR', 'DX' is needed",
    ]


def test_no_explanation_names_the_patient(registry: Registry, folder: Path) -> None:
    personal = ("PatientName", "PatientID", "StudyDescription", "AccessionNumber", "InstitutionName")
    routes = [
        *(_route(f"r{n}", when=[{"tag": tag, "equals": "x"}]) for n, tag in enumerate(personal)),
        *(_route(f"n{n}", when=[{"not": {"tag": tag, "matches": "."}}]) for n, tag in enumerate(personal)),
        _route("contract"),
    ]
    headers = _headers(folder, film(1, ViewPosition="LL"), film(2, BodyPartExamined="HAND"), film(3))
    decision = route_study(headers, routes, registry)
    assert MARKER not in "\n".join([decision.reason, *decision.lines()])
