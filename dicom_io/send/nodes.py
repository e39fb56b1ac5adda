"""Where objects go and what became of them: plain values and errors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AssociationRefused",
    "EchoResult",
    "NodeAddress",
    "NodeUnreachable",
    "SendError",
    "SendResult",
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
class NodeAddress:
    """A DICOM node.

    Attributes
    ----------
    timeout_s : float
        Limit of the connection, of the association's negotiation, and of each answer.
    """

    ae_title: str
    host: str
    port: int
    timeout_s: float = 30.0

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
    """

    path: Path
    sop_instance_uid: str | None
    status: int | None
    error: str | None = None

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
