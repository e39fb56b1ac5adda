"""Out-of-bag answers, what is fitted on them, and the package that comes of it."""

# ruff: noqa: E402

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra is not installed")

from export.training.mammography import breast_figures
from export.training.mammography.analysis import (
    fit_all,
    fit_maps,
    fit_weights,
    pair_differences,
    read_breasts,
    read_changed,
    score_breasts,
)
from export.training.mammography.breast_figures import figures_of
from export.training.mammography.evaluation import Turned, out_of_bag
from export.training.mammography.packaging import write_package
from export.training.mammography.repeatability import CHANGES, repeatability_figures
from export.training.mammography.report import fitted_as_json, load_fitted, write_cases
from models.detector import open_detector
from models.mammogram import Mammogram
from models.package import load_package
from models.phantoms.breast import breast_phantom
from tests.packages.mammograms import SIGMAS, member

from .made_up import answered, films


def test_every_film_is_answered_by_exactly_four_members_that_never_saw_it() -> None:
    made, blocks = films()
    views = out_of_bag(answered(made, blocks), made, blocks)
    assert [view.film.name for view in views] == [film.name for film in made]
    assert all(len(view.answers) == 4 for view in views)


def test_an_answer_of_a_member_that_saw_the_patient_is_an_error() -> None:
    made, blocks = films()
    found = answered(made, blocks)
    film = made[0]
    (seen, *_) = [member for member in range(10) if film.name not in found[member]]
    (unseen, *_) = [member for member in range(10) if film.name in found[member]]
    found[seen][film.name] = found[unseen][film.name]
    with pytest.raises(ValueError, match="unseen by"):
        out_of_bag(found, made, blocks)


def test_a_member_that_left_a_film_out_is_missed() -> None:
    made, blocks = films()
    found = answered(made, blocks)
    (one, *_) = [member for member in range(10) if made[0].name in found[member]]
    del found[one][made[0].name]
    with pytest.raises(ValueError, match="answered by"):
        out_of_bag(found, made, blocks)
    for kept in found.values():
        kept.pop(made[0].name, None)
    assert len(out_of_bag(found, made, blocks)) == len(made) - 1


def test_maps_of_a_block_stand_on_the_other_blocks() -> None:
    made, blocks = films()
    views = out_of_bag(answered(made, blocks), made, blocks)
    before = read_breasts(views, blocks)
    spoilt = [view for view in views if blocks[view.film.patient] == 0]
    for view in spoilt:
        object.__setattr__(view.film, "lesions", ())
    after = {breast.view.film.name: breast for breast in read_breasts(views, blocks)}
    for breast in before:
        same = after[breast.view.film.name].abnormal == breast.abnormal
        assert same == (breast.block == 0)


def test_weights_never_fall_below_nought() -> None:
    rng = np.random.default_rng(0)
    labels = rng.random(200) < 0.5
    features = np.stack([labels + rng.normal(0, 1, 200), rng.normal(0, 1, 200) - labels], axis=1)
    first, second, _ = fit_weights(features, labels)
    assert first > 0.3 and second == 0


def test_differences_of_a_pair_cancel() -> None:
    made, blocks = films()
    breasts = read_breasts(out_of_bag(answered(made, blocks), made, blocks), blocks)
    found = pair_differences(breasts, lambda breast: breast.abnormal)
    by_patient: dict[str, float] = {}
    for breast, value in zip(breasts, found, strict=True):
        by_patient[breast.view.film.patient] = by_patient.get(breast.view.film.patient, 0.0) + value
    assert np.allclose(list(by_patient.values()), 0)
    assert not pair_differences(breasts[:1], lambda breast: breast.abnormal).any()


def test_a_turned_session_turns_maps_back() -> None:
    class Echo:
        inputs = outputs = ()

        def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            (tensor,) = inputs.values()
            return {
                "centre": tensor[:, :1],
                "extent": tensor[:, :2],
                "abnormal": tensor[:, 0, 0, :1],
                "malignant": tensor[:, 0, 0, 0],
                "density": tensor[:, 0, 0, :3],
            }

    tensor = np.random.default_rng(0).random((1, 3, 8, 4), dtype=np.float32)
    found = Turned(Echo()).run({"view": tensor})
    assert np.allclose(found["centre"], tensor[:, :1]) and np.allclose(found["extent"], tensor[:, :2])
    assert np.allclose(found["malignant"], (tensor[0, 0, 0, 0] + tensor[0, 0, -1, 0]) / 2)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_moves_the_content_as_far_as_it_says(change) -> None:  # type: ignore[no-untyped-def]
    pixels = np.zeros((1024, 1024), dtype=np.float32)
    pixels[500:510, 400:410] = 1.0
    rows, columns = np.nonzero(change.apply(pixels) > 0.5)
    assert rows.mean() == pytest.approx(504.5 + change.moved[0], abs=0.6)
    assert columns.mean() == pytest.approx(404.5 + change.moved[1], abs=0.6)


