"""The viewer on a real archive in a real browser: results are where the findings are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import BrowserContext
from pydicom import dcmread
from scipy.ndimage import binary_dilation, binary_fill_holes, label

from tests.peers import Orthanc, start_orthanc, wait_until
from tests.viewer.films import ReadFilm, read_film, read_mammogram
from tests.viewer.heads import SHAPE, SPACING, ReadHead, read_head, segmentation_of
from tests.viewer.looking import (
    Extent,
    bright_rings,
    centroid,
    coloured,
    extent_of,
    find_pattern,
    grey,
    overlap,
)
from tests.viewer.pages import ViewerPage, open_study
from tests.viewer.running import RunningViewer, chromium, site_folder, start_viewer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

_REPORT = "AI report, research use"
_TOLERANCE_PX = 2.5
_MARGIN = 40
# Half a pixel of the slices is 0.8 mm: a mask has steps, and the image between them is interpolated.
_TOLERANCE_MM = 1.0
_LEAST_DICE = 0.9
_SEGMENTATIONS = "() => window.services.segmentationService.getSegmentations().length"
_RIM = 168.0  # between white matter and the lesions' rim, in the window that the phantom asks for


@dataclass(frozen=True)
class Site:
    """An archive, the viewer in front of it, and a browser."""

    orthanc: Orthanc
    viewer: RunningViewer
    browser: BrowserContext


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


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (read_film, ("Nodule 1: 90 %", "H × W: 22.0 × 30.8 mm")),
        (read_mammogram, ("Mammographic breast mass 1: 90 %", "4.3 mm")),
    ],
)
def test_the_box_of_a_report_lies_on_the_finding(
    site: Site,
    tmp_path: Path,
    read: Callable[[Path, int], ReadFilm],
    said: tuple[str, ...],
) -> None:
    made = stored(site, read(tmp_path, 41))
    with open_study(site.browser, site.viewer.url, made.study) as opened:
        opened.page.get_by_text(_REPORT).first.wait_for()
        assert not coloured(opened.screenshot()).any()
        nodule, _ = nodule_on_screen(opened, made)
        box = box_on_screen(opened)
        (words,) = opened.page.locator("svg.svg-layer text").all_text_contents()
        assert box.deviation(nodule) <= _TOLERANCE_PX
        assert all(one in words for one in said)
        assert opened.hosts == {f"127.0.0.1:{site.viewer.port}"}
        assert opened.errors == []


def test_a_box_beside_the_nodule_is_seen_to_be_beside_it(site: Site, tmp_path: Path) -> None:
    made = stored(site, read_film(tmp_path, 42, moved=(10.0, 0.0)))
    with open_study(site.browser, site.viewer.url, made.study) as opened:
        opened.page.get_by_text(_REPORT).first.wait_for()
        nodule, scale = nodule_on_screen(opened, made)
        box = box_on_screen(opened)
        assert box.deviation(nodule) > 2 * _TOLERANCE_PX
        assert box.centre[0] - nodule.centre[0] == pytest.approx(10 * scale, abs=_TOLERANCE_PX)


@dataclass(frozen=True)
class Head:
    """A head in the archive, with its own segmentation and wrong ones by name."""

    read: ReadHead
    series: dict[str, str]
    report: str


@pytest.fixture(scope="module")
def head(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Head:
    folder = tmp_path_factory.mktemp("head")
    read = read_head(folder)
    wrong = {
        "moved": np.roll(read.masks, 3, axis=2),  # 4.8 mm
        "flipped": read.masks[:, :, ::-1],
        "next-slice": np.roll(read.masks, 1, axis=0),
    }
    series = {"right": str(dcmread(folder / "segmentation.dcm", stop_before_pixels=True).SeriesInstanceUID)}
    paths = list(read.paths)
    for name, masks in wrong.items():
        path, series[name] = segmentation_of(read, masks, name, folder)
        paths.append(path)
    for path in paths:
        site.orthanc.upload(path)
    report = str(dcmread(folder / "report.dcm", stop_before_pixels=True).SeriesInstanceUID)
    return Head(read, series, report)


@dataclass(frozen=True)
class Comparison:
    """A lesion as it shines and as it is overlaid, and how well that fits."""

    apart_mm: float
    dice: float


def compare_segmentation(site: Site, head: Head, name: str) -> tuple[list[Comparison], str]:
    """Look at the key slice without and with a segmentation; returns the panel's text too."""
    read = head.read
    image = str(read.context.headers[read.key_slice].SOPInstanceUID)
    with open_study(site.browser, site.viewer.url, read.study, read.series, head.series[name]) as opened:
        page = opened.page
        opened.show_image(image)
        plain = opened.steady()
        assert not coloured(plain).any()
        opened.open_series("AI segmentation, research use")
        wait_until("the segmentation", lambda: page.evaluate(_SEGMENTATIONS))
        opened.show_image(image)
        wait_until("the overlay", lambda: coloured(opened.screenshot()).any())
        overlaid = opened.steady()
        page.get_by_test_id("panelSegmentation-btn").click()
        page.get_by_text("Tumour 2").wait_for()
        words = page.locator("body").inner_text()
    colours = coloured(overlaid)
    assert np.abs(grey(overlaid) - grey(plain))[~binary_dilation(colours, iterations=3)].max() <= 2
    millimetres = SPACING[1] * SHAPE[1] / plain.shape[0]  # the slice fills the height of the viewport
    lesions = bright_rings(plain, _RIM)
    assert len(lesions) == 2
    parts, count = label(binary_fill_holes(colours))
    overlays = sorted((parts == n for n in range(1, count + 1)), key=lambda part: -int(part.sum()))[:2]
    found = []
    for lesion, overlay in zip(lesions, overlays, strict=True):
        apart = np.hypot(*np.subtract(centroid(lesion), centroid(overlay)))
        found.append(Comparison(float(apart * millimetres), overlap(lesion, overlay)))
    return found, words


