"""STOW-RS to a scripted server that stores, refuses, talks nonsense, breaks off, or is not there."""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dicom_io.send import (
    DicomwebAddress,
    NodeUnreachable,
    SendError,
    SendResult,
    TlsIdentity,
    echo_web,
    store_over_web,
)
from dicom_io.send.store_response import StoreResponse, UnreadableResponse, parse_store_response
from tests.dicom_io.receive.support import CR, make_film, save
from tests.dicom_io.send.certificates import Authority
from tests.peers import free_port

SECRET = "Bearer zebra-quagga"  # noqa: S105


class Request:
    """What a server got: headers, the parts' bytes and the objects' UIDs."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.path, self.headers = path, headers
        boundary = re.search(r"boundary=([0-9a-f]+)", headers["Content-Type"])
        assert boundary is not None
        first, *parts, end = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())
        assert (first, end) == (b"", b"--\r\n")
        self.parts = []
        for part in parts:
            head, _, content = part.partition(b"\r\n\r\n")
            assert head == b"\r\nContent-Type: application/dicom"
            self.parts.append(content)
        self.uids = [str(pydicom.dcmread(BytesIO(part)).SOPInstanceUID) for part in self.parts]


Script = Callable[["Handler", Request], None]


class Handler(BaseHTTPRequestHandler):
    """Reads a request whole and does as the script says."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        if self.server.early is not None:
            self.server.early(self)
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, dict(self.headers), body)
        self.server.requests.append(request)
        self.server.script(self, request)

    def do_GET(self) -> None:
        assert self.path == "/dicom-web/studies?limit=1"
        if self.server.search == 0:
            self.drop()
        else:
            self.answer(self.server.search, self.server.found)

    def answer(self, status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Keeps its requests."""

    daemon_threads = True
    script: Script
    early: Callable[[Handler], None] | None = None
    search = 200
    found = b"[]"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Request] = []

    def handle_error(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(script: Script | None, early: Callable[[Handler], None] | None = None) -> Iterator[Server]:
    server = Server()
    server.script = script or stored
    server.early = early
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def address(server: Server, **changes: Any) -> DicomwebAddress:
    url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web"
    return DicomwebAddress(**{"url": url, "timeout_s": 3.0, **changes})


def item(uid: str, **reasons: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "00081150": {"vr": "UI", "Value": [CR]},
        "00081155": {"vr": "UI", "Value": [uid]},
    }
    for tag, reason in reasons.items():
        data[tag.removeprefix("t")] = {"vr": "US", "Value": [reason]}
    return data


def response(stored: list[dict[str, Any]], failed: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if stored:
        data["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        data["00081198"] = {"vr": "SQ", "Value": failed}
    return data


def stored(handler: Handler, request: Request) -> None:
    handler.answer(200, response([item(uid) for uid in request.uids]))


def films(folder: Path, count: int, **changes: Any) -> list[Path]:
    return [save(make_film(**changes), folder / f"{number}.dcm") for number in range(count)]


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def outcomes(results: list[SendResult]) -> list[tuple[bool, int | None, bool]]:
    return [(result.delivered, result.status, result.permanent) for result in results]


# -- the address ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "pacs/dicom-web"}, "begin with http"),
        ({"url": "ftp://pacs/dicom-web"}, "begin with http"),
        ({"url": "https:///dicom-web"}, "and a host"),
        ({"url": "https://u:p@pacs/dicom-web"}, "must not hold a user or password"),
        ({"url": "https://pacs/dicom-web?a=b"}, "without query"),
        ({"url": "http://pacs", "ca_file": Path("ca.crt")}, "https://"),
        ({"url": "https://pacs", "key_file": Path("a.key")}, "name both or neither"),
        ({"url": "https://pacs", "authorization": "Bearer a\r\nX: y"}, "printable ASCII"),
        ({"url": "https://pacs", "authorization": " "}, "printable ASCII"),
    ],
)
def test_addresses_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        DicomwebAddress(**changes)
    assert "u:p" not in str(caught.value)


def test_authorization_is_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(lambda handler, _request: handler.answer(401)) as server:
        node = address(server, authorization=SECRET)
        with pytest.raises(SendError) as caught:
            store_over_web(films(tmp_path, 1), node)
        assert server.requests[0].headers["Authorization"] == SECRET
    assert "quagga" not in repr(node) + str(node) + str(caught.value) + caplog.text


# -- no server -----------------------------------------------------------------------------------------


def test_nobody_listens(tmp_path: Path) -> None:
    node = DicomwebAddress(f"http://127.0.0.1:{free_port()}", 2.0)
    with pytest.raises(NodeUnreachable, match="nothing listens there"):
        store_over_web(films(tmp_path, 1), node)


def test_unknown_host(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match="host"):
        store_over_web(films(tmp_path, 1), DicomwebAddress("https://no-such-host.invalid", 2.0))


def test_nothing_to_send_asks_nobody(tmp_path: Path) -> None:
    node = DicomwebAddress(f"http://127.0.0.1:{free_port()}", 2.0)
    assert store_over_web([], node) == []
    (result,) = store_over_web([tmp_path / "missing.dcm"], node)
    assert outcomes([result]) == [(False, None, True)]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "check authorization"),
        (403, "check authorization"),
        (404, "there is no STOW-RS: correct the url"),
        (405, "does not offer STOW-RS"),
        (302, "redirects elsewhere"),
        (503, "busy or full; send again later"),
    ],
)
def test_server_that_wants_nothing(tmp_path: Path, status: int, words: str) -> None:
    with serving(lambda handler, _request: handler.answer(status, Location="http://127.0.0.1:9/")) as server:
        paths = films(tmp_path, 2)
        if status == 503:
            results = store_over_web(paths, address(server))
            assert outcomes(results) == [(False, None, False)] * 2
            assert all(f"answered HTTP {status}" in str(result.error) for result in results)
        else:
            with pytest.raises(SendError, match=f"answered HTTP {status}.*{words}"):
                store_over_web(paths, address(server))
        assert len(server.requests) == 1


# -- per object ----------------------------------------------------------------------------------------


def test_stored(tmp_path: Path) -> None:
    paths = films(tmp_path, 3)
    told: list[SendResult] = []
    with serving(stored) as server:
        results = store_over_web(paths, address(server, url=address(server).url + "/"), told.append)
    assert outcomes(results) == [(True, 0, False)] * 3
    assert results == told
    assert [result.path for result in results] == paths
    (request,) = server.requests
    assert request.path == "/dicom-web/studies"
    assert request.headers["Accept"] == "application/dicom+json"
    assert request.headers["Content-Type"].startswith('multipart/related; type="application/dicom"; ')
    assert request.parts == [path.read_bytes() for path in paths]


def test_files_that_cannot_be_sent(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM")
    (good,) = films(tmp_path, 1)
    with serving(stored) as server:
        results = store_over_web([text, good, tmp_path / "missing.dcm"], address(server))
    assert outcomes(results) == [(False, None, True), (True, 0, False), (False, None, True)]


def test_stored_with_a_warning(tmp_path: Path) -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.answer(202, response([item(uid, t00081196=0xB000) for uid in request.uids]))

    with serving(script) as server:
        results = store_over_web(films(tmp_path, 1), address(server))
    assert outcomes(results) == [(True, 0xB000, False)]


def test_some_stored(tmp_path: Path) -> None:
    paths = films(tmp_path, 4)

    def script(handler: Handler, request: Request) -> None:
        one, two, three, _four = request.uids
        failed = [item(two, t00081197=0xA700), item(three, t00081197=0x0122)]
        handler.answer(202, response([item(one)], failed))

    with serving(script) as server:
        results = store_over_web(paths, address(server))
        assert len(server.requests) == 1
    assert outcomes(results) == [
        (True, 0, False),
        (False, 0xA700, False),
        (False, 0x0122, True),
        (False, None, False),
    ]
    assert "failure reason 0xA700" in str(results[1].error)
    assert "says nothing about it; it may have it" in str(results[3].error)


def test_none_stored(tmp_path: Path) -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.answer(409, response([], [item(uid, t00081197=0xC122) for uid in request.uids]))

    with serving(script) as server:
        results = store_over_web(films(tmp_path, 2), address(server))
        assert len(server.requests) == 1
    assert outcomes(results) == [(False, 0xC122, True)] * 2


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (409, False), (415, True), (500, False)])
def test_one_object_it_cannot_bear(tmp_path: Path, status: int, permanent: bool) -> None:
    """A request refused as a whole is repeated object by object, so that the others get there."""
    paths = films(tmp_path, 4)
    bad = uid_of(paths[1])

    def script(handler: Handler, request: Request) -> None:
        if bad in request.uids:
            handler.answer(status, b"<html>internal nonsense about Zebra^Quagga</html>")
        else:
            stored(handler, request)

    with serving(script) as server:
        results = store_over_web(paths, address(server))
        assert len(server.requests) == 5
    assert outcomes(results) == [(True, 0, False), (False, None, permanent), *[(True, 0, False)] * 2]
    assert f"answered HTTP {status}" in str(results[1].error)
    assert "Zebra" not in str(results[1].error)


@pytest.mark.parametrize("status", [201, 400, 413, 500])
def test_a_status_that_contradicts_the_list_of_what_is_stored(tmp_path: Path, status: int) -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.answer(status, response([item(uid) for uid in request.uids], []))

    with serving(script) as server:
        results = store_over_web(films(tmp_path, 3), address(server))
        # an error for several objects is asked about object by object
        assert len(server.requests) == (1 if status == 201 else 4)
    assert outcomes(results) == [(False, None, False)] * 3
    assert all("it may have the object" in str(one.error) for one in results)


@pytest.mark.parametrize(("status", "permanent"), [(400, True), (500, False)])
def test_reasons_count_only_in_a_store_instances_response(
    tmp_path: Path, status: int, permanent: bool
) -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.answer(status, response([], [item(uid, t00081197=0xA700) for uid in request.uids]))

    with serving(script) as server:
        results = store_over_web(films(tmp_path, 1), address(server))
    assert outcomes(results) == [(False, None, permanent)]


def test_too_large_together(tmp_path: Path) -> None:
    paths = films(tmp_path, 3, rows=100, columns=100)
    large = save(make_film(600, 600), tmp_path / "large.dcm")

    def script(handler: Handler, request: Request) -> None:
        if sum(map(len, request.parts)) > 100_000:
            handler.answer(413)
        else:
            stored(handler, request)

    with serving(script) as server:
        results = store_over_web([large, *paths], address(server))
    assert outcomes(results) == [(False, None, True), *[(True, 0, False)] * 3]
    assert "larger than it accepts: raise its limit" in str(results[0].error)


def test_refused_before_the_body_was_read(tmp_path: Path) -> None:
    def early(handler: Handler) -> None:
        handler.answer(413, Connection="close")
        handler.close_connection = True

    path = save(make_film(4000, 4000), tmp_path / "a.dcm")
    with serving(None, early) as server:
        (result,) = store_over_web([path], address(server))
    assert not result.delivered
    assert "HTTP 413" in str(result.error) or "it may have the object" in str(result.error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff garbage",
        b"[" * 100_000,
        b"<NativeDicomModel/>",
        b'"text"',
        b"[1]",
        b"{}",
        b'{"00081199": {"vr": "SQ", "Value": "x"}}',
        b'{"00081199": {"vr": "SQ", "Value": [{}]}}',
        b'{"00081199": {"vr": "SQ"}}',
        b"[" + b" " * (17 << 20) + b"]",
    ],
)
def test_garbage(tmp_path: Path, body: bytes) -> None:
    """Success without a word about the object is none: it is sent again later."""
    with serving(lambda handler, _request: handler.answer(200, body)) as server:
        (result,) = store_over_web(films(tmp_path, 1), address(server))
        assert len(server.requests) == 1
    assert outcomes([result]) == [(False, None, False)]
    assert "without a Store Instances Response in DICOM JSON; it may have the object" in str(result.error)


def test_something_that_does_not_speak_http(tmp_path: Path) -> None:
    with serving(
        lambda handler, _r: (handler.wfile.write(b"\x06\x00 no http\n\n"), handler.drop())[0]
    ) as server:
        (result,) = store_over_web(films(tmp_path, 1), address(server))
    assert outcomes([result]) == [(False, None, False)]
    assert "what came is not HTTP" in str(result.error)


# -- lost connections ----------------------------------------------------------------------------------


def test_one_object_that_kills_the_connection(tmp_path: Path) -> None:
    paths = films(tmp_path, 4)
    bad = uid_of(paths[1])

    def script(handler: Handler, request: Request) -> None:
        if bad in request.uids:
            handler.drop()
        else:
            stored(handler, request)

    with serving(script) as server:
        results = store_over_web(paths, address(server))
    assert outcomes(results) == [(True, 0, False), (False, None, False), *[(True, 0, False)] * 2]
    assert "connection was lost" in str(results[1].error)
    assert "it may have the object" in str(results[1].error)


@pytest.mark.parametrize("bad", [(0, 1), (1, 2), (0, 3)])
def test_two_objects_that_kill_the_connection(tmp_path: Path, bad: tuple[int, int]) -> None:
    paths = films(tmp_path, 4)
    deadly = {uid_of(paths[number]) for number in bad}

    def script(handler: Handler, request: Request) -> None:
        if deadly & set(request.uids):
            handler.drop()
        else:
            stored(handler, request)

    with serving(script) as server:
        results = store_over_web(paths, address(server))
    assert [result.delivered for result in results] == [number not in bad for number in range(4)]
    assert [result.path for result in results] == paths


def test_connection_that_breaks_in_the_middle_of_the_body(tmp_path: Path) -> None:
    def early(handler: Handler) -> None:
        handler.rfile.read(100_000)
        handler.drop()

    path = save(make_film(4000, 4000), tmp_path / "a.dcm")
    with serving(None, early) as server:
        (result,) = store_over_web([path], address(server))
    assert outcomes([result]) == [(False, None, False)]
    assert "it may have the object" in str(result.error)


def test_server_that_breaks_everything_off(tmp_path: Path) -> None:
    paths = films(tmp_path, 6)
    with serving(lambda handler, _request: handler.drop()) as server:
        results = store_over_web(paths, address(server))
        assert len(server.requests) == 4
    assert [result.delivered for result in results] == [False] * 6
    assert ["may have" in str(result.error) for result in results] == [True] * 3 + [False] * 3
    assert "not sent: the DICOMweb server" in str(results[5].error)


def test_server_that_goes_away(tmp_path: Path) -> None:
    """What was stored stays stored; what was not sent is said."""
    paths = films(tmp_path, 60)

    def script(handler: Handler, request: Request) -> None:
        handler.server.socket.close()
        handler.answer(200, response([item(uid) for uid in request.uids]), Connection="close")
        handler.close_connection = True

    with serving(script) as server:
        results = store_over_web(paths, address(server))
    assert [result.delivered for result in results] == [True] * 50 + [False] * 10
    assert "not sent: " in str(results[-1].error)
    assert "nothing listens there" in str(results[-1].error)


def test_server_that_does_not_answer_in_time(tmp_path: Path) -> None:
    go_on = threading.Event()
    with serving(lambda _handler, _request: go_on.wait(10) and None) as server:
        started = time.monotonic()
        (result,) = store_over_web(films(tmp_path, 1), address(server, timeout_s=0.5))
        assert time.monotonic() - started < 4
        go_on.set()
    assert "no answer within 0.5 s; it may have the object" in str(result.error)


def test_answer_that_does_not_end(tmp_path: Path) -> None:
    def script(handler: Handler, _request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.1)

    with serving(script) as server:
        started = time.monotonic()
        (result,) = store_over_web(films(tmp_path, 1), address(server, timeout_s=0.5))
        assert time.monotonic() - started < 4
    assert not result.delivered


def test_file_that_vanishes_while_others_are_sent(tmp_path: Path) -> None:
    paths = films(tmp_path, 52)

    def script(handler: Handler, request: Request) -> None:
        paths[51].unlink(missing_ok=True)
        stored(handler, request)

    with serving(script) as server:
        results = store_over_web(paths, address(server))
    assert [result.delivered for result in results] == [True] * 51 + [False]
    assert results[51].error == "cannot be read: No such file or directory"
    assert results[51].permanent


def test_file_that_shrinks_while_it_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dicom_io.send import multipart

    paths = films(tmp_path, 3)
    sizes = {path: path.stat().st_size for path in paths}
    monkeypatch.setattr(multipart, "_size", lambda item: sizes[item.path])
    with paths[1].open("r+b") as file:
        file.truncate(600)
    with serving(stored) as server:
        results = store_over_web(paths, address(server))
    assert outcomes(results) == [(True, 0, False), (False, None, True), (True, 0, False)]
    assert results[1].error == "cannot be read: the file changed while it was sent"


# -- size and security ---------------------------------------------------------------------------------


def test_files_are_not_held_in_memory(tmp_path: Path) -> None:
    path = save(make_film(8000, 4000), tmp_path / "a.dcm")
    size = path.stat().st_size
    uid = uid_of(path)
    received = []

    def early(handler: Handler) -> None:
        remaining = int(handler.headers["Content-Length"])
        received.append(remaining)
        while remaining:
            remaining -= len(handler.rfile.read(min(remaining, 1 << 16)))
        handler.answer(200, response([item(uid)]))

    with serving(None, early) as server:
        tracemalloc.start()
        (result,) = store_over_web([path], address(server, timeout_s=20))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert result.delivered, result.error
    assert received[0] > size > 60_000_000
    assert peak < 16_000_000


def test_environment_proxies_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    with serving(stored) as server:
        (result,) = store_over_web(films(tmp_path, 1), address(server))
    assert result.delivered


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("web"))


@contextmanager
def secure(context: ssl.SSLContext) -> Iterator[Server]:
    with serving(stored) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server


@pytest.mark.parametrize("mutual", [False, True])
def test_https(tmp_path: Path, authority: Authority, mutual: bool) -> None:
    server_pair, client_pair = authority.issue("server"), authority.issue("client")
    with secure(authority.server_context(server_pair, mutual=mutual)) as server:
        url = f"https://127.0.0.1:{server.server_address[1]}/dicom-web"
        node = DicomwebAddress(url, 3.0, authority.file, client_pair.certificate, client_pair.key)
        assert node.tls == TlsIdentity(authority.file, client_pair.certificate, client_pair.key)
        (result,) = store_over_web(films(tmp_path, 1), node)
        assert result.delivered, result.error
        if mutual:
            with pytest.raises(NodeUnreachable, match="certificate_file and key_file"):
                store_over_web(films(tmp_path, 1), DicomwebAddress(url, 3.0, authority.file))
        with pytest.raises(NodeUnreachable, match="not trusted here"):
            store_over_web(films(tmp_path, 1), DicomwebAddress(url, 3.0))


def test_plain_server_spoken_https_to(tmp_path: Path) -> None:
    with serving(stored) as server:
        url = f"https://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(NodeUnreachable, match="does not speak TLS"):
            store_over_web(films(tmp_path, 1), DicomwebAddress(url, 3.0))


# -- echo ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204])
def test_echo(status: int) -> None:
    with serving(stored) as server:
        server.search = status
        server.found = b"" if status == 204 else b"[]"
        echo_web(address(server))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "HTTP 401: it wants other credentials"),
        (404, "correct the url"),
        (301, "redirects elsewhere"),
        (500, "HTTP 500 to a search"),
        (0, "the connection was lost"),
    ],
)
def test_echo_without_success(status: int, words: str) -> None:
    with serving(stored) as server:
        server.search = status
        with pytest.raises(SendError, match=words):
            echo_web(address(server))


def test_echo_of_another_web_server(tmp_path: Path) -> None:
    class Pages(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(stored) as server:
        server.RequestHandlerClass = Pages
        with pytest.raises(SendError, match="is the url the root of its DICOMweb services"):
            echo_web(address(server))


def test_echo_to_nobody() -> None:
    with pytest.raises(NodeUnreachable, match="nothing listens there"):
        echo_web(DicomwebAddress(f"http://127.0.0.1:{free_port()}", 2.0))


# -- responses -----------------------------------------------------------------------------------------


def test_response_in_other_shapes() -> None:
    """Numbers as text, UIDs padded, a list around it, reasons missing or absurd."""
    good = item("1.2.3\0")
    text = item("1.2.4")
    text["00081197"] = {"vr": "US", "Value": ["49152"]}
    data = [response([good], [text, item("1.2.5"), item("1.2.6", t00081197=-1), {}])]
    assert parse_store_response(json.dumps(data).encode()) == StoreResponse(
        {"1.2.3": 0}, {"1.2.4": 0xC000, "1.2.5": 0x0110, "1.2.6": 0x0110}
    )


def test_response_that_says_both() -> None:
    data = response([item("1.2.3")], [item("1.2.3", t00081197=0xA900)])
    assert parse_store_response(json.dumps(data).encode()) == StoreResponse({}, {"1.2.3": 0xA900})


def test_null_values() -> None:
    assert parse_store_response(b'{"00081199": null}') == StoreResponse({}, {})
    with pytest.raises(UnreadableResponse):
        parse_store_response(b'{"00081199": 5}')
