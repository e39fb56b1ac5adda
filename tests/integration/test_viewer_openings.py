"""What somebody sees who opens a result: its findings, every time, or a plain word why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Locator
from pydicom import dcmread

from tests.peers import Orthanc, start_orthanc, wait_until
from tests.viewer.films import ReadFilm, read_film
from tests.viewer.looking import Extent, coloured
from tests.viewer.pages import ViewerPage, open_study
from tests.viewer.running import RunningViewer, chromium, site_folder, start_viewer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

_REPORT: Final = "AI report, research use"
_OPENINGS: Final = 8
_REGIONS: Final = "svg.svg-layer polyline"
_WORDS: Final = "svg.svg-layer g[data-annotation-uid]"
_WARNING: Final = "#secondread-warning"
# Two findings side by side, as a hand's breadth of words would overlap, and one inside the other's reach;
# 36.364 columns are 14.5456 mm, which rounded twice would be 14.6.
_NEAR: Final = (
    (620.0, 330.0, 700.0, 400.0),
    (500.0, 340.0, 536.364, 380.0),
    (560.0, 420.0, 600.0, 450.0),
)
_SAID: Final = ["Nodule 1: 90 %H × W: 28.0 × 32.0 mm", "Nodule 2: 89 %H × W: 16.0 × 14.5 mm",
                "Nodule 3: 88 %H × W: 12.0 × 16.0 mm"]  # fmt: skip


@dataclass(frozen=True)
class Site:
    """An archive, the viewer in front of it, and a browser."""

    orthanc: Orthanc
    viewer: RunningViewer
    browser: BrowserContext

    def store(self, made: ReadFilm, *left_out: str) -> ReadFilm:
        """Store all files but those with these names."""
        for path in made.paths:
            if path.name not in left_out:
                self.orthanc.upload(path)
        return made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, files = tmp_path_factory.mktemp("viewer"), site_folder()
    with (
        start_orthanc(folder, stable_age_s=3600) as orthanc,
        start_viewer(folder, orthanc.dicomweb_url, files) as viewer,
        chromium() as browser,
    ):
        yield Site(orthanc, viewer, browser)


@pytest.fixture(scope="module")
def near(site: Site, tmp_path_factory: pytest.TempPathFactory) -> ReadFilm:
    return site.store(read_film(tmp_path_factory.mktemp("near"), 51, boxes=_NEAR))


@pytest.fixture(scope="module")
def segmented(site: Site, tmp_path_factory: pytest.TempPathFactory) -> ReadFilm:
    return site.store(read_film(tmp_path_factory.mktemp("segmented"), 52, segmented=True))


def places(found: Locator) -> list[Extent]:
    """Return where elements are on the screen."""
    boxes = [one.bounding_box() for one in found.all()]
    return [Extent(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes if b]


def apart(one: Extent, other: Extent) -> bool:
    return (
        one.right <= other.left
        or other.right <= one.left
        or one.bottom <= other.top
        or other.bottom <= one.top
    )


def open_report(opened: ViewerPage, count: int) -> None:
    opened.open_series(_REPORT)
    wait_until("the findings", lambda: opened.page.locator(_REGIONS).count() == count, timeout=5)


@pytest.mark.parametrize("settled", [False, True])
def test_every_opening_shows_every_finding(site: Site, near: ReadFilm, settled: bool) -> None:
    for _ in range(_OPENINGS // 2):
        with open_study(site.browser, site.viewer.url, near.study) as opened:
            if settled:
                opened.steady()
            open_report(opened, len(_NEAR))
            assert coloured(opened.screenshot()).any()
            assert opened.page.locator(_WARNING).count() == 0
            assert opened.errors == []


def test_words_cover_neither_each_other_nor_a_finding(site: Site, near: ReadFilm) -> None:
    with open_study(site.browser, site.viewer.url, near.study) as opened:
        open_report(opened, len(_NEAR))
        opened.steady()
        opened.page.wait_for_timeout(500)
        words, regions = opened.page.locator(_WORDS), opened.page.locator(_REGIONS)
        assert sorted(words.all_text_contents()) == _SAID
        shown = [*places(words), *places(regions)]
        assert len(shown) == 2 * len(_NEAR)
        overlaps = [pair for pair in combinations(shown, 2) if not apart(*pair)]
        assert overlaps == []
        assert {one.get_attribute("stroke") for one in regions.all()} == {"rgb(255, 255, 0)"}
        inked = opened.screenshot()
        colours = inked[coloured(inked, 120)].astype(int)
        assert (np.abs(colours[:, 0] - colours[:, 1]) <= 40).all()  # yellow: as much red as green


def test_findings_that_stay_away_are_told(site: Site, near: ReadFilm) -> None:
    with open_study(site.browser, site.viewer.url, near.study) as opened:
        open_report(opened, len(_NEAR))
        opened.page.evaluate(
            """() => { window.cornerstoneTools.utilities.triggerAnnotationRenderForViewportIds = () => {};
                 document.querySelectorAll('svg.svg-layer g').forEach(one => one.remove()); }"""
        )
        warning = opened.page.locator(_WARNING)
        warning.wait_for(timeout=15_000)
        assert "NOT all shown" in warning.inner_text()


def test_a_segmentation_of_a_film_is_set_aside(site: Site, segmented: ReadFilm) -> None:
    series = str(dcmread(segmented.paths[2], stop_before_pixels=True).SeriesInstanceUID)
    for chosen in ((), (str(segmented.film.SeriesInstanceUID), series)):
        with open_study(site.browser, site.viewer.url, segmented.study, *chosen) as opened:
            before = opened.steady()
            opened.page.get_by_text("SEG", exact=True).first.dblclick()
            opened.page.get_by_text("cannot show a segmentation without a place in space").wait_for()
            assert np.array_equal(opened.steady(), before)
            assert opened.errors == []


def test_a_report_opens_beside_the_segmentation_of_a_film(site: Site, segmented: ReadFilm) -> None:
    with open_study(site.browser, site.viewer.url, segmented.study) as opened:
        opened.page.get_by_text("SEG", exact=True).first.dblclick()
        opened.page.get_by_text("SR", exact=True).first.dblclick()
        opened.page.wait_for_selector(_REGIONS)


def test_results_without_their_images_are_told(site: Site, tmp_path: Path) -> None:
    made = site.store(read_film(tmp_path, 53), "film.dcm")
    with open_study(site.browser, site.viewer.url, made.study, images=False) as opened:
        opened.open_series(_REPORT)
        opened.page.get_by_text("archive does not hold the images").first.wait_for()


def test_a_report_without_regions_is_told(site: Site, tmp_path: Path) -> None:
    made = site.store(read_film(tmp_path, 54, boxes=()))
    with open_study(site.browser, site.viewer.url, made.study) as opened:
        before = opened.steady()
        opened.open_series(_REPORT)
        opened.page.get_by_text("marks no region of an image").wait_for()
        assert np.array_equal(opened.steady(), before)
