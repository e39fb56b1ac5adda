"""What a manifest says of volumes: subsets, branches, classifications, members in folders."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.package import MAIN, PackageError, PackageManifest, UnsupportedSubset, load_manifest, load_package
from models.sequences import SEQUENCES
from tests.packages.blobs import build_blob_package
from tests.packages.lesions import build_lesion_package


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_lesion_package(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def manifest(original: Path) -> PackageManifest:
    return load_package(original).manifest


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "bright-lesions" / "0.0.1"))


def edit(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "package.toml"
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('file = "members/member-0.onnx"', 'file = "../member-0.onnx"', "own folder"),
        ('file = "members/member-0.onnx"', 'file = "members/../../member-0.onnx"', "own folder"),
        ('file = "members/member-0.onnx"', 'file = "/members/member-0.onnx"', "own folder"),
        ('file = "members/member-0.onnx"', 'file = "members//member-0.onnx"', "own folder"),
        ('file = "members/member-0.onnx"', "file = 'members\\member-0.onnx'", "own folder"),
        ('file = "members/member-0.onnx"', 'file = "members/.hidden"', "own folder"),
        ('file = "members/member-0.onnx"', 'file = "contrast/member-0.onnx"', "the same file"),
        ("ensemble = 3", "ensemble = 4", "asks for 4 of 3 members"),
        ("ensemble = 3", "ensemble = 0", "ensemble"),
        ('["T1", "FLAIR"], ["FLAIR"]]', '["T1"], ["FLAIR"]]', "reference FLAIR is missing"),
        ('["T1", "FLAIR"], ["FLAIR"]]', '["FLAIR", "FLAIR"]]', "names a sequence twice"),
        ('["T1", "FLAIR"], ["FLAIR"]]', '["T1C", "FLAIR"]]', "hold the same sequences"),
        ('["T1", "FLAIR"], ["FLAIR"]]', '["DWI", "FLAIR"]]', "input.volume.subsets"),
        ("slice_spacing_mm = [0.5, 8.0]", "slice_spacing_mm = [8.0, 0.5]", "slice_spacing_mm"),
        ("spacing_mm = 0.92\nslice", "spacing_mm = 0\nslice", "input.volume.spacing_mm"),
        ('name = "contrast"\ntitle', 'name = "main"\ntitle', "main network"),
        ('branch = "contrast"', 'branch = "other"', "there is no branch 'other'"),
        ('branch = "contrast"\n', "", "there is no output 'type'"),
        ('output = "type"', 'output = "kind"', "there is no output 'kind'"),
        ('{ name = "type", shape = ["n", 3] }', '{ name = "type", shape = ["n", 4] }', "has 4 classes"),
        ('statements = ["The contrast-enhanced series alone was read."]', "statements = []", "statements"),
    ],
)
def test_a_broken_manifest_is_refused_by_what_is_wrong(folder: Path, old: str, new: str, says: str) -> None:
    edit(folder, lambda text: text.replace(old, new, 1))
    with pytest.raises(PackageError, match=says):
        load_package(folder)


def test_branches_without_volumes_are_refused(folder: Path) -> None:
    def without_volume(text: str) -> str:
        start, end = text.index("[input.volume]"), text.index("[tensor]")
        return text[:start] + text[end:]

    edit(folder, without_volume)
    with pytest.raises(PackageError, match=r"input\.volume is needed"):
        load_package(folder)


@pytest.mark.parametrize("file", ["members/member-2.onnx", "contrast/member-1.onnx"])
def test_every_file_of_every_branch_is_checked(folder: Path, file: str) -> None:
    member = folder / file
    content = bytearray(member.read_bytes())
    content[len(content) // 2] ^= 1
    member.write_bytes(content)
    with pytest.raises(PackageError, match=rf"{file}: has .* SHA-256"):
        load_package(folder)
    member.unlink()
    with pytest.raises(PackageError, match=rf"{file}: cannot be read"):
        load_package(folder)


def test_a_package_of_films_reads_no_volumes(tmp_path: Path) -> None:
    films = load_manifest(build_blob_package(tmp_path)).manifest
    assert films.plans == () and films.sequences == () and films.branches == ()
    assert films.all_members == films.members
    with pytest.raises(UnsupportedSubset, match="single images, not volumes"):
        films.choose(SEQUENCES)


@pytest.mark.parametrize("available", [(), ("T1",), ("T2",), ("T1", "T2")])
def test_a_study_that_no_network_reads_is_refused_in_words(
    manifest: PackageManifest, available: tuple[str, ...]
) -> None:
    with pytest.raises(UnsupportedSubset, match="needed is FLAIR, or T1 with contrast$") as caught:
        manifest.choose(available)
    words = str(caught.value)
    assert ("T1 and T2" if len(available) == 2 else "") in words.partition(";")[0]
    if not available:
        assert words.startswith("the study has no sequence that is known")


@pytest.mark.parametrize(
    ("available", "branch", "sequences", "missing"),
    [
        (SEQUENCES, MAIN, ("T1", "FLAIR", "T1C"), ()),
        (("FLAIR", "T1C"), MAIN, ("FLAIR", "T1C"), ("T1",)),
        (("FLAIR", "T2"), MAIN, ("FLAIR",), ("T1", "T1C")),
        (("T1", "T2", "T1C"), "contrast", ("T1C",), ("T1", "FLAIR")),
    ],
)
def test_the_main_network_comes_first_with_as_much_as_it_reads(
    manifest: PackageManifest,
    available: tuple[str, ...],
    branch: str,
    sequences: tuple[str, ...],
    missing: tuple[str, ...],
) -> None:
    plan = manifest.choose(available)
    assert (plan.branch, plan.sequences, plan.missing) == (branch, sequences, missing)
    assert plan.reference == ("FLAIR" if branch == MAIN else "T1C")
    assert bool(plan.statements) == (branch != MAIN)


@given(st.sets(st.sampled_from(SEQUENCES)))
def test_a_plan_reads_only_what_there_is(manifest: PackageManifest, available: set[str]) -> None:
    try:
        plan = manifest.choose(available)
    except UnsupportedSubset:
        assert not available & {"FLAIR", "T1C"}
    else:
        assert plan in manifest.plans
        assert plan.reference in plan.sequences and available.issuperset(plan.sequences)
        assert not set(plan.missing) & set(plan.sequences)


def test_files_are_found_by_network_and_networks_by_file(original: Path) -> None:
    package = load_package(original)
    assert [path.parent.name for path in package.paths_of("contrast")] == ["contrast", "contrast"]
    assert len(package.manifest.all_members) == 5
    for name in (MAIN, "contrast"):
        for member, path in zip(package.manifest.network(name).members, package.paths_of(name), strict=True):
            assert package.network_of(path) == (package.manifest.network(name), member)
    with pytest.raises(KeyError):
        package.network_of(original / "member-0.onnx")
    with pytest.raises(KeyError):
        package.paths_of("other")
    assert package.manifest.sequences == ("T1", "T1C", "FLAIR")
