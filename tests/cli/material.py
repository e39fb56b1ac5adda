"""Folders of DICOM, good and bad, for the commands that read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
from pydicom.uid import generate_uid

from dicom_io.phantoms import FilmOptions, write_chest_study
from models.phantoms import random_nodules

SIDE = 512


def good_film(folder: Path, seed: int = 5, options: FilmOptions | None = None) -> Path:
    """Write a small frontal phantom with a nodule."""
    nodules = random_nodules(seed, 1)
    (path,) = write_chest_study(folder, seed, nodules=nodules, rows=SIDE, columns=SIDE, options=options)
    return path


def changed(source: Path, target: Path, *, new_uids: bool = True, **values: Any) -> Path:
    """Write a copy with other attributes, as a study of its own unless told otherwise; None removes one."""
    dataset = pydicom.dcmread(source)
    if new_uids:
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for keyword, value in values.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    target.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(target, enforce_file_format=True)
    return target


def bad_folder(folder: Path, film: Path) -> dict[str, str]:
    """Write one of each kind of bad input and return the code that each must get, by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    changed(
        film, folder / "lateral.dcm", ViewPosition="LL", PatientOrientation=["A", "F"], ViewCodeSequence=None
    )
    changed(film, folder / "hand.dcm", BodyPartExamined="HAND", AnatomicRegionSequence=None)
    changed(film, folder / "mammogram.dcm", Modality="MG")
    changed(film, folder / "no-pixels.dcm", PixelData=None)
    changed(film, folder / "no-rows.dcm", Rows=0)
    changed(film, folder / "absurd.dcm", Rows=65000, Columns=65000)
    whole = changed(film, folder / "truncated.dcm").read_bytes()
    (folder / "truncated.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "header-only.dcm").write_bytes(whole[:400])
    (folder / "notes.txt").write_text("no DICOM at all\n" * 20)
    (folder / "empty.dcm").touch()
    return {
        "lateral.dcm": "lateral-view",
        "hand.dcm": "wrong-body-part",
        "mammogram.dcm": "wrong-modality",
        "no-pixels.dcm": "no-pixel-data",
        "no-rows.dcm": "bad-dimensions",
        "absurd.dcm": "bad-dimensions",
        "truncated.dcm": "truncated",
        "header-only.dcm": "not-dicom",
        "notes.txt": "not-dicom",
        "empty.dcm": "empty-file",
    }
