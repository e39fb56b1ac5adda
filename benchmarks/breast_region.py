"""Breast region, chest wall, pectoral line and nipple on the mini-MIAS films, and refusals of chest films.

There is no ground truth for the muscle and none for the nipple, so those figures say how often a line is
found and how plausible it is, not how good it is. Sides and lesions are those of the data set's own table:
left and right breasts have their chest wall on the left and right of the film.

    SECONDREAD_DATA=/path/to/data python benchmarks/breast_region.py [--json FILE] [--films N]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.film import Film
from models.mammogram import Mammogram
from models.mammography.preprocess import GreyView, NoBreast, grey_view
from models.mammography.region import find_breast
from models.mammography_results import MammographyView

SPACING_MM = 0.2
CHEST_FILMS = 80
PAIR_DEGREES = 10.0


def main() -> int:
    """Measure and report; status 1 where a side is wrong or a breast is not found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--films", type=int, default=None, help="only the first of them")
    options = parser.parse_args()
    data = os.environ.get("SECONDREAD_DATA")
    if not data:
        print("SECONDREAD_DATA is not set: it names the folder of real images", file=sys.stderr)
        return 2
    films = lesion_table(Path(data) / "mias" / "lesions.csv")
    measured = [
        measure(Path(data) / "mias", name, rows) for name, rows in list(films.items())[: options.films]
    ]
    report: dict[str, Any] = {
        "benchmark": "breast_region",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **summary(measured),
        "chest_films": refusals(Path(data) / "nih"),
    }
    text = json.dumps(report, indent=2)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(bool(report["refused"] or report["side_wrong"]))


