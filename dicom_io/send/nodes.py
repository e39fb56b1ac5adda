"""Where objects go and what became of them: plain values and errors."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AssociationRefused",
    "EchoResult",
    "NodeAddress",
    "NodeUnreachable",
    "SendError",
    "SendResult",
    "TlsIdentity",
]


class SendError(RuntimeError):
    """Nothing could be sent; the text says what to do."""


class NodeUnreachable(SendError):
    """There is no connection to the node, or it ended before an association was made."""


class AssociationRefused(SendError):
    """The node answered, and did not want the association.

    Attributes
    ----------
    transient : bool
        Whether the node says that a later try may succeed.
    """

    def __init__(self, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Whom we trust over TLS, and who we are.

    Attributes
    ----------
    ca_file : Path or None
        PEM certificates of the authorities to trust; None trusts those of the system.
    certificate_file, key_file : Path or None
        Our certificate (with its chain) and key in PEM, for nodes that ask for one; both or neither.
    verify_host : bool
        Whether the node's certificate must name the host we connect to.

    Raises
    ------
    ValueError
        A certificate without its key, or a key without its certificate.

    References
    ----------
    PS3.15 B.9 to B.12 (BCP 195 TLS Secure Transport Connection Profiles), RFC 9325.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    verify_host: bool = True

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError(
                "a TLS certificate needs its key, and a key its certificate: name both or neither"
            )

    def client_context(self) -> ssl.SSLContext:
        """Return how we connect: TLS 1.2 at least, the node's certificate verified.

        Raises
        ------
        SendError
            A file cannot be read, is not PEM, or certificate and key do not fit each other.
        """
        context = ssl.create_default_context(cafile=_trusted(self.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = self.verify_host
        if self.certificate_file is not None:
            _present(context, self.certificate_file, self.key_file)
        return context


def _trusted(ca_file: Path | None) -> str | None:
    if ca_file is None:
        return None
    try:
        ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise SendError(f"the TLS authority file {ca_file} cannot be used: {_ssl_words(error)}") from error
    return str(ca_file)


def _present(context: ssl.SSLContext, certificate_file: Path, key_file: Path | None) -> None:
    def no_password() -> str:
        raise SendError(f"the TLS key {key_file} is encrypted: give one without a passphrase")

    try:
        context.load_cert_chain(certificate_file, key_file, password=no_password)
    except OSError as error:
        raise SendError(
            f"the TLS certificate {certificate_file} with the key {key_file} cannot be used: "
            f"{_ssl_words(error)}"
        ) from error


def _ssl_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason == "KEY_VALUES_MISMATCH":
            return "they do not belong together"
        return "it is not PEM"
    return error.strerror or type(error).__name__


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A DICOM node.

    Attributes
    ----------
    timeout_s : float
        Limit of the connection, of the association's negotiation, and of each answer.
    tls : TlsIdentity or None
        How to connect over TLS; None connects without.
    """

    ae_title: str
    host: str
    port: int
    timeout_s: float = 30.0
    tls: TlsIdentity | None = None

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class SendResult:
    """What became of one file.

    Attributes
    ----------
    status : int or None
        DIMSE status, or None when the file was not sent or not answered.
    error : str or None
        Why it was not delivered, in words.
    permanent : bool
        Whether a later try cannot succeed unasked: something must be changed here or there first.
    """

    path: Path
    sop_instance_uid: str | None
    status: int | None
    error: str | None = None
    permanent: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the node has taken the object; a warning status (0xBxxx) means that it has."""
        return self.error is None and self.status is not None


@dataclass(frozen=True, slots=True)
class EchoResult:
    """A C-ECHO that was answered.

    Attributes
    ----------
    seconds : float
        From the request for an association to its end.
    """

    node: NodeAddress
    status: int
    seconds: float

    @property
    def success(self) -> bool:
        """Whether the answer was 0x0000."""
        return self.status == 0x0000
