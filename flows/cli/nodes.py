"""Nodes as the DICOM room wants them."""

from __future__ import annotations

from dicom_io.send import NodeAddress
from flows import addresses
from flows.cli.context import node
from flows.cli.errors import CommandError
from flows.settings import DicomwebNode, FolderNode

__all__ = ["dimse_address"]


def dimse_address(name: str) -> NodeAddress:
    """Return the address of a node that speaks DIMSE; CommandError for one that does not."""
    found = node(name)
    if isinstance(found, FolderNode):
        raise CommandError(f"the node {name!r} is a folder ({found.path}): it speaks no DICOM", 2)
    if isinstance(found, DicomwebNode):
        raise CommandError(f"the node {name!r} is a DICOMweb server ({found.url}): it speaks no DIMSE", 2)
    return addresses.dimse_address(found)
