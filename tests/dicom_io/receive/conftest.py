from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dicom_io.receive.inbox import Inbox
from dicom_io.receive.listener import Listener
from tests.dicom_io.receive.support import CountingObserver, MemoryRecorder


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


@pytest.fixture
def observer() -> CountingObserver:
    return CountingObserver()


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox", tmp_path / "quarantine")


@pytest.fixture
def start(
    inbox: Inbox, recorder: MemoryRecorder, observer: CountingObserver
) -> Iterator[Callable[..., Listener]]:
    started: list[Listener] = []

    def make(**changes: Any) -> Listener:
        listener = Listener(inbox, recorder, **{"port": 0, "observer": observer, **changes})
        listener.start()
        started.append(listener)
        return listener

    yield make
    for listener in started:
        listener.stop(grace_s=0.2)


@pytest.fixture
def listener(start: Callable[..., Listener]) -> Listener:
    return start()
