"""The package folder: ONNX files, manifest, card, licence, figures, parity, plots."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import tomlkit

from export.training.brain_tumour.card import markdown, training_rows
from export.training.brain_tumour.evaluation import ACQUIRED
from export.training.brain_tumour.plots import plot_corruptions, plot_dice, plot_rules
from export.training.brain_tumour.report import CASES, read_cases
from export.training.brain_tumour.rules import Rules, load_rules
from export.training.brain_tumour.split import CONTRAST_SPLIT_FILE, PAIRS, SPLIT_FILE
from export.training.brain_tumour.texts import (
    CONTRAST_STATEMENTS,
    INTENDED_USE,
    LICENCE,
    LIMITATIONS,
    TITLE,
    TRAINING_DATA,
    TYPE_STATEMENTS,
)
from models.package import load_package
from models.preprocessing.brain import CHANNELS, CONTRAST_SPACING_MM, NOMINAL_SPACING_MM

VERSION = "0.2.0"
ENSEMBLE = 5
"""Members that answer unless asked otherwise: the cyclic pairs, every block left out twice."""

MEMORY_MB = 900
SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
)
"""MR, Enhanced MR, Legacy Converted Enhanced MR."""

BODY_PARTS = ("HEAD", "BRAIN", "SKULL", "HEADNECK", "CRANIUM", "NEURO", "KOPF", "SCHAEDEL", "HIRN")
SUBSETS = (("FLAIR",), ("FLAIR", "T1"), ("FLAIR", "T1C"), ("FLAIR", "T1", "T1C"))
BRAIN = {"code": "12738006", "scheme": "SCT", "meaning": "Brain"}
TYPE_NAME = {"code": "371441004", "scheme": "SCT", "meaning": "Histologic type"}
TYPE_CODES = (
    {"key": "meningioma", "code": "302820008", "scheme": "SCT", "meaning": "Intracranial meningioma"},
    {"key": "glioma", "code": "393564001", "scheme": "SCT", "meaning": "Glioma"},
    {"key": "pituitary", "code": "127024001", "scheme": "SCT", "meaning": "Neoplasm of pituitary gland"},
)
OUT_OF_BAG = "out-of-bag: each patient by the four members that never saw it; rule cross-fitted by block"
DICE = "over the volume, 1 where both are empty; interval: bootstrap of patients"
BLOCK_SPLIT = (
    "each slice by the one member that never saw its block of slice numbers (gap of 30); a block split, not "
    "a patient split; interval: bootstrap of runs of 13 slices"
)
EARLIER_COMPARISONS = tuple(
    Path(__file__).with_name(f"candidates_{which}.json") for which in ("first", "second")
)
_RULES_FILE = Path(__file__).with_name("sequence_rules.toml")
Record = dict[str, Any]


def _tensor(name: str, shape: list[int | str]) -> dict[str, Any]:
    return {"name": name, "dtype": "float32", "shape": shape}


def _members(records: Sequence[Record], folder: str) -> list[dict[str, Any]]:
    rows = []
    for record in records:
        number = int(Path(record["file"]).stem[-1])
        row = {key: record[key] for key in ("sha256", "bytes", "opset", "ir_version")}
        left_out = list(PAIRS[number]) if folder == "members" else [number]
        rows.append({"file": f"{folder}/{record['file']}"} | row | {"left_out_blocks": left_out})
    return rows


def _preprocessing(layout: str, rules: Rules) -> dict[str, Any]:
    return {
        "name": "preprocessing.brain",
        "layout": layout,
        "flip": rules.flip,
        "largest_component": rules.largest_component,
        "minimum_volume_ml": rules.minimum_volume_ml,
        "batch": 4,
    }


def _branch(records: Sequence[Record], rules: Rules) -> dict[str, Any]:
    return {
        "name": "contrast-only",
        "title": "Tumour on T1 with contrast alone",
        "finding": "contrast-tumour",
        "subsets": [["T1C"]],
        "reference": "T1C",
        "spacing_mm": CONTRAST_SPACING_MM,
        "statements": list(CONTRAST_STATEMENTS),
        "tensor": _tensor("tensor", ["batch", 1, "height", "width"]),
        "outputs": [
            _tensor("probability", ["batch", 1, "height", "width"]),
            _tensor("type", ["batch", len(TYPE_CODES)]),
        ],
        "preprocessing": _preprocessing("contrast", rules),
        "operating_point": {"score": rules.threshold, "definition": rules.definition},
        "members": _members(records, "contrast"),
    }


def _classification() -> dict[str, Any]:
    return {
        "key": "tumour-type",
        "branch": "contrast-only",
        "output": "type",
        "name": TYPE_NAME,
        "statements": list(TYPE_STATEMENTS),
        "classes": list(TYPE_CODES),
    }


def manifest(
    members: Sequence[Record],
    contrast: Sequence[Record],
    rules: tuple[Rules, Rules],
    metrics: Sequence[dict[str, Any]],
    *,
    created: date,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Return the manifest's content in the order of its schema.

    Parameters
    ----------
    members, contrast : sequence of dict
        What the export recorded of each file; the branch and its classification are left out while there is
        no contrast member.
    rules : tuple of Rules
        Of the main networks and of the contrast-only ones.
    metrics : sequence of dict
        Rows of ``[[metrics]]``.
    created : date
        Of the package.
    seconds : float or None
        For one study on two cores, where it was measured.
    """
    words = tomllib.loads(_RULES_FILE.read_text())
    main, other = rules
    resources = {"memory_mb": MEMORY_MB} | ({} if seconds is None else {"seconds_2_cores": seconds})
    content: dict[str, Any] = {
        "ensemble": min(ENSEMBLE, len(members)),
        "package": {
            "name": "brain-tumour",
            "version": VERSION,
            "task": "segment",
            "family": "slice-ensemble",
            "title": TITLE,
            "intended_use": INTENDED_USE,
            "limitations": list(LIMITATIONS),
            "licence": "LICENSE",
            "created": created,
            "changelog": [
                "0.2.0: encoders that start from ImageNet, all networks trained anew.",
                "0.1.0: first of its line, ten members of which five answer.",
            ],
        },
        "input": {
            "modalities": ["MR"],
            "sop_classes": list(SOP_CLASSES),
            "body_parts": list(BODY_PARTS),
            "accept_unknown_body_part": True,
            "photometric": ["MONOCHROME2"],
            "minimum_rows": 16,
            "maximum_rows": 2048,
            "minimum_columns": 16,
            "maximum_columns": 2048,
            "volume": {
                "subsets": [list(subset) for subset in SUBSETS],
                "reference": "FLAIR",
                "spacing_mm": NOMINAL_SPACING_MM,
                "slice_spacing_mm": [0.4, 8.0],
                "coarsest_pixel_mm": 2.5,
                "minimum_slices": 12,
                "minimum_extent_mm": 60.0,
                "recognition": words["recognition"],
                "ranking": words["ranking"],
            },
        },
        "tensor": _tensor("tensor", ["batch", CHANNELS, "height", "width"]),
        "outputs": [_tensor("probability", ["batch", 1, "height", "width"])],
        "preprocessing": _preprocessing("context", main),
        "members": _members(members, "members"),
        "findings": [
            {
                "key": "flair-abnormality",
                "label": "FLAIR abnormality",
                "code": "108369006",
                "scheme": "SCT",
                "meaning": "Neoplasm",
                "category": {
                    "code": "49755003",
                    "scheme": "SCT",
                    "meaning": "Morphologically Altered Structure",
                },
                "site": BRAIN,
            },
            *(
                [
                    {
                        "key": "contrast-tumour",
                        "label": "Possible tumour on T1 with contrast",
                        "code": "108369006",
                        "scheme": "SCT",
                        "meaning": "Neoplasm",
                        "site": BRAIN,
                    }
                ]
                if contrast
                else []
            ),
        ],
        "operating_point": {"score": main.threshold, "definition": main.definition},
        "resources": resources,
        "training_data": list(TRAINING_DATA),
        "metrics": list(metrics),
    }
    if contrast:
        content["branches"] = [_branch(contrast, other)]
        content["classifications"] = [_classification()]
    return content


