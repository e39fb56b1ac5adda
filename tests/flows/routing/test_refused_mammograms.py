"""A mammography study of which nothing can be read becomes a job, so that a report can say why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.phantoms import write_chest_study
from dicom_io.reading import read_header
from dicom_io.receive.part10 import data_set_sha256
from flows.intake import draft_job
from flows.routing.engine import Header, RoutingDecision, route_study
from flows.routing.rules import Route
from models.registry import Registry
from tests.flows.breasts import FOUR, edited, exam
from tests.packages.mammograms import NAME, REFERENCE, build_mammogram_package

ROUTE = Route.model_validate(
    {"name": "mammography", "package": NAME, "when": [{"tag": "Modality", "in": ["MG", "US"]}]}
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    folder = tmp_path_factory.mktemp("packages")
    build_mammogram_package(folder)
    return Registry([folder])


def headers(paths: list[Path]) -> list[Header]:
    return [(path, read_header(path)) for path in paths]


def decided(paths: list[Path], registry: Registry) -> RoutingDecision:
    return route_study(headers(paths), [ROUTE], registry)


def test_images_that_are_all_refused_make_a_job_of_them(registry: Registry, tmp_path: Path) -> None:
    paths = exam(tmp_path, FOUR[2:], for_processing=True)
    decision = decided(paths, registry)
    (match,) = decision.matches
    uids = {str(header.SOPInstanceUID): path for path, header in headers(paths)}
    assert match.selection.selected == ()
    assert set(match.sop_instance_uids) == set(uids)
    assert decision.reason == f"mammography: 2 for {REFERENCE}, which refuses them"
    assert decision.lines() == [
        "mammography: the image is For Processing, not For Presentation",
        "  2 instances: the image is For Processing, not For Presentation",
    ]
    draft = draft_job(match, {uid: data_set_sha256(path) for uid, path in uids.items()}, "c" * 64)
    assert set(draft.sop_instance_uids) == set(uids)


def test_what_was_never_meant_for_the_package_makes_none(registry: Registry, tmp_path: Path) -> None:
    ultrasound = [edited(path, Modality="US") for path in exam(tmp_path / "us", FOUR[:1])]
    chest = [
        edited(path, Modality="MG") for path in write_chest_study(tmp_path / "c", 1, rows=640, columns=640)
    ]
    for paths in (ultrasound, chest):
        assert decided(paths, registry).matches == ()


def test_a_refused_image_beside_one_that_is_read_is_no_part_of_the_job(
    registry: Registry, tmp_path: Path
) -> None:
    paths = exam(tmp_path, (FOUR[2], replace(FOUR[2], for_processing=True)))
    (match,) = decided(paths, registry).matches
    assert match.refused == ()
    assert match.sop_instance_uids == (str(read_header(paths[0]).SOPInstanceUID),)


def test_presentation_images_that_come_later_are_another_fingerprint(
    registry: Registry, tmp_path: Path
) -> None:
    paths = exam(tmp_path, (replace(FOUR[2], for_processing=True), FOUR[2]))
    digests = {str(read_header(path).SOPInstanceUID): data_set_sha256(path) for path in paths}
    (raw,) = decided(paths[:1], registry).matches
    (both,) = decided(paths, registry).matches
    first, second = (draft_job(match, digests, "c" * 64) for match in (raw, both))
    assert first.fingerprint != second.fingerprint


def test_a_mammogram_whose_body_part_is_refused_makes_a_job(registry: Registry, tmp_path: Path) -> None:
    paths = [
        edited(
            path,
            BodyPartExamined="CHEST",
            AnatomicRegionSequence=None,
            ViewCodeSequence=None,
            ViewPosition=None,
        )
        for path in exam(tmp_path, FOUR[2:])
    ]
    (match,) = decided(paths, registry).matches
    assert {one.code for one in match.refused} == {"other-body-part"}
