"""Asks an archive to take responsibility for objects it was sent."""

from __future__ import annotations

from collections.abc import Iterable

from dicom_io.commitment import (
    CommitmentReference,
    CommitmentReport,
    CommitmentRequest,
    UnknownTransaction,
)
from dicom_io.send.nodes import NodeAddress

__all__ = [
    "CommitmentReference",
    "CommitmentReport",
    "CommitmentRequest",
    "UnknownTransaction",
    "request_commitment",
]


def request_commitment(
    references: Iterable[CommitmentReference],
    node: NodeAddress,
    transaction_uid: str,
    calling_ae_title: str = "SECONDREAD",
    wait_s: float = 1.0,
) -> CommitmentRequest:
    """Ask a node to commit objects; see the module."""
    raise NotImplementedError
