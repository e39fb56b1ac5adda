"""Who may associate: a pure function from the facts of a request to accept or reject.

References
----------
PS3.8 9.3.4 (A-ASSOCIATE-RJ: result, source, reason).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["AllowedPeer", "AssociationFacts", "Policy", "PolicyError", "Rejection"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PolicyError(ValueError):
    """The allow-list cannot be understood."""


class AllowedPeer(Protocol):
    """One line of the allow-list."""

    @property
    def ae_title(self) -> str:
        """Calling AE title, or ``*`` for any."""
        ...

    @property
    def address(self) -> str:
        """IP address or CIDR network."""
        ...


@dataclass(frozen=True, slots=True)
class AssociationFacts:
    """What is known when an A-ASSOCIATE-RQ has arrived.

    Attributes
    ----------
    open_associations : int
        Accepted associations that have not ended, without this one.
    """

    calling_ae_title: str
    called_ae_title: str
    peer_address: str
    open_associations: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ.

    Attributes
    ----------
    result, source, diagnostic : int
        The three values of PS3.8 Table 9-21.
    code : str
        Short reason for metrics.
    reason : str
        In words, for the record and the log.
    """

    result: int
    source: int
    diagnostic: int
    code: str
    reason: str


class Policy:
    """The rules of one listener.

    Parameters
    ----------
    ae_title : str
        Our AE title; other called titles are rejected.
    peers : iterable of AllowedPeer
        The allow-list: title and address must match in the same line.
    maximum_associations : int
        Accepted associations at one time.

    Raises
    ------
    PolicyError
        An address is neither an IP address nor a CIDR network, or a limit is not positive.
    """

    def __init__(self, ae_title: str, peers: Iterable[AllowedPeer], maximum_associations: int) -> None:
        if maximum_associations < 1:
            raise PolicyError(f"maximum_associations must be at least 1, not {maximum_associations}")
        self._ae_title = ae_title.strip()
        self._maximum = maximum_associations
        self._allowed = tuple((peer.ae_title.strip(), _network(peer.address)) for peer in peers)

    def decide(self, facts: AssociationFacts) -> Rejection | None:
        """Return why the association is rejected, or None to accept it."""
        calling = facts.calling_ae_title.strip()
        if not self._is_allowed(calling, _address(facts.peer_address)):
            return Rejection(
                1,
                1,
                3,
                "calling-ae-title",
                f"calling AE title {calling!r} at {facts.peer_address} is not in the list of peers",
            )
        called = facts.called_ae_title.strip()
        if called != self._ae_title:
            return Rejection(
                1, 1, 7, "called-ae-title", f"called AE title {called!r} is not ours ({self._ae_title!r})"
            )
        if facts.open_associations >= self._maximum:
            return Rejection(2, 3, 2, "local-limit", f"the limit of {self._maximum} associations is reached")
        return None

    def _is_allowed(self, calling: str, address: _Address | None) -> bool:
        if address is None:
            return False
        return any(
            title in ("*", calling) and address.version == network.version and address in network
            for title, network in self._allowed
        )


def _network(text: str) -> _Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise PolicyError(f"peer address {text!r} is neither an IP address nor a CIDR network") from error


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
