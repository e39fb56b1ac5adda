from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from flows.viewer.app import create_app
from flows.viewer.proxy import Upstream
from flows.viewer.site import SiteMissing, find_site
from tests.peers import free_port, wait_until
from tests.viewer.serving import serving

_PART = b"x" * 65536
_UID = "1.2.3"
_NAME = "Mustermann"


@dataclass
class Archive:
    """An archive that notes what it is asked."""

    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.method, f"{request.url.path}?{request.url.query}", dict(request.headers)))
        path = request.path_params["path"]
        if path == "series":
            return RedirectResponse("http://elsewhere.example/")
        if path.endswith("/frames/1"):
            return StreamingResponse(self._parts(), media_type='multipart/related; type="image/jp2"')
        if path.endswith("/frames/2"):
            await asyncio.sleep(3)
        if path == "instances":
            return Response(status_code=204)
        return JSONResponse(
            [{"host": request.headers["host"]}],
            media_type="application/dicom+json",
            headers={"Access-Control-Allow-Origin": "*", "Set-Cookie": "a=b", "Cache-Control": "public"},
        )

    async def _parts(self) -> AsyncIterator[bytes]:
        sent = 0
        try:
            for sent in range(400):
                yield _PART
                await asyncio.sleep(0 if sent < 40 else 0.05)
        finally:
            self.closed.append(sent)


@dataclass(frozen=True)
class Setting:
    archive: Archive
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask with the path exactly as it is given: httpx would tidy it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): v for name, v in headers.items()}
            )
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("served")
    site = base / "site"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text("<html>the index")
    (site / "app-config.js").write_text("the package's")
    (site / "app.bundle.0f6159c501addfe9.js").write_text("1")
    (site / "0ddf166f7a343eda.wasm").write_bytes(b"\0asm")
    (site / "assets" / "data.ort").write_bytes(b"ort")
    (base / "secret.txt").write_text("secret")
    (site / "link.txt").symlink_to(base / "secret.txt")
    return site


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Setting]:
    archive = Archive()
    inner = Starlette(
        routes=[Route("/dicom-web/{path:path}", archive.answer, methods=["GET", "POST", "DELETE", "PUT"])]
    )
    with (
        serving(inner) as behind,
        serving(
            create_app(
                folder, Upstream(f"http://127.0.0.1:{behind}/dicom-web/", 1.0, authorization="Basic eHg=")
            )
        ) as port,
    ):
        yield Setting(archive, port)


@pytest.fixture
def setting(running: Setting) -> Setting:
    running.archive.asked.clear()
    running.archive.closed.clear()
    return running


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/dicom-web/studies", f"/dicom-web/studies/{_UID}", "/dicom-web/x"])
def test_nothing_is_written(setting: Setting, method: str, path: str) -> None:
    status, headers, body = setting.ask(method, path)
    assert (status, headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert b"only reads" in body
    assert setting.archive.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/dicom-web/",
        "/dicom-web/servers",
        "/dicom-web/../system",
        "/dicom-web/%2e%2e/system",
        "/dicom-web/studies/..%2f..%2fsystem",
        "/dicom-web/studies/%2E%2E/%2E%2E/instances/x/file",
        "/dicom-web//system",
        "/dicom-web/studies%00",
        "/dicom-web/studies%0d%0aX-Y:%20z",
        "/dicom-web/http://127.0.0.1/",
    ],
)
def test_no_other_path_of_the_archive_is_reached(setting: Setting, path: str) -> None:
    assert setting.ask("GET", path)[0] == 404
    assert setting.archive.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/system",
        "/instances",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/link.txt",
        "/assets/../../secret.txt",
        "//etc/passwd",
        "/viewer",
        "/assets",
    ],
)
def test_an_unknown_path_is_a_page_of_the_application(setting: Setting, path: str) -> None:
    status, headers, body = setting.ask("GET", path)
    assert (status, body) == (200, b"<html>the index")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert setting.archive.asked == []


@pytest.mark.parametrize("path", ["/missing.js", "/missing.wasm", "/assets/gone.png"])
def test_a_missing_file_is_not_a_page(setting: Setting, path: str) -> None:
    assert setting.ask("GET", path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "192.0.2.1:8080"])
def test_a_name_that_it_was_not_given_is_refused(setting: Setting, host: str) -> None:
    for path in ("/", "/dicom-web/studies"):
        status, _, body = setting.ask("GET", path, Host=host)
        assert status == 421
        assert b"does not answer to that name" in body
    assert setting.archive.asked == []


def test_an_archive_that_is_away_is_told_in_a_sentence(folder: Path) -> None:
    port = free_port()
    with serving(create_app(folder, Upstream(f"http://127.0.0.1:{port}/dicom-web"))) as viewer:
        answer = httpx.get(
            f"http://127.0.0.1:{viewer}/dicom-web/studies?PatientName={_NAME}", trust_env=False
        )
    assert answer.status_code == 502
    assert answer.text == (
        f"The archive's DICOMweb at 127.0.0.1:{port} cannot be reached (ConnectError): is it running?\n"
    )


