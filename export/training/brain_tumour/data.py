"""Brain images in memory: normalised LGG volumes with masks, and contrast-enhanced slices with types."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from export.training.folder import data_root
from models.preprocessing.brain import SEQUENCES, contrast_input, normalised

SIDE = 256
TYPES = ("meningioma", "glioma", "pituitary")
_TYPE_OF_FOLDER = {"1": 0, "2": 1, "0": 2}
_BORDER_FRAME = 512
Half = NDArray[np.float16]


@dataclass(frozen=True)
class Patient:
    """One patient of data/lgg.

    Parameters
    ----------
    name, institution : str
        As in the table of the data set.
    volume : ndarray of float16, shape (z, 3, 256, 256)
        T1, FLAIR, T1C as ``models.preprocessing.brain.normalised`` makes them; zero where absent.
    mask : ndarray of bool, shape (z, 256, 256)
        FLAIR abnormality.
    present : tuple of bool
        Whether T1, FLAIR and T1C were acquired.
    """

    name: str
    institution: str
    volume: Half
    mask: NDArray[np.bool_]
    present: tuple[bool, bool, bool]

    def sequences(self, wanted: Sequence[str] = SEQUENCES) -> dict[str, NDArray[np.float32] | None]:
        """Return the present ones of the wanted sequences as float32 volumes (z, y, x)."""
        return {
            name: self.volume[:, channel].astype(np.float32)
            for channel, name in enumerate(SEQUENCES)
            if self.present[channel] and name in wanted
        }


@dataclass(frozen=True)
class ContrastSlices:
    """All slices of data/cheng_t1c: float16 (n, 256, 256) normalised, masks, types and numbers."""

    pixels: Half
    masks: NDArray[np.bool_]
    types: NDArray[np.int64]
    numbers: NDArray[np.int64]


def patient_rows(root: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of the slice table by patient, in slice order."""
    rows: dict[str, list[dict[str, str]]] = {}
    with (root / "lgg" / "slices.csv").open() as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["patient"], []).append(row)
    for group in rows.values():
        group.sort(key=lambda row: int(row["slice"]))
    return rows


def raw_patient(
    root: Path, name: str, rows: list[dict[str, str]]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], tuple[bool, bool, bool]]:
    """Decode one patient: 8 bit (z, 3, 256, 256), mask, presence; an absent channel is zero, never a copy."""
    digits = len(next((root / "lgg" / name).glob("*.webp")).stem)
    volume = np.zeros((len(rows), len(SEQUENCES), SIDE, SIDE), dtype=np.uint8)
    mask = np.zeros((len(rows), SIDE, SIDE), dtype=bool)
    present = (
        all(row["has_pre_contrast"] == "1" for row in rows),
        True,
        all(row["has_post_contrast"] == "1" for row in rows),
    )
    for z, row in enumerate(rows):
        path = root / "lgg" / name / f"{int(row['slice']):0{digits}d}.webp"
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
        for channel in range(len(SEQUENCES)):
            if present[channel]:
                volume[z, channel] = pixels[:, channel * SIDE : (channel + 1) * SIDE]
        marked = path.with_name(f"{path.stem}_mask.png")
        if marked.exists():
            with Image.open(marked) as image:
                mask[z] = np.asarray(image.convert("L")) > 0
    return volume, mask, present


def load_patients(cache: Path) -> list[Patient]:
    """Load all patients by name, decoding and normalising once and keeping arrays beside the run."""
    root, folder = data_root(), cache / "lgg"
    folder.mkdir(parents=True, exist_ok=True)
    patients = []
    for name, rows in sorted(patient_rows(root).items()):
        stored, marked, facts = (folder / f"{name}{end}" for end in (".npy", "_mask.npy", ".json"))
        if not facts.exists():
            raw, mask, present = raw_patient(root, name, rows)
            volume = np.zeros(raw.shape, dtype=np.float16)
            for channel, there in enumerate(present):
                if there:
                    volume[:, channel] = normalised(raw[:, channel].astype(np.float32))
            np.save(stored, volume)
            np.save(marked, mask)
            facts.write_text(json.dumps(present))
        patients.append(
            Patient(
                name,
                rows[0]["institution"],
                np.load(stored),
                np.load(marked),
                tuple(json.loads(facts.read_text())),
            )
        )
    return patients


@dataclass(frozen=True)
class Truth:
    """What is known of a patient apart from the images, see :class:`Patient`."""

    name: str
    institution: str
    mask: NDArray[np.bool_]
    present: tuple[bool, bool, bool]


def load_truths(cache: Path) -> list[Truth]:
    """Load the masks that ``load_patients`` keeps beside a run, by name."""
    root, folder = data_root(), cache / "lgg"
    return [
        Truth(
            name,
            rows[0]["institution"],
            np.load(folder / f"{name}_mask.npy"),
            tuple(json.loads((folder / f"{name}.json").read_text())),
        )
        for name, rows in sorted(patient_rows(root).items())
    ]


def _border(text: str) -> list[tuple[float, float]]:
    scale = SIDE / _BORDER_FRAME
    return [(float(x) * scale, float(y) * scale) for x, y in json.loads(text)]


def contrast_rows(root: Path) -> dict[int, int]:
    """Return the tumour type (index into ``TYPES``) of every slice number."""
    with (root / "cheng_t1c" / "images.csv").open() as stream:
        return {int(row["number"]): _TYPE_OF_FOLDER[row["class_folder"]] for row in csv.DictReader(stream)}


def load_contrast(cache: Path) -> ContrastSlices:
    """Load the contrast-enhanced slices at 256 px, decoding once and keeping arrays beside the run."""
    root, folder = data_root(), cache / "cheng"
    folder.mkdir(parents=True, exist_ok=True)
    names = ("pixels", "masks", "types", "numbers")
    if not (folder / "numbers.npy").exists():
        with gzip.open(root / "cheng_t1c" / "borders.csv.gz", "rt") as stream:
            borders = {int(row["file"].split(".")[0]): row["tumorBorder"] for row in csv.DictReader(stream)}
        types = contrast_rows(root)
        made: dict[str, list[Any]] = {name: [] for name in names}
        for number in sorted(types):
            with Image.open(root / "cheng_t1c" / f"{number:04d}.webp") as image:
                small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
            canvas = Image.new("1", (SIDE, SIDE))
            ImageDraw.Draw(canvas).polygon(_border(borders[number]), fill=1)
            made["pixels"].append(contrast_input(np.asarray(small, dtype=np.float32)[None])[0, 0])
            made["masks"].append(np.asarray(canvas))
            made["types"].append(types[number])
            made["numbers"].append(number)
        np.save(folder / "pixels.npy", np.asarray(made["pixels"], dtype=np.float16))
        np.save(folder / "masks.npy", np.asarray(made["masks"], dtype=bool))
        np.save(folder / "types.npy", np.asarray(made["types"], dtype=np.int64))
        np.save(folder / "numbers.npy", np.asarray(made["numbers"], dtype=np.int64))
    return ContrastSlices(*(np.load(folder / f"{name}.npy") for name in names))
