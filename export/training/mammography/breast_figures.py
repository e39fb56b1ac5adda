"""Every figure that the out-of-bag readings of breasts give, as plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.training.calibration import brier, expected_calibration_error
from export.training.mammography.analysis import Breast, BreastScores, Fitted
from export.training.mammography.figures import (
    RATES,
    UNMARKED,
    FilmMarks,
    auroc_by_patient,
    bootstrap,
    fraction_at,
    jafroc,
)
from export.training.mammography.table import MASS_LIKE, PIXEL_MM, MiasFilm
from export.training.statistics import auroc, mean_figure
from models.mammography.breasts import sigmoid
from models.mammography_results import DENSITY_CLASSES

__all__ = ["KINDS", "figures_of", "final_scores", "variant_row"]

Row = dict[str, Any]
LESION_DRAWS = 1000
FAILURES = 12
KINDS = {
    "all lesions": (),
    "mass-like": MASS_LIKE,
    "circumscribed mass (CIRC)": ("CIRC",),
    "spiculated mass (SPIC)": ("SPIC",),
    "other or ill-defined mass (MISC)": ("MISC",),
    "architectural distortion (ARCH)": ("ARCH",),
    "asymmetry (ASYM)": ("ASYM",),
    "calcifications (CALC)": ("CALC",),
}


def _labels(breasts: Sequence[Breast]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    films = [breast.view.film for breast in breasts]
    return (
        np.array([film.abnormal for film in films]),
        np.array([film.malignant for film in films]),
        [film.patient for film in films],
    )


def figures_of(breasts: Sequence[Breast], scores: BreastScores, fitted: Fitted) -> Row:
    """Compute every figure that needs no further answers."""
    abnormal, malignant, patients = _labels(breasts)
    final = final_scores(scores, fitted)
    highest = np.array([breast.highest for breast in breasts])
    head = np.array([breast.abnormal for breast in breasts])
    suspicion = np.array([breast.malignant for breast in breasts])
    marks = [breast.marks for breast in breasts]

    def area(values: np.ndarray, labels: np.ndarray) -> Row:
        return asdict(auroc_by_patient(values, labels, patients))

    report: Row = {
        "AUROC of breasts": {
            "abnormal": area(final, abnormal),
            "abnormal, without asymmetry": area(scores.image, abnormal),
            "abnormal, asymmetry of scores": area(scores.by_score, abnormal),
            "abnormal, asymmetry of scores and density": area(scores.by_both, abnormal),
            "abnormal, highest candidate": area(highest, abnormal),
            "abnormal, head": area(head, abnormal),
            "abnormal, half and half": area(np.array([sum(b.logits) / 2 for b in breasts]), abnormal),
            "malignant": area(final, malignant),
            "malignant, its own head": area(suspicion, malignant),
        },
        "AUROC abnormal by tissue": {},
        "AUROC abnormal by lesion": {},
    }
    for index, tissue in enumerate(DENSITY_CLASSES):
        own = np.array([breast.view.film.density == index for breast in breasts])
        kept = [name for name, inside in zip(patients, own, strict=True) if inside]
        report["AUROC abnormal by tissue"][tissue] = asdict(auroc_by_patient(final[own], abnormal[own], kept))
    for name, kinds in KINDS.items():
        if kinds:
            shown = np.array([any(one.kind in kinds for one in b.view.film.lesions) for b in breasts])
            own = shown | ~abnormal
            kept = [patient for patient, inside in zip(patients, own, strict=True) if inside]
            report["AUROC abnormal by lesion"][name] = asdict(auroc_by_patient(final[own], shown[own], kept))
    report["LLF at NLF"] = _lesion_figures(breasts, patients)
    report["JAFROC"] = asdict(
        bootstrap(patients, lambda index: jafroc([marks[i] for i in index]), len(marks))
    )
    probability = 1 / (1 + np.exp(-final))
    report["calibration"] = {
        "brier": brier(probability, abnormal),
        "ece_15_bins": expected_calibration_error(probability, abnormal),
        "n": len(breasts),
        "abnormal": int(abnormal.sum()),
    }
    report["weights"] = {"candidate": fitted.candidate, "abnormal": fitted.abnormal, "offset": fitted.offset}
    report["asymmetry"] = {"weight": fitted.asymmetry, "used": fitted.asymmetry > 0}
    report["density"] = _density(breasts)
    report["operating point"] = _operating_point(breasts, fitted.operating_point)
    report["failures"] = _failures(breasts, final, fitted.operating_point)
    report["curves"] = _curves(breasts, final, abnormal, malignant)
    return report


def final_scores(scores: BreastScores, fitted: Fitted) -> np.ndarray:
    """Return the cross-fitted log odds in the way that the package combines them."""
    return scores.by_score if fitted.asymmetry > 0 else scores.image


def _lesion_figures(breasts: Sequence[Breast], patients: list[str]) -> Row:
    marks = [breast.marks for breast in breasts]
    result: Row = {name: _fractions(marks, patients, kinds) for name, kinds in KINDS.items()}
    for index, tissue in enumerate(DENSITY_CLASSES):
        own = [i for i, breast in enumerate(breasts) if breast.view.film.density == index]
        result[f"all lesions, {tissue} films only"] = _fractions(
            [marks[i] for i in own], [patients[i] for i in own], ()
        )
    return result


def _fractions(marks: Sequence[FilmMarks], patients: Sequence[str], kinds: Sequence[str]) -> Row:
    """Return LLF at each rate, of lesions of these kinds or of all."""
    count = sum(not kinds or kind in kinds for one in marks for kind in one.kinds)

    def figure(rate: float) -> Callable[[NDArray[np.int64]], float]:
        return lambda index: fraction_at([marks[i] for i in index], rate, kinds)

    return {
        f"{rate:g}": asdict(bootstrap(patients, figure(rate), count, draws=LESION_DRAWS)) for rate in RATES
    }


def _density(breasts: Sequence[Breast]) -> Row:
    """Compare the density class of a patient, over both films, with the table's."""
    shares: dict[str, list[tuple[float, ...]]] = {}
    truth: dict[str, int] = {}
    for breast in breasts:
        shares.setdefault(breast.view.film.patient, []).append(breast.density)
        truth[breast.view.film.patient] = breast.view.film.density
    table = np.zeros((len(DENSITY_CLASSES),) * 2, dtype=int)
    for patient, rows in shares.items():
        table[truth[patient], int(np.argmax(np.mean(rows, axis=0)))] += 1
    right = [float(truth[p] == int(np.argmax(np.mean(rows, axis=0)))) for p, rows in shares.items()]
    return {
        "accuracy of patients": asdict(mean_figure(right)),
        "confusion, rows are the table": table.tolist(),
        "classes": list(DENSITY_CLASSES),
    }


