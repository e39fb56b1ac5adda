"""Reading a made-up data folder, sampling it, and a short training that goes on from a checkpoint."""

# ruff: noqa: E402

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra is not installed")

from PIL import Image

from export.training import stage
from export.training.brain_tumour import training
from export.training.brain_tumour.augment import Strength
from export.training.brain_tumour.candidates import compare, dice, predict
from export.training.brain_tumour.data import Patient, load_contrast, load_patients
from export.training.brain_tumour.network import UNet
from export.training.stage import Plan

SMALL = Strength(side=64)
PLAN = Plan(steps=3, minutes=5, batch=2)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two patients of four slices, the second without T1 before contrast, and three contrast slices."""
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    head = ((np.mgrid[:256, :256] - 128) ** 2).sum(axis=0) < 90**2
    rows = []
    for name, place, pre in (("P_1", "DU", "1"), ("P_2", "HT", "0")):
        (root / "lgg" / name).mkdir(parents=True)
        for number in range(1, 5):
            wide = np.concatenate([head * rng.integers(60, 200, (256, 256)) for _ in range(3)], axis=1)
            Image.fromarray(wide.astype(np.uint8)).save(
                root / "lgg" / name / f"{number:03d}.webp", lossless=True
            )
            mask = np.zeros((256, 256), dtype=np.uint8)
            if number == 2:
                mask[100:120, 90:130] = 255
                Image.fromarray(mask).save(root / "lgg" / name / f"{number:03d}_mask.png")
            rows.append([name, place, number, pre, "1", int((mask > 0).sum())])
    with (root / "lgg" / "slices.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["patient", "institution", "slice", "has_pre_contrast", "has_post_contrast", "mask_pixels"]
        )
        writer.writerows(rows[::-1])
    (root / "cheng_t1c").mkdir()
    border = json.dumps([[100, 200], [180, 200], [180, 240], [100, 240]])
    with gzip.open(root / "cheng_t1c" / "borders.csv.gz", "wt") as stream:
        csv.writer(stream).writerows(
            [["file", "label", "tumorBorder"], *([f"{n}.png", 1, border] for n in (1, 2, 3))]
        )
    with (root / "cheng_t1c" / "images.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["number", "class_folder"], [1, 1], [2, 0], [3, 2]])
    for number in (1, 2, 3):
        pixels = rng.integers(0, 255, (384, 384)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "cheng_t1c" / f"{number:04d}.webp")
    monkeypatch.setenv("SECONDREAD_DATA", str(root))
    return tmp_path


def test_patients_are_read_once_and_an_absent_channel_is_zero(data: Path) -> None:
    first, second = load_patients(data / "cache")
    assert first.volume.shape == (4, 3, 256, 256) and first.volume.dtype == np.float16
    assert first.present == (True, True, True) and second.present == (False, True, True)
    assert first.volume[:, 0].any() and not second.volume[:, 0].any(), "a copy of FLAIR was used as T1"
    assert set(second.sequences()) == {"FLAIR", "T1C"} and set(first.sequences(["T1"])) == {"T1"}
    assert first.mask.any(axis=(1, 2)).tolist() == [False, True, False, False]
    (data / "data" / "lgg" / "P_1" / "001.webp").unlink()
    again = load_patients(data / "cache")
    np.testing.assert_array_equal(again[1].volume, second.volume)


def test_contrast_slices_have_their_polygon_halved_and_their_type(data: Path) -> None:
    slices = load_contrast(data / "cache")
    assert slices.pixels.shape == (3, 256, 256) and slices.types.tolist() == [0, 2, 1]
    rows, columns = np.nonzero(slices.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 120, 50, 90)
    batch = next(training.contrast_batches(slices, np.arange(3), 4, SMALL, 1))
    assert batch["tensor"].shape == (4, 1, 64, 64) and set(batch["type"].tolist()) <= {0, 1, 2}


def test_missing_data_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SECONDREAD_DATA", raising=False)
    with pytest.raises(RuntimeError, match="SECONDREAD_DATA"):
        load_patients(tmp_path)


def test_batches_are_seeded_and_mostly_of_tumour(data: Path) -> None:
    patients = load_patients(data / "cache")
    one, two = (next(training.patient_batches(patients, 8, SMALL, 5)) for _ in range(2))
    assert torch.equal(one["tensor"], two["tensor"]) and one["tensor"].shape == (8, 12, 64, 64)
    kinds = training._kinds(patients[0].mask)
    assert [kind.tolist() for kind in kinds] == [[1], [0, 2, 3], []]
    rng = np.random.default_rng(0)
    drawn = [training._slice_of(rng, kinds) for _ in range(1000)]
    assert 0.55 < np.mean([z == 1 for z in drawn]) < 0.65


def test_a_short_training_goes_on_from_its_checkpoint(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "SAVE_EVERY", 1)
    patients, out = load_patients(data / "cache"), data / "run"

    def small() -> UNet:
        return UNet(widths=(4, 4, 4, 4, 4))

    def interrupted(step: int) -> None:
        raise KeyboardInterrupt(step)

    made = training.make_batch
    calls: list[int] = []

    def counted(*args: object, **options: object) -> object:
        calls.append(1)
        return interrupted(len(calls)) if len(calls) == 3 else made(*args, **options)

    monkeypatch.setattr(training, "make_batch", counted)
    with pytest.raises(KeyboardInterrupt):
        training.train_on("x", patients, small, out, plan=PLAN, seed=1, resume=True, how=SMALL)
    assert (out / "x.checkpoint.pt").exists()
    final = training.train_on("x", patients, small, out, plan=PLAN, seed=1, resume=True, how=SMALL)
    assert json.loads((out / "x.json").read_text())["steps"] == 3 and len(calls) == 5
    network = small().eval()
    network.load_state_dict(torch.load(final, weights_only=True))
    for wanted in (("FLAIR",), ("T1", "FLAIR", "T1C")):
        answer = predict(network, patients[1], wanted)
        assert answer.shape == (4, 256, 256) and 0 <= answer.min() and answer.max() <= 1


def test_a_member_never_sees_its_pair_of_blocks() -> None:
    empty = np.zeros((1, 256, 256), dtype=bool)
    patients = [
        Patient(f"P{block}", "DU", np.zeros((1, 3, 256, 256), np.float16), empty, (True, True, True))
        for block in range(5)
    ]
    blocks = {f"P{block}": block for block in range(5)}
    for member, pair in enumerate(training.PAIRS):
        assert {blocks[p.name] for p in training.seen_by(patients, blocks, member)} == set(range(5)) - set(
            pair
        )


def test_dice_by_hand() -> None:
    first = np.array([True, True, False, False])
    assert dice(first, np.array([True, False, True, False])) == 0.5
    assert dice(first, ~first) == 0 and dice(first & ~first, first & ~first) == 1


def test_losses_fall_when_the_answer_is_right() -> None:
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, :, 2:5, 2:5] = 1
    right = training.mask_losses(20 * mask - 10, mask)
    wrong = training.mask_losses(10 - 20 * mask, mask)
    assert all(float(right[name]) < 0.01 < float(wrong[name]) for name in right)


def test_the_comparison_keeps_a_table_and_names_the_chosen_network(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.training.brain_tumour import candidates

    small = {name: (lambda: UNet(widths=(4, 4, 4, 4, 4))) for name in ("first", "second")}
    monkeypatch.setattr(candidates, "CANDIDATES", small)
    patients = load_patients(data / "cache")
    plan = Plan(steps=1, minutes=5, batch=2)
    chosen = compare(patients, {"P_1": 0, "P_2": 3}, data / "run", resume=False, plan=plan)
    table = json.loads((data / "run" / "candidates.json").read_text())
    assert chosen == table["chosen"] == "first" == candidates.chosen_network(data / "run")
    assert [row["patients judged"] for row in table["candidates"]] == [1, 1]
