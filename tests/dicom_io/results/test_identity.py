from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.results import ResultIdentity, derived_uid, fingerprint
from tests.dicom_io.results.factory import IDENTITY

UID_FORM = re.compile(r"2\.25\.(0|[1-9]\d{0,38})")


def test_an_incomplete_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="package_hash must not be empty"):
        ResultIdentity("f", "", "c")
    with pytest.raises(ValueError, match="revision must be 1 or more"):
        ResultIdentity("f", "p", "c", 0)
    with pytest.raises(ValueError, match="kind must not be empty"):
        IDENTITY.uid("")


@pytest.mark.parametrize(
    "change",
    [{"fingerprint": "e" * 64}, {"package_hash": "x"}, {"configuration_hash": "x"}, {"revision": 2}],
)
def test_whatever_changes_gives_another_uid(change: dict[str, object]) -> None:
    assert replace(IDENTITY, **change).uid("structured-report") != IDENTITY.uid("structured-report")  # type: ignore[arg-type]


def test_a_repeat_has_the_same_uid_for_ever() -> None:
    assert IDENTITY.uid("structured-report") == "2.25.333454507512589938730117961947309575238"
    assert IDENTITY.uid("structured-report") != IDENTITY.uid("series:structured-report")


@given(st.lists(st.text(), min_size=1))
def test_a_derived_uid_is_a_uid(parts: list[str]) -> None:
    uid = derived_uid(*parts)
    assert UID_FORM.fullmatch(uid)
    assert len(uid) <= 64


def test_parts_do_not_run_together() -> None:
    assert derived_uid("ab", "c") != derived_uid("a", "bc")
    assert derived_uid("a", "") != derived_uid("a")


def test_a_fingerprint_knows_neither_order_nor_anything_else() -> None:
    one, other = ("1.2.3", "a" * 64), ("1.2.4", "b" * 64)
    assert fingerprint([one, other]) == fingerprint(iter([other, one]))
    assert fingerprint([one]) != fingerprint([one, other])
    assert fingerprint([("1.2.3", "b" * 64)]) != fingerprint([one])
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint([one]))
