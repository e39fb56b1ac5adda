"""Asking a destination to commit what it has taken: one request for all objects that await it.

References
----------
PS3.4 Annex J (Storage Commitment Push Model).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydicom.uid import generate_uid

from dicom_io.send import CommitmentReference, SendError, UnknownTransaction, request_commitment
from flows.addresses import dimse_address
from flows.journal import DeliveryOutcome, DeliveryRecord, Journal
from flows.nodes import DimseNode
from flows.settings import Settings

__all__ = ["ask_for_commitment"]

_LOG = logging.getLogger(__name__)


def ask_for_commitment(
    journal: Journal, settings: Settings, destination: str, stored: Sequence[DeliveryRecord]
) -> None:
    """Ask, and write down at once what is answered at once.

    A report that comes on the same association is noted here; one that comes later, on an association of
    its own, reaches the listener, which writes the same journal.
    """
    node = settings.nodes.get(destination)
    if not stored or node is None:
        return
    if not isinstance(node, DimseNode) or node.commitment == "off":
        journal.mark_deliveries([DeliveryOutcome(one.id, "sent") for one in stored])
        return
    transaction_uid = str(generate_uid(prefix=None))
    asked = journal.begin_commitment(stored, transaction_uid)
    if not asked:
        return
    try:
        answer = request_commitment(
            [CommitmentReference(one.sop_class_uid, one.sop_instance_uid) for one in asked],
            dimse_address(node),
            transaction_uid,
            settings.listener.ae_title,
            node.commitment_wait_s,
            answered=lambda: journal.commitment_answered(transaction_uid),
        )
    except SendError as error:
        journal.commitment_not_taken(transaction_uid, str(error))
        return
    if not answer.offered:
        journal.mark_deliveries([_without_commitment(one, node, destination) for one in asked])
    elif answer.report is not None:
        try:
            journal.record_commitment(answer.report, {destination})
        except UnknownTransaction:
            _LOG.warning("destination %s reported what it was not asked for", destination)
    elif answer.error is not None:
        journal.commitment_not_taken(transaction_uid, answer.error)


def _without_commitment(delivery: DeliveryRecord, node: DimseNode, destination: str) -> DeliveryOutcome:
    if node.commitment == "when-offered":
        return DeliveryOutcome(delivery.id, "sent")
    return DeliveryOutcome(
        delivery.id,
        "dead",
        f"{destination} took the object and does not offer storage commitment, which is required of it: "
        'enable it there, or set commitment = "when-offered"',
        "no-commitment",
    )
