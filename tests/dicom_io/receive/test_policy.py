from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.receive.listener import LOOPBACK_ONLY
from dicom_io.receive.policy import AssociationFacts, Policy, PolicyError
from flows.settings import Peer


@dataclass(frozen=True)
class Line:
    ae_title: str
    address: str


def facts(
    calling: str = "PACS", address: str = "10.1.2.3", called: str = "SECONDREAD", open_associations: int = 0
) -> AssociationFacts:
    return AssociationFacts(calling, called, address, open_associations)


@pytest.mark.parametrize("address", ["10.1.2.3/33", "", "pacs.example", "10.1.2", "1::2::3"])
def test_bad_addresses(address: str) -> None:
    with pytest.raises(PolicyError, match="neither an IP address nor a CIDR network"):
        Policy("SECONDREAD", [Line("PACS", address)], 1)


def test_bad_limit() -> None:
    with pytest.raises(PolicyError, match="at least 1"):
        Policy("SECONDREAD", [], 0)


def test_nobody_is_allowed_by_an_empty_list() -> None:
    assert Policy("SECONDREAD", [], 1).decide(facts()) is not None


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        (Line("PACS", "10.1.2.3"), True),
        (Line(" PACS ", " 10.1.2.0/24 "), True),
        (Line("*", "10.0.0.0/8"), True),
        (Line("PACS", "0.0.0.0/0"), True),
        (Line("pacs", "10.1.2.3"), False),
        (Line("PACS", "10.1.2.4"), False),
        (Line("OTHER", "10.1.2.3"), False),
        (Line("*", "::/0"), False),
        (Line("", "10.1.2.3"), False),
    ],
)
def test_allow_list(line: Line, allowed: bool) -> None:
    rejection = Policy("SECONDREAD", [line], 1).decide(facts())
    assert (rejection is None) is allowed
    if rejection is not None:
        assert (rejection.result, rejection.source, rejection.diagnostic) == (1, 1, 3)


def test_title_and_address_must_match_in_one_line() -> None:
    policy = Policy("SECONDREAD", [Line("PACS", "10.9.9.9"), Line("OTHER", "10.1.2.3")], 1)
    assert policy.decide(facts()) is not None


@pytest.mark.parametrize("address", ["not an address", "", "fe80::1%eth0", "999.1.1.1"])
def test_addresses_that_are_none_are_rejected(address: str) -> None:
    assert Policy("SECONDREAD", [Line("*", "10.0.0.0/8")], 1).decide(facts(address=address)) is not None


def test_mapped_and_scoped_addresses() -> None:
    policy = Policy("SECONDREAD", [Line("*", "10.0.0.0/8"), Line("*", "fe80::/10")], 1)
    assert policy.decide(facts(address="::ffff:10.1.2.3")) is None
    assert policy.decide(facts(address="fe80::1%eth0")) is None


def test_called_title() -> None:
    policy = Policy("SECONDREAD", [Line("*", "10.0.0.0/8")], 1)
    assert policy.decide(facts(called="SECONDREAD      ")) is None
    rejection = policy.decide(facts(called="ANY-SCP"))
    assert rejection is not None
    assert (rejection.result, rejection.source, rejection.diagnostic) == (1, 1, 7)


@given(st.integers(1, 100), st.integers(0, 200))
def test_limit(limit: int, open_associations: int) -> None:
    rejection = Policy("SECONDREAD", [Line("*", "10.0.0.0/8")], limit).decide(
        facts(open_associations=open_associations)
    )
    assert (rejection is None) is (open_associations < limit)
    if rejection is not None:
        assert (rejection.result, rejection.source, rejection.diagnostic) == (2, 3, 2)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=40))
def test_never_raises_and_strangers_stay_out(calling: str, called: str, address: str) -> None:
    policy = Policy("SECONDREAD", [Peer(ae_title="PACS", address="10.1.2.3")], 1)
    rejection = policy.decide(facts(calling, address, called))
    if calling.strip() != "PACS":
        assert rejection is not None
        assert rejection.code == "calling-ae-title"


def test_loopback_only_is_the_default() -> None:
    policy = Policy("SECONDREAD", LOOPBACK_ONLY, 1)
    assert policy.decide(facts(address="127.0.0.1")) is None
    assert policy.decide(facts(address="::1")) is None
    assert policy.decide(facts(address="10.1.2.3")) is not None
