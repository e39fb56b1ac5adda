"""Working the viewer as somebody at the screen does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import BrowserContext, Page

from tests.viewer.looking import Picture, pixels

__all__ = ["ViewerPage", "open_study"]

_TIMEOUT_MS = 60_000
_BARE = """
  body, body * { visibility: hidden !important }
  .cornerstone-canvas, svg.svg-layer polyline, svg.svg-layer ellipse { visibility: visible !important }
"""
_VIEWPORT = "[data-viewportid] .cornerstone-canvas"
_DRAWN = """() => {
  const viewport = window.cornerstone?.getRenderingEngines?.()?.[0]?.getViewports?.()?.[0];
  return Boolean(viewport?.getImageIds?.()?.length && viewport?.getImageData?.());
}"""

_SHOW = """async uid => {
  const viewport = window.cornerstone.getRenderingEngines()[0].getViewports()[0];
  const index = viewport.getImageIds().findIndex(one => one.includes(`/instances/${uid}/`));
  if (index >= 0) { await viewport.setImageIdIndex(index); viewport.render(); }
  return index >= 0;
}"""


@dataclass
class ViewerPage:
    """A study in the viewer."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def screenshot(self) -> Picture:
        """Return the first viewport: image, overlay and outlines, without words and controls.

        Its first pixel is the canvas's first.
        """
        box = self.page.locator(_VIEWPORT).first.bounding_box()
        assert box is not None
        corner, size = (box["x"], box["y"]), (box["width"], box["height"])
        clip = dict(zip(("x", "y", "width", "height"), map(int, (*corner, *size)), strict=True))
        return pixels(self.page.screenshot(clip=clip, style=_BARE))

    def steady(self) -> Picture:
        """Return a screenshot that the next one equals."""
        last = self.screenshot()
        for _ in range(100):
            now = self.screenshot()
            if np.array_equal(now, last):
                return now
            last = now
        raise AssertionError("the viewport does not come to rest")

    def show_image(self, sop_instance_uid: str) -> None:
        """Scroll the first viewport to an image."""
        assert self.page.evaluate(_SHOW, sop_instance_uid)

    def open_series(self, words: str) -> None:
        """Open a series by a double click on its entry in the list."""
        self.page.get_by_text(words).first.dblclick(timeout=_TIMEOUT_MS)


@contextmanager
def open_study(
    browser: BrowserContext, origin: str, study: str, *series: str, images: bool = True
) -> Iterator[ViewerPage]:
    """Open a study, or some of its series, in a tab of its own and wait until the first image is drawn.

    With ``images=False`` it does not wait: there is none.
    """
    page = browser.new_page()
    opened = ViewerPage(page)
    page.on("request", lambda request: opened.hosts.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: opened.errors.append(str(error)))
    try:
        chosen = f"&SeriesInstanceUIDs={','.join(series)}" if series else ""
        page.goto(f"{origin}/viewer?StudyInstanceUIDs={study}{chosen}", timeout=_TIMEOUT_MS)
        if images:
            page.wait_for_function(_DRAWN, timeout=_TIMEOUT_MS)
        yield opened
    finally:
        page.close()
