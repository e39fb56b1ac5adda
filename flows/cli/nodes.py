"""Nodes as the DICOM room wants them."""

from __future__ import annotations

from dicom_io.send import NodeAddress
from flows.cli.context import node
from flows.cli.errors import CommandError
from flows.settings import FolderNode

__all__ = ["dimse_address"]


def dimse_address(name: str) -> NodeAddress:
    """Return the address of a node that speaks DIMSE; CommandError for a folder or an unknown name."""
    found = node(name)
    if isinstance(found, FolderNode):
        raise CommandError(f"the node {name!r} is a folder ({found.path}): it speaks no DICOM", 2)
    return NodeAddress(found.ae_title, found.host, found.port, found.timeout_s)
