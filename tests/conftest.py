"""Fixtures that every room may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import peers


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real images, from ``SECONDREAD_DATA``."""
    named = os.environ.get("SECONDREAD_DATA")
    if not named:
        pytest.skip("SECONDREAD_DATA is not set: no real images here")
    folder = Path(named).resolve()
    if not folder.is_dir():
        pytest.fail(f"SECONDREAD_DATA names {folder}, which is no folder", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[peers.Postgres]:
    """Return one PostgreSQL for the whole session; tests make their own databases in it."""
    with peers.start_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[peers.Orthanc]:
    """Return an Orthanc that routes nothing, as an archive to send to and to ask."""
    with peers.start_orthanc(tmp_path, stable_age_s=3600) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_user_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith("SECONDREAD_") and name != "SECONDREAD_DATA":
            monkeypatch.delenv(name)
