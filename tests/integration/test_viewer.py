"""The viewer on a real archive in a real browser: results are where the findings are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from tests.peers import Orthanc, start_orthanc, wait_until
from tests.viewer.films import ReadFilm, read_film
from tests.viewer.looking import Extent, coloured, extent_of, find_pattern
from tests.viewer.pages import ViewerPage, open_study
from tests.viewer.running import RunningViewer, chromium, site_folder, start_viewer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

_REPORT = "AI result, research use"
_TOLERANCE_PX = 2.5
_MARGIN = 40


@dataclass(frozen=True)
class Site:
    """An archive, the viewer in front of it, and a browser."""

    orthanc: Orthanc
    viewer: RunningViewer
    browser: Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, files = tmp_path_factory.mktemp("viewer"), site_folder()
    with (
        start_orthanc(folder, stable_age_s=3600) as orthanc,
        start_viewer(folder, orthanc.dicomweb_url, files) as viewer,
        chromium() as browser,
    ):
        yield Site(orthanc, viewer, browser)


def stored(site: Site, made: ReadFilm) -> ReadFilm:
    for path in made.paths:
        site.orthanc.upload(path)
    return made


def nodule_on_screen(opened: ViewerPage, made: ReadFilm) -> tuple[Extent, float]:
    """Return where the nodule is drawn, found by its looks alone, and screen pixels per film pixel."""
    left, top, right, bottom = (round(edge) for edge in made.box)
    film = made.film.pixel_array.astype("float32")
    part = film[top - _MARGIN : bottom + _MARGIN, left - _MARGIN : right + _MARGIN]
    shown = opened.screenshot()
    scale = shown.shape[0] / film.shape[0]  # the film fills the height of the viewport
    x, y, likeness = find_pattern(shown, part, scale)
    assert likeness > 0.95
    width, height = (right - left) * scale, (bottom - top) * scale
    return Extent(x - width / 2, y - height / 2, x + width / 2, y + height / 2), scale


def box_on_screen(opened: ViewerPage) -> Extent:
    """Return the box that the report draws."""
    opened.open_series(_REPORT)
    opened.page.wait_for_selector("svg.svg-layer polyline")
    wait_until("the box to be drawn", lambda: coloured(opened.screenshot()).any())
    return extent_of(coloured(opened.screenshot()))


def test_the_box_of_a_report_lies_on_the_nodule(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = stored(site, read_film(tmp_path_factory.mktemp("film"), 41))
    with open_study(site.browser, site.viewer.url, made.study) as opened:
        opened.page.get_by_text(_REPORT).first.wait_for()
        assert not coloured(opened.screenshot()).any()
        nodule, _ = nodule_on_screen(opened, made)
        box = box_on_screen(opened)
        words = opened.page.locator("svg.svg-layer text").all_text_contents()
        assert box.deviation(nodule) <= _TOLERANCE_PX
        assert len(words) == 1
        assert words[0].startswith("Nodule 1: 90 %")
        assert "Width: 30." in words[0]
        assert opened.hosts == {f"127.0.0.1:{site.viewer.port}"}
        assert opened.errors == []


def test_a_box_beside_the_nodule_is_seen_to_be_beside_it(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = stored(site, read_film(tmp_path_factory.mktemp("moved"), 42, moved=(10.0, 0.0)))
    with open_study(site.browser, site.viewer.url, made.study) as opened:
        opened.page.get_by_text(_REPORT).first.wait_for()
        nodule, scale = nodule_on_screen(opened, made)
        box = box_on_screen(opened)
        assert box.deviation(nodule) > 2 * _TOLERANCE_PX
        assert box.centre[0] - nodule.centre[0] == pytest.approx(10 * scale, abs=_TOLERANCE_PX)
