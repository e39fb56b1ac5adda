from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.detector import open_detector
from models.film import Film
from models.package import PackageError, load_manifest, load_package
from models.registry import Registry, UnknownPackage
from models.runtime import installed_runtimes, open_session
from tests.packages.blobs import build_blob_package


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_blob_package(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "blob-detector" / "0.0.1"))


def edit(folder: Path, change: Callable[[str], str]) -> None:
    manifest = folder / "package.toml"
    before = manifest.read_text()
    after = change(before)
    assert after != before
    manifest.write_text(after)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"package\.toml: cannot be read"):
        load_package(tmp_path)


def test_a_manifest_that_is_not_toml_is_refused(folder: Path) -> None:
    (folder / "package.toml").write_text("[package\n")
    with pytest.raises(PackageError, match="is not TOML"):
        load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "0.0.1"', 'version = "1"', "package.version"),
        ('name = "blob-detector"', 'name = "Blob Detector"', "package.name"),
        ('file = "member-0.onnx"', 'file = "../member-0.onnx"', "own folder"),
        ('file = "member-0.onnx"', 'file = "/etc/passwd"', "own folder"),
        ('file = "member-0.onnx"', 'file = "member-1.onnx"', "the same file"),
        ("opset = 20", "opset = 28", "less than or equal to 26"),
        ("ir_version = 10", "ir_version = 14", "less than or equal to 13"),
        ("score = 0.5", "score = 1.5", "operating_point.score"),
        ("[resources]", "[resources]\ncolour = 3", "resources.colour"),
        ('modalities = ["CR", "DX"]', "modalities = []", "input.modalities"),
        ('code = "', 'code = "腫', "findings.0.code"),
        ('meaning = "', 'meaning = ""\n# "', "findings.0.meaning"),
    ],
)
def test_a_broken_manifest_is_refused_by_the_name_of_the_field(
    folder: Path, old: str, new: str, says: str
) -> None:
    edit(folder, lambda text: text.replace(old, new, 1))
    with pytest.raises(PackageError, match=says):
        load_package(folder)


def test_one_changed_byte_of_a_member_is_refused(folder: Path) -> None:
    member = folder / "member-1.onnx"
    content = bytearray(member.read_bytes())
    content[len(content) // 2] ^= 1
    member.write_bytes(content)
    with pytest.raises(PackageError, match=r"member-1\.onnx: has .* SHA-256"):
        load_package(folder)


def test_a_missing_member_is_refused(folder: Path) -> None:
    (folder / "member-2.onnx").unlink()
    with pytest.raises(PackageError, match=r"member-2\.onnx: cannot be read"):
        load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "presence"', 'name = "probability"', "the manifest names"),
        ('shape = ["batch", 2, "h", "w"]', 'shape = ["batch", 4, "h", "w"]', "extent has shape"),
        ('shape = ["batch"]', 'shape = ["batch", 1]', "presence has shape"),
        ('name = "film"\n', 'name = "film"\ndtype = "uint8"\n', "film is tensor"),
        ('family = "centre-heatmap"', 'family = "transformer"', "nothing here reads detect/transformer"),
        ("overlap = 0.2\n", "", "lacks overlap"),
    ],
)
def test_a_network_that_is_not_what_the_manifest_says_does_not_run(
    folder: Path, old: str, new: str, says: str
) -> None:
    edit(folder, lambda text: text.replace(old, new, 1))
    with pytest.raises(PackageError, match=says):
        open_detector(load_package(folder))


def test_another_manifest_is_another_device(folder: Path) -> None:
    before = load_package(folder)
    edit(folder, lambda text: text.replace("score = 0.5", "score = 0.6", 1))
    after = load_package(folder)
    assert before.device_uid.startswith("2.25.")
    assert len(before.device_uid) <= 64
    assert before.device_uid != after.device_uid


def test_the_detector_finds_the_blob_where_it_is(original: Path) -> None:
    rows, columns = np.mgrid[0:1024, 0:900]
    noise = np.random.default_rng(1).normal(0, 0.01, rows.shape)
    plain = 0.4 + 0.2 * np.sin(rows / 100) * np.cos(columns / 80) + noise
    blob = 0.35 * np.exp(-((rows - 400.0) ** 2 + (columns - 300.0) ** 2) / (2 * 11**2))
    detector = open_detector(load_package(original))
    found = detector.detect(Film("1.2.3", np.clip(plain + blob, 0, 1).astype(np.float32)))
    (finding,) = found.above_operating_point
    assert finding.box.centre == pytest.approx((396, 304), abs=8)
    assert finding.support == 1.0
    assert found.members == len(finding.member_scores) == 3
    nothing = detector.detect(Film("1.2.4", np.clip(plain, 0, 1).astype(np.float32)))
    assert nothing.above_operating_point == ()
    assert nothing.case_score < found.case_score


def test_the_registry_names_what_there_is(original: Path) -> None:
    registry = Registry([original.parents[1]])
    assert registry.get("blob-detector").reference == "blob-detector@0.0.1"
    assert registry.get("blob-detector@0.0.1").manifest == load_manifest(original).manifest
    with pytest.raises(UnknownPackage, match=r"blob-detector@0\.0\.1"):
        registry.get("blob-detector@9.9.9")


def test_the_newest_version_is_by_precedence_not_by_text(tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0-rc.1", "0.10.0-rc.2"):
        build_blob_package(tmp_path, version)
    assert Registry([tmp_path]).get("blob-detector").version == "0.10.0-rc.2"
    build_blob_package(tmp_path, "0.10.0")
    assert Registry([tmp_path]).get("blob-detector").version == "0.10.0"


def test_one_reference_with_two_contents_is_refused(original: Path, tmp_path: Path) -> None:
    other = build_blob_package(tmp_path)
    edit(other, lambda text: text.replace("score = 0.5", "score = 0.6", 1))
    with pytest.raises(PackageError, match="with other content"):
        Registry([original.parents[1], tmp_path]).packages()


def test_a_session_answers_by_name_and_states_its_tensors(original: Path) -> None:
    session = open_session(load_package(original).member_paths[0])
    assert [spec.name for spec in session.inputs] == ["film"]
    assert session.inputs[0].shape == (None, 3, None, None)
    answer = session.run({"film": np.zeros((2, 3, 64, 96), np.float32)})
    assert {name: value.shape for name, value in answer.items()} == {
        "centre": (2, 1, 16, 24),
        "extent": (2, 2, 16, 24),
        "presence": (2,),
    }


def test_exactly_one_runtime_is_installed_here() -> None:
    assert len(installed_runtimes()) == 1
