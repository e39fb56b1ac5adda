"""The viewer as a program of its own, and Chromium to look at it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import BrowserContext, sync_playwright

from flows.viewer.site import SiteMissing, find_site
from tests.peers import free_port, missing, peer_environment, require_tool, wait_until

__all__ = ["REPOSITORY", "RunningViewer", "chromium", "site_folder", "start_viewer"]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
_SIZE: Final = {"width": 1180, "height": 820}
_FLAGS: Final = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class RunningViewer:
    """A viewer that answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its origin."""
        return f"http://127.0.0.1:{self.port}"


def site_folder() -> Path:
    """Return the fetched site; without it the test ends as `missing` says."""
    try:
        return find_site()
    except SiteMissing as error:
        missing(str(error))


@contextmanager
def start_viewer(folder: Path, dicomweb: str, site: Path) -> Iterator[RunningViewer]:
    """Run ``secondread viewer`` in front of an archive."""
    port, log = free_port(), folder / "viewer.log"
    command = [
        sys.executable, "-m", "flows.cli", "viewer",
        "--port", str(port), "--dicomweb", dicomweb, "--site", str(site),
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=peer_environment(PYTHONPATH=str(REPOSITORY)),
        )
    viewer = RunningViewer(process, port, log)
    try:

        def answers() -> bool:
            if process.poll() is not None:
                pytest.fail(f"the viewer ended: {log.read_text()[-2000:]}", pytrace=False)
            try:
                return httpx.get(viewer.url, trust_env=False).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        wait_until("the viewer to answer", answers, timeout=60)
        yield viewer
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def chromium() -> Iterator[BrowserContext]:
    """Run Chromium without a window, with one fresh profile; it draws in software."""
    program = require_tool("chromium")
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-cy")
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(_FLAGS))
        try:
            yield browser.new_context(viewport=_SIZE)
        finally:
            browser.close()
