"""Peers that break off, keep silent, crowd in or speak nonsense; and what becomes of their associations."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pynetdicom import AE, build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener, ListenerError
from dicom_io.receive.spool import MEMORY_BYTES
from tests.dicom_io.receive.support import (
    CR,
    EXPLICIT,
    CountingObserver,
    MemoryRecorder,
    RawPeer,
    Sender,
    encoded,
    make_film,
    until,
)

Start = Callable[..., Listener]


def part_files(inbox: Inbox) -> list[Path]:
    return list(inbox.incoming.iterdir())


def still_works(listener: Listener) -> None:
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0x0000


# -- who may come in ----------------------------------------------------------------------------------


class Allowed:
    def __init__(self, ae_title: str, address: str) -> None:
        self.ae_title = ae_title
        self.address = address


def test_unknown_calling_title(start: Start, recorder: MemoryRecorder, observer: CountingObserver) -> None:
    listener = start(peers=[Allowed("MODALITY", "127.0.0.1")])
    sender = Sender(listener.port, calling="STRANGER")
    answer = sender.association.acceptor.primitive
    assert sender.association.is_rejected
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 3)
    (end,) = recorder.ends()
    assert end.startswith("rejected: calling AE title 'STRANGER' at 127.0.0.1")
    assert recorder.closed[0].ended_at is not None
    until(lambda: observer.rejections == ["calling-ae-title"])
    with Sender(listener.port, calling="MODALITY") as known:
        assert known.store(make_film()) == 0x0000


def test_known_title_from_another_address(start: Start) -> None:
    listener = start(peers=[Allowed("SENDER", "192.0.2.0/24")])
    assert Sender(listener.port).association.is_rejected


def test_unknown_called_title(listener: Listener, recorder: MemoryRecorder) -> None:
    sender = Sender(listener.port, called="SOMEONE")
    answer = sender.association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, 7)
    assert "'SOMEONE' is not ours" in recorder.ends()[0]


def test_flood_of_associations(start: Start, recorder: MemoryRecorder, observer: CountingObserver) -> None:
    listener = start(maximum_associations=3)
    senders = [Sender(listener.port) for _ in range(8)]
    accepted = [sender for sender in senders if sender.association.is_established]
    rejected = [sender for sender in senders if sender.association.is_rejected]
    assert (len(accepted), len(rejected)) == (3, 5)
    answer = rejected[0].association.acceptor.primitive
    assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
    assert all(sender.store(make_film()) == 0x0000 for sender in accepted)
    until(lambda: observer.rejections == ["local-limit"] * 5)
    for sender in accepted:
        sender.association.release()
    until(lambda: listener.open_associations == 0)
    still_works(listener)
    assert len(recorder.ends(9)) == 9


def test_silent_connections_take_no_association(start: Start, recorder: MemoryRecorder) -> None:
    listener = start(maximum_associations=2)
    silent = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(10)]
    still_works(listener)
    for connection in silent:
        connection.close()
    assert recorder.ends() == ["released"]
    assert len(recorder.opened) == 1


def test_connections_beyond_all_limits_are_closed(start: Start) -> None:
    listener = start(maximum_associations=1, network_timeout_s=1.0)
    connections = [socket.create_connection(("127.0.0.1", listener.port)) for _ in range(30)]
    for connection in connections:
        connection.settimeout(10)
    assert connections[-1].recv(1) == b""
    # the silent ones are dropped too, after the timeout
    assert [connection.recv(1) for connection in connections] == [b""] * 30
    still_works(listener)


# -- what they may ask for ----------------------------------------------------------------------------


def test_unsupported_syntax_is_refused_in_negotiation(listener: Listener) -> None:
    jpip, private = "1.2.840.10008.1.2.4.94", "1.2.840.113619.5.2"
    sender = Sender(listener.port, [(CR, jpip), (CR, private), (CR, EXPLICIT)])
    results = {str(c.transfer_syntax[0]): c.result for c in sender.association.rejected_contexts}
    assert results == {jpip: 4, private: 4}
    assert sender.store(make_film()) == 0x0000
    sender.association.release()


def test_other_services_are_refused_in_negotiation(listener: Listener) -> None:
    entity = AE("SENDER")
    contexts = [build_context(StudyRootQueryRetrieveInformationModelFind), build_context(CR)]
    association = entity.associate("127.0.0.1", listener.port, contexts=contexts, ae_title="SECONDREAD")
    assert [context.result for context in association.rejected_contexts] == [3]
    association.release()


def test_another_request_under_a_storage_context(listener: Listener, recorder: MemoryRecorder) -> None:
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command(field_=0x0020)  # C-FIND-RQ
        peer.fragment(encoded(make_film()), 0x02)
        assert peer.answer()[0] in (0, 7)
    assert recorder.ends() == ["aborted: a request that this node does not serve"]
    still_works(listener)


def test_store_under_the_verification_context(listener: Listener, recorder: MemoryRecorder) -> None:
    with RawPeer(listener.port) as peer:
        assert peer.associate("1.2.840.10008.1.1", "1.2.840.10008.1.2") == 2
        peer.command("1.2.840.10008.1.1")
        peer.fragment(encoded(make_film()), 0x02)
        assert peer.answer()[0] in (0, 7)
    assert not recorder.instances
    still_works(listener)


@pytest.mark.parametrize("data_set", [0x0001, 0x0101])
def test_an_empty_data_set(listener: Listener, recorder: MemoryRecorder, data_set: int) -> None:
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command(data_set=data_set)
        if data_set == 1:
            peer.fragment(b"", 0x02)
        kind, body = peer.answer()
        assert kind == 4
        assert b"no data set" in body
    assert [item.reason_code for item in recorder.refused] == ["empty"]
    still_works(listener)


# -- how they break off -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1000, MEMORY_BYTES + 100_000])
def test_connection_lost_in_the_middle_of_an_object(
    listener: Listener, recorder: MemoryRecorder, inbox: Inbox, size: int
) -> None:
    film = make_film(rows=40_000, columns=160)
    data = encoded(film)[:size]
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command(instance_uid=str(film.SOPInstanceUID))
        for start in range(0, len(data), 16_000):
            peer.fragment(data[start : start + 16_000], 0x00)
        if size > MEMORY_BYTES:
            until(lambda: part_files(inbox))
            assert listener.open_study_uids() == {film.StudyInstanceUID}
    assert recorder.ends() == ["connection lost"]
    until(lambda: not part_files(inbox))
    assert not recorder.instances
    assert not listener.open_study_uids()
    still_works(listener)


def test_abort_in_the_middle_of_an_object(listener: Listener, recorder: MemoryRecorder, inbox: Inbox) -> None:
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.command()
        peer.fragment(encoded(make_film())[:100], 0x00)
        peer.socket.sendall(b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00")
        assert recorder.ends() == ["aborted by peer"]
    assert not recorder.refused
    still_works(listener)


def test_abort_between_objects(listener: Listener, recorder: MemoryRecorder) -> None:
    with Sender(listener.port) as sender:
        assert sender.store(make_film()) == 0x0000
        sender.association.abort()
    assert recorder.ends() == ["aborted by peer"]
    assert recorder.closed[0].instances == 1


def test_silent_peer(start: Start, recorder: MemoryRecorder) -> None:
    listener = start(network_timeout_s=0.5)
    started = time.monotonic()
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        assert peer.answer()[0] == 7
    assert time.monotonic() - started < 5
    assert recorder.ends() == ["aborted: the peer was silent for 0.5 s"]
    still_works(listener)


def test_peer_that_stalls_inside_a_pdu(start: Start, recorder: MemoryRecorder) -> None:
    listener = start(network_timeout_s=0.5)
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.socket.sendall(b"\x04\x00\x00\x00\x10\x00abc")
        assert peer.answer()[0] in (0, 7)
    assert recorder.ends() == ["connection lost"]
    still_works(listener)


def test_peer_that_drips(start: Start, recorder: MemoryRecorder) -> None:
    listener = start(network_timeout_s=0.6)
    ended = threading.Event()
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.socket.sendall(b"\x04\x00\x00\x00\x10\x00")
        deadline = time.monotonic() + 8
        while not recorder.closed and time.monotonic() < deadline:
            try:
                peer.socket.sendall(b"a")
            except OSError:
                ended.set()
                break
            time.sleep(0.1)
    assert recorder.ends() == ["connection lost"]
    still_works(listener)


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),  # a TLS hello
        b"\x01\x00\xff\xff\xff\xff" + bytes(64),  # an association request of 4 GiB
        b"\x01\x00\x00\x00\x00\x44" + bytes(68),
        b"\x04\x00\x00\x00\x00\x06" + bytes(6),
        b"",
    ],
)
def test_noise_instead_of_a_request(listener: Listener, recorder: MemoryRecorder, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        with suppress(OSError):  # the listener may close the connection at once
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    still_works(listener)
    assert recorder.ends() == ["released"]


@pytest.mark.parametrize(
    "noise",
    [
        b"\x04\x00\xff\xff\xff\xff" + bytes(64),  # a PDU of 4 GiB
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x02\x01\x03",  # an empty command
        b"\x04\x00\x00\x00\x00\x08\x00\x00\x00\x04\x63\x03\x00\x00",  # a context nobody negotiated
        b"\x09\x00\x00\x00\x00\x00",
        b"\x04\x00\x00\x00\x00\x0a\x00\x00\xff\xff\x01\x03" + bytes(4),  # a fragment longer than its PDU
    ],
)
def test_noise_inside_an_association(listener: Listener, recorder: MemoryRecorder, noise: bytes) -> None:
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        peer.socket.sendall(noise)
        with suppress(OSError):  # the listener may have closed the connection by now
            peer.socket.shutdown(socket.SHUT_WR)
        while peer.answer()[0]:
            pass
    assert recorder.ends()[0] in ("connection lost", "aborted: the peer broke the protocol")
    still_works(listener)
    until(lambda: listener.open_associations == 0)


# -- start and stop -----------------------------------------------------------------------------------


def test_port_in_use(listener: Listener, tmp_path: Path, recorder: MemoryRecorder) -> None:
    other = Listener(Inbox(tmp_path / "i", tmp_path / "q"), recorder, port=listener.port)
    with pytest.raises(ListenerError, match=f"port {listener.port}.*another listener running"):
        other.start()
    assert not other.is_listening
    with pytest.raises(ListenerError, match="running already"):
        listener.start()


@pytest.mark.parametrize(
    "changes", [{"ae_title": "x" * 17}, {"peers": [Allowed("*", "nowhere")]}, {"maximum_associations": 0}]
)
def test_settings_that_make_no_sense(
    inbox: Inbox, recorder: MemoryRecorder, changes: dict[str, object]
) -> None:
    with pytest.raises(ListenerError, match="the listener's settings"):
        Listener(inbox, recorder, port=0, **changes)  # type: ignore[arg-type]


def test_stop_waits_and_then_aborts(start: Start, recorder: MemoryRecorder) -> None:
    listener = start()
    port = listener.port
    with Sender(port) as sender:
        assert sender.store(make_film()) == 0x0000
        listener.stop(grace_s=0.2)
        until(lambda: not sender.association.is_established)
    assert recorder.ends() == ["aborted: the listener stopped"]
    assert not listener.is_listening
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    listener.stop()
    listener.start()
    still_works(listener)


def test_stop_does_not_wait_for_stalled_peers(start: Start, recorder: MemoryRecorder) -> None:
    listener = start()
    silent = socket.create_connection(("127.0.0.1", listener.port))
    half = socket.create_connection(("127.0.0.1", listener.port))
    half.sendall(b"\x01\x00\x00\x00\x01\x00abc")
    with RawPeer(listener.port) as stalled:
        assert stalled.associate() == 2
        stalled.socket.sendall(b"\x04\x00\x00\x00\x10\x00abc")
        started = time.monotonic()
        listener.stop(grace_s=0.1)
        assert time.monotonic() - started < 6
    assert recorder.ends() == ["aborted: the listener stopped"]
    silent.close()
    half.close()


def test_requests_without_waiting_for_answers(listener: Listener, recorder: MemoryRecorder) -> None:
    """A peer that fills our memory with requests is stopped; what was answered is kept."""
    go_on = threading.Event()
    recorder.before_commit = lambda _instance: go_on.wait(10) and None
    films = [make_film() for _ in range(40)]
    with RawPeer(listener.port) as peer:
        assert peer.associate() == 2
        with suppress(ConnectionError):
            for film in films:
                peer.command(instance_uid=str(film.SOPInstanceUID))
                peer.fragment(encoded(film), 0x02)
        time.sleep(0.5)
        go_on.set()
        assert recorder.ends()[0] == "aborted: the peer broke the protocol"
    assert 1 <= len(recorder.instances) < 20
    still_works(listener)


def test_object_in_hand_is_kept_while_stopping(start: Start, recorder: MemoryRecorder) -> None:
    listener = start()
    entered, go_on = threading.Event(), threading.Event()

    def wait(_instance: object) -> None:
        entered.set()
        go_on.wait(10)

    recorder.before_commit = wait
    sender = Sender(listener.port)
    sending = threading.Thread(target=sender.store, args=(make_film(),))
    sending.start()
    assert entered.wait(5)
    stopping = threading.Thread(target=listener.stop, kwargs={"grace_s": 0.1})
    stopping.start()
    time.sleep(0.5)
    go_on.set()
    stopping.join(20)
    sending.join(30)
    assert len(recorder.instances) == 1
    assert recorder.ends()[0].startswith("aborted")


def test_no_threads_are_left(start: Start) -> None:
    before = threading.active_count()
    listener = start()
    for _ in range(5):
        still_works(listener)
    listener.stop()
    until(lambda: threading.active_count() <= before)