def _evaluated(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what an evaluation of made-up answers leaves in the folder of a run."""
    monkeypatch.setattr(breast_figures, "LESION_DRAWS", 20)
    made, blocks = films()
    views = out_of_bag(answered(made, blocks), made, blocks)
    breasts = read_breasts(views, blocks)
    scores = score_breasts(breasts)
    fitted = fit_all(views, breasts, scores)
    report = figures_of(breasts, scores, fitted)
    plain = {one.view.film.name: one for one in read_changed(views, blocks, fit_maps(views))}
    report["repeatability"] = repeatability_figures(
        plain, {CHANGES[0].name: plain}, lambda one: one.abnormal, fitted.operating_point
    )
    (out / "onnx").mkdir(parents=True)
    (out / "fitted.json").write_text(json.dumps(fitted_as_json(fitted)))
    (out / "metrics.json").write_text(json.dumps(report))
    (out / "recipe.json").write_text(json.dumps({"start": "imagenet", "how": {"height": 448}}))
    write_cases(breasts, scores, out / "out_of_bag.csv")
    for number in range(10):
        content = member(SIGMAS[number % 3])
        (out / "onnx" / f"member-{number}.onnx").write_bytes(content)
        record = {
            "file": f"member-{number}.onnx",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "opset": 20,
            "ir_version": 10,
            "parity": {},
        }
        (out / "onnx" / f"member-{number}.json").write_text(json.dumps(record))
        trained = {"steps": 300, "seconds": 360, "plan": {}}
        (out / f"member-{number}.json").write_text(json.dumps(trained))


def test_an_evaluated_run_becomes_a_package_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder = tmp_path / "run", tmp_path / "mammography" / "0.1.0"
    _evaluated(out, monkeypatch)
    write_package(out, folder)
    package = load_package(folder)
    assert len(package.member_paths) == 10 and package.manifest.exam is not None
    assert package.manifest.calibration is not None and len(package.manifest.calibration.members) == 10
    names = {metric.name for metric in package.manifest.metrics}
    assert {"AUROC, abnormal breast", "AUROC, malignant breast", "LLF at NLF 0.5"} <= names
    assert all(metric.low is not None for metric in package.manifest.metrics)
    card = (folder / "MODEL_CARD.md").read_text()
    assert "Research use" in card and "microcalcifications" in card and "{" not in card
    for name in ("LICENSE", "split.csv", "out_of_bag.csv", "froc.png", "roc.png", "repeatability.png"):
        assert (folder / name).stat().st_size > 0
    phantom = breast_phantom(1, "L", "MLO")
    detector = open_detector(package, "cpu", 1)
    reading = detector.read([_mammogram(phantom)])  # type: ignore[union-attr]
    assert reading.members == 10 and 0 <= reading.exam_score <= 1


def _mammogram(phantom) -> Mammogram:  # type: ignore[no-untyped-def]
    from models.film import Film
    from models.mammography_results import MammographyView

    film = Film("2.25.1", phantom.pixels, pixel_spacing_mm=phantom.pixel_spacing_mm)
    return Mammogram(film, MammographyView("2.25.1", phantom.laterality, phantom.view))


def test_figures_of_fair_members_are_fair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _evaluated(tmp_path, monkeypatch)
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["AUROC of breasts"]["abnormal"]["value"] > 0.8
    assert report["AUROC of breasts"]["abnormal"]["n"] == 80
    assert 0.6 < report["LLF at NLF"]["all lesions"]["1"]["value"] <= 1
    # One of the twenty abnormal films has no coordinates.
    assert report["LLF at NLF"]["all lesions"]["1"]["n"] == 19
    assert report["operating point"]["NLF"] <= 0.5
    assert report["density"]["accuracy of patients"]["value"] == 1.0
    assert report["repeatability"][CHANGES[0].name]["median change"] == 0
    missed = report["failures"]["lesions missed at the operating point"]
    assert all(isinstance(row["film"], int) for row in missed)
    assert load_fitted(tmp_path).operating_point == report["operating point"]["score"]
