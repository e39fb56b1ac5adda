"""Sending: C-STORE and C-ECHO as SCU, copies into a folder, finding DICOM files."""

from __future__ import annotations

from dicom_io.send.collect import Collection, collect_files
from dicom_io.send.folder import copy_files
from dicom_io.send.nodes import (
    AssociationRefused,
    EchoResult,
    NodeAddress,
    NodeUnreachable,
    SendError,
    SendResult,
)
from dicom_io.send.storage import echo, send_files

__all__ = [
    "AssociationRefused",
    "Collection",
    "EchoResult",
    "NodeAddress",
    "NodeUnreachable",
    "SendError",
    "SendResult",
    "collect_files",
    "copy_files",
    "echo",
    "send_files",
]
