"""How well a sequence is recognised from the image alone; the fit that models/sequence_image.py uses.

TCGA-LGG: T1, FLAIR and T1 with contrast of up to 88 patients; channels that are copies are left out. There is
no T2 in it: T2 is simulated from T1 and FLAIR of the same patient (fluid, dark on both, made bright), so what
is said of T2 is said of a simulation. Every sequence counts once as it is and once disturbed (scalp fat
suppressed, field, noise, blur). Ten-fold cross-validation by patient; the data carries no pixel size, the
nominal one is used.

    SECONDREAD_DATA=... python benchmarks/sequence_recognition.py [--json FILE] [--fit FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from scipy import ndimage
from scipy.optimize import minimize

from models.preprocessing.brain import NOMINAL_SPACING_MM
from models.sequence_features import features_of
from models.sequence_image import distance_of
from models.sequences import SEQUENCES

FOLDS = 10
PENALTY, PENALTY_CONTRAST = 0.3, 1.0
SEED = 20
SLICES = 14
SHRINKAGE, FARTHEST = 0.1, 1.5
PIXEL_MM = (NOMINAL_SPACING_MM, NOMINAL_SPACING_MM)
Array = NDArray[np.float64]


def main() -> int:
    """Measure, and write the fit where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--fit", type=Path, metavar="FILE", help="write the coefficients (.npz)")
    parser.add_argument("--features", type=Path, metavar="FILE", help="keep the features (.npz)")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    data = os.environ.get("SECONDREAD_DATA")
    if not data:
        print("skipped: SECONDREAD_DATA is not set")
        return 0
    started = time.perf_counter()
    rows = list(measured(Path(data) / "lgg", options.workers))
    seconds = (time.perf_counter() - started) / len(rows)
    values = np.array([row[3] for row in rows])
    labels = np.array([SEQUENCES.index(row[1]) for row in rows])
    patients = np.array([row[0] for row in rows])
    disturbed = np.array([row[2] for row in rows])
    report: dict[str, Any] = {
        "benchmark": "sequence_recognition",
        "definition": "share of volumes recognised from the image alone, cross-validated by patient in "
        "ten folds; T2 is simulated",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "patients": len(set(patients)),
        "seconds_per_volume_simulation_included": round(seconds, 3),
    }
    shares = out_of_fold(values, labels, patients)
    report["as_it_is"] = figures(shares[~disturbed], labels[~disturbed])
    report["disturbed"] = figures(shares[disturbed], labels[disturbed])
    wrong = (shares.argmax(axis=1) != labels) & ~disturbed
    report["wrong"] = [
        [
            str(patients[i]),
            SEQUENCES[labels[i]],
            SEQUENCES[int(shares[i].argmax())],
            round(float(shares[i].max()), 3),
        ]
        for i in np.flatnonzero(wrong)
    ]
    report["pairs_as_they_are"] = pairs(values, labels, patients, ~disturbed)
    report["pairs_disturbed"] = pairs(values, labels, patients, disturbed)
    fit = fitted(values, labels, patients, disturbed)
    if options.features:
        np.savez(options.features, values=values, labels=labels, patients=patients, disturbed=disturbed)
    report["real_dicom"] = real_series(Path(data) / "dicom" / "brain_vs_seg", fit)
    if options.fit:
        np.savez(options.fit, **{name: array.astype(np.float32) for name, array in fit.items()})
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def measured(folder: Path, workers: int) -> Iterator[tuple[str, str, bool, Array]]:
    """Yield patient, sequence, whether disturbed, and features."""
    with (folder / "slices.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    patients = sorted({row["patient"] for row in table})
    tasks = [(folder, [row for row in table if row["patient"] == patient]) for patient in patients]
    with ProcessPoolExecutor(workers) as pool:
        for found in pool.map(of_patient, tasks):
            yield from found


def of_patient(task: tuple[Path, list[dict[str, str]]]) -> list[tuple[str, str, bool, Array]]:
    """Return what :func:`measured` yields, for one patient."""
    folder, rows = task
    patient = rows[0]["patient"]
    rows = sorted(rows, key=lambda row: int(row["slice"]))
    paths = [folder / patient / f"{int(row['slice']):03d}.webp" for row in rows]
    stack = np.stack([np.asarray(Image.open(path).convert("L")) for path in paths])
    stack = stack.reshape(len(rows), 256, 3, 256).astype(np.float32)
    # Features are of the largest dozen slices anyway.
    area = (stack[:, :, 1] > 0.15 * np.percentile(stack[:, :, 1], 99)).sum(axis=(1, 2))
    large = np.flatnonzero(area >= 0.75 * area.max())
    stack = stack[large[np.unique(np.linspace(0, len(large) - 1, SLICES).astype(int))]]
    volumes = {"FLAIR": stack[:, :, 1]}
    if all(row["has_pre_contrast"] == "1" for row in rows):
        volumes["T1"] = stack[:, :, 0]
    if all(row["has_post_contrast"] == "1" for row in rows):
        volumes["T1C"] = stack[:, :, 2]
    rng = np.random.default_rng([SEED, *patient.encode()])
    if "T1" in volumes:
        volumes["T2"] = simulated_t2(volumes["T1"], volumes["FLAIR"], rng)
    found = []
    for sequence, volume in volumes.items():
        for disturb in (False, True):
            features = features_of(changed(volume, rng) if disturb else volume, PIXEL_MM)
            if features is not None:
                found.append((patient, sequence, disturb, features))
    return found


def simulated_t2(
    t1: NDArray[np.float32], flair: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return what a T2 of this head may look like: tissue as on FLAIR, bright fluid, less fat."""
    head = flair > 0.15 * np.percentile(flair, 99)
    head = np.stack(
        [ndimage.binary_fill_holes(ndimage.binary_closing(plane, iterations=4)) for plane in head]
    )
    depth = np.stack([ndimage.distance_transform_edt(plane) for plane in head]) * NOMINAL_SPACING_MM
    brain = depth > 12
    middle = float(np.median(flair[brain]))
    dark = []
    for image in (t1 - np.percentile(t1, 5), flair):
        low, high = np.percentile(image[brain], (0.5, 50))
        dark.append(np.clip((low + 0.55 * (high - low) - image) / (0.3 * (high - low) + 1e-6), 0, 1))
    fluid = np.minimum(*dark) * (depth > 8)
    fluid = ndimage.gaussian_filter(fluid, (0, 0.6, 0.6))
    tissue = middle * np.clip(flair / middle, 0, 3) ** rng.uniform(0.8, 1.5)
    tissue = np.where(depth < 10, tissue * rng.uniform(0.35, 1.3), tissue)
    return np.asarray(tissue * (1 - fluid) + fluid * middle * rng.uniform(1.8, 3.4), dtype=np.float32)


def changed(volume: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a volume as another scanner may show it."""
    result = volume.copy()
    top = float(np.percentile(volume, 99))
    head = np.stack(
        [ndimage.binary_fill_holes(ndimage.binary_closing(p > 0.12 * top, iterations=4)) for p in volume]
    )
    if rng.random() < 0.5:
        depth = np.stack([ndimage.distance_transform_edt(plane) for plane in head]) * NOMINAL_SPACING_MM
        result[(depth < 9) & head] *= rng.uniform(0.25, 0.7)
    if rng.random() < 0.5:
        result = ndimage.gaussian_filter(result, (0, *rng.uniform(0.4, 1.1, 2)))
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    slope = rng.uniform(-0.2, 0.2, 3)
    result = result * (1 + slope[0] * x + slope[1] * y + slope[2] * (x**2 + y**2)).astype(np.float32)
    noise = rng.uniform(0.005, 0.03) * top
    result = np.hypot(result + rng.normal(0, noise, result.shape), rng.normal(0, noise, result.shape))
    return np.asarray(result * rng.uniform(0.2, 30), dtype=np.float32)


def folds(patients: NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the fold of every row: patients in a seeded order, dealt in turn."""
    names = np.unique(patients)
    order = np.random.default_rng(SEED).permutation(len(names))
    fold = {str(names[index]): place % FOLDS for place, index in enumerate(order)}
    return np.array([fold[str(patient)] for patient in patients])


def scaling(values: Array) -> tuple[Array, Array]:
    """Return mean and deviation of every feature."""
    return values.mean(axis=0), values.std(axis=0) + 1e-9


def scaled(values: Array, mean: Array, deviation: Array) -> Array:
    """Return standardised features, clipped as in use."""
    return np.clip((values - mean) / deviation, -4, 4)


def regression(values: Array, labels: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return weights and intercepts of a multinomial logistic regression; classes weigh the same."""
    count, width, classes = len(values), values.shape[1], len(SEQUENCES)
    truth = np.eye(classes)[labels]
    weight = (count / classes / np.bincount(labels, minlength=classes))[labels]

    def loss(flat: Array) -> tuple[float, Array]:
        weights, intercepts = flat[: classes * width].reshape(classes, width), flat[classes * width :]
        scores = values @ weights.T + intercepts
        scores -= scores.max(axis=1, keepdims=True)
        logarithm = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        error = (np.exp(logarithm) - truth) * weight[:, None]
        penalty = (weights**2).sum() / (2 * PENALTY)
        gradient = np.concatenate([(error.T @ values + weights / PENALTY).ravel(), error.sum(axis=0)])
        return float(-(weight[:, None] * truth * logarithm).sum() + penalty), gradient

    found = minimize(
        loss, np.zeros(classes * (width + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 3000}
    ).x
    return found[: classes * width].reshape(classes, width), found[classes * width :]


def contrast_regression(differences: Array) -> Array:
    """Return weights of an antisymmetric logistic regression: T1 with contrast minus T1."""

    def loss(weights: Array) -> tuple[float, Array]:
        scores = differences @ weights
        error = -1 / (1 + np.exp(scores))
        value = np.logaddexp(0, -scores).sum() * 2 + weights @ weights / (2 * PENALTY_CONTRAST)
        return float(value), 2 * differences.T @ error + weights / PENALTY_CONTRAST

    return np.asarray(minimize(loss, np.zeros(differences.shape[1]), jac=True, method="L-BFGS-B").x)


def out_of_fold(values: Array, labels: NDArray[np.int64], patients: NDArray[np.str_]) -> Array:
    """Return probabilities for every row from a fit that never saw its patient."""
    shares = np.zeros((len(values), len(SEQUENCES)))
    fold = folds(patients)
    for one in range(FOLDS):
        train = fold != one
        mean, deviation = scaling(values[train])
        weights, intercepts = regression(scaled(values[train], mean, deviation), labels[train])
        scores = scaled(values[~train], mean, deviation) @ weights.T + intercepts
        shares[~train] = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def figures(shares: Array, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Return accuracy, confusion, and how often and how rightly an answer is sure."""
    answer, top = shares.argmax(axis=1), shares.max(axis=1)
    result: dict[str, Any] = {"volumes": len(labels), "accuracy": round(float((answer == labels).mean()), 4)}
    real = labels != SEQUENCES.index("T2")
    result["accuracy_without_simulated"] = round(float((answer == labels)[real].mean()), 4)
    result["confusion"] = {
        name: {other: int(((labels == i) & (answer == j)).sum()) for j, other in enumerate(SEQUENCES)}
        for i, name in enumerate(SEQUENCES)
    }
    for bound in (0.8, 0.95):
        sure = (top >= bound) & real
        result[f"at_{bound}"] = {
            "share": round(float(sure.sum() / real.sum()), 4),
            "accuracy": round(float((answer == labels)[sure].mean()), 4),
        }
    t1 = np.isin(labels, [SEQUENCES.index("T1"), SEQUENCES.index("T1C")])
    given = shares[t1][:, [SEQUENCES.index("T1"), SEQUENCES.index("T1C")]]
    after = given[:, 1] / given.sum(axis=1)
    truth = labels[t1] == SEQUENCES.index("T1C")
    result["contrast_given_a_t1"] = {
        "volumes": len(truth),
        "accuracy": round(float(((after > 0.5) == truth).mean()), 4),
    }
    for bound in (0.8, 0.95):
        result["contrast_given_a_t1"][f"after_at_{bound}"] = {
            "found": round(float((after >= bound)[truth].mean()), 4),
            "wrongly": round(float((after >= bound)[~truth].mean()), 4),
        }
    family = np.isin(answer, [SEQUENCES.index("T1"), SEQUENCES.index("T1C")])
    result["t1_family_against_flair"] = round(float((t1 == family)[real].mean()), 4)
    return result


def differences_of(
    values: Array, labels: NDArray[np.int64], patients: NDArray[np.str_], chosen: NDArray[np.bool_]
) -> tuple[Array, NDArray[np.str_]]:
    """Return features of T1 with contrast minus those of T1, for patients with both."""
    found, names = [], []
    for patient in np.unique(patients):
        mine = chosen & (patients == patient)
        before = values[mine & (labels == SEQUENCES.index("T1"))]
        after = values[mine & (labels == SEQUENCES.index("T1C"))]
        if len(before) and len(after):
            found.append(after[0] - before[0])
            names.append(patient)
    return np.array(found), np.array(names)


def pairs(
    values: Array, labels: NDArray[np.int64], patients: NDArray[np.str_], chosen: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return how often the T1 with contrast is told from the other T1 of the patient."""
    mean, deviation = scaling(values)
    standard = scaled(values, mean, deviation)
    everything, everybody = differences_of(standard, labels, patients, np.ones(len(labels), dtype=bool))
    tested, names = differences_of(standard, labels, patients, chosen)
    fold = dict(zip(patients, folds(patients), strict=True))
    mine = np.array([fold[name] for name in names])
    others = np.array([fold[name] for name in everybody])
    share = np.zeros(len(tested))
    for one in range(FOLDS):
        weights = contrast_regression(everything[others != one])
        share[mine == one] = 1 / (1 + np.exp(-tested[mine == one] @ weights))
    return {
        "patients": len(share),
        "accuracy": round(float((share > 0.5).mean()), 4),
        "at_0.9": {
            "share": round(float((np.maximum(share, 1 - share) >= 0.9).mean()), 4),
            "accuracy": round(float((share > 0.5)[np.maximum(share, 1 - share) >= 0.9].mean()), 4),
        },
        "least": [round(float(value), 3) for value in np.sort(share)[:5]],
    }


def fitted(
    values: Array, labels: NDArray[np.int64], patients: NDArray[np.str_], disturbed: NDArray[np.bool_]
) -> dict[str, Array]:
    """Return the fit on all patients."""
    mean, deviation = scaling(values)
    standard = scaled(values, mean, deviation)
    weights, intercepts = regression(standard, labels)
    both = np.concatenate(
        [differences_of(standard, labels, patients, one)[0] for one in (disturbed, ~disturbed)]
    )
    # Distances are measured before clipping: a strange feature shall count in full.
    plain = (values - mean) / deviation
    centres = np.stack([plain[labels == one].mean(axis=0) for one in range(len(SEQUENCES))])
    within = plain - centres[labels]
    precision = np.linalg.inv(within.T @ within / len(within) + SHRINKAGE * np.eye(len(mean)))
    places = {"centres": centres, "precision": precision}
    distances = np.array([distance_of(one, places) for one in plain])
    return {
        **places,
        "mean": mean,
        "deviation": deviation,
        "weights": weights,
        "intercepts": intercepts,
        "contrast": contrast_regression(both),
        "farthest": np.array(FARTHEST * np.percentile(distances, 99)),
    }


def real_series(folder: Path, fit: dict[str, Array]) -> dict[str, Any]:
    """Return what is said of the one real DICOM series, of another scanner: a T1 with contrast."""
    images = [dcmread(path) for path in sorted(folder.glob("*.dcm")) if "seg" not in path.name.lower()]
    images = [image for image in images if image.get("Modality") == "MR"]
    if not images:
        return {}
    images.sort(key=lambda image: float(image.ImagePositionPatient[2]))
    row, column = (float(value) for value in images[0].PixelSpacing)
    features = features_of(np.stack([image.pixel_array for image in images]), (row, column))
    if features is None:
        return {"head": False}
    scores = fit["weights"] @ scaled(features, fit["mean"], fit["deviation"]) + fit["intercepts"]
    shares = np.exp(scores - scores.max())
    return {
        name: round(float(value), 4) for name, value in zip(SEQUENCES, shares / shares.sum(), strict=True)
    }


if __name__ == "__main__":
    sys.exit(main())
