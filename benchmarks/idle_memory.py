"""How much memory ``secondread serve`` takes when it waits for studies, over all of its processes.

RSS counts a page once for every process that has it; PSS shares such pages out, so the sum of PSS is what
would be free without the service. The target is put to the larger sum, that of RSS.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

_TARGET_BYTES = 1_200_000_000


def main() -> None:
    """Measure and print; the exit status says whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--package", default="chest-nodule", help="NAME or NAME@VERSION")
    parser.add_argument("--package-dir", type=Path, action="append", default=[])
    parser.add_argument("--settle", type=float, default=15.0, help="seconds of idling before the figure")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="secondread-memory-") as folder:
        result = measure(Path(folder), arguments)
    print(json.dumps(result, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["met"] else 1)


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the service, wait until everything is warm and quiet, and add up."""
    configuration = folder / "secondread.toml"
    folders = [str(one.resolve()) for one in arguments.package_dir]
    configuration.write_text(
        f'state_dir = "state"\n[listener]\nport = 0\n[metrics]\nport = 0\n'
        f"[runtime]\npackage_dirs = {json.dumps(folders)}\n"
        f'[[routes]]\nname = "chest"\npackage = "{arguments.package}"\n'
        'when = [{ tag = "Modality", in = ["CR", "DX"] }]\n'
        f"[prefect]\nport = {_free_port()}\n"
    )
    service = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve"],
        env={**os.environ, "SECONDREAD_CONFIG": str(configuration)},
        stdout=subprocess.DEVNULL,
    )
    try:
        expected = 5  # main, Prefect server, conductor, two warm processes
        _wait_until_warm(folder / "state" / "logs" / "conductor.log", service)
        time.sleep(arguments.settle)
        processes = [psutil.Process(service.pid), *psutil.Process(service.pid).children(recursive=True)]
        if len(processes) < expected:
            raise RuntimeError(f"{len(processes)} processes run, {expected} were expected")
        return _figures(processes)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(60)


def _wait_until_warm(log: Path, service: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while not log.is_file() or log.read_text().count(" is ready after ") < 2:
        if service.poll() is not None:
            raise RuntimeError(f"the service ended with {service.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"no warm processes within 180 s, see {log.read_text()[-2000:]}")
        time.sleep(0.5)


def _figures(processes: list[psutil.Process]) -> dict[str, Any]:
    rows = []
    for process in processes:
        memory = process.memory_full_info()
        rows.append({"process": _name(process), "rss_mb": memory.rss / 1e6, "pss_mb": memory.pss / 1e6})
    rss = sum(row["rss_mb"] for row in rows) * 1e6
    return {
        "processes": [{k: v if isinstance(v, str) else round(v, 1) for k, v in row.items()} for row in rows],
        "rss_sum_mb": round(rss / 1e6, 1),
        "pss_sum_mb": round(sum(row["pss_mb"] for row in rows), 1),
        "target_mb": _TARGET_BYTES / 1e6,
        "met": rss <= _TARGET_BYTES,
    }


def _name(process: psutil.Process) -> str:
    command = process.cmdline()
    return command[command.index("-m") + 1] if "-m" in command else Path(command[0]).name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