def metric_rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of ``[[metrics]]``, with definitions and intervals; none without a report."""
    if not report:
        return []
    bag, lgg = report["out of bag"], "TCGA-LGG, 88 patients with low-grade glioma"
    rows = [
        (f"Dice, {name}", f"{OUT_OF_BAG}; {DICE}", figures["dice"], "patients", lgg)
        for name, figures in bag.items()
    ]
    whole = bag[ACQUIRED]
    rows += [
        ("NSD at 2 px", f"{OUT_OF_BAG}; borders in the plane, pixels", whole["nsd"], "patients", lgg),
        (
            "HD95, px",
            f"{OUT_OF_BAG}; in the plane; a slice that one mask lacks: the image diagonal",
            whole["hd95"],
            "patients",
            lgg,
        ),
        (
            "lesion F1",
            f"{OUT_OF_BAG}; hit: a tenth of the part is marked",
            whole["lesion_f1"],
            "patients",
            lgg,
        ),
    ]
    rows.append(
        ("share of patients with a Dice under .5", OUT_OF_BAG, whole["failure share"], "patients", lgg)
    )
    left_out = report["institution left out"].get("all")
    if left_out:
        words = "one network that saw no patient of the institution, trained for fewer steps than members"
        rows.append(("Dice, institution unseen", words, left_out["institution unseen"], "patients", lgg))
    contrast = report["contrast-only"]
    if contrast:
        cheng = "brain tumor dataset (figshare), contrast-enhanced T1 slices, every one with a tumour"
        rows += [
            (f"contrast-only: {name}", BLOCK_SPLIT, contrast[key], "slices", cheng)
            for name, key in (
                ("Dice a slice", "dice"),
                ("accuracy of the type", "type accuracy"),
                ("macro AUROC of the type", "type macro AUROC"),
            )
        ]
    return [
        {
            "name": name,
            "definition": definition,
            "value": round(row["value"], 4),
            "low": round(row["low"], 4),
            "high": round(row["high"], 4),
            "n": f"{row['n']} {unit}",
            "set": data,
        }
        for name, definition, row, unit, data in rows
    ]


def _records(out: Path, kind: str) -> list[Record]:
    return [json.loads(path.read_text()) for path in sorted((out / "onnx" / kind).glob("member-?.json"))]


def _copy(out: Path, kind: str, records: Sequence[Record], folder: Path) -> None:
    """Copy networks; a file that is there with the same content is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for record in records:
        source, target = out / "onnx" / kind / record["file"], folder / record["file"]
        if not target.exists() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)


