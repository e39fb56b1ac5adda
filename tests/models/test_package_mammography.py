"""What a manifest says of mammograms: views, modifiers, and the rules of the examination."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import models
from models.package import PackageError, PackageManifest, load_package
from tests.packages.lesions import build_lesion_package
from tests.packages.mammograms import build_mammogram_package

IDENTITY = "{ slope = 1.0, offset = 0.0 }"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_mammogram_package(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def manifest(original: Path) -> PackageManifest:
    return load_package(original).manifest


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "bright-masses" / "0.0.1"))


def edit(folder: Path, old: str, new: str) -> None:
    path = folder / "package.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('views = ["MLO", "CC"]', 'views = ["MLO", "AP"]', "views: AP is none of CC"),
        ('views = ["MLO", "CC"]', "views = []", "input.mammography.views"),
        ('views = ["MLO", "CC"]', 'views = ["MLO", "MLO"]', "views names one of them twice"),
        ('validated_views = ["MLO"]', 'validated_views = ["ML"]', "validated_views: ML is none of CC, MLO"),
        ('recognition = ["By tags."]', 'refused_modifiers = ["Q"]', "refused_modifiers: Q is none of AC"),
        ('recognition = ["By tags."]', "accept_implants = 2", "accept_implants"),
        ("image = { candidate = 0.5, abnormal = 0.5 }", "image = { candidate = 0, abnormal = 0 }", "nought"),
        ("image = { candidate = 0.5, abnormal", "image = { candidate = -0.5, abnormal", "image.candidate"),
        ("image = { candidate = 0.5, abnormal", "image = { candidate = inf, abnormal", "image.candidate"),
        (
            "abnormal = 0.5 }",
            f"abnormal = 0.5, abnormal_members = [{IDENTITY}] }}",
            "abnormal_members must have one map per member",
        ),
        ("single = { slope = 1.0", "single = { slope = 0.0", "exam.single.slope"),
        ("several = { maximum = 0.5, mean = 0.5", "several = { maximum = 0, mean = 0", "above nought"),
        ("several = { maximum = 0.5", "several = { maximum = nan", "exam.several.maximum"),
        ("asymmetry = { weight = 0.0 }", "asymmetry = { weight = -1.0 }", "exam.asymmetry.weight"),
        ("weight = 0.0 }", "weight = 1.0, density_share = 1.5 }", "density_share"),
        ("nipple_distance_mm = 20.0", "nipple_distance_mm = 0.0", "nipple_distance_mm"),
        ("size_ratio = 3.0", "size_ratio = 0.5", "size_ratio"),
        ("size_ratio = 3.0", 'rule = "guess"', "exam.pairing.rule"),
        ("size_ratio = 3.0", "least_probability = 1.1", "least_probability"),
        ('definition = "None: plain numbers for tests."', 'definition = ""', "exam.definition"),
        ('definition = "None: plain', 'statements = [""]\ndefinition = "None: plain', "exam.statements"),
        ('[[outputs]]\nname = "density"\nshape = ["batch", 3]\n', "", "there is no output 'density'"),
        ("[exam]\n", "[examination]\n", "examination"),
    ],
)
def test_a_broken_manifest_is_refused_by_what_is_wrong(folder: Path, old: str, new: str, says: str) -> None:
    edit(folder, old, new)
    with pytest.raises(PackageError, match=says):
        load_package(folder)


def test_an_examination_without_its_rules_is_refused(folder: Path) -> None:
    path = folder / "package.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[exam]")] + text[text.index("[resources]") :])
    with pytest.raises(PackageError, match=r"exam and input\.mammography come together"):
        load_package(folder)


def test_rules_without_mammograms_are_refused(folder: Path) -> None:
    path = folder / "package.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[input.mammography]")] + text[text.index("[tensor]") :])
    with pytest.raises(PackageError, match=r"exam and input\.mammography come together"):
        load_package(folder)


def test_an_examination_needs_calibration(folder: Path) -> None:
    path = folder / "package.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[calibration]")] + text[text.index("[exam]") :])
    with pytest.raises(PackageError, match="an examination needs calibration"):
        load_package(folder)


def test_volumes_and_mammograms_are_not_read_by_one_package(tmp_path: Path) -> None:
    folder = build_lesion_package(tmp_path)
    edit(folder, "[tensor]", '[input.mammography]\nviews = ["CC"]\n\n[tensor]')
    with pytest.raises(PackageError, match="one of volume and mammography is set"):
        load_package(folder)


def test_defaults_refuse_what_is_no_whole_breast(manifest: PackageManifest) -> None:
    contract = manifest.input.mammography
    assert contract is not None and manifest.exam is not None
    assert contract.views == ("MLO", "CC") and contract.validated_views == ("MLO",)
    assert {"S", "M", "ID", "CV", "IMF", "AT"} <= set(contract.refused_modifiers)
    assert "NP" not in contract.refused_modifiers
    assert not contract.accept_implants and not contract.accept_male
    assert manifest.exam.asymmetry.weight == 0 and manifest.exam.image.malignant == 0
    assert manifest.plans == () and manifest.sequences == ()


def test_the_shipped_package_says_what_it_does_not_look_for() -> None:
    """And for which share of abnormal films its scores are."""
    exam = load_package(Path(models.__path__[0]) / "packages/mammography/0.1.0").manifest.exam
    assert exam is not None
    said = " ".join(exam.statements)
    assert "Microcalcifications are not looked for." in said and "36 %" in said
