"""Says in words why there is no connection: address, port, or TLS."""

from __future__ import annotations

import socket
import ssl

from dicom_io.send.nodes import TlsIdentity

__all__ = ["diagnose", "words"]

_ALERT_S = 2.0

_VERIFICATIONS = {
    9: "its certificate is not valid yet: compare the clocks",
    10: "its certificate has expired: it needs a new one",
    18: "its certificate is self-signed and not trusted here: name it in ca_file",
    19: "its certificate's authority is not trusted here: name the right authority in ca_file",
    20: "its certificate's authority is not trusted here: name the right authority in ca_file",
    21: "its certificate's authority is not trusted here: name the right authority in ca_file",
    62: "its certificate names another host: correct the host, or set verify_host to false",
    64: "its certificate names another address: correct the host, or set verify_host to false",
}
"""By OpenSSL's verification code (X509_V_ERR_*)."""

_NO_CERTIFICATE = "it asks for our certificate: set certificate_file and key_file"
_NOT_TRUSTED = "it does not trust our certificate: register its authority there"
_NOT_AGREED = "no protocol version or cipher in common; we need TLS 1.2 or newer"
_NOT_TLS = "what listens there does not speak TLS: correct the port, or leave tls out"

_REASONS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _NO_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate, or misses one: check certificate_file",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired: renew it",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "our certificate was revoked: get a new one",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_TRUSTED,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept our certificate's kind: check its usage",
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_TRUSTED,
    "TLSV1_ALERT_ACCESS_DENIED": "it denies our certificate access: allow it there",
    "TLSV1_ALERT_DECRYPT_ERROR": _NOT_TRUSTED,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NOT_AGREED,
    "UNSUPPORTED_PROTOCOL": _NOT_AGREED,
    "NO_PROTOCOLS_AVAILABLE": _NOT_AGREED,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": f"{_NOT_AGREED}; or {_NO_CERTIFICATE}",
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "UNEXPECTED_EOF_WHILE_READING": f"it closed the connection within the TLS handshake: {_NOT_TLS}",
}
"""By OpenSSL's reason."""

_ERRORS: dict[type[OSError], str] = {
    ConnectionRefusedError: "nothing listens there: start the node or correct its port",
    TimeoutError: "no answer in time: check the address and the firewall",
    socket.gaierror: "the host name is not known: correct the node's host",
    ConnectionResetError: "it reset the connection: is this the right port, and does it expect TLS?",
}


def diagnose(host: str, port: int, timeout_s: float, tls: TlsIdentity | None = None) -> str | None:
    """Try to connect and return what is wrong, or None when nothing is.

    Over TLS 1.3 a server refuses our certificate only after the handshake, so that its first bytes are
    waited for.

    Raises
    ------
    SendError
        A file of ``tls`` cannot be used.
    """
    context = None if tls is None else tls.client_context()
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        return words(error)
    with connection:
        return None if context is None else _handshake(connection, context, host)


def _handshake(connection: socket.socket, context: ssl.SSLContext, host: str) -> str | None:
    try:
        secure = context.wrap_socket(connection, server_hostname=host)
    except TimeoutError:
        return f"it does not answer the TLS handshake: {_NOT_TLS}"
    except OSError as error:
        return words(error)
    with secure:
        secure.settimeout(_ALERT_S)
        try:
            secure.recv(1)
        except TimeoutError:
            return None  # it waits for our request, as it should
        except ssl.SSLError as error:
            return words(error)
        except OSError:
            return "it broke the connection off after the TLS handshake: does it accept our certificate?"
        return None


def words(error: OSError) -> str:
    """Say what an error of the connection means and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATIONS.get(
            error.verify_code, f"its certificate cannot be verified ({error.verify_message})"
        )
    if isinstance(error, ssl.SSLError):
        reason = error.reason or "no reason given"
        return _REASONS.get(reason, f"the TLS handshake failed ({reason.lower().replace('_', ' ')})")
    return next(
        (text for kind, text in _ERRORS.items() if isinstance(error, kind)),
        f"no connection ({error.strerror or type(error).__name__}): check address and network",
    )
