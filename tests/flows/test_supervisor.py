"""Programs that are kept running."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.supervisor import Program, SupervisedProcess


def program(code: str) -> Program:
    return Program("test", (sys.executable, "-c", code), dict(os.environ))


async def until(what: str, ready: object, timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


async def test_a_program_that_is_killed_is_started_again() -> None:
    ends: list[int] = []
    process = SupervisedProcess(program("import time; time.sleep(60)"), on_exit=ends.append)
    await process.start()
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until("the second start", lambda: process.pid not in {None, first})
    assert ends == [-9]
    await process.stop()
    assert process.pid is None


async def test_pauses_grow_while_a_program_ends_at_once() -> None:
    process = SupervisedProcess(program("raise SystemExit(3)"))
    await process.start()
    await asyncio.sleep(2.0)
    await process.stop()
    # 0.2, 0.4, 0.8 s and more: a program that cannot run does not take the machine.
    assert 2 <= process.starts <= 4


async def test_what_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "logs" / "test.log"
    process = SupervisedProcess(program(code), log_file=log, grace_s=0.3)
    await process.start()
    await until("the child", lambda: log.is_file() and log.read_text().strip())
    child = int(log.read_text())
    await process.stop()
    await until(
        "the child's end",
        lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE,
    )


async def test_an_orphan_ends_by_itself(tmp_path: Path) -> None:
    """A parent that is killed cannot stop anything: whoever it started watches it."""
    child_code = (
        "from flows.supervisor import end_with_parent; import time; end_with_parent(); time.sleep(60)"
    )
    parent_code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child_code!r}], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "parent.log"
    process = SupervisedProcess(program(parent_code), log_file=log)
    await process.start()
    await until("the child", lambda: log.read_text().strip())
    child = psutil.Process(int(log.read_text()))
    await asyncio.sleep(2)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await until("the orphan's end", lambda: not child.is_running())
    await process.stop()


async def test_a_start_that_fails_does_not_end_the_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    start = asyncio.create_subprocess_exec
    calls = 0

    async def short_of_memory(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        nonlocal calls
        calls += 1
        if calls in {2, 3}:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return await start(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", short_of_memory)
    process = SupervisedProcess(program("import time; time.sleep(60)"))
    await process.start()
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until("the second start", lambda: process.pid not in {None, first})
    assert (calls, process.starts) == (4, 2)
    await process.stop()
