"""The package folder: ONNX files, manifest, card, licence, figures, split, parity, plots."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import tomlkit
from pydicom.uid import (
    BreastProjectionXRayImageStorageForPresentation,
    BreastTomosynthesisImageStorage,
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from export.training.blocks import PAIRS
from export.training.mammography.analysis import Fitted
from export.training.mammography.answers import FLOOR, OVERLAP
from export.training.mammography.card import markdown
from export.training.mammography.plots import plot_froc, plot_repeatability, plot_roc
from export.training.mammography.report import CASES, load_fitted, run_height
from export.training.mammography.split import SPLIT_FILE
from export.training.mammography.texts import (
    ASYMMETRY_UNUSED,
    ASYMMETRY_USED,
    CALIBRATION_DEFINITION,
    EXAM_DEFINITION,
    INTENDED_USE,
    LICENCE,
    LICENCE_OF_START,
    LIMITATIONS,
    RECOGNITION,
    STARTS,
    STATEMENTS,
    TITLE,
    TRAINING_DATA,
)
from models.package import load_package
from models.package_tables import Platt

__all__ = ["VERSION", "manifest", "metric_rows", "write_package"]

VERSION = "0.1.0"
MEMORY_MB = 900
SET = "mini-MIAS, 256 films of 128 patients"
OUT_OF_BAG = (
    "out-of-bag: each film by the four members that never saw its patient; maps cross-fitted by block"
)
BOOTSTRAP = "interval: bootstrap of patients"
LESION = (
    "a mark hits when its centre lies in the annotated circle (radius at least 5 mm), one hit a lesion, "
    "further hits ignored; NLF: other marks over all images"
)
Record = dict[str, Any]

SOP_CLASSES = (
    DigitalMammographyXRayImageStorageForPresentation,
    BreastProjectionXRayImageStorageForPresentation,
    BreastTomosynthesisImageStorage,  # synthetic views of one frame
    ComputedRadiographyImageStorage,  # these four where a film was scanned
    SecondaryCaptureImageStorage,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
)
"""Kinds of objects that are read; what else of them is refused the reader knows."""


def _tensor(name: str, shape: list[int | str]) -> Record:
    return {"name": name, "dtype": "float32", "shape": shape}


def _platt(value: Platt) -> Record:
    return {"slope": value.slope, "offset": value.offset}


def _exam(fitted: Fitted, members: Sequence[int]) -> Record:
    used = fitted.asymmetry > 0
    return {
        "density": True,
        "definition": EXAM_DEFINITION.format(asymmetry=ASYMMETRY_USED if used else ASYMMETRY_UNUSED),
        "statements": list(STATEMENTS),
        "image": {
            "candidate": fitted.candidate,
            "abnormal": fitted.abnormal,
            "malignant": 0.0,
            "abnormal_members": [_platt(fitted.maps.abnormal[member]) for member in members],
        },
        "single": {"slope": 1.0, "offset": 0.0},
        "several": {"maximum": 0.5, "mean": 0.5, "offset": 0.0},
        "asymmetry": {
            "weight": fitted.asymmetry,
            "density_share": fitted.density_share,
            "platt": _platt(fitted.asymmetry_map),
        },
        "pairing": {
            "rule": "line",
            "nipple_distance_mm": 20.0,
            "nipple_distance_share": 0.2,
            "size_ratio": 3.0,
        },
    }


def manifest(
    records: Sequence[Record],
    fitted: Fitted,
    report: Record,
    *,
    height: int,
    start: str,
    created: date,
    seconds: float | None = None,
) -> Record:
    """Return the manifest's content in the order of its schema.

    Parameters
    ----------
    records : sequence of dict
        What the export recorded of each member.
    fitted : Fitted
        Maps, weights and operating point.
    report : dict
        The evaluation.
    height : int
        Rows of the members' input.
    start : str
        Where the weights started, a key of :data:`export.training.mammography.texts.STARTS`.
    created : date
        Of the package.
    seconds : float or None
        For four views on two cores, where it was measured.
    """
    members = [int(Path(record["file"]).stem[-1]) for record in records]
    point = report["operating point"]
    return {
        "package": {
            "name": "mammography",
            "version": VERSION,
            "task": "detect",
            "family": "mammography-exam",
            "title": TITLE,
            "intended_use": INTENDED_USE,
            "limitations": list(LIMITATIONS),
            "licence": "LICENSE",
            "created": created,
            "changelog": [f"{VERSION}: first of its line, {len(members)} members."],
        },
        "input": {
            "modalities": ["MG"],
            "sop_classes": [str(one) for one in SOP_CLASSES],
            "body_parts": ["BREAST", "BREASTS", "MAMMA"],
            "accept_unknown_body_part": True,
            "photometric": ["MONOCHROME1", "MONOCHROME2"],
            "minimum_rows": 512,
            "maximum_rows": 8192,
            "minimum_columns": 256,
            "maximum_columns": 8192,
            "mammography": {
                "views": ["MLO", "CC"],
                "validated_views": ["MLO"],
                "validated_detectors": ["film"],
                "accept_implants": False,
                "accept_male": False,
                "recognition": list(RECOGNITION),
            },
        },
        "tensor": _tensor("view", ["batch", 3, "height", "width"]),
        "outputs": [
            _tensor("centre", ["batch", 1, "height/4", "width/4"]),
            _tensor("extent", ["batch", 2, "height/4", "width/4"]),
            _tensor("abnormal", ["batch"]),
            _tensor("malignant", ["batch"]),
            _tensor("density", ["batch", 3]),
        ],
        "preprocessing": {
            "name": "mammography.preprocess",
            "height": height,
            "candidate_floor": FLOOR,
            "overlap": OVERLAP,
            "without_muscle": False,
        },
        "members": [
            {key: record[key] for key in ("file", "sha256", "bytes", "opset", "ir_version")}
            | {"left_out_blocks": list(PAIRS[member])}
            for member, record in zip(members, records, strict=True)
        ],
        "findings": [
            {
                "key": "mass",
                "label": "Mass-like finding",
                "code": "129788004",
                "scheme": "SCT",
                "meaning": "Mammographic breast mass",
                "site": {"code": "76752008", "scheme": "SCT", "meaning": "Breast"},
            }
        ],
        "operating_point": {
            "score": fitted.operating_point,
            "definition": (
                f"Out of bag on {SET}: LLF {point['LLF']:.2f} at NLF {point['NLF']:.2f}; "
                "set with four members fused, used with all."
            ),
        },
        "calibration": {
            "definition": CALIBRATION_DEFINITION,
            "members": [_platt(fitted.maps.centre[member]) for member in members],
            "case": {"slope": 1.0, "offset": fitted.offset},
        },
        "exam": _exam(fitted, members),
        "resources": {"memory_mb": MEMORY_MB} | ({} if seconds is None else {"seconds_2_cores": seconds}),
        "training_data": [*TRAINING_DATA, *STARTS[start]],
        "metrics": metric_rows(report),
    }


def metric_rows(report: Record) -> list[Record]:
    """Return the rows of ``[[metrics]]``, with definitions and intervals."""
    areas, llf = report["AUROC of breasts"], report["LLF at NLF"]
    plain = f"{OUT_OF_BAG}; one oblique view a breast; {BOOTSTRAP}"
    rows = [
        ("AUROC, abnormal breast", plain, areas["abnormal"], "breasts"),
        ("AUROC, abnormal breast, without asymmetry", plain, areas["abnormal, without asymmetry"], "breasts"),
        ("AUROC, malignant breast", f"{plain}; score of abnormal", areas["malignant"], "breasts"),
    ]
    rows += [
        (f"LLF at NLF {rate}", f"{OUT_OF_BAG}; {LESION}; {BOOTSTRAP}", row, "lesions")
        for rate, row in llf["all lesions"].items()
    ]
    rows.append(
        ("LLF at NLF 0.5, mass-like", f"{OUT_OF_BAG}; {LESION}; no CALC", llf["mass-like"]["0.5"], "lesions")
    )
    rows.append(
        (
            "JAFROC figure of merit",
            f"{OUT_OF_BAG}; highest non-lesion mark of normal films, unmarked is minus infinity; {BOOTSTRAP}",
            report["JAFROC"],
            "films",
        )
    )
    rows.append(
        (
            "accuracy of the density class",
            f"{OUT_OF_BAG}; three classes of the data set, both films together; {BOOTSTRAP}",
            report["density"]["accuracy of patients"],
            "patients",
        )
    )
    return [
        {
            "name": name,
            "definition": definition,
            "value": round(row["value"], 4),
            "low": round(row["low"], 4),
            "high": round(row["high"], 4),
            "n": f"{row['n']} {unit}",
            "set": SET,
        }
        for name, definition, row, unit in rows
    ]


def training_rows(out: Path) -> list[Record]:
    """Return steps, seconds and plan of every member."""
    paths = [path for path in sorted(out.glob("member-?.json"))]
    return [{"run": path.stem} | json.loads(path.read_text()) for path in paths]


def write_package(out: Path, folder: Path) -> None:
    """Write the package of an evaluated run and load it once to prove it.

    An ONNX file that is already there with the same content is left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fitted, report = load_fitted(out), json.loads((out / "metrics.json").read_text())
    records = [
        json.loads((out / "onnx" / f"member-{m}.json").read_text()) for m in sorted(fitted.maps.centre)
    ]
    for record in records:
        source, target = out / "onnx" / record["file"], folder / record["file"]
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)
    latency = out / "latency.json"
    seconds = json.loads(latency.read_text())["seconds_2_cores"] if latency.exists() else None
    recipe = json.loads((out / "recipe.json").read_text())
    content = manifest(
        records,
        fitted,
        report,
        height=run_height(out),
        start=recipe["start"],
        created=datetime.now(tz=UTC).date(),
        seconds=seconds,
    )
    (folder / "package.toml").write_text(tomlkit.dumps(content))
    training = {"recipe": recipe, "members": training_rows(out)}
    written = {
        "metrics.json": report,
        "parity.json": {record["file"]: record["parity"] for record in records},
        "training.json": training,
    }
    for name, value in written.items():
        (folder / name).write_text(json.dumps(value, indent=1) + "\n")
    licence = LICENCE.format(version=VERSION, extra=LICENCE_OF_START[recipe["start"]])
    (folder / "LICENSE").write_text(licence)
    compared = out / "candidates.json"
    table = json.loads(compared.read_text()) if compared.exists() else None
    if table is not None:
        shutil.copyfile(compared, folder / compared.name)
    (folder / "MODEL_CARD.md").write_text(markdown(report, training, table))
    shutil.copyfile(SPLIT_FILE, folder / SPLIT_FILE.name)
    shutil.copyfile(out / CASES, folder / CASES)
    plot_froc(report, folder / "froc.png")
    plot_roc(report, folder / "roc.png")
    if "repeatability" in report:
        plot_repeatability(report, folder / "repeatability.png")
    load_package(folder)