def test_an_archive_that_is_silent_is_given_up(setting: Setting) -> None:
    path = f"/dicom-web/studies/{_UID}/series/{_UID}/instances/{_UID}/frames/2"
    status, _, body = setting.ask("GET", path)
    assert status == 502
    assert b"did not answer in time." in body


def test_a_redirection_is_not_followed(setting: Setting) -> None:
    status, headers, body = setting.ask("GET", "/dicom-web/series")
    assert status == 502
    assert "location" not in headers
    assert b"elsewhere" not in body


def test_the_answer_leads_back_here_and_is_kept_nowhere(setting: Setting) -> None:
    asked = "/dicom-web/studies?limit=1&PatientName=a%2Cb&includefield=1%2C2%2c3"
    given = {"Cookie": "a=b", "Authorization": "Bearer mine", "Accept": "application/json"}
    status, headers, body = setting.ask("GET", asked, **given)
    assert status == 200
    assert headers["content-type"] == "application/dicom+json"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers
    assert "access-control-allow-origin" not in headers
    assert json.loads(body) == [{"host": f"127.0.0.1:{setting.port}"}]
    ((method, path, sent),) = setting.archive.asked
    assert (method, path) == ("GET", "/dicom-web/studies?limit=1&PatientName=a%2Cb&includefield=1,2,3")
    assert sent["accept"] == "application/json"
    assert sent["authorization"] == "Basic eHg="
    assert "cookie" not in sent


def test_head_options_and_an_empty_answer_pass(setting: Setting) -> None:
    assert setting.ask("GET", "/dicom-web/instances")[0] == 204
    assert setting.ask("HEAD", "/dicom-web/studies")[2] == b""
    status, headers, _ = setting.ask("OPTIONS", "/dicom-web/studies")
    assert (status, headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "access-control-allow-origin" not in headers


def test_frames_are_streamed_and_given_up_with_the_browser(setting: Setting) -> None:
    path = f"/dicom-web/studies/{_UID}/series/{_UID}/instances/{_UID}/frames/1"
    with httpx.stream("GET", setting.url + path, trust_env=False) as answer:
        first = next(answer.iter_raw())
        assert first.startswith(b"xxx")
        assert answer.headers["content-type"] == 'multipart/related; type="image/jp2"'
    for _ in range(100):
        if setting.archive.closed:
            break
        httpx.get(setting.url, trust_env=False)
    assert setting.archive.closed
    assert setting.archive.closed[0] < 399


@pytest.mark.parametrize(
    ("path", "kind", "kept"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/0ddf166f7a343eda.wasm", "application/wasm", "public, max-age=31536000, immutable"),
        (
            "/app.bundle.0f6159c501addfe9.js",
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable",
        ),
        ("/assets/data.ort", "application/octet-stream", "no-cache"),
        ("/app-config.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
    ],
)
def test_every_answer_has_its_type_and_the_headers_of_isolation(
    setting: Setting, path: str, kind: str, kept: str
) -> None:
    status, headers, _ = setting.ask("GET", path)
    assert (status, headers["content-type"], headers["cache-control"]) == (200, kind, kept)
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "connect-src 'self' data: blob:" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_configuration_is_ours_and_names_this_origin_only(setting: Setting) -> None:
    text = setting.ask("GET", "/app-config.js")[2].decode()
    assert "SecondRead" in text
    assert "research use" in text
    assert "http" not in text.replace("httpErrorHandler", "")
    for name in ("/init-service-worker.js", "/sw.js"):
        assert b"unregister" in setting.ask("GET", name)[2]
        assert b"importScripts" not in setting.ask("GET", name)[2]


def test_the_log_names_nobody(setting: Setting, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="flows.viewer")
    setting.ask("GET", f"/dicom-web/studies/{_UID}/series?PatientName={_NAME}")
    setting.ask("GET", f"/dicom-web/{_NAME}")
    setting.ask("GET", f"/viewer/{_NAME}?StudyInstanceUIDs={_UID}")
    setting.ask("GET", "/dicom-web/series")
    wait_until("the last line", lambda: "GET /dicom-web/series 502" in caplog.text)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("flows.viewer")]
    assert any(line.startswith("GET /dicom-web/studies/*/series 200") for line in lines)
    assert len(lines) == 5
    assert not [line for line in lines if _NAME in line or _UID in line or "?" in line]


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http://", "http://u:p@a/b", "http://a/b?c", "127.0.0.1:8042", "http://a:x/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"DICOMweb root|Port"):
        Upstream(url)


def test_a_secret_is_not_shown() -> None:
    assert "secret" not in repr(Upstream("http://a/b", authorization="Bearer secret"))


def test_a_site_that_was_not_fetched_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SiteMissing, match="make viewer"):
        find_site(tmp_path)
    with pytest.raises(SiteMissing, match=r"no index\.html"):
        create_app(tmp_path, Upstream("http://a/b"))


def test_the_site_of_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".viewer").mkdir()
    (tmp_path / ".viewer" / "index.html").write_text("")
    monkeypatch.chdir(tmp_path)
    assert os.fspath(find_site()) == os.fspath((tmp_path / ".viewer").resolve())