def test_a_segmentation_lies_on_the_lesions_under_its_names(site: Site, head: Head) -> None:
    found, words = compare_segmentation(site, head, "right")
    assert max(one.apart_mm for one in found) <= _TOLERANCE_MM
    assert min(one.dice for one in found) >= _LEAST_DICE
    assert "Tumour 1" in words
    assert "Tumour 2" in words


@pytest.mark.parametrize("name", ["moved", "flipped", "next-slice"])
def test_a_wrong_segmentation_is_seen_to_be_wrong(site: Site, head: Head, name: str) -> None:
    found, _ = compare_segmentation(site, head, name)
    assert any(one.apart_mm > _TOLERANCE_MM or one.dice < _LEAST_DICE for one in found)
    if name == "moved":
        assert all(one.apart_mm == pytest.approx(4.8, abs=_TOLERANCE_MM) for one in found)


def test_the_report_of_a_volume_lies_on_the_lesion_where_pixels_are_not_square(
    site: Site, head: Head
) -> None:
    read = head.read
    with open_study(site.browser, site.viewer.url, read.study, read.series, head.report) as opened:
        opened.open_series(_REPORT)
        opened.page.wait_for_selector("svg.svg-layer polyline")
        opened.show_image(str(read.context.headers[read.key_slice].SOPInstanceUID))
        shown = opened.steady()
        words = opened.page.locator("svg.svg-layer text").all_text_contents()
        assert opened.errors == []
    lines = coloured(shown)
    lesions = bright_rings(np.where(lines[..., None], 0, shown), _RIM)
    regions, count = label(binary_dilation(lines, iterations=6))  # what is dashed becomes one
    boxes = [extent_of((regions == number) & lines) for number in range(1, count + 1)]
    assert len(lesions) == len(boxes) == 2
    for lesion in map(extent_of, lesions):
        assert min(box.deviation(lesion) for box in boxes) <= _TOLERANCE_PX
    expected = []
    for finding in read.context.reading.findings:
        name, found = finding.segment.label, finding.diameters
        assert found is not None
        expected += [
            f"{name}, key slice: {100 * (finding.probability or 0):.0f} %",
            f"{name}, longest diameter: {found.longest_mm:.1f} mm",
            f"{name}, perpendicular diameter: {found.perpendicular_mm:.1f} mm",
        ]
    assert sorted(words) == sorted(expected)
