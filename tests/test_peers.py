"""The peers themselves start, answer and end."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests import peers

pytestmark = pytest.mark.peer


def test_orthanc_answers_over_rest_and_dicomweb(orthanc: peers.Orthanc) -> None:
    assert orthanc.get("/system")["DicomAet"] == "ORTHANC"
    assert orthanc.get("/modalities") == ["secondread"]
    assert orthanc.instances("1.2.3") == []


def test_postgres_gives_a_new_database(postgres: peers.Postgres) -> None:
    postgres.create_database("smoke")
    url = postgres.url("smoke").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        assert connection.execute("select current_database()").fetchone() == ("smoke",)


def test_dcmtk_is_the_system_one() -> None:
    assert peers.require_tool("storescu").parent == Path("/usr/bin")
    assert "dcmtk" in peers.run_tool("storescu", "--version").stdout


def test_a_missing_program_skips_here_and_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="nosuchprogram"):
        peers.require_tool("nosuchprogram")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="error under CI"):
        peers.require_tool("nosuchprogram")