def _operating_point(breasts: Sequence[Breast], limit: float) -> Row:
    hits = [hit >= limit for breast in breasts for hit in breast.marks.hits]
    others = sum(score >= limit for breast in breasts for score in breast.marks.others)
    normal = [breast for breast in breasts if breast.marks.normal]
    return {
        "score": limit,
        "LLF": float(np.mean(hits)),
        "NLF": others / len(breasts),
        "marks a normal film": sum(s >= limit for b in normal for s in b.marks.others) / max(len(normal), 1),
    }


def _failures(breasts: Sequence[Breast], final: np.ndarray, limit: float) -> Row:
    """Name the worst errors by the number of the film alone."""

    def number(film: MiasFilm) -> int:
        return int(film.name.removeprefix("mdb"))

    missed = []
    for breast in breasts:
        film = breast.view.film
        placed = [lesion for lesion in film.lesions if lesion.circle is not None]
        for lesion, hit in zip(placed, breast.marks.hits, strict=True):
            if hit < limit and lesion.circle is not None:
                missed.append(
                    {
                        "film": number(film),
                        "kind": lesion.kind,
                        "malignant": lesion.malignant,
                        "radius_mm": round(lesion.circle[2] * PIXEL_MM, 1),
                        "tissue": film.tissue,
                        "highest mark on it": None if hit == UNMARKED else round(hit, 3),
                    }
                )
    odds = dict(zip([id(breast) for breast in breasts], final.tolist(), strict=True))

    def worst(normal: bool) -> list[Row]:
        chosen = [breast for breast in breasts if breast.marks.normal == normal]
        chosen.sort(key=lambda breast: odds[id(breast)], reverse=normal)
        return [
            {
                "film": number(breast.view.film),
                "score": round(sigmoid(odds[id(breast)]), 3),
                "kinds": [lesion.kind for lesion in breast.view.film.lesions],
                "tissue": breast.view.film.tissue,
            }
            for breast in chosen[:FAILURES]
        ]

    return {
        "lesions missed at the operating point": sorted(missed, key=lambda row: row["film"]),
        "normal films with the highest scores": worst(True),
        "abnormal films with the lowest scores": worst(False),
    }


def _curves(breasts: Sequence[Breast], final: np.ndarray, *labels: np.ndarray) -> Row:
    """Sample the curves that are drawn: LLF by NLF, and the two ROC curves."""
    marks = [breast.marks for breast in breasts]
    rates = [round(rate, 3) for rate in np.linspace(0, 2, 41)]
    curves: Row = {
        "NLF": rates,
        "LLF": {
            name: [fraction_at(marks, rate, KINDS[name]) for rate in rates]
            for name in ("all lesions", "mass-like", "calcifications (CALC)")
        },
        "ROC": {},
    }
    for name, label in zip(("abnormal", "malignant"), labels, strict=True):
        order = np.argsort(-final, kind="stable")
        true = np.concatenate([[0], np.cumsum(label[order]) / label.sum()])
        false = np.concatenate([[0], np.cumsum(~label[order]) / (~label).sum()])
        curves["ROC"][name] = {"true": true.round(4).tolist(), "false": false.round(4).tolist()}
    return curves


def variant_row(breasts: Sequence[Breast], scores: BreastScores) -> Row:
    """Give the figures by which variants are compared, without intervals."""
    abnormal, malignant, _ = _labels(breasts)
    marks = [breast.marks for breast in breasts]
    return {
        "AUROC abnormal": round(auroc(scores.image[abnormal], scores.image[~abnormal]), 4),
        "AUROC malignant": round(auroc(scores.image[malignant], scores.image[~malignant]), 4),
        "LLF at NLF .5": round(fraction_at(marks, 0.5), 4),
        "JAFROC": round(jafroc(marks), 4),
        "films": len(breasts),
    }
