from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from dicom_io.pseudonym import Pseudonymiser, PseudonymKeyError, load_key

STUDY = "1.2.840.113619.2.55.3.1"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(PseudonymKeyError, match="at least 32 bytes, not 5"):
        Pseudonymiser(b"short")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_key(path)
    path.chmod(0o644)
    with pytest.raises(PseudonymKeyError, match="chmod 600"):
        load_key(path)


def test_a_truncated_key_is_refused_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"half")
    path.chmod(0o600)
    with pytest.raises(PseudonymKeyError, match="4 bytes instead of 32"):
        load_key(path)
    assert path.read_bytes() == b"half"


def test_the_key_is_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "state" / "pseudonym.key"
    key = load_key(path)
    assert len(key) == 32
    assert load_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def load() -> None:
        barrier.wait()
        found.append(load_key(path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_pseudonym_is_stable_and_hides_the_uid() -> None:
    one = Pseudonymiser(b"k" * 32)
    assert one.study(STUDY) == Pseudonymiser(b"k" * 32).study(STUDY)
    assert re.fullmatch(r"S-[A-Z2-7]{10}", one.study(STUDY))
    assert one.study(STUDY) != one.study(STUDY + "1")
    assert one.study(STUDY) != Pseudonymiser(b"x" * 32).study(STUDY)
