"""The pictures of docs/viewer.md, of phantoms: ``python -m tests.viewer.pictures docs/images``."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page

from tests.peers import start_orthanc
from tests.viewer.films import read_film, read_mammogram
from tests.viewer.heads import read_head
from tests.viewer.looking import coloured
from tests.viewer.pages import open_study
from tests.viewer.running import chromium, site_folder, start_viewer

__all__ = ["main"]

_SCALE = 0.8
_GREYS, _COLOURS = 56, 160


def _keep(page: Page, path: Path) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    size = (round(picture.width * _SCALE), round(picture.height * _SCALE))
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    # Images are grey and noisy, the rest has few colours: a palette of both keeps the file small.
    values = np.asarray(picture)
    colours = Image.fromarray(values[coloured(values, 12)][None]).quantize(_COLOURS).getpalette() or []
    greys = [round(255 * level / (_GREYS - 1)) for level in range(_GREYS) for _ in range(3)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*colours, *greys])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} kB")


def main(target: Path) -> None:
    """Write viewer-list, viewer-chest, viewer-mammogram, viewer-brain and viewer-brain-report."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            start_orthanc(folder, stable_age_s=3600) as orthanc,
            start_viewer(folder, orthanc.dicomweb_url, site_folder()) as viewer,
            chromium() as browser,
        ):
            films = {"chest": read_film(folder / "c", 41), "mammogram": read_mammogram(folder / "m", 41)}
            head = read_head(folder / "h", "axial")
            for path in (*films["chest"].paths, *films["mammogram"].paths, *head.paths):
                orthanc.upload(path)
            for kind, film in films.items():
                with open_study(browser, viewer.url, film.study) as opened:
                    opened.open_series("AI report, research use")
                    opened.page.wait_for_selector("svg.svg-layer polyline")
                    opened.steady()
                    _keep(opened.page, target / f"viewer-{kind}.png")
            for kind, modality in (("brain", "SEG"), ("brain-report", "SR")):
                with open_study(browser, viewer.url, head.study) as opened:
                    if modality == "SEG":
                        opened.page.get_by_test_id("panelSegmentation-btn").click()
                    opened.page.get_by_text(modality, exact=True).first.dblclick()
                    opened.page.wait_for_timeout(3000)
                    opened.show_image(str(head.context.headers[head.key_slice].SOPInstanceUID))
                    opened.steady()
                    _keep(opened.page, target / f"viewer-{kind}.png")
            page = browser.new_page()
            page.goto(viewer.url)
            page.get_by_text("Chest phantom").wait_for()
            _keep(page, target / "viewer-list.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