def lesion_table(path: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the table by film; a film with two lesions has two."""
    films: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            films.setdefault(row["image"], []).append(row)
    return films


def read_film(path: Path) -> np.ndarray:
    """Return grey values in [0, 1]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255


def measure(folder: Path, name: str, rows: list[dict[str, str]]) -> dict[str, Any]:
    """Return what is found on one film and how it agrees with the table."""
    pixels = read_film(folder / f"{name}.webp")
    side = rows[0]["laterality"]
    film = Film(name, pixels, pixel_spacing_mm=(SPACING_MM, SPACING_MM))
    begin = time.process_time()
    try:
        view = grey_view(Mammogram(film, MammographyView(name, "L" if side == "L" else "R", "MLO")))
    except NoBreast as error:
        return {"name": name, "pair": rows[0]["patient_pair"], "refused": str(error)}
    seconds = time.process_time() - begin
    anatomy = view.anatomy
    centres = [(float(row["centre_y"]), float(row["centre_x"])) for row in rows if row["centre_x"]]
    return {
        "name": name,
        "pair": rows[0]["patient_pair"],
        "refused": None,
        "seconds": seconds,
        "side_agrees": anatomy.chest_wall == ("left" if side == "L" else "right"),
        "centres": len(centres),
        "outside": sum(not inside(view, centre) for centre in centres),
        "breast_share": float(view.mask.mean()),
        "network_mm": SPACING_MM / view.placement.scale_y,
        "line": line_figures(view),
        "mirrored_alike": mirrored_alike(pixels, view),
    }


def inside(view: GreyView, centre: tuple[float, float]) -> bool:
    """Return whether a place of the film lies in the breast."""
    row, column = view.placement.points_to_network(np.array([centre]))[0]
    rows, columns = view.mask.shape
    return bool(0 <= row < rows and 0 <= column < columns and view.mask[int(row), int(column)])


def line_figures(view: GreyView) -> dict[str, float] | None:
    """Return angle, share of the breast above the line, and the fall across it; None without a line.

    The fall is the mean grey value of a band 3 to 9 network pixels above the line less that of the band
    below it, in units of the spread (5th to 95th percentile) of the grey values inside the breast.
    """
    if view.anatomy.pectoral is None:
        return None
    (y0, x0), (y1, x1) = view.placement.points_to_network(np.array(view.anatomy.pectoral))
    rows, columns = view.mask.shape
    y, x = np.arange(rows)[:, None] + 0.5, np.arange(columns)[None] + 0.5
    length = math.hypot(y1 - y0, x1 - x0)
    beyond = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length
    part = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / length**2
    along = (part > 0) & (part < 1) & view.mask
    upper = view.grey[along & (beyond < -3) & (beyond > -9)]
    lower = view.grey[along & (beyond > 3) & (beyond < 9)]
    low, high = np.percentile(view.grey[view.mask], [5, 95])
    fall = (upper.mean() - lower.mean()) / (high - low) if upper.size and lower.size else 0.0
    return {
        "degrees": math.degrees(math.atan2(x0 - x1, y1 - y0)),
        "share": float((view.mask & (beyond < 0)).sum() / view.mask.sum()),
        "fall": float(fall),
    }


def mirrored_alike(pixels: np.ndarray, view: GreyView) -> bool:
    """Return whether the mirrored film has the same breast on the other side."""
    try:
        mirrored = find_breast(np.ascontiguousarray(pixels[:, ::-1]))
    except NoBreast:
        return False
    return mirrored.chest_wall != view.anatomy.chest_wall


def summary(measured: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of all films."""
    found = [film for film in measured if film["refused"] is None]
    lines = [film["line"] for film in found if film["line"] is not None]
    angles: dict[str, list[float]] = {}
    for film in found:
        if film["line"] is not None:
            angles.setdefault(film["pair"], []).append(film["line"]["degrees"])
    differences = [abs(pair[0] - pair[1]) for pair in angles.values() if len(pair) == 2]
    marked = [film for film in found if film["centres"]]
    centres = sum(film["centres"] for film in marked)
    outside = sum(film["outside"] for film in marked)
    return {
        "films": len(measured),
        "refused": {film["name"]: film["refused"] for film in measured if film["refused"]},
        "side_agrees": share(sum(film["side_agrees"] for film in found), len(measured)),
        "side_wrong": [film["name"] for film in found if not film["side_agrees"]],
        "films_with_all_centres_inside": share(sum(not film["outside"] for film in marked), len(marked)),
        "centres_outside": share(outside, centres),
        "centres_outside_of": [film["name"] for film in marked if film["outside"]],
        "mirrored_alike": share(sum(film["mirrored_alike"] for film in found), len(found)),
        "pectoral_found": share(len(lines), len(found)),
        "pectoral_not_found": [film["name"] for film in found if film["line"] is None],
        "pectoral_degrees": quartiles([line["degrees"] for line in lines]),
        "pectoral_share_of_breast": quartiles([line["share"] for line in lines]),
        "pectoral_fall": quartiles([line["fall"] for line in lines]),
        "pectoral_falls_at_least_a_tenth": share(sum(line["fall"] >= 0.1 for line in lines), len(lines)),
        "pectoral_pair_degrees_apart": quartiles(differences),
        "pectoral_pairs_within_10_degrees": share(
            sum(difference <= PAIR_DEGREES for difference in differences), len(differences)
        ),
        "network_pixel_mm": quartiles([film["network_mm"] for film in found]),
        "cpu_seconds_a_film": quartiles([film["seconds"] for film in found]),
    }


def refusals(folder: Path) -> dict[str, Any] | None:
    """Return how many chest films are refused; None where there are none."""
    paths = sorted(folder.glob("*.webp"))[:CHEST_FILMS]
    taken = []
    for path in paths:
        try:
            find_breast(read_film(path))
        except NoBreast:
            continue
        taken.append(path.stem)
    return {"refused": share(len(paths) - len(taken), len(paths)), "taken": taken} if paths else None


def share(count: int, total: int) -> dict[str, float]:
    """Return a share with its counts."""
    return {"count": count, "of": total, "share": round(count / total, 4) if total else math.nan}


def quartiles(values: list[float]) -> dict[str, float] | None:
    """Return least, quartiles and greatest."""
    if len(values) < 2:
        return None
    first, middle, third = statistics.quantiles(values, n=4)
    names = ("least", "first", "median", "third", "greatest")
    return {
        name: round(value, 3)
        for name, value in zip(names, (min(values), first, middle, third, max(values)), strict=True)
    }


if __name__ == "__main__":
    raise SystemExit(main())
