"""An earlier study is shown whole and unchanged, or not at all."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from dicom_io.receive.records import StoredInstance
from flows.journal import KeptImage, PriorRecord
from flows.reading.priors import with_images
from tests.flows.conftest import STUDY, Clock
from tests.flows.films import MARKER, film, receive

PRIOR = PriorRecord("films@1.0.0", "p" * 64, datetime(2025, 3, 1, 10), {"breasts": []}, job_id=7)  # noqa: DTZ001
LATER = "study S-ABCDEFGHIJ"


@pytest.fixture
def received(tmp_path: Path, clock: Clock) -> list[StoredInstance]:
    return [receive(film(number), tmp_path, clock) for number in (1, 2)]


def test_every_image_is_there_and_named_with_its_digest(
    received: list[StoredInstance], tmp_path: Path
) -> None:
    found = with_images(PRIOR, received, tmp_path, LATER)
    assert found is not None
    assert found.images == tuple(
        KeptImage(tmp_path / one.path, one.sop_instance_uid, one.sha256) for one in received
    )
    assert {image.sop_instance_uid for image in found.images} == {f"{STUDY}.1.1", f"{STUDY}.1.2"}


@pytest.mark.parametrize("how", ["gone", "changed", "cut off", "no files at all"])
def test_a_prior_whose_files_are_not_what_was_received_is_none(
    received: list[StoredInstance], tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / received[1].path
    if how == "gone":
        path.unlink()
    elif how == "changed":
        path.write_bytes(path.read_bytes()[:-2] + b"\1\1")
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:100])
    else:
        received = []
    with caplog.at_level(logging.INFO):
        assert with_images(PRIOR, received, tmp_path, LATER) is None
    assert LATER in caplog.text
    assert "its prior is not shown" in caplog.text
    assert MARKER not in caplog.text
    assert STUDY not in caplog.text


def test_what_is_shown_shapes_the_digest_and_the_outcome_does_not(
    received: list[StoredInstance], tmp_path: Path
) -> None:
    found = with_images(PRIOR, received, tmp_path, LATER)
    assert found is not None
    assert found.digest == replace(found, images=found.images[::-1], outcome={"breasts": [1]}).digest
    other = replace(found.images[0], sha256="0" * 64)
    assert found.digest != replace(found, images=(other, found.images[1])).digest
    assert found.digest != PRIOR.digest
    assert PRIOR.digest != replace(PRIOR, outcome={"breasts": [1]}).digest
