"""Opening packages: what reads films, what reads volumes, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.brain_tumour.detector import BrainTumourDetector
from models.chest_nodule.detector import ChestNoduleDetector
from models.detector import check_networks, open_detector, open_film_detector, open_volume_detector
from models.package import Package, PackageError, load_package
from tests.packages.blobs import build_blob_package
from tests.packages.lesions import build_lesion_package


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_blob_package(tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return load_package(build_lesion_package(tmp_path_factory.mktemp("packages")))


def edited(package: Package, folder: Path, old: str, new: str) -> Package:
    shutil.copytree(package.folder, folder)
    manifest = folder / "package.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    return load_package(folder)


def test_a_package_of_the_other_kind_is_refused(films: Package, volumes: Package) -> None:
    with pytest.raises(PackageError, match="known for films are detect/centre-heatmap"):
        open_film_detector(volumes)
    with pytest.raises(PackageError, match="known for volumes are segment/slice-ensemble"):
        open_volume_detector(films)


def test_a_family_that_nothing_reads_is_refused(volumes: Package, tmp_path: Path) -> None:
    other = edited(volumes, tmp_path / "p", 'family = "slice-ensemble"', 'family = "patches"')
    with pytest.raises(PackageError, match="nothing here reads segment/patches; known for volumes are"):
        open_detector(other)


def test_a_graph_of_a_branch_is_checked_against_the_branch(volumes: Package, tmp_path: Path) -> None:
    old = 'outputs = [{ name = "probability", shape = ["n", 1, "h", "w"] }'
    other = edited(volumes, tmp_path / "p", old, old.replace('"n", 1', '"n", 2'))
    for check in (open_detector, check_networks):
        with pytest.raises(PackageError, match=r"contrast/member-0\.onnx: probability has shape"):
            check(other)


def test_members_that_take_no_part_are_checked_when_asked(volumes: Package, tmp_path: Path) -> None:
    text = (volumes.folder / "package.toml").read_text()
    tables = text.split("[[members]]\n")
    stated = tables[3].replace("opset = 20", "opset = 17", 1)
    other = edited(volumes, tmp_path / "p", tables[3], stated)
    assert isinstance(open_detector(other, members=2), BrainTumourDetector)
    with pytest.raises(PackageError, match=r"members/member-2\.onnx: has IR version 10 and opset 20"):
        check_networks(other)


def test_films_are_read_by_all_members(films: Package) -> None:
    with pytest.raises(PackageError, match="calibrated for all of its members"):
        open_film_detector(films, members=1)
    assert isinstance(open_detector(films, members=3), ChestNoduleDetector)


def test_each_kind_opens_as_itself_and_warms_up(films: Package, volumes: Package) -> None:
    film, volume = open_detector(films), open_detector(volumes)
    assert isinstance(film, ChestNoduleDetector) and isinstance(volume, BrainTumourDetector)
    film.warm_up()
    volume.warm_up()


@pytest.mark.parametrize("members", [0, 4, -1])
def test_a_number_of_members_that_there_are_not_is_refused(volumes: Package, members: int) -> None:
    with pytest.raises(PackageError, match="has 3 members"):
        open_volume_detector(volumes, members=members)