def write_package(out: Path, folder: Path) -> None:
    """Write the package of a run and load it once to prove it.

    The members that are exported so far make the package; without an evaluation its rules are preliminary
    and it has no figures.
    """
    members, contrast = _records(out, "member"), _records(out, "contrast")
    _copy(out, "member", members, folder / "members")
    if contrast:
        _copy(out, "contrast", contrast, folder / "contrast")
    figures = out / "metrics.json"
    report = json.loads(figures.read_text()) if figures.exists() else {}
    latency = out / "latency.json"
    seconds = json.loads(latency.read_text())["seconds_2_cores"] if latency.exists() else None
    created = datetime.now(tz=UTC).date()
    content = manifest(
        members, contrast, load_rules(out), metric_rows(report), created=created, seconds=seconds
    )
    (folder / "package.toml").write_text(tomlkit.dumps(content))
    parity = {f"members/{row['file']}": row["parity"] for row in members}
    parity |= {f"contrast/{row['file']}": row["parity"] for row in contrast}
    (folder / "parity.json").write_text(json.dumps(parity, indent=1) + "\n")
    (folder / "LICENSE").write_text(LICENCE)
    for source in (SPLIT_FILE, CONTRAST_SPLIT_FILE):
        shutil.copyfile(source, folder / source.name)
    if report:
        _write_report(out, folder, report)
    load_package(folder)


def _write_report(out: Path, folder: Path, report: dict[str, Any]) -> None:
    """Write card, figures, table of cases, plots and what training really did."""
    comparisons = [json.loads(path.read_text()) for path in (*EARLIER_COMPARISONS, out / "candidates.json")]
    (folder / "candidates.json").write_text(json.dumps(comparisons[-1], indent=1) + "\n")
    (folder / "metrics.json").write_text(json.dumps(report, indent=1) + "\n")
    runs = training_rows(out)
    (folder / "training.json").write_text(json.dumps(runs, indent=1) + "\n")
    (folder / "MODEL_CARD.md").write_text(markdown(report, runs, comparisons))
    shutil.copyfile(out / CASES, folder / CASES)
    rows = read_cases(out / CASES)
    plot_dice(report, rows, folder / "dice.png")
    plot_rules(report, folder / "rules.png")
    if report["spoilt images"]["conditions"]:
        plot_corruptions(report["spoilt images"], folder / "spoilt.png")
