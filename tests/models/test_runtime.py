from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import runtime
from models.detector import open_detector
from models.onnx_header import OnnxVersions, read_onnx_versions
from models.package import PackageError, load_package
from models.runtime import RuntimeUnavailable, installed_runtimes, open_session
from tests.packages.blobs import build_blob_package


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return load_package(build_blob_package(tmp_path_factory.mktemp("packages"))).member_paths[0]


def distribution(folder: Path, name: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.31.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.31.1\n")


def test_two_distributions_of_one_module_are_refused(
    tmp_path: Path, member: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "onnxruntime-gpu")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert set(installed_runtimes()) == {"onnxruntime", "onnxruntime-gpu"}
    with pytest.raises(RuntimeUnavailable, match="uninstall both"):
        open_session(member)


def test_without_a_runtime_the_error_says_what_to_install(
    member: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeUnavailable, match=r"install secondread\[cpu\]"):
        open_session(member)


def test_a_provider_that_is_not_there_is_named(member: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime has CUDA")
    with pytest.raises(RuntimeUnavailable, match="no CUDAExecutionProvider"):
        open_session(member, "cuda")


def test_importing_the_room_does_not_import_a_runtime() -> None:
    code = (
        "import sys, models.detector, models.registry; "
        "sys.exit(any(name.partition('.')[0] in {'onnxruntime', 'onnx', 'torch'} for name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=Path(runtime.__file__).parents[1],
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == 0


def test_the_same_input_gives_the_same_bytes_with_any_number_of_threads(member: Path) -> None:
    film = np.random.default_rng(0).random((1, 3, 96, 128), dtype=np.float32)
    answers = [open_session(member, threads=threads).run({"film": film}) for threads in (1, 1, 2)]
    for name in ("centre", "extent", "presence"):
        np.testing.assert_array_equal(answers[0][name], answers[1][name])
        np.testing.assert_allclose(answers[0][name], answers[2][name], atol=1e-6)


def test_the_header_of_a_network_is_read(member: Path) -> None:
    assert read_onnx_versions(member.read_bytes()) == OnnxVersions(ir_version=10, opset=20)


def test_a_manifest_that_states_other_versions_is_refused(tmp_path: Path) -> None:
    folder = build_blob_package(tmp_path)
    manifest = folder / "package.toml"
    manifest.write_text(manifest.read_text().replace("opset = 20", "opset = 17", 1))
    with pytest.raises(PackageError, match=r"member-0\.onnx: has IR version 10 and opset 20"):
        open_detector(load_package(folder))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no network", b"\x08\x0a", b"\xff" * 40])
def test_what_is_no_network_has_no_versions(content: bytes) -> None:
    with pytest.raises(ValueError, match="the file"):
        read_onnx_versions(content)


@given(st.binary(max_size=200))
def test_any_bytes_have_versions_or_are_refused(content: bytes) -> None:
    try:
        found = read_onnx_versions(content)
    except ValueError:
        return
    assert found.ir_version > 0
    assert found.opset > 0


@given(st.data())
def test_a_cut_network_is_refused_or_keeps_its_versions(member: Path, data: st.DataObject) -> None:
    content = member.read_bytes()
    cut = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = read_onnx_versions(cut)
    except ValueError:
        return
    assert found == OnnxVersions(10, 20)
