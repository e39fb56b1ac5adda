"""Delivery: kept objects go to every destination, only what is missing, as often as it takes."""

from __future__ import annotations

from flows.delivery.late import LateDelivery, deliver_now, retry_deliveries
from flows.delivery.run import DeliveryReport, deliver
from flows.delivery.schedule import attempts_in_run, has_expired, is_due

__all__ = [
    "DeliveryReport",
    "LateDelivery",
    "attempts_in_run",
    "deliver",
    "deliver_now",
    "has_expired",
    "is_due",
    "retry_deliveries",
]
