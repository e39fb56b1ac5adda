"""DICOM over TLS to real listeners, and every way in which it fails."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE, evt

from dicom_io.archive import ArchiveNode
from dicom_io.send import (
    NodeAddress,
    NodeUnreachable,
    SendError,
    TlsIdentity,
    echo,
    send_files,
)
from tests.dicom_io.receive.support import CR, EXPLICIT, make_film, save, until
from tests.dicom_io.send.certificates import Authority, Pair
from tests.peers import free_port, peer_environment, require_tool


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> Pair:
    return authority.issue("server")


@pytest.fixture(scope="module")
def client_pair(authority: Authority) -> Pair:
    return authority.issue("client")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


def identity(authority: Authority, pair: Pair | None = None, **changes: Any) -> TlsIdentity:
    if pair is None:
        return TlsIdentity(authority.file, **changes)
    return TlsIdentity(authority.file, pair.certificate, pair.key, **changes)


@contextmanager
def secure_scp(context: ssl.SSLContext, versions: list[str] | None = None) -> Iterator[int]:
    """Run a storage SCP over TLS; ``versions`` gets the protocol of each connection."""
    entity = AE("SECURE")
    entity.add_supported_context(CR, EXPLICIT)
    entity.add_supported_context("1.2.840.10008.1.1")

    def store(event: evt.Event) -> int:
        if versions is not None:
            versions.append(event.assoc.dul.socket.socket.version())
        return 0

    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=context
    )
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def node_at(port: int, tls: TlsIdentity | None, host: str = "127.0.0.1") -> NodeAddress:
    return NodeAddress("SECURE", host, port, 3.0, tls)


# -- the identity --------------------------------------------------------------------------------------


def test_certificate_and_key_go_together(client_pair: Pair) -> None:
    with pytest.raises(ValueError, match="name both or neither"):
        TlsIdentity(certificate_file=client_pair.certificate)
    with pytest.raises(ValueError, match="name both or neither"):
        TlsIdentity(key_file=client_pair.key)


def test_files_that_cannot_be_used(
    tmp_path: Path, authority: Authority, client_pair: Pair, server_pair: Pair
) -> None:
    with pytest.raises(SendError, match="authority file .* cannot be used: No such file"):
        TlsIdentity(tmp_path / "missing.crt").client_context()
    text = tmp_path / "notes.txt"
    text.write_text("no certificate")
    with pytest.raises(SendError, match="authority file .* cannot be used: it is not PEM"):
        TlsIdentity(text).client_context()
    with pytest.raises(SendError, match="cannot be used: they do not belong together"):
        TlsIdentity(authority.file, client_pair.certificate, server_pair.key).client_context()
    with pytest.raises(SendError, match="cannot be used: No such file"):
        TlsIdentity(authority.file, tmp_path / "missing.crt", client_pair.key).client_context()
    # also where an association is wanted: said before anything is sent
    with pytest.raises(SendError, match="cannot be used"):
        echo(node_at(free_port(), TlsIdentity(text)))


def test_encrypted_key_is_not_asked_for_at_a_terminal(
    tmp_path: Path, authority: Authority, client_pair: Pair
) -> None:
    key = tmp_path / "encrypted.key"
    subprocess.run(
        [require_tool("openssl"), "pkey", "-in", client_pair.key, "-aes256", "-passout", "pass:secret",
         "-out", key],
        check=True, capture_output=True,
    )  # fmt: skip
    with pytest.raises(SendError, match="is encrypted: give one without a passphrase"):
        TlsIdentity(authority.file, client_pair.certificate, key).client_context()


def test_context_is_strict(authority: Authority) -> None:
    context = identity(authority).client_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    lenient = identity(authority, verify_host=False).client_context()
    assert (lenient.check_hostname, lenient.verify_mode) == (False, ssl.CERT_REQUIRED)


# -- failures, each in words ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_client_certificate(
    tmp_path: Path, authority: Authority, server_pair: Pair, version: ssl.TLSVersion
) -> None:
    context = authority.server_context(server_pair)
    context.minimum_version = context.maximum_version = version
    film = save(make_film(), tmp_path / "a.dcm")
    with secure_scp(context) as port, pytest.raises(NodeUnreachable, match="certificate_file and key_file"):
        send_files([film], node_at(port, identity(authority)))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificate_of_a_stranger(
    authority: Authority, stranger: Authority, server_pair: Pair, version: ssl.TLSVersion
) -> None:
    other = stranger.issue("other")
    tls = TlsIdentity(authority.file, other.certificate, other.key)
    context = authority.server_context(server_pair)
    context.minimum_version = context.maximum_version = version
    with (
        secure_scp(context) as port,
        pytest.raises(NodeUnreachable, match="does not trust our certificate"),
    ):
        echo(node_at(port, tls))


def test_server_of_another_authority(authority: Authority, stranger: Authority, server_pair: Pair) -> None:
    with (
        secure_scp(authority.server_context(server_pair, mutual=False)) as port,
        pytest.raises(NodeUnreachable, match="authority is not trusted here: name the right authority"),
    ):
        echo(node_at(port, identity(stranger)))


def test_system_authorities_do_not_vouch_for_it(authority: Authority, server_pair: Pair) -> None:
    with (
        secure_scp(authority.server_context(server_pair, mutual=False)) as port,
        pytest.raises(NodeUnreachable, match="not trusted here"),
    ):
        echo(node_at(port, TlsIdentity()))


def test_expired_server(authority: Authority) -> None:
    expired = authority.issue("expired", valid=timedelta(hours=-1))
    with (
        secure_scp(authority.server_context(expired, mutual=False)) as port,
        pytest.raises(NodeUnreachable, match="its certificate has expired"),
    ):
        echo(node_at(port, identity(authority)))


def test_another_host(authority: Authority) -> None:
    pair = authority.issue("elsewhere", "pacs.invalid")
    with secure_scp(authority.server_context(pair, mutual=False)) as port:
        with pytest.raises(
            NodeUnreachable, match="names another address: correct the host, or set verify_host"
        ):
            echo(node_at(port, identity(authority)))
        with pytest.raises(NodeUnreachable, match="names another host"):
            echo(node_at(port, identity(authority), "localhost"))
        assert echo(node_at(port, identity(authority, verify_host=False))).success


def test_plain_port_spoken_tls_to(tmp_path: Path, authority: Authority) -> None:
    with ArchiveNode(tmp_path / "archive") as archive:
        node = NodeAddress(archive.ae_title, "127.0.0.1", archive.port, 3.0, identity(authority))
        with pytest.raises(NodeUnreachable, match="does not speak TLS: correct the port, or leave tls out"):
            echo(node)


def test_silent_port_spoken_tls_to(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        node = NodeAddress("SILENT", "127.0.0.1", server.getsockname()[1], 0.5, identity(authority))
        with pytest.raises(NodeUnreachable, match="does not answer the TLS handshake"):
            echo(node)


def test_tls_port_spoken_plain_to(authority: Authority, server_pair: Pair) -> None:
    with (
        secure_scp(authority.server_context(server_pair)) as port,
        pytest.raises(NodeUnreachable, match="is it a DICOM node, without TLS, at this port"),
    ):
        echo(node_at(port, None))


def test_nobody_listens(authority: Authority) -> None:
    with pytest.raises(NodeUnreachable, match="nothing listens there"):
        echo(node_at(free_port(), identity(authority)))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocol(authority: Authority, server_pair: Pair) -> None:
    context = authority.server_context(server_pair, mutual=False)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with secure_scp(context) as port, pytest.raises(NodeUnreachable, match="we need TLS 1.2 or newer"):
        echo(node_at(port, identity(authority)))


# -- success -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("highest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_mutual(
    tmp_path: Path,
    authority: Authority,
    server_pair: Pair,
    client_pair: Pair,
    highest: ssl.TLSVersion,
) -> None:
    context = authority.server_context(server_pair)
    context.maximum_version = highest
    paths = [save(make_film(512, 512), tmp_path / f"{n}.dcm") for n in range(3)]
    versions: list[str] = []
    with secure_scp(context, versions) as port:
        results = send_files(paths, node_at(port, identity(authority, client_pair)))
    assert [result.error for result in results] == [None] * 3
    assert versions == [{"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[highest.name]] * 3


@pytest.mark.peer
def test_storescp(
    tmp_path: Path, authority: Authority, stranger: Authority, server_pair: Pair, client_pair: Pair
) -> None:
    program, port = require_tool("storescp"), free_port()
    received = tmp_path / "received"
    received.mkdir()
    command = [program, "-aet", "SECURE", "-od", received, "+tls", server_pair.key, server_pair.certificate]
    process = subprocess.Popen([*command, "+cf", authority.file, str(port)], env=peer_environment())
    film = make_film(512, 512)
    path = save(film, tmp_path / "a.dcm")
    try:
        node = node_at(port, identity(authority, client_pair))
        until(lambda: _answers(node), 10)
        with pytest.raises(NodeUnreachable, match="certificate"):
            echo(node_at(port, identity(authority)))
        with pytest.raises(NodeUnreachable, match="not trusted here"):
            echo(node_at(port, identity(stranger)))
        with pytest.raises(NodeUnreachable, match="without TLS"):
            echo(node_at(port, None))
        (result,) = send_files([path], node)
        assert result.delivered, result.error
        (arrived,) = received.iterdir()
        assert film.SOPInstanceUID in arrived.name
    finally:
        process.terminate()
        process.wait(10)


def _answers(node: NodeAddress) -> bool:
    try:
        return echo(node).success
    except SendError:
        return False
