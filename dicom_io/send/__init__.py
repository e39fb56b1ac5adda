"""Sending: C-STORE, C-ECHO and storage commitment as SCU, STOW-RS, copies into a folder."""

from __future__ import annotations

from dicom_io.send.collect import Collection, collect_files
from dicom_io.send.commitment import (
    CommitmentReference,
    CommitmentReport,
    CommitmentRequest,
    UnknownTransaction,
    request_commitment,
)
from dicom_io.send.dicomweb import DicomwebAddress, echo_web, store_over_web
from dicom_io.send.folder import copy_files
from dicom_io.send.nodes import (
    AssociationRefused,
    EchoResult,
    NodeAddress,
    NodeUnreachable,
    SendError,
    SendResult,
    TlsIdentity,
)
from dicom_io.send.storage import echo, send_files

__all__ = [
    "AssociationRefused",
    "Collection",
    "CommitmentReference",
    "CommitmentReport",
    "CommitmentRequest",
    "DicomwebAddress",
    "EchoResult",
    "NodeAddress",
    "NodeUnreachable",
    "SendError",
    "SendResult",
    "TlsIdentity",
    "UnknownTransaction",
    "collect_files",
    "copy_files",
    "echo",
    "echo_web",
    "request_commitment",
    "send_files",
    "store_over_web",
]
