"""Sending to real listeners: ours, dcmtk's, ones that refuse, break off or are not there."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from dicom_io.archive import ArchiveNode
from dicom_io.receive.part10 import data_set_sha256
from dicom_io.send import (
    AssociationRefused,
    NodeAddress,
    NodeUnreachable,
    SendError,
    SendResult,
    collect_files,
    copy_files,
    echo,
    send_files,
)
from tests.dicom_io.receive.support import CR, EXPLICIT, IMPLICIT, make_film, save, until
from tests.peers import peer_environment, require_tool

JPEG = "1.2.840.10008.1.2.4.50"


@contextmanager
def scp(handler: Any, syntaxes: list[str] | None = None, **changes: Any) -> Iterator[NodeAddress]:
    """Run a scripted storage SCP."""
    entity = AE("SCRIPTED")
    entity.require_called_aet = changes.get("called", False)
    entity.require_calling_aet = changes.get("calling", [])
    entity.maximum_associations = changes.get("limit", 10)
    entity.add_supported_context(CR, syntaxes or [EXPLICIT])
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)])
    try:
        yield NodeAddress("SCRIPTED", "127.0.0.1", server.server_address[1], changes.get("timeout", 5.0))
    finally:
        server.shutdown()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ArchiveNode]:
    with ArchiveNode(tmp_path / "archive") as node:
        yield node


def address(node: ArchiveNode) -> NodeAddress:
    return NodeAddress(node.ae_title, "127.0.0.1", node.port, 5.0)


def film_file(folder: Path, name: str = "a.dcm", syntax: str = EXPLICIT, **changes: Any) -> Path:
    return save(make_film(**changes), folder / name, syntax)


# -- no association -----------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("send", [True, False])
def test_nobody_listens(tmp_path: Path, send: bool) -> None:
    node = NodeAddress("PACS", "127.0.0.1", closed_port(), 2.0)
    with pytest.raises(NodeUnreachable, match="nothing listens there: start the node or correct its port"):
        send_files([film_file(tmp_path)], node) if send else echo(node)


def test_unknown_host(tmp_path: Path) -> None:
    node = NodeAddress("PACS", "no-such-host.invalid", 104, 2.0)
    with pytest.raises(NodeUnreachable, match="host"):
        send_files([film_file(tmp_path)], node)


def test_something_else_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def close() -> None:
            connection, _ = server.accept()
            connection.recv(10)
            connection.close()

        threading.Thread(target=close, daemon=True).start()
        node = NodeAddress("PACS", "127.0.0.1", server.getsockname()[1], 2.0)
        with pytest.raises(NodeUnreachable, match="closed the connection during negotiation"):
            send_files([film_file(tmp_path)], node)


def test_a_node_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        node = NodeAddress("PACS", "127.0.0.1", server.getsockname()[1], 0.5)
        started = time.monotonic()
        with pytest.raises(NodeUnreachable):
            send_files([film_file(tmp_path)], node)
        assert time.monotonic() - started < 5


def test_unknown_titles(tmp_path: Path) -> None:
    with scp(lambda _event: 0, called=True, calling=["KNOWN"]) as node:
        other = NodeAddress("WRONG", node.host, node.port, 5.0)
        with pytest.raises(AssociationRefused, match="does not go by the AE title 'WRONG'") as caught:
            send_files([film_file(tmp_path)], other, "KNOWN")
        assert not caught.value.transient
        with pytest.raises(AssociationRefused, match="does not know our AE title 'SECONDREAD': register it"):
            echo(node)


def test_congested(tmp_path: Path) -> None:
    with scp(lambda _event: 0, limit=1) as node:
        entity = AE("FIRST")
        entity.add_requested_context(CR)
        first = entity.associate(node.host, node.port)
        with pytest.raises(AssociationRefused, match="limit of associations: try again later") as caught:
            send_files([film_file(tmp_path)], node)
        assert caught.value.transient
        first.release()


def test_no_verification() -> None:
    with scp(lambda _event: 0) as node, pytest.raises(SendError, match="does not offer Verification"):
        echo(node)


# -- per file -----------------------------------------------------------------------------------------


def test_files_that_cannot_be_sent(tmp_path: Path, archive: ArchiveNode) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM")
    nameless = make_film()
    del nameless.SOPClassUID
    nameless.file_meta = pydicom.dataset.FileMetaDataset()
    nameless.file_meta.TransferSyntaxUID = EXPLICIT
    nameless.save_as(tmp_path / "nameless.dcm", implicit_vr=False, little_endian=True)
    with (tmp_path / "nameless.dcm").open("r+b") as file:
        body = file.read()
        file.seek(0)
        file.write(bytes(128) + b"DICM" + body if body[128:132] != b"DICM" else body)
    good = film_file(tmp_path)
    results = send_files([text, tmp_path / "missing.dcm", tmp_path / "nameless.dcm", good], address(archive))
    errors = [result.error for result in results]
    assert errors[0] == "not a DICOM file (no DICM prefix)"
    assert errors[1] == "cannot be read: No such file or directory"
    assert errors[2] is not None
    assert [result.delivered for result in results] == [False, False, False, True]
    assert [result.permanent for result in results] == [True, True, True, False]
    assert [result.path for result in results] == [
        text,
        tmp_path / "missing.dcm",
        tmp_path / "nameless.dcm",
        good,
    ]


def test_nothing_to_send_makes_no_association(tmp_path: Path) -> None:
    assert send_files([], NodeAddress("PACS", "127.0.0.1", closed_port())) == []


def test_refused_syntax_is_named(tmp_path: Path) -> None:
    film = make_film()
    film.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8" + bytes(20)])
    film["PixelData"].VR = "OB"
    film["PixelData"].is_undefined_length = True
    compressed = save(film, tmp_path / "jpeg.dcm", JPEG)
    plain = film_file(tmp_path)
    with scp(lambda _event: 0) as node:
        results = send_files([compressed, plain], node)
        assert [result.delivered for result in results] == [False, True]
        assert (results[0].status, results[0].permanent) == (None, True)
        assert results[0].error == (
            f"{node} does not accept Computed Radiography Image Storage in JPEG Baseline (Process 1) "
            f"({JPEG}): enable it there, or send a copy in another transfer syntax"
        )
        # the only context refused: still a result for the file, no error for all
        (alone,) = send_files([compressed], node)
        assert alone.error == results[0].error


@pytest.mark.parametrize(
    ("status", "delivered", "permanent"),
    [
        (0x0000, True, False),
        (0xB000, True, False),
        (0x0110, False, False),
        (0xA700, False, False),
        (0xA900, False, True),
        (0xC000, False, True),
        (0xC123, False, True),
        (0x0122, False, True),
    ],
)
def test_statuses(tmp_path: Path, status: int, delivered: bool, permanent: bool) -> None:
    def answer(_event: evt.Event) -> pydicom.Dataset:
        reply = pydicom.Dataset()
        reply.Status = status
        reply.ErrorComment = "too bad"
        return reply

    with scp(answer) as node:
        (result,) = send_files([film_file(tmp_path)], node)
    assert (result.status, result.delivered, result.permanent) == (status, delivered, permanent)
    if not delivered:
        assert result.error == f"{node} answered 0x{status:04X}"


def test_node_that_aborts_in_the_middle(tmp_path: Path) -> None:
    """One object that the node cannot bear does not keep the others back, and none is sent twice."""
    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(4)]
    uids = [str(pydicom.dcmread(path).SOPInstanceUID) for path in paths]
    seen: list[str] = []

    def answer(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if seen[-1] == uids[1]:
            event.assoc.abort()
        return 0

    with scp(answer) as node:
        results = send_files(paths, node)
    assert [result.delivered for result in results] == [True, False, True, True]
    assert "the connection was lost; it may have the object" in str(results[1].error)
    assert not results[1].permanent
    assert seen == uids


@pytest.mark.parametrize("bad", [(0, 1), (1, 2), (2, 3), (0, 3)])
def test_two_objects_that_the_node_cannot_bear(tmp_path: Path, bad: tuple[int, int]) -> None:
    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(4)]
    unbearable = {str(pydicom.dcmread(paths[number]).SOPInstanceUID) for number in bad}
    seen: list[str] = []

    def answer(event: evt.Event) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if seen[-1] in unbearable:
            event.assoc.abort()
        return 0

    with scp(answer) as node:
        results = send_files(paths, node)
    assert [result.delivered for result in results] == [number not in bad for number in range(4)]
    assert len(set(seen)) == len(seen) == 4


def test_node_that_aborts_again_and_again(tmp_path: Path) -> None:
    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(4)]
    associations: list[Any] = []

    def answer(event: evt.Event) -> int:
        associations.append(event.assoc)
        event.assoc.abort()
        return 0

    told: list[SendResult] = []
    with scp(answer) as node:
        results = send_files(paths, node, on_progress=told.append)
    assert len(associations) == 3
    assert results == told
    assert [result.delivered for result in results] == [False] * 4
    assert ["may have the object" in str(result.error) for result in results] == [True, True, True, False]
    assert results[3].error == f"not sent: the connection to {node} was lost before"
    assert not any(result.permanent for result in results)


def test_node_that_dies_in_the_middle(tmp_path: Path) -> None:
    """The node is gone when we come back: stated for every file that is left."""
    servers: list[Any] = []

    def answer(event: evt.Event) -> int:
        servers[0].server_close()
        event.assoc.abort()
        return 0

    entity = AE("DYING")
    entity.add_supported_context(CR, EXPLICIT)
    handlers = [(evt.EVT_C_STORE, answer)]
    servers.append(entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers))
    node = NodeAddress("DYING", "127.0.0.1", servers[0].server_address[1], 2.0)
    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(3)]
    results = send_files(paths, node)
    servers[0].shutdown()
    assert [result.delivered for result in results] == [False] * 3
    assert "may have the object" in str(results[0].error)
    for result in results[1:]:
        assert str(result.error).startswith(f"not sent: {node}: nothing listens there")
        assert not result.permanent


def test_file_that_vanishes_while_others_are_sent(tmp_path: Path) -> None:
    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(3)]

    def answer(_event: evt.Event) -> int:
        paths[1].unlink(missing_ok=True)
        return 0

    with scp(answer) as node:
        results = send_files(paths, node)
    assert [result.delivered for result in results] == [True, False, True]
    assert results[1].error == "cannot be read: No such file or directory"
    assert results[1].permanent


def test_node_that_does_not_answer_in_time(tmp_path: Path) -> None:
    go_on = threading.Event()

    def answer(_event: evt.Event) -> int:
        go_on.wait(10)
        return 0

    paths = [film_file(tmp_path, f"{number}.dcm") for number in range(2)]
    started = time.monotonic()
    with scp(answer, timeout=0.5) as node:
        results = send_files(paths, node)
        assert time.monotonic() - started < 5
        go_on.set()
    assert "no answer within 0.5 s; it may have the object" in str(results[0].error)
    assert not any(result.delivered for result in results)


def test_node_that_stops_reading(tmp_path: Path) -> None:
    """A transfer that stalls ends after the time limit, though nothing was lost or refused."""
    large = film_file(tmp_path, "large.dcm", rows=40_000, columns=400)
    stop = threading.Event()

    def stall(event: evt.Event) -> None:
        stop.wait(15)

    entity = AE("STALLING")
    entity.add_supported_context(CR, EXPLICIT)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_DATA_RECV, _after(3, stall))]
    )
    started = time.monotonic()
    (result,) = send_files([large], NodeAddress("STALLING", "127.0.0.1", server.server_address[1], 1.0))
    assert not result.delivered
    assert time.monotonic() - started < 10
    stop.set()
    server.shutdown()


def _after(count: int, action: Any) -> Any:
    seen = 0

    def handler(event: evt.Event) -> None:
        nonlocal seen
        seen += 1
        if seen > count:
            action(event)

    return handler


# -- delivered ----------------------------------------------------------------------------------------


def test_echo(archive: ArchiveNode) -> None:
    result = echo(address(archive))
    assert result.success
    assert 0 < result.seconds < 5


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, "1.2.840.10008.1.2.2"])
def test_bytes_arrive_as_they_are(tmp_path: Path, archive: ArchiveNode, syntax: str) -> None:
    film = make_film()
    path = save(film, tmp_path / "a.dcm", syntax)
    told: list[SendResult] = []
    results = send_files([path], address(archive), on_progress=told.append)
    assert results == told
    assert (results[0].delivered, results[0].status, results[0].error) == (True, 0, None)
    assert results[0].sop_instance_uid == film.SOPInstanceUID
    (received,) = archive.received(film.StudyInstanceUID)
    assert data_set_sha256(received) == data_set_sha256(path)


def test_order_and_progress(tmp_path: Path, archive: ArchiveNode) -> None:
    study = generate_uid()
    paths = [
        film_file(tmp_path, f"{n}.dcm", (EXPLICIT, IMPLICIT)[n % 2], StudyInstanceUID=study)
        for n in range(10)
    ]
    told: list[SendResult] = []
    results = send_files(paths, address(archive), on_progress=told.append)
    assert [result.path for result in results] == paths
    assert sorted(result.path for result in told) == sorted(paths)
    assert len(archive.wait(study, 10, 5)) == 10


def test_more_pairs_than_one_association_takes(tmp_path: Path, archive: ArchiveNode) -> None:
    from dicom_io.receive.contexts import STORAGE_CLASSES

    study = generate_uid()
    paths = [
        film_file(tmp_path, f"{n}.dcm", SOPClassUID=uid, StudyInstanceUID=study)
        for n, uid in enumerate(sorted(STORAGE_CLASSES)[:140])
    ]
    results = send_files(paths, address(archive))
    assert all(result.delivered for result in results), [r.error for r in results if not r.delivered][:1]
    assert len(archive.received(study)) == 140


def test_large_object(tmp_path: Path, archive: ArchiveNode) -> None:
    film = make_film(rows=40_000, columns=300)
    path = save(film, tmp_path / "a.dcm")
    (result,) = send_files([path], address(archive))
    assert result.delivered
    (received,) = archive.received(film.StudyInstanceUID)
    assert data_set_sha256(received) == data_set_sha256(path)


def test_no_values_in_logs(tmp_path: Path, archive: ArchiveNode, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    film = make_film()
    send_files([save(film, tmp_path / "a.dcm")], address(archive))
    text = "".join(record.getMessage() for record in caplog.records)
    assert str(film.SOPInstanceUID) not in text
    assert str(film.PatientName) not in text


@pytest.mark.peer
def test_storescp(tmp_path: Path) -> None:
    program = require_tool("storescp")
    received = tmp_path / "received"
    received.mkdir()
    port = closed_port()
    process = subprocess.Popen(
        [program, "-aet", "DCMTK", "-od", received, "+xa", str(port)], env=peer_environment()
    )
    try:
        node = NodeAddress("DCMTK", "127.0.0.1", port, 5.0)
        until(lambda: _answers(node), 10)
        film = make_film()
        (result,) = send_files([save(film, tmp_path / "a.dcm")], node)
        assert result.delivered, result.error
        (path,) = received.iterdir()
        assert pydicom.dcmread(path).PixelData == film.PixelData
    finally:
        process.terminate()
        process.wait(10)


def _answers(node: NodeAddress) -> bool:
    try:
        return echo(node).success
    except SendError:
        return False


# -- folders ------------------------------------------------------------------------------------------


def test_copy_into_something_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SendError, match="cannot be made"):
        copy_files([], tmp_path / "file" / "results")


def test_copy(tmp_path: Path) -> None:
    path = film_file(tmp_path)
    target = tmp_path / "out" / "results"
    told: list[SendResult] = []
    results = copy_files([path, tmp_path / "missing.dcm", path], target, on_progress=told.append)
    assert [result.delivered for result in results] == [True, False, True]
    assert "No such file" in str(results[1].error)
    assert told == results
    assert [item.name for item in target.iterdir()] == ["a.dcm"]
    assert (target / "a.dcm").read_bytes() == path.read_bytes()


def test_collect(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        collect_files(tmp_path / "nowhere")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    first, second = film_file(tmp_path / "deep", "b"), film_file(tmp_path / "deep" / "er", "a.dcm")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "DICOMDIR").write_text("x")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    found = collect_files(tmp_path)
    assert found.files == (first, second)
    assert [path.name for path in found.others] == ["empty", "gone", "notes.txt"]
    assert collect_files(first).files == (first,)


# -- the archive node ---------------------------------------------------------------------------------


def test_archive_refuses_other_titles_and_nonsense(tmp_path: Path, archive: ArchiveNode) -> None:
    with pytest.raises(AssociationRefused):
        echo(NodeAddress("OTHER", "127.0.0.1", archive.port))
    film = make_film(StudyInstanceUID="1.2.3")
    path = save(film, tmp_path / "a.dcm")
    data = path.read_bytes()
    place = data.index(b"1.2.3\x00")
    path.write_bytes(data[:place] + b"../../" + data[place + 6 :])
    (result,) = send_files([path], address(archive))
    assert result.status == 0xC000
    assert not [item for item in archive.folder.rglob("*") if item.is_file()]
    assert archive.wait("1.2.3", 1, 0.1) == []


def test_archive_stops(tmp_path: Path) -> None:
    node = ArchiveNode(tmp_path / "archive")
    node.start()
    where = address(node)
    assert echo(where).success
    node.stop()
    node.stop()
    with pytest.raises(NodeUnreachable):
        echo(where)
