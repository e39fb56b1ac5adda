"""The service's figures for Prometheus, on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from dicom_io.receive.records import (
    AssociationRecord,
    QuarantinedInstance,
    RefusedInstance,
    StoredInstance,
)
from flows.journal import DeadReason, DeliveryState, Journal

__all__ = ["JournalCollector", "ListenerMetrics", "MetricsServer"]

_LOG = logging.getLogger(__name__)

_RECEIVE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_STAGE_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_STATES: Final = {
    "studies": ("receiving", "complete", "not-routed", "routed", "failed", "purged"),
    "jobs": (
        "waiting",
        "submitted",
        "running",
        "completed",
        "refused",
        "failed",
        "dead-letter",
        "cancelled",
    ),
    "deliveries": get_args(DeliveryState),
}


class ListenerMetrics:
    """Counts what the listener tells its observer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._associations = Counter(
            "secondread_associations", "Associations by outcome.", ["outcome"], registry=registry
        )
        self._open = Gauge("secondread_associations_open", "Open associations.", registry=registry)
        self._instances = Counter(
            "secondread_instances", "Received instances by outcome.", ["outcome"], registry=registry
        )
        self._bytes = Counter(
            "secondread_received_bytes",
            "Bytes of received data sets by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "secondread_receive_seconds",
            "Seconds from the last byte of an instance to the answer.",
            buckets=_RECEIVE_BUCKETS,
            registry=registry,
        )
        for outcome in ("accepted", "rejected"):
            self._associations.labels(outcome)
        for outcome in ("stored", "duplicate", "quarantined", "refused"):
            self._instances.labels(outcome)
            self._bytes.labels(outcome)

    def association_started(self, record: AssociationRecord) -> None:
        """Count an accepted association."""
        self._associations.labels("accepted").inc()
        self._open.inc()

    def association_ended(self, record: AssociationRecord) -> None:
        """Count the end of an accepted association."""
        self._open.dec()

    def association_rejected(self, record: AssociationRecord, reason_code: str) -> None:
        """Count a rejected association."""
        self._associations.labels("rejected").inc()

    def instance_stored(self, instance: StoredInstance, seconds: float) -> None:
        """Count a new instance."""
        self._received("stored", instance.size_bytes, seconds)

    def instance_repeated(self, instance: StoredInstance, seconds: float) -> None:
        """Count an identical duplicate."""
        self._received("duplicate", instance.size_bytes, seconds)

    def instance_quarantined(self, instance: QuarantinedInstance, seconds: float) -> None:
        """Count an object put into quarantine."""
        self._received("quarantined", instance.size_bytes, seconds)

    def instance_refused(self, refused: RefusedInstance, size_bytes: int, seconds: float) -> None:
        """Count an object answered with a failure."""
        self._received("refused", size_bytes, seconds)

    def _received(self, outcome: str, size_bytes: int, seconds: float) -> None:
        self._instances.labels(outcome).inc()
        self._bytes.labels(outcome).inc(size_bytes)
        self._seconds.observe(seconds)


class JournalCollector(Collector):
    """Reads the journal at each scrape: states, queue, outcomes and stage times of all processes."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = Lock()
        self._last_event = {"stage": 0, "wait": 0}
        self._seconds: dict[str, dict[str, list[float]]] = {"stage": {}, "wait": {}}

    def collect(self) -> Iterable[Metric]:
        """Return the figures; none but ``secondread_journal_up 0`` while the database is out of reach."""
        up = GaugeMetricFamily("secondread_journal_up", "Whether the journal answers.")
        try:
            families = list(self._families())
        except SQLAlchemyError:
            _LOG.exception("the journal does not answer a scrape")
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *families]

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not need the database."""
        return []

    def _families(self) -> Iterable[Metric]:
        counts = self._journal.counts()
        for name, states in _STATES.items():
            family = GaugeMetricFamily(
                f"secondread_{name}", f"{name.capitalize()} by state.", labels=["state"]
            )
            for state in states:
                family.add_metric([state], counts[name].get(state, 0))
            yield family
        yield from self._delivery_families()
        depth, age = self._journal.queue_age()
        yield GaugeMetricFamily("secondread_queue_depth", "Jobs that wait to be submitted.", value=depth)
        yield GaugeMetricFamily("secondread_queue_age_seconds", "Age of the oldest waiting job.", value=age)
        yield self._histogram("stage", "Seconds that the stages of jobs took.")
        yield self._histogram("wait", "Seconds from complete study to job, and from waiting job to run.")

    def _delivery_families(self) -> Iterable[Metric]:
        by_state, dead, age = self._journal.delivery_counts()
        states = GaugeMetricFamily(
            "secondread_destination_deliveries",
            "Deliveries by destination and state.",
            labels=["destination", "state"],
        )
        letters = GaugeMetricFamily(
            "secondread_dead_letters",
            "Deliveries that nothing but a person will bring on, by destination and reason.",
            labels=["destination", "reason"],
        )
        for destination, counts in by_state.items():
            for state in get_args(DeliveryState):
                states.add_metric([destination, state], counts.get(state, 0))
            for reason in get_args(DeadReason):
                letters.add_metric([destination, reason], dead.get(destination, {}).get(reason, 0))
        yield states
        yield letters
        yield GaugeMetricFamily(
            "secondread_commitment_age_seconds",
            "For how long the oldest stored object awaits its commitment.",
            value=age,
        )

    def _histogram(self, kind: str, text: str) -> Metric:
        family = HistogramMetricFamily(f"secondread_{kind}_seconds", text, labels=[kind])
        with self._lock:
            held = self._seconds[kind]
            last, fresh = self._journal.histogram(kind, self._last_event[kind], _STAGE_BUCKETS)
            self._last_event[kind] = last
            for name, figures in fresh.items():
                before = held.get(name, [0.0] * len(figures))
                held[name] = [a + b for a, b in zip(before, figures, strict=True)]
            for name, (*cumulative, count, total) in sorted(held.items()):
                buckets = [(str(b), c) for b, c in zip(_STAGE_BUCKETS, cumulative, strict=True)]
                family.add_metric([name], [*buckets, ("+Inf", count)], total)
        return family


class MetricsServer:
    """``/metrics`` over HTTP.

    Parameters
    ----------
    journal : Journal
        Read at each scrape.
    host, port
        Address to bind; port 0 takes a free one.
    """

    def __init__(self, journal: Journal, host: str = "127.0.0.1", port: int = 0) -> None:
        self.registry = CollectorRegistry()
        self.listener = ListenerMetrics(self.registry)
        self.registry.register(JournalCollector(journal))
        self._host = host
        self._server, self._thread = start_http_server(port, host, self.registry)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_port)

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        return f"http://{self._host}:{self.port}/metrics"

    def stop(self) -> None:
        """Close the socket and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
