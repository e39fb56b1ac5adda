"""Nodes of the settings as the DICOM room wants them."""

from __future__ import annotations

from dicom_io.send import DicomwebAddress, NodeAddress, SendError, TlsIdentity
from flows.nodes import DicomwebNode, DimseNode

__all__ = ["dimse_address", "web_address"]


def dimse_address(node: DimseNode) -> NodeAddress:
    """Return where and how to open associations with a DICOM node."""
    identity = None
    if node.tls is not None:
        tls = node.tls
        identity = TlsIdentity(tls.ca_file, tls.certificate_file, tls.key_file, tls.verify_host)
    return NodeAddress(node.ae_title, node.host, node.port, node.timeout_s, identity)


def web_address(node: DicomwebNode) -> DicomwebAddress:
    """Return where and how to reach a DICOMweb server, with the authorization as it is just now.

    Raises
    ------
    SendError
        The authorization's file or variable is missing or unusable.
    """
    try:
        authorization = node.authorization()
    except ValueError as error:
        raise SendError(str(error)) from error
    return DicomwebAddress(
        url=node.url.rstrip("/"),
        timeout_s=node.timeout_s,
        ca_file=node.ca_file,
        certificate_file=node.certificate_file,
        key_file=node.key_file,
        authorization=authorization,
    )
