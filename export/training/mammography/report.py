"""The evaluation of a run: answers, figures, table of cases; everything is made by ``evaluate_run``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from export.training.mammography.analysis import (
    Breast,
    BreastScores,
    Fitted,
    Maps,
    fit_all,
    read_breasts,
    read_changed,
    score_breasts,
)
from export.training.mammography.breast_figures import figures_of, variant_row
from export.training.mammography.data import mias_films
from export.training.mammography.evaluation import answer_members, exported, out_of_bag
from export.training.mammography.repeatability import CHANGES, chosen_films, repeatability_figures
from export.training.mammography.split import read_split
from export.training.mammography.table import MiasFilm
from export.training.statistics import Figure
from models.mammography.breasts import sigmoid
from models.mammography_results import DENSITY_CLASSES
from models.package_tables import Platt

__all__ = [
    "CASES",
    "evaluate_run",
    "fitted_as_json",
    "interval",
    "load_fitted",
    "run_height",
    "write_cases",
]

Row = dict[str, Any]
CASES = "out_of_bag.csv"
VARIANTS = ("turned", "without muscle")


def run_height(out: Path) -> int:
    """Return the rows that the members of a run were trained with."""
    return int(json.loads((out / "recipe.json").read_text())["how"]["height"])


def evaluate_run(out: Path, *, threads: int = 2, variants: bool = True) -> Iterator[str]:
    """Answer, compute every figure and keep it beside the run; yields what is done as text."""
    films, blocks, height = mias_films(), read_split(), run_height(out)
    members = len(exported(out))
    yield f"{members} members, {len(films)} films, {height} rows"
    plain = dict(answer_members(films, blocks, out, height=height, threads=threads))
    views = out_of_bag(plain, films, blocks)
    breasts = read_breasts(views, blocks)
    scores = score_breasts(breasts)
    fitted = fit_all(views, breasts, scores)
    report: Row = {"films": len(films), "films answered": len(views), "members": members, "rows": height}
    report |= figures_of(breasts, scores, fitted)
    yield from headlines(report)
    if variants:
        report["variants"] = {"plain": variant_row(breasts, scores)}
        for name in VARIANTS:
            answered = dict(answer_members(films, blocks, out, height=height, variant=name, threads=threads))
            changed = read_breasts(out_of_bag(answered, films, blocks), blocks)
            report["variants"][name] = variant_row(changed, score_breasts(changed))
            yield f"variant {name}: {report['variants'][name]}"
        report["repeatability"] = _repeatability(films, blocks, out, breasts, fitted=fitted, threads=threads)
    (out / "fitted.json").write_text(json.dumps(fitted_as_json(fitted), indent=1))
    (out / "metrics.json").write_text(json.dumps(report, indent=1))
    write_cases(breasts, scores, out / CASES)


def headlines(report: Row) -> Iterator[str]:
    """Give the headline figures as text."""
    for name, row in report["AUROC of breasts"].items():
        yield f"AUROC {name}: {interval(row)}"
    for rate, row in report["LLF at NLF"]["all lesions"].items():
        yield f"LLF at NLF {rate}: {interval(row)}"
    yield f"JAFROC: {interval(report['JAFROC'])}"


def _repeatability(
    films: Sequence[MiasFilm],
    blocks: Mapping[str, int],
    out: Path,
    breasts: Sequence[Breast],
    *,
    fitted: Fitted,
    threads: int,
) -> Row:
    chosen, height = chosen_films(films), run_height(out)
    found: dict[str, dict[str, Breast]] = {}
    for change in CHANGES:
        answered = dict(
            answer_members(
                chosen,
                blocks,
                out,
                height=height,
                variant=change.name,
                threads=threads,
                change=change.mammogram,
            )
        )
        views = out_of_bag(answered, chosen, blocks)
        found[change.name] = {b.view.film.name: b for b in read_changed(views, blocks, fitted.maps)}
    plain = {b.view.film.name: b for b in read_changed([b.view for b in breasts], blocks, fitted.maps)}
    return repeatability_figures(
        plain, found, lambda breast: sigmoid(fitted.log_odds(breast)), fitted.operating_point
    )


def write_cases(breasts: Sequence[Breast], scores: BreastScores, target: Path) -> None:
    """Write what was said of every film: numbers, no pixels."""
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["film", "block", "abnormal", "malignant", "score", "score_with_asymmetry", "highest_candidate"]
            + ["head_abnormal", "head_malignant", *DENSITY_CLASSES]
        )
        for breast, image, pair in zip(breasts, scores.image, scores.by_score, strict=True):
            film = breast.view.film
            numbers = [sigmoid(image), sigmoid(pair), sigmoid(breast.highest), breast.abnormal]
            numbers += [breast.malignant, *breast.density]
            labels = [film.name, breast.block, int(film.abnormal), int(film.malignant)]
            writer.writerow([*labels, *(round(value, 5) for value in numbers)])


def fitted_as_json(fitted: Fitted) -> Row:
    """Return what was fitted as values for JSON; :func:`load_fitted` reads them back."""

    def pair(value: Platt) -> list[float]:
        return [value.slope, value.offset]

    return {
        "centre": {str(member): pair(one) for member, one in fitted.maps.centre.items()},
        "abnormal": {str(member): pair(one) for member, one in fitted.maps.abnormal.items()},
        "candidate": fitted.candidate,
        "abnormal_weight": fitted.abnormal,
        "offset": fitted.offset,
        "asymmetry": fitted.asymmetry,
        "density_share": fitted.density_share,
        "asymmetry_map": pair(fitted.asymmetry_map),
        "operating_point": fitted.operating_point,
    }


def load_fitted(out: Path) -> Fitted:
    """Read what an evaluation fitted."""
    raw = json.loads((out / "fitted.json").read_text())

    def platt(pair: Sequence[float]) -> Platt:
        return Platt(slope=pair[0], offset=pair[1])

    def maps(key: str) -> dict[int, Platt]:
        return {int(member): platt(pair) for member, pair in raw[key].items()}

    return Fitted(
        Maps(maps("centre"), maps("abnormal")),
        raw["candidate"],
        raw["abnormal_weight"],
        raw["offset"],
        raw["asymmetry"],
        raw["density_share"],
        platt(raw["asymmetry_map"]),
        raw["operating_point"],
    )


def interval(row: Mapping[str, float] | Figure) -> str:
    """Write a figure with its interval."""
    values = asdict(row) if isinstance(row, Figure) else row
    return f"{values['value']:.3f} ({values['low']:.3f} to {values['high']:.3f})"
